//! Every response code, by a real request: what its row of `GET /api/response-codes` says to lay over a sale is sent, the code comes,
//! and afterwards our journal, our SQL home and the host's ledger agree. Every letter of AVS and CVV2 likewise.

use protocol::response_code::TABLE;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;
use switch_core::connectors::tsys::ACTION_CODES;
use switch_core::connectors::{dejavoo, sage};
use tests::books::reconcile;
use tests::client::{id, text};
use tests::payment::{VISA, payment, with};
use tests::{Client, Options, Switch};

const DRAINED: Duration = Duration::from_secs(20);

/// The codes that no single sale gives, each with a test of its own here, or with the reason in its note.
const WITHOUT_TRIGGER: [u64; 3] = [0, 99, 301];

fn rows(client: &Client) -> Vec<Value> {
    let answer = client.stranger("GET", "/api/response-codes", &[], b"").json();
    let rows = answer["data"].as_array().expect("a list").clone();
    assert_eq!((answer["total_count"].as_u64(), rows.len()), (Some(TABLE.len() as u64), TABLE.len()));
    rows
}

#[test]
fn every_code_is_reached_by_its_trigger_and_all_books_agree_afterwards() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let mut made: BTreeMap<String, Value> = BTreeMap::new();
    for row in rows(&client) {
        let code = row["code"].as_u64().expect("a number");
        let trigger = &row["sandbox_trigger"];
        assert_eq!(trigger.is_null(), WITHOUT_TRIGGER.contains(&code), "{row}");
        if trigger.is_null() {
            assert_ne!(text(&row, "note"), "", "{row} says why");
            continue;
        }
        // A sale that is merely like others: the trigger alone makes the difference.
        let sale = client.pay(&with(payment("sale", 1_112, VISA), trigger)).data();
        assert_eq!(sale["response_code"].as_u64(), Some(code), "{trigger} gave {sale}");
        assert_eq!(category(text(&sale, "response"), code), text(&row, "category"), "{sale}");
        made.insert(id(&sale).to_owned(), sale);
    }
    let books = reconcile(&switch.journal(), switch.control(), DRAINED);
    assert_eq!(books.transactions().count(), made.len());
    for transaction in books.transactions() {
        let at_id = transaction.id.to_string();
        let told = &made[&at_id];
        assert_eq!(u64::from(transaction.response_code.get()), told["response_code"], "the journal of {told}");
        let found = json!({"transaction_id": {"operator": "=", "value": at_id}});
        let found = client.call("POST", "/api/transaction/search", &[], found.to_string().as_bytes()).data();
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
        assert_eq!(found[0]["response_code"], told["response_code"], "SQL");
        let entries = switch.control().entries_of(transaction.rrn());
        let is_gateways = (300..400).contains(&transaction.response_code.get());
        assert_eq!(entries.is_empty(), is_gateways, "a decline of the gateway's own reaches no host: {entries:?}");
    }
}

/// The category that fits what the client is told.
fn category(response: &str, code: u64) -> &'static str {
    match (response, code / 100) {
        ("approved", 1) => "approval",
        ("declined", 2) => "processor_decline",
        ("declined", 3) => "gateway_decline",
        ("error", 4) => "processor_error",
        other => panic!("{other:?} do not go together"),
    }
}

