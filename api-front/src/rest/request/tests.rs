//! What bodies are taken, and what each wrong one is told.

use super::*;
use crate::intake::{Account, Card, Instrument, Key};
use crate::rest::limits::OBJECT_FIELDS_MAX;
use crate::rest::problem::Problem;
use protocol::command::flag;
use protocol::money::Currency;
use protocol::tail::{ADDRESS_FIELDS, Tail, tag};
use protocol::words::{EntryType, PaymentMethod, Verb};
use serde_json::{Value, json};

const SALE: &str = include_str!("../testdata/sale.json");
const PAN: &str = "4012000098765439";

/// The document's sample with one value set, at a JSON pointer.
fn sale_with(pointer: &str, value: Value) -> Vec<u8> {
    let mut body: Value = serde_json::from_str(SALE).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    serde_json::to_vec(&body).unwrap()
}

fn message(parsed: Result<Create, Problem>) -> String {
    let message = parsed.unwrap_err().to_string();
    assert!(!message.contains(PAN) && !message.contains("999,"), "card data in {message}");
    message
}

fn card_of(create: Create) -> Card {
    match create.means {
        Means::Sent(Instrument::Card(card)) => card,
        other => panic!("a card was sent, got {other:?}"),
    }
}

#[test]
fn the_documents_sample_is_read_whole() {
    let card = card_of(Create::parse(SALE.as_bytes()).unwrap());
    let create = Create::parse(SALE.as_bytes()).unwrap();
    assert_eq!((create.verb, create.amount, create.currency), (Verb::Sale, 1112, Currency::USD));
    assert_eq!(card.pan.expose(), PAN);
    assert_eq!(card.expiry.to_string(), "12/20");
    assert_eq!(card.cvv.as_ref().unwrap().expose(), "999");
    assert_eq!((card.entry, create.flags, create.processor), (EntryType::Keyed, 0, None));
    let tail = Tail::parse(&create.tail).unwrap();
    assert_eq!(tail.text(tag::DESCRIPTION), "test transaction");
    assert_eq!(tail.text(tag::ORDER_ID), "someOrderID");
    assert_eq!(tail.number(tag::TAX_AMOUNT), Some(100));
    assert!(tail.flag(tag::CREATE_VAULT_RECORD));
    assert_eq!(tail.text(tag::ECI), "...");
    for first_tag in [tag::BILLING, tag::SHIPPING] {
        let address: Vec<&str> = (first_tag..).take(ADDRESS_FIELDS.len()).map(|tag| tail.text(tag)).collect();
        assert_eq!(address[..4], ["John", "Smith", "Test Company", "123 Some St"]);
        assert_eq!(address[4..], ["", "Wheaton", "IL", "60187", "US", "5555555555", "5555555555", "help@website.com"]);
    }
}

#[test]
fn card_data_does_not_travel_in_the_open() {
    let create = Create::parse(SALE.as_bytes()).unwrap();
    let holds = |needle: &[u8]| create.tail.windows(needle.len()).any(|window| window == needle);
    assert!(!holds(PAN.as_bytes()) && !holds(b"999"));
    let shown = format!("{create:?}");
    assert!(!shown.contains(PAN) && !shown.contains("999"), "{shown}");
}

