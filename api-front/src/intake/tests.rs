//! Commands out of requests: what is hashed, what is sealed, and what never leaves in the open.

use super::*;
use crate::rest::request::{self, Create, Means};
use protocol::calendar::Micros;
use protocol::words::{Brand, EntryType};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::LazyLock;

const SALE: &str = include_str!("../rest/testdata/sale.json");
const PAN: &str = "4012000098765439";

static KEYS: LazyLock<(tempfile::TempDir, Sealer)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let sealer = Sealer::open_or_create(&folder.path().join("keys")).unwrap();
    (folder, sealer)
});

fn sealer() -> &'static Sealer {
    &KEYS.1
}

fn merchant(sandbox: bool) -> Merchant {
    Merchant {
        id: Xid::from_parts(1, [1; 5], 4),
        name: "test".into(),
        active: true,
        sandbox,
        duplicate_window_s: 0,
        processors: switch_core::input::OwnProcessors { card: 1, ach: 2, terminal: 3 },
        compat: Default::default(),
        links: Default::default(),
    }
}

fn sale(change: impl FnOnce(&mut Value)) -> Create {
    let mut body: Value = serde_json::from_str(SALE).unwrap();
    change(&mut body);
    Create::parse(&serde_json::to_vec(&body).unwrap()).unwrap()
}

fn asked_by(merchant: &Merchant, counter: u32, key: Option<&Key>, create: Create) -> Built {
    let asker = Asker {
        merchant,
        user_id: &merchant.id,
        user_name: "till 7",
        source: Source::Api,
        peer: Some(Ipv4Addr::new(192, 0, 2, 1).into()),
        id: Xid::from_parts(2, [2; 5], counter),
        today: Micros::from_date(2026, 1, 31).civil(),
        key,
    };
    let Create { verb, amount, currency, flags, tail, means, .. } = create;
    let Means::Sent(instrument) = means else { panic!("its data came with the request") };
    let payment = Payment { verb, amount, currency, flags, processor: 3, travelling: &tail };
    of_payment(&payment, instrument, &asker, sealer()).unwrap()
}

fn key() -> Key {
    Key { text: "order-7".into(), window_s: 60 }
}

#[test]
fn the_fixed_part_says_what_the_core_reads() {
    let built = asked_by(&merchant(true), 4, Some(&key()), sale(|_| ()));
    let command = &built.command;
    assert_eq!((command.verb(), command.amount.get(), command.currency.get()), (Some(Verb::Sale), 1112, 840));
    assert_eq!((command.first_six.get(), command.last_four.get(), command.pan_digits), (401_200, 5439, 16));
    assert_eq!((command.brand, command.entry_type), (Brand::Visa.number(), EntryType::Keyed.number()));
    assert_eq!((command.expiry.get(), command.processor.get(), command.key_window_s.get()), (2012, 3, 60));
    assert!(command.has_key() && command.has(flag::HAS_SENSITIVE_DATA));
    assert_eq!(built.sensitive.unwrap().cvv.unwrap().expose(), "999");
    let mut bytes = Vec::new();
    command.write(&built.tail, &mut bytes);
    let (_, tail) = Command::parse(&bytes).unwrap();
    assert_eq!((tail.text(tag::IDEMPOTENCY_KEY), tail.number(tag::IDEMPOTENCY_TIME)), ("order-7", Some(60)));
    assert_eq!((tail.text(tag::USER_NAME), tail.text(tag::IP_ADDRESS)), ("till 7", "4.2.2.2"));
}

#[test]
fn the_card_is_sealed_and_nothing_of_it_is_in_the_open() {
    let built = asked_by(&merchant(true), 4, None, sale(|_| ()));
    let mut bytes = Vec::new();
    built.command.write(&built.tail, &mut bytes);
    for secret in [PAN.as_bytes(), b"999"] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    }
    let sealed = Tail::trusted(&built.tail).get(tag::SEALED_CARD).unwrap();
    let opened = sealer().open_card(sealed, &merchant(true).id, &built.command.fingerprint).unwrap();
    assert_eq!(opened.expose(), PAN);
}

#[test]
fn a_client_without_an_address_in_the_request_is_shown_by_its_own() {
    let built = asked_by(&merchant(true), 4, None, sale(|body| body["ip_address"] = json!(null)));
    assert_eq!(Tail::trusted(&built.tail).text(tag::IP_ADDRESS), "192.0.2.1");
}