#[test]
fn a_repeat_within_the_window_is_301_and_a_payment_in_flight_is_0() {
    let switch = Switch::start(Options { duplicate_window_s: 60, ..Options::default() });
    let client = switch.client();
    let first = client.sale(1_201, VISA);
    let second = client.sale(1_201, VISA);
    assert_eq!((&first["response_code"], &second["response_code"]), (&json!(100), &json!(301)));
    assert_eq!(text(&second, "duplicate_of"), id(&first));

    switch.control().faults(&json!({"delay_ms": [1500, 1500]}));
    let known = |client: &Client| -> Vec<String> {
        let list = client.call("POST", "/api/transaction/search", &[], b"{}").data();
        list.as_array().into_iter().flatten().map(|one| id(one).to_owned()).collect()
    };
    let before = known(&client);
    let paying = {
        let client = client.clone();
        std::thread::spawn(move || client.sale(1_202, VISA))
    };
    tests::eventually(DRAINED, || {
        let new: Vec<_> = known(&client).into_iter().filter(|one| !before.contains(one)).collect();
        let [flying] = &new[..] else { return Err(format!("{new:?}")) };
        let shown = client.get(flying);
        let expected = (json!(0), "pending", "unknown");
        let told = (shown["response_code"].clone(), text(&shown, "status"), text(&shown, "response"));
        if told == expected { Ok(()) } else { Err(format!("{told:?}")) }
    });
    assert_eq!(paying.join().expect("it is answered")["response_code"], 100);
    switch.control().heal();
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn every_letter_of_avs_and_cvv2_is_shown_as_the_host_gave_it() {
    let switch = tests::switch::shared();
    let client = switch.client();
    let shown =
        |overlay: Value| client.pay(&with(payment("sale", 1_301, VISA), &overlay)).data()["response_body"]["card"].clone();
    for row in sandbox::triggers::TABLE {
        use sandbox::triggers::{Then, When};
        match (row.when, row.then) {
            (When::PostalCode(code), Then::Avs(letter)) => {
                let card = shown(json!({"billing_address": {"address_line_1": "1 Road", "postal_code": code}}));
                assert_eq!(card["avs_response_code"], char::from(letter).to_string(), "{code}");
            }
            (When::Cvc(value), Then::Cvv(letter)) => {
                let card = shown(json!({"payment_method": {"card": {"cvc": value}}}));
                assert_eq!(card["cvv_response_code"], char::from(letter).to_string(), "{value}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_claim_of_an_authenticated_customer_wants_its_proof() {
    let switch = tests::switch::shared();
    let client = switch.client();
    for verb in ["sale", "authorize"] {
        for (authentication, code) in [
            (json!({"eci": "05", "cavv": "AAABBBCCCDDDEEEFFFGGGHHHIIII", "xid": "AAABBBCCCDDDEEEFFFGGGHHHIIII"}), 100),
            (json!({"eci": "07"}), 100),
            (json!({"eci": "05"}), 205),
            (json!({"eci": "02", "xid": "AAABBBCCCDDDEEEFFFGGGHHHIIII"}), 205),
        ] {
            let overlay = json!({"payment_method": {"card": {"cardholder_authentication": authentication}}});
            let answer = client.pay(&with(payment(verb, 1_401, VISA), &overlay)).data();
            assert_eq!(answer["response_code"], code, "{verb} with {authentication}");
        }
    }
}

/// The page of codes, written from the tables.
fn page() -> String {
    let mut page = String::from(
        "# Response codes\n\nWritten from the tables in code; `WRITE_DOCS=1 cargo test -p tests --test codes the_page` writes it anew.\n\n\
         | code | text | category | retryable |\n| --- | --- | --- | --- |\n",
    );
    for row in TABLE {
        let retryable = if row.retryable { "yes" } else { "" };
        // Writing to a String cannot fail.
        let _ = writeln!(page, "| {} | {} | {} | {retryable} |", row.code.0, row.text, row.code.category().word());
    }
    let maps = [
        ("Card processor, TSYS-style", "DE39 of its answers. Any other is 200.", ACTION_CODES),
        ("ACH processor, Sage-style", "RESPONSE_TYPE of its answers.", sage::RESPONSE_TYPES),
        ("ACH processor, where it decides nothing", "What stands in the place of an answer. Any other is 400.", sage::FAILURES),
        ("Terminals, Dejavoo-style", "RespMSG, as it begins. Any other is 200 with ResultCode 1, else 400.", dejavoo::TEXTS),
    ];
    for (heading, words, map) in maps {
        let _ = write!(page, "\n## {heading}\n\n{words}\n\n| answer | code |\n| --- | --- |\n");
        for (answer, code) in map {
            let _ = writeln!(page, "| {answer} | {} {} |", code.0, code.text());
        }
    }
    page
}

#[test]
fn the_page_of_codes_is_the_tables() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/response-codes.md");
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(path, page()).expect("the page can be written");
    }
    let written = std::fs::read_to_string(path).expect("docs/response-codes.md is there");
    assert_eq!(written, page(), "run WRITE_DOCS=1 cargo test -p tests --test codes the_page");
}