#[test]
fn each_wrong_field_is_named_with_what_is_accepted() {
    let card = "/payment_method/card";
    let long = |length: usize| json!("x".repeat(length));
    let rows: Vec<(String, Value, &str)> = [
        ("/type", json!("buy"), "invalid type: must be sale, authorize, credit or verification"),
        ("/type", json!("refund"), "invalid type: must be"),
        ("/type", json!(null), "invalid type: is required"),
        ("/type", json!(1), "invalid type: must be a text, got a number"),
        ("/amount", json!(null), "invalid amount: is required"),
        ("/amount", json!(0), "invalid amount: must be at least 1"),
        ("/amount", json!(-1), "invalid amount: must be an integer of at least 0"),
        ("/amount", json!(11.12), "invalid amount: must be an integer of at least 0"),
        ("/amount", json!("1112"), "got a text"),
        ("/amount", json!(1_000_000_000_000u64), "invalid amount: must be at most 999999999999"),
        (
            "/amount",
            json!(true),
            "invalid amount: must be an integer of at least 0 in minor units (1299 is 12.99), got a boolean",
        ),
        ("/tax_amount", json!(-1), "invalid tax_amount: must be"),
        ("/tip_amount", json!("1"), "invalid tip_amount: must be"),
        ("/currency", json!("XXX"), "invalid currency: must be an ISO 4217 code such as USD"),
        ("/currency", json!("dollars"), "invalid currency"),
        ("/currency", json!(840), "invalid currency: must be a text, got a number"),
        ("/description", long(256), "invalid description: must be at most 255 characters"),
        ("/description", json!("bell \u{7}"), "invalid description: must be text without control"),
        ("/order_id", long(51), "invalid order_id: must be at most 50 characters"),
        ("/order_id", json!("a\nb"), "invalid order_id: must be printable"),
        ("/po_number", json!({}), "invalid po_number: must be a text, got an object"),
        ("/ip_address", json!("4.2.2"), "invalid ip_address: must be an IPv4 or IPv6 address"),
        ("/email_address", json!("user"), "invalid email_address: must be an e-mail address"),
        ("/email_address", json!("a@b@c.de"), "invalid email_address"),
        ("/email_receipt", json!("false"), "invalid email_receipt: must be true or false, got a text"),
        ("/email_receipt", json!(0), "invalid email_receipt"),
        ("/create_vault_record", json!([]), "invalid create_vault_record: must be true or false, got a list"),
        ("/allow_duplicate", json!(1), "invalid allow_duplicate"),
        ("/processor_id", json!("nobody"), "invalid processor_id: no such processor"),
        ("/payment_adjustment", json!("flat"), "invalid payment_adjustment: must be an object"),
        ("/payment_adjustment", json!({"type": "round"}), "invalid payment_adjustment.type: must be \"flat\" or"),
        ("/payment_adjustment", json!({"value": -1}), "invalid payment_adjustment.value"),
        ("/custom_fields", json!("x"), "invalid custom_fields: must be an object or a list"),
        ("/line_items", json!({}), "invalid line_items: must be a list"),
        ("/line_items", json!(["x".repeat(9000)]), "invalid line_items: must be at most 8192 bytes"),
        ("/idempotency_key", long(65), "invalid idempotency_key: must be a UUID or 1 to 64"),
        ("/idempotency_key", json!("two words"), "invalid idempotency_key"),
        ("/idempotency_time", json!(86_401), "invalid idempotency_time: must be 1 to 86400 seconds"),
        ("/idempotency_time", json!("300"), "invalid idempotency_time"),
        ("/billing_address", json!([]), "invalid billing_address: must be an object, got a list"),
        ("/billing_address/first_name", long(51), "invalid billing_address.first_name: must be at most 50"),
        ("/billing_address/address_line_1", long(101), "invalid billing_address.address_line_1: must be at most 100"),
        ("/billing_address/state", json!("Illinois"), "invalid billing_address.state"),
        ("/billing_address/country", json!("U1"), "invalid billing_address.country: must be two letters"),
        ("/billing_address/postal_code", json!("60187!"), "invalid billing_address.postal_code: must be letters"),
        ("/billing_address/postal_code", json!(60187), "invalid billing_address.postal_code: must be a text, got a number"),
        ("/billing_address/phone", json!("call me"), "invalid billing_address.phone"),
        ("/shipping_address/email", json!("x"), "invalid shipping_address.email"),
        ("/payment_method", json!(null), "invalid payment_method: is required"),
        ("/payment_method", json!({}), "invalid payment_method: is required"),
        ("/payment_method", json!("card"), "invalid payment_method: must be an object, got a text"),
        ("/payment_method", json!({"card": {}, "token": "x"}), "exactly one method, got card and token"),
        ("/payment_method", json!({"ach": {}}), "invalid payment_method.ach.sec_code: is required"),
        ("/payment_method", json!({"terminal": {}}), "invalid payment_method.terminal.id: is required"),
        ("/payment_method", json!({"customer": {}}), "invalid payment_method.customer.id: is required"),
        ("/payment_method", json!({"token": 7}), "invalid payment_method.token: must be a text"),
        ("/payment_method", json!({"card": "4111"}), "invalid payment_method.card: must be an object, got a text"),
    ]
    .into_iter()
    .map(|(pointer, value, expected)| (pointer.to_owned(), value, expected))
    .chain(
        [
            ("entry_type", json!("dipped"), "invalid payment_method.card.entry_type: must be \"keyed\" or \"swiped\""),
            ("number", json!(null), "invalid payment_method.card.number: is required"),
            ("number", json!(""), "invalid payment_method.card.number: is required"),
            ("number", json!("4012000098765430"), "invalid payment_method.card.number: its check digit"),
            ("number", json!("40120000987"), "invalid payment_method.card.number: must be 12 to 19 digits"),
            ("number", json!("4012 0000 9876 5439"), "invalid payment_method.card.number: must be 12 to 19 digits"),
            ("number", json!(4_012_000_098_765_439u64), "invalid payment_method.card.number: must be a text, got a number"),
            ("number", json!([PAN]), "invalid payment_method.card.number: must be a text, got a list"),
            ("expiration_date", json!(null), "invalid payment_method.card.expiration_date: is required"),
            ("expiration_date", json!("13/20"), "invalid payment_method.card.expiration_date: must be a month"),
            ("expiration_date", json!("2020-12"), "invalid payment_method.card.expiration_date"),
            ("cvc", json!("99"), "invalid payment_method.card.cvc: must be 3 or 4 digits"),
            ("cvc", json!(999), "invalid payment_method.card.cvc: must be a text, got a number"),
            ("cardholder_authentication", json!(1), "invalid payment_method.card.cardholder_authentication: must be an object"),
            (
                "cardholder_authentication",
                json!({"cavv": "a b"}),
                "invalid payment_method.card.cardholder_authentication.cavv: must be visible ASCII",
            ),
        ]
        .into_iter()
        .map(|(name, value, expected)| (format!("{card}/{name}"), value, expected)),
    )
    .collect();
    for (pointer, value, expected) in rows {
        let message = message(Create::parse(&sale_with(&pointer, value.clone())));
        assert!(message.starts_with("bad request error: invalid "), "{message}");
        assert!(message.contains(expected), "{pointer} = {value}: {message:?} does not say {expected:?}");
    }
}