#[test]
fn the_same_request_has_the_same_hash_whatever_its_id_and_cvv() {
    let hash = |counter, create| asked_by(&merchant(true), counter, Some(&key()), create).command.request_hash;
    let first = hash(4, sale(|_| ()));
    assert_ne!(first, [0; 16]);
    assert_eq!(first, hash(8, sale(|_| ())));
    assert_eq!(first, hash(8, sale(|body| body["payment_method"]["card"]["cvc"] = json!(null))));
    assert_eq!(first, hash(8, sale(|body| body["idempotency_time"] = json!(60))));
    assert_eq!(first, hash(8, sale(|body| body["unknown"] = json!(1))));
}

#[test]
fn any_other_difference_is_another_request() {
    let hash = |create| asked_by(&merchant(true), 4, Some(&key()), create).command.request_hash;
    let first = hash(sale(|_| ()));
    let differences: [(&str, Value); 8] = [
        ("/type", json!("authorize")),
        ("/amount", json!(1113)),
        ("/currency", json!("EUR")),
        ("/tax_amount", json!(101)),
        ("/order_id", json!("other")),
        ("/payment_method/card/number", json!("4111111111111111")),
        ("/payment_method/card/expiration_date", json!("12/30")),
        ("/billing_address/city", json!("Elsewhere")),
    ];
    for (pointer, value) in differences {
        assert_ne!(first, hash(sale(|body| *body.pointer_mut(pointer).unwrap() = value)), "{pointer}");
    }
    assert_ne!(first, hash(sale(|body| body["allow_duplicate"] = json!(true))));
}

#[test]
fn without_a_key_there_is_nothing_to_compare() {
    let command = asked_by(&merchant(true), 4, None, sale(|_| ())).command;
    assert_eq!((command.has_key(), command.request_hash, command.key_window_s.get()), (false, [0; 16], 0));
}

#[test]
fn an_expired_card_is_marked_but_for_the_documents_own_in_the_sandbox() {
    let expired = |sandbox, number: &str, expiry: &str| {
        let create = sale(|body| {
            body["payment_method"]["card"]["number"] = json!(number);
            body["payment_method"]["card"]["expiration_date"] = json!(expiry);
        });
        asked_by(&merchant(sandbox), 4, None, create).command.has(flag::EXPIRED_CARD)
    };
    assert!(!expired(true, PAN, "12/20"));
    assert!(expired(false, PAN, "12/20"));
    assert!(expired(true, PAN, "11/20"));
    assert!(expired(true, "4111111111111111", "12/20"));
    assert!(expired(true, "4111111111111111", "12/25"));
    assert!(!expired(true, "4111111111111111", "01/26"));
}

#[test]
fn a_step_names_its_target_and_only_a_refund_its_own_key() {
    let merchant = merchant(true);
    let target = Xid::from_parts(9, [9; 5], 4);
    let key = key();
    let built = |step: request::Step| {
        let asker = Asker {
            merchant: &merchant,
            user_id: &merchant.id,
            user_name: "",
            source: Source::Api,
            peer: None,
            id: Xid::from_parts(2, [2; 5], 4),
            today: Micros(0).civil(),
            key: Some(&key),
        };
        let asked = Step { verb: step.verb, target, amount: step.amount, travelling: &step.tail };
        of_step(&asked, &asker, sealer())
    };
    let capture = built(request::Step::parse_capture(b"{\"amount\": 7, \"tax_amount\": 1}").unwrap());
    assert_eq!((capture.command.target, capture.command.amount.get()), (target, 7));
    assert!(capture.command.has(flag::AMOUNT_GIVEN) && capture.command.has_key());
    assert_eq!(Tail::trusted(&capture.tail).fields().count(), 1);
    let refund = built(request::Step::parse_refund(b"").unwrap());
    assert!(!refund.command.has(flag::AMOUNT_GIVEN));
    assert_eq!(Tail::trusted(&refund.tail).text(tag::IDEMPOTENCY_KEY), "order-7");
    assert_ne!(capture.command.request_hash, refund.command.request_hash);
    let void = built(request::Step::parse_void(b"").unwrap());
    assert_ne!(void.command.request_hash, refund.command.request_hash);
    assert!(void.tail.is_empty());
}