#[test]
fn what_real_clients_send_is_taken() {
    let rows = [
        ("/description", json!(null)),
        ("/description", json!("naïve 東京 \"quoted\"\n")),
        ("/order_id", json!("an order id with spaces")),
        ("/currency", json!("eur")),
        ("/currency", json!("")),
        ("/amount", json!(999_999_999_999u64)),
        ("/ip_address", json!("2001:db8::1")),
        ("/processor_id", json!("")),
        ("/billing_address", json!(null)),
        ("/billing_address/phone", json!("(674) 966-1211")),
        ("/billing_address/postal_code", json!("56393-4328")),
        ("/billing_address/postal_code", json!("K1C2N6")),
        ("/billing_address/first_name", json!(null)),
        ("/payment_method/ach", json!(null)),
        ("/payment_method/card/cvc", json!(null)),
        ("/payment_method/card/expiration_date", json!("1220")),
        ("/payment_method/card/entry_type", json!(null)),
        ("/idempotency_key", json!("0c5c4d64-6f3e-4f3e-9d4f-0a35c2a1b0a1")),
        ("/idempotency_key", json!("")),
        ("/idempotency_time", json!(0)),
        ("/something_unknown", json!({"deep": [{"deeper": 1.5}]})),
        ("/email_reciept", json!(true)),
        ("/payment_adjustment", json!({"type": "percentage", "value": 1000})),
        ("/line_items", json!([{"name": "a", "price": 1.5}])),
        ("/custom_fields", json!({"abc": ["x"]})),
        ("/descriptor", json!("SHOP*ORDER")),
        ("/descriptor", json!({"name": "SHOP"})),
    ];
    for (pointer, value) in rows {
        let parsed = Create::parse(&sale_with(pointer, value.clone()));
        let create = parsed.unwrap_or_else(|problem| panic!("{pointer} = {value}: {problem}"));
        assert!(Tail::parse(&create.tail).is_ok(), "{pointer}");
    }
}

#[test]
fn misspellings_in_use_are_understood() {
    let mut body: Value = serde_json::from_str(SALE).unwrap();
    body.as_object_mut().unwrap().remove("email_receipt");
    body["email_reciept"] = json!(true);
    let card = body["payment_method"]["card"].as_object_mut().unwrap();
    card.remove("cvc");
    card.insert("cvv".into(), json!("1234"));
    let create = Create::parse(&serde_json::to_vec(&body).unwrap()).unwrap();
    assert!(Tail::trusted(&create.tail).flag(tag::EMAIL_RECEIPT));
    assert_eq!(card_of(create).cvv.unwrap().expose(), "1234");
}

#[test]
fn flags_are_taken_when_true() {
    let all = [
        ("allow_duplicate", flag::ALLOW_DUPLICATE),
        ("allow_partial_payment", flag::ALLOW_PARTIAL),
        ("bypass_rule_engine", flag::BYPASS_RULES),
    ];
    for (name, bit) in all {
        let set = |value: Value| Create::parse(&sale_with(&format!("/{name}"), value)).unwrap().flags;
        assert_eq!((set(json!(true)), set(json!(false)), set(json!(null))), (bit, 0, 0), "{name}");
    }
}

#[test]
fn a_verification_has_no_amount() {
    let verification = |amount: Value| {
        let mut body: Value = serde_json::from_slice(&sale_with("/type", json!("verification"))).unwrap();
        body["amount"] = amount;
        Create::parse(&serde_json::to_vec(&body).unwrap()).map(|create| create.amount)
    };
    assert_eq!(verification(json!(0)), Ok(0));
    assert_eq!(verification(json!(null)), Ok(0));
    assert!(verification(json!(1)).unwrap_err().to_string().contains("invalid amount: must be 0 or absent"));
}

#[test]
fn a_swipe_brings_its_number_and_expiry() {
    let swiped = |card: Value| Create::parse(&sale_with("/payment_method/card", card)).map(card_of);
    let track = ";4012000098765439=3012101123400001230?";
    let card = swiped(json!({"entry_type": "swiped", "track_2": track})).unwrap();
    assert_eq!((card.pan.expose(), card.expiry.to_string().as_str()), (PAN, "12/30"));
    assert_eq!(card.track_2.unwrap().expose(), track.trim_matches([';', '?']));
    for (number, track, field) in [
        ("4111111111111111", track, "number"),
        (PAN, "4012000098765439=3013101", "track_2"),
        (PAN, "4012000098765430=3012101", "track_2"),
        (PAN, "4012000098765439", "track_2"),
        (PAN, "4012000098765439=30", "track_2"),
        (PAN, "drop table", "track_2"),
    ] {
        let message = swiped(json!({"entry_type": "swiped", "number": number, "track_2": track})).unwrap_err().to_string();
        assert!(message.contains(&format!("invalid payment_method.card.{field}:")), "{message}");
        assert!(!message.contains("401200"), "{message}");
    }
}

#[test]
fn track_1_is_enough_and_must_be_the_same_cards_as_track_2() {
    let swiped = |card: Value| Create::parse(&sale_with("/payment_method/card", card)).map(card_of);
    let first = "%B4012000098765439^DOE/JANE^30121011234?";
    let card = swiped(json!({"entry_type": "swiped", "track_1": first})).unwrap();
    assert_eq!((card.pan.expose(), card.expiry.to_string().as_str(), card.track_2), (PAN, "12/30", None));
    let bare = swiped(json!({"entry_type": "swiped", "number": PAN, "expiration_date": "12/30"})).unwrap();
    assert_eq!((bare.entry, bare.pan.expose(), bare.track_1, bare.track_2), (EntryType::Swiped, PAN, None, None));
    let both = swiped(json!({"entry_type": "swiped", "track_1": first, "track_2": "4012000098765439=3012101"})).unwrap();
    assert!(both.track_1.is_some() && both.track_2.is_some());
    for (card, field) in [
        (json!({"entry_type": "swiped", "track_1": first, "track_2": "4111111111111111=3012101"}), "track_1"),
        (json!({"entry_type": "swiped", "track_1": "%B4012^X?"}), "track_1"),
        (json!({"entry_type": "swiped"}), "number"),
    ] {
        let message = swiped(card).unwrap_err().to_string();
        assert!(message.contains(&format!("invalid payment_method.card.{field}:")), "{message}");
        assert!(!message.contains("4012"), "{message}");
    }
}

const ACCOUNT_NUMBER: &str = "8675309";
const ACH: &str = r#"{"type":"sale","amount":1112,"payment_method":{"ach":{"routing_number":"490000018","account_number":"8675309",
    "sec_code":"ccd","account_type":"checking","check_number":"1223","accountholder_authentication":{"dl_state":"IL",
    "dl_number":"r500123123"}}},"billing_address":{"first_name":"John","last_name":"Smith"}}"#;
const TERMINAL: &str = r#"{"type":"sale","amount":500,"payment_method":{"terminal":{"id":"1ucio551tlv85l7moe5g",
    "expiration_date":"12/20","cvc":"999","print_receipt":"both","signature_required":true}}}"#;

/// A body with one value set, at a JSON pointer.
fn with(body: &str, pointer: &str, value: Value) -> Vec<u8> {
    let mut body: Value = serde_json::from_str(body).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    serde_json::to_vec(&body).unwrap()
}

fn account_of(create: &Create) -> &Account {
    match &create.means {
        Means::Sent(Instrument::Account(account)) => account,
        other => panic!("an account was sent, got {other:?}"),
    }
}

#[test]
fn the_documents_account_is_read_whole() {
    let create = Create::parse(ACH.as_bytes()).unwrap();
    let account = account_of(&create);
    assert_eq!((account.routing.as_str(), account.number.expose()), ("490000018", ACCOUNT_NUMBER));
    assert_eq!(account.licence.as_ref().unwrap().expose(), "r500123123");
    let tail = Tail::parse(&create.tail).unwrap();
    let words = [tag::SEC_CODE, tag::ACCOUNT_TYPE, tag::CHECK_NUMBER, tag::DL_STATE, tag::ROUTING_NUMBER, tag::MASKED_ACCOUNT];
    assert_eq!(words.map(|tag| tail.text(tag)), ["ccd", "checking", "1223", "IL", "490000018", "86***09"]);
    assert!(
        !create.tail.windows(ACCOUNT_NUMBER.len()).any(|window| window == ACCOUNT_NUMBER.as_bytes()),
        "the account number travels sealed only"
    );
    let upper = Create::parse(&with(ACH, "/payment_method/ach/sec_code", json!("WEB"))).unwrap();
    assert_eq!(Tail::trusted(&upper.tail).text(tag::SEC_CODE), "web");
    let short = Create::parse(&with(ACH, "/payment_method/ach/account_number", json!("12345"))).unwrap();
    assert_eq!(Tail::trusted(&short.tail).text(tag::MASKED_ACCOUNT), "*****");
}

#[test]
fn each_wrong_field_of_an_account_is_named() {
    for (pointer, value, expected) in [
        ("/payment_method/ach/routing_number", json!(null), "payment_method.ach.routing_number: is required"),
        ("/payment_method/ach/routing_number", json!("12345678"), "payment_method.ach.routing_number: must be 9 digits"),
        ("/payment_method/ach/account_number", json!(null), "payment_method.ach.account_number: is required"),
        ("/payment_method/ach/account_number", json!("12 34"), "payment_method.ach.account_number: must be 1 to 17"),
        ("/payment_method/ach/sec_code", json!("arc"), "payment_method.ach.sec_code: is required: one of web, ccd, ppd, tel"),
        ("/payment_method/ach/sec_code", json!(null), "payment_method.ach.sec_code: is required"),
        ("/payment_method/ach/account_type", json!("loan"), "payment_method.ach.account_type: is required: one of checking"),
        ("/payment_method/ach/check_number", json!("12a"), "payment_method.ach.check_number: must be at most 15 digits"),
        (
            "/payment_method/ach/accountholder_authentication/dl_state",
            json!(null),
            "payment_method.ach.accountholder_authentication.dl_state: is required with dl_number",
        ),
        ("/billing_address", json!(null), "billing_address: is required when payment_method is ach"),
        ("/currency", json!("EUR"), "currency: must be USD when payment_method is ach"),
        ("/amount", json!(10_000_000_000_u64), "amount: must be at most 9999999999 when payment_method is ach"),
        ("/type", json!("authorize"), "type: must be sale or credit when payment_method is ach"),
        ("/type", json!("verification"), "type: must be"),
    ] {
        let mut body: Value = serde_json::from_slice(&with(ACH, pointer, value)).unwrap();
        if body["type"] == "verification" {
            body["amount"] = json!(0);
        }
        let message = Create::parse(&serde_json::to_vec(&body).unwrap()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message:?} does not say {expected:?}");
        assert!(!message.contains(ACCOUNT_NUMBER), "{message}");
    }
    let mut by_telephone: Value = serde_json::from_slice(&with(ACH, "/payment_method/ach/sec_code", json!("tel"))).unwrap();
    by_telephone["payment_method"]["ach"]["check_number"] = json!("");
    let message = Create::parse(&serde_json::to_vec(&by_telephone).unwrap()).unwrap_err().to_string();
    assert!(message.contains("check_number: is required when sec_code is tel"), "{message}");
}

#[test]
fn the_documents_terminal_is_read_whole() {
    let create = Create::parse(TERMINAL.as_bytes()).unwrap();
    let Means::Sent(Instrument::Terminal(expected)) = &create.means else { panic!("a terminal was sent") };
    assert_eq!(expected.expiry.unwrap().to_string(), "12/20");
    assert_eq!(expected.cvv.as_ref().unwrap().expose(), "999");
    let tail = Tail::parse(&create.tail).unwrap();
    assert_eq!((tail.text(tag::TERMINAL_ID), tail.text(tag::PRINT_RECEIPT)), ("1ucio551tlv85l7moe5g", "both"));
    assert!(tail.flag(tag::SIGNATURE_REQUIRED));
    for (pointer, value, expected) in [
        ("/payment_method/terminal/id", json!(null), "payment_method.terminal.id: is required"),
        ("/payment_method/terminal/id", json!("front counter"), "payment_method.terminal.id: must be an id"),
        ("/payment_method/terminal/print_receipt", json!("all"), "print_receipt: must be one of no, customer, merchant, both"),
        ("/payment_method/terminal/signature_required", json!("yes"), "signature_required: must be true or false"),
        ("/payment_method/terminal/expiration_date", json!("13/20"), "payment_method.terminal.expiration_date: must be a month"),
        ("/type", json!("verification"), "type: must be sale, authorize or credit when payment_method is terminal"),
    ] {
        let mut body: Value = serde_json::from_slice(&with(TERMINAL, pointer, value)).unwrap();
        if body["type"] == "verification" {
            body["amount"] = json!(0);
        }
        let message = Create::parse(&serde_json::to_vec(&body).unwrap()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message:?} does not say {expected:?}");
    }
    let no = Create::parse(&with(TERMINAL, "/payment_method/terminal/print_receipt", json!("No"))).unwrap();
    assert_eq!(Tail::trusted(&no.tail).text(tag::PRINT_RECEIPT), "no");
}

#[test]
fn a_customer_and_a_token_are_left_to_the_vault() {
    let pay_by = |method: Value| Create::parse(&sale_with("/payment_method", method)).map(|create| create.means);
    let id = "b798ls2q9qq646ksu070";
    let sent = json!({"customer": {"id": id, "payment_method_type": "card", "payment_method_id": "b798ls2q9qq646ksu080",
        "billing_address_id": "b798ls2q9qq646ksu07g", "shipping_address_id": null}});
    let Means::Customer(customer) = pay_by(sent).unwrap() else { panic!("a customer was sent") };
    assert_eq!((customer.id.to_string().as_str(), customer.payment_method_type), (id, Some(PaymentMethod::Card)));
    assert_eq!(customer.payment_method_id.unwrap().to_string(), "b798ls2q9qq646ksu080");
    assert!(customer.billing_address_id.is_some() && customer.shipping_address_id.is_none());
    let Means::Token(token) = pay_by(json!({"token": "tok_1"})).unwrap() else { panic!("a token was sent") };
    assert_eq!(token, "tok_1");
    for (method, expected) in [
        (json!({"customer": {}}), "payment_method.customer.id: is required"),
        (json!({"customer": {"id": "x"}}), "payment_method.customer.id: must be an id"),
        (json!({"customer": {"id": id, "payment_method_type": "cheque"}}), "payment_method_type: must be \"card\" or \"ach\""),
        (json!({"token": ""}), "payment_method.token: must not be empty"),
        (json!({"token": {"card": "x"}}), "payment_method.token: must be a text, got an object"),
        (json!({"token": "x", "customer": {"id": id}}), "payment_method: must contain exactly one method"),
    ] {
        let message = pay_by(method).unwrap_err().to_string();
        assert!(message.contains(expected), "{message:?} does not say {expected:?}");
    }
}

#[test]
fn json_that_is_none_is_refused_with_its_place() {
    for (body, expected) in [
        (&b"{\"type\": \"sale\",\n \"amount\": }"[..], "line 2 column 12"),
        (b"{\"type\": \"sale\"", "invalid body: not JSON: EOF"),
        (b"{\"a\": 1,}", "trailing comma"),
        (b"[]", "invalid body: must be a JSON object, got a list"),
        (b"\"4012000098765439\"", "invalid body: must be a JSON object, got a text"),
        (b"4012000098765439", "invalid body: must be a JSON object, got a number"),
        (b"{} {}", "trailing characters"),
        (b"{\"a\": \"\xff\"}", "not UTF-8 at byte 7"),
        (b"type=sale&amount=1", "not JSON"),
        (b"", "invalid type: is required"),
        (b"null", "invalid type: is required"),
    ] {
        let message = message(Create::parse(body));
        assert!(message.contains(expected), "{message:?} does not say {expected:?}");
    }
}

#[test]
fn nesting_and_numbers_of_fields_are_bounded() {
    let deep = format!("{{\"a\":{}1{}}}", "{\"a\":".repeat(5000), "}".repeat(5000));
    assert!(message(Create::parse(deep.as_bytes())).contains("recursion limit"));
    let fields: Vec<String> = (0..=OBJECT_FIELDS_MAX).map(|number| format!("\"f{number}\":1")).collect();
    let wide = format!("{{{}}}", fields.join(","));
    assert!(message(Create::parse(wide.as_bytes())).contains("more than 256 fields"));
}

#[test]
fn no_bytes_make_the_parser_panic() {
    let mut seed: u64 = 0x5eed;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for _ in 0..20_000 {
        let mut body = SALE.as_bytes().to_vec();
        for _ in 0..=next() % 3 {
            let at = next() % body.len();
            match next() % 3 {
                0 => body[at] = next() as u8,
                1 => body.truncate(at.max(1)),
                _ => body[at] = b"{}[]\",:0-"[next() % 9],
            }
        }
        // Whatever comes out is a request with a well-formed tail, or a problem.
        if let Ok(create) = Create::parse(&body) {
            assert!(Tail::parse(&create.tail).is_ok(), "{}", String::from_utf8_lossy(&body));
        }
        let _ = Step::parse_capture(&body);
    }
}

#[test]
fn steps_are_read_with_and_without_a_body() {
    for body in ["", "{}", "null", "  ", "{\"amount\": null}"] {
        assert_eq!(Step::parse_capture(body.as_bytes()).unwrap().amount, None, "{body:?}");
        assert_eq!(Step::parse_refund(body.as_bytes()).unwrap().amount, None, "{body:?}");
        assert_eq!(Step::parse_void(body.as_bytes()).unwrap().verb, Verb::Void, "{body:?}");
    }
    let capture = br#"{"amount": 1000, "tax_amount": 100, "tax_exempt": false, "shipping_amount": 0, "order_id": "a b"}"#;
    let step = Step::parse_capture(capture).unwrap();
    let tail = Tail::parse(&step.tail).unwrap();
    assert_eq!((step.amount, tail.number(tag::TAX_AMOUNT), tail.text(tag::ORDER_ID)), (Some(1000), Some(100), "a b"));
    for (body, expected) in [
        ("{\"amount\": 0}", "invalid amount: must be at least 1"),
        ("{\"amount\": \"1\"}", "invalid amount"),
        ("{\"amount\": 1.0}", "invalid amount"),
        ("{\"order_id\": 7}", "invalid order_id"),
        ("{\"ip_address\": \"x\"}", "invalid ip_address"),
        ("[", "not JSON"),
    ] {
        assert!(Step::parse_capture(body.as_bytes()).unwrap_err().to_string().contains(expected), "{body}");
    }
}

#[test]
fn the_headers_key_wins_and_may_be_quoted() {
    let holds = |body: &[u8], header: Option<&[u8]>| Step::parse_void(body).unwrap().key.with_header(header);
    let text = |body: &[u8], header: Option<&[u8]>| holds(body, header).unwrap().map(|key| key.text);
    let body = br#"{"idempotency_key": "from-body", "idempotency_time": 60}"#;
    assert_eq!(holds(body, None), Ok(Some(Key { text: "from-body".into(), window_s: 60 })));
    assert_eq!(holds(body, Some(b"from-header")), Ok(Some(Key { text: "from-header".into(), window_s: 60 })));
    assert_eq!(holds(b"", Some(b"k")), Ok(Some(Key { text: "k".into(), window_s: 300 })));
    assert_eq!(text(b"", Some(b"\"8e03978e-40d5-43dd-bc93-6894a57f9324\"")).unwrap(), "8e03978e-40d5-43dd-bc93-6894a57f9324");
    assert_eq!(text(b"", Some(b"\"a\\\"b\"")).unwrap(), "a\"b");
    assert_eq!(text(b"{}", None), None);
    for header in [&b""[..], b"\"\"", b"two words", &[b'x'; 65], b"\xff"] {
        let problem = holds(b"", Some(header)).unwrap_err().to_string();
        assert!(problem.contains("invalid Idempotency-Key: must be a UUID or 1 to 64"), "{problem}");
    }
    let zero = Step::parse_void(br#"{"idempotency_key": "k", "idempotency_time": 0}"#).unwrap_err().to_string();
    assert!(zero.contains("invalid idempotency_time"), "{zero}");
}

#[test]
fn a_field_sent_twice_counts_as_sent_last() {
    let step = Step::parse_refund(br#"{"amount": 1, "amount": 2}"#).unwrap();
    assert_eq!(step.amount, Some(2));
}
