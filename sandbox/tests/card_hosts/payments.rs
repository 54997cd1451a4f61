//! Payments and what refers to them: who may do what to which transaction, once.

use protocol::iso8583::Mti;
use serde_json::{Value, json};

use crate::client::{Hosts, PAN, Request};

/// Kind, amount, approved, reversed of each entry.
fn shape(entries: &[Value]) -> Vec<(String, u64, bool, bool)> {
    let one = |entry: &Value| {
        let text = entry["kind"].as_str().unwrap().to_owned();
        let flag = |name: &str| entry[name].as_bool().unwrap();
        (text, entry["amount"].as_u64().unwrap(), flag("approved"), flag("reversed"))
    };
    entries.iter().map(one).collect()
}

fn row(kind: &str, amount: u64, approved: bool, reversed: bool) -> (String, u64, bool, bool) {
    (kind.to_owned(), amount, approved, reversed)
}

#[test]
fn nothing_is_served_before_sign_on_and_after_sign_off() {
    let hosts = Hosts::start();
    let mut client = crate::client::Client::connect(hosts.running.card.addr);
    assert_eq!(client.ask(&Request::sale(1112, 1)).action(), "58");
    assert_eq!(client.ask(&Request::network("301")).action(), "00", "an echo asks whether somebody is there");
    assert_eq!(client.ask(&Request::sale(1112, 1)).action(), "58");
    let answer = client.ask(&Request::network("001"));
    assert_eq!((answer.mti.as_str(), answer.action()), ("0810", "00"));
    assert_eq!(client.ask(&Request::sale(1112, 1)).action(), "00");
    assert_eq!(client.ask(&Request::network("201")).action(), "00");
    assert_eq!(client.ask(&Request::network("999")).action(), "30");
    assert_eq!(client.ask(&Request::network("002")).action(), "00");
    assert_eq!(client.ask(&Request::sale(1112, 2)).action(), "58");
    assert_eq!(hosts.entries().len(), 1);
}

#[test]
fn a_sale_is_answered_field_by_field_and_written_down() {
    let hosts = Hosts::start();
    let request = Request::sale(1112, 7).with(48, "AD01012 Main St");
    let answer = hosts.client().ask(&request);
    assert_eq!(answer.mti, "0210");
    let numbers: Vec<u8> = answer.fields.keys().copied().collect();
    assert_eq!(numbers, [3, 4, 7, 11, 12, 13, 37, 38, 39, 41, 42, 44, 49, 63]);
    for repeated in [3, 4, 7, 11, 12, 13, 37, 41, 42, 49] {
        assert_eq!(answer.get(repeated), request.fields[&repeated], "field {repeated}");
    }
    assert_eq!((answer.action(), answer.get(38), answer.get(44)), ("00", "TAS000", "A "));
    assert_eq!(answer.get(63), "APPROVAL TAS000 ");
    let entries = hosts.entries();
    assert_eq!(entries.len(), 1);
    let mut entry = entries[0].clone();
    assert!(entry["at"].take().as_str().unwrap().ends_with('Z'));
    let wanted = json!({"ordinal":0,"rrn":"RRN000000007","stan":7,"kind":"sale","amount":1112,"currency":"840",
        "approved":true,"reversed":false,"action":"00","terminal":"TERM01","at":null});
    assert_eq!(entry, wanted);
}

#[test]
fn no_card_number_is_written_anywhere() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let sale = Request::sale(1112, 1).with(48, "CV003987").with(35, &format!("{PAN}=29121011000"));
    client.ask(&sale);
    client.ask(&sale.reversal(2));
    let listing = hosts.get("/ledger").to_string();
    let file = std::fs::read(hosts.folder.path().join("sandbox/card.ledger")).unwrap();
    assert_eq!(file.len(), 2 * 128);
    assert!(!listing.contains(PAN));
    assert!(!file.windows(8).any(|window| window == &PAN.as_bytes()[4..12]));
}

#[test]
fn an_authorization_is_captured_once_and_up_to_its_amount() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let authorization = Request::authorization(1000, 1);
    let answer = client.ask(&authorization);
    assert_eq!((answer.mti.as_str(), answer.action()), ("0110", "00"));
    assert_eq!(client.ask(&authorization.capture(1001, 2)).action(), "13");
    assert_eq!(client.ask(&authorization.capture(0, 3)).action(), "13");
    let capture = authorization.capture(700, 4);
    let captured = client.ask(&capture);
    assert_eq!((captured.mti.as_str(), captured.action(), captured.get(4)), ("0230", "00", "000000000700"));
    assert_eq!(captured.get(38), answer.get(38), "the authorization's code");
    assert_eq!(client.ask(&capture.clone().repeated()), captured, "0221 is the same message");
    assert_eq!(client.ask(&authorization.capture(100, 5)).action(), "94");
    assert_eq!(client.ask(&Request::authorization(1000, 99).capture(10, 6)).action(), "25");
    let sale = Request::sale(50, 7);
    client.ask(&sale);
    assert_eq!(client.ask(&sale.capture(50, 8)).action(), "94", "a sale is captured already");
    let other_rrn = authorization.capture(10, 9).with(37, "SOMEONEELSE0");
    assert_eq!(client.ask(&other_rrn).action(), "25");
    let wanted = [
        row("authorization", 1000, true, false),
        row("capture", 1001, false, false),
        row("capture", 0, false, false),
        row("capture", 700, true, false),
        row("capture", 100, false, false),
        row("capture", 10, false, false),
        row("sale", 50, true, false),
        row("capture", 50, false, false),
        row("capture", 10, false, false),
    ];
    assert_eq!(shape(&hosts.entries()), wanted);
}

#[test]
fn an_authorization_advice_is_taken_whatever_it_says_and_can_be_captured() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    // An amount that would be declined if it were asked for.
    let mut advice = Request::authorization(900_051, 1).with(38, "VOICE1");
    advice.mti = Mti::AUTHORIZATION_ADVICE;
    let answer = client.ask(&advice);
    assert_eq!((answer.mti.as_str(), answer.action()), ("0130", "00"));
    assert_eq!(client.ask(&advice.clone().repeated()), answer, "0121 is the same message");
    assert_eq!(client.ask(&advice.capture(100, 2)).action(), "00");
    assert_eq!(client.ask(&advice.without(38)).action(), "30", "it says what was approved");
    let wanted = [row("authorization", 900_051, true, false), row("capture", 100, true, false)];
    assert_eq!(shape(&hosts.entries()), wanted);
}

#[test]
fn the_stripe_is_of_the_card_that_the_message_names() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let (other, cases) = ("4111111111111111", [(35, "=30121011000"), (45, "^DOE/JANE^30121011000")]);
    for (stan, (field, rest)) in (1..).step_by(2).zip(cases) {
        let prefix = if field == 45 { "B" } else { "" };
        let swiped =
            |number: &str, stan| Request::sale(100, stan).with(22, "022").with(field, &format!("{prefix}{number}{rest}"));
        assert_eq!(client.ask(&swiped(PAN, stan)).action(), "00", "DE{field}");
        assert_eq!(client.ask(&swiped(other, stan + 1)).action(), "30", "DE{field}");
    }
}

#[test]
fn a_void_takes_back_a_transaction_and_its_capture_once() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let (sale, authorization, refund) =
        (Request::sale(500, 1), Request::authorization(900, 2), Request::refund(100, 3, "RRN000000001"));
    for request in [&sale, &authorization, &refund, &authorization.capture(800, 4)] {
        assert_eq!(client.ask(request).action(), "00");
    }
    let voided = client.ask(&sale.void(5));
    assert_eq!((voided.mti.as_str(), voided.action(), voided.get(38)), ("0410", "00", "TAS000"));
    assert_eq!(client.ask(&sale.void(6)).action(), "25");
    assert_eq!(client.ask(&authorization.void(7)).action(), "00");
    assert_eq!(client.ask(&authorization.capture(800, 8)).action(), "25");
    assert_eq!(client.ask(&refund.void(9)).action(), "00");
    assert_eq!(client.ask(&Request::sale(1, 77).void(10)).action(), "25");
    let wanted = [
        row("sale", 500, true, true),
        row("authorization", 900, true, true),
        row("refund", 100, true, true),
        row("capture", 800, true, true),
        row("void", 500, true, false),
        row("void", 500, false, false),
        row("void", 900, true, false),
        row("capture", 800, false, false),
        row("void", 100, true, false),
        row("void", 1, false, false),
    ];
    assert_eq!(shape(&hosts.entries()), wanted);
}

#[test]
fn a_reversal_takes_back_once_whatever_is_repeated() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let authorization = Request::authorization(900, 1);
    client.ask(&authorization);
    client.ask(&authorization.capture(800, 2));
    let reversal = authorization.reversal(3);
    let receipt = client.ask(&reversal);
    assert_eq!((receipt.mti.as_str(), receipt.action(), receipt.get(38)), ("0430", "00", ""));
    assert_eq!(client.ask(&reversal.clone().repeated()), receipt);
    assert_eq!(client.ask(&authorization.reversal(4)).action(), "00", "already reversed");
    assert_eq!(client.ask(&authorization.void(5)).action(), "25");
    let about_a_capture = authorization.capture(800, 2).reversal(6);
    assert_eq!(client.ask(&about_a_capture).action(), "30", "only 0100 and 0200 make a transaction");
    let wanted = [
        row("authorization", 900, true, true),
        row("capture", 800, true, true),
        row("reversal", 900, true, false),
        row("void", 900, false, false),
    ];
    assert_eq!(shape(&hosts.entries()), wanted);
}

#[test]
fn a_reversal_that_comes_first_forestalls_its_original() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let sale = Request::sale(500, 1);
    assert_eq!(client.ask(&sale.reversal(2)).action(), "25");
    assert_eq!(client.ask(&sale.reversal(2).repeated()).action(), "25");
    assert_eq!(client.ask(&sale.reversal(3)).action(), "25");
    assert_eq!(client.ask(&sale).action(), "12");
    assert_eq!(client.ask(&sale).action(), "12");
    assert_eq!(shape(&hosts.entries()), [row("reversal", 500, false, false), row("sale", 500, false, false)]);
    let other = Request::sale(500, 9).with(41, "TERM02");
    client.ask(&other);
    assert_eq!(client.ask(&Request::sale(500, 9).reversal(10)).action(), "25", "another terminal's");
}

#[test]
fn a_duplicate_is_answered_with_the_first_answer_and_nothing_else() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    for (stan, amount) in [(1, 1112), (2, 900_051), (3, 900_010)] {
        let sale = Request::sale(amount, stan);
        let first = client.ask(&sale);
        assert_eq!(client.ask(&sale), first);
        assert_eq!(hosts.client().ask(&sale), first, "on another connection");
    }
    assert_eq!(hosts.entries().len(), 3);
    assert_eq!(hosts.get("/stats")["duplicates"], 6);
    let other_day = Request::sale(1112, 1).with(7, "1122010203");
    assert_eq!(client.ask(&other_day).get(38), "TAS003", "another DE7 is another message");
}

#[test]
fn a_refund_needs_no_known_sale() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    assert_eq!(client.ask(&Request::refund(900_051, 1, "NEVERSEEN000")).action(), "00");
    assert_eq!(client.ask(&Request::credit(70, 2)).action(), "00");
    let verification = Request::authorization(0, 3).with(25, "51");
    assert_eq!(client.ask(&verification).action(), "00");
    let wanted = [row("refund", 900_051, true, false), row("credit", 70, true, false), row("authorization", 0, true, false)];
    assert_eq!(shape(&hosts.entries()), wanted);
}

#[test]
fn the_two_hosts_have_ledgers_of_their_own_and_pages_of_them_can_be_had() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    let count = 1200;
    for stan in 1..=count {
        client.send(&Request::sale(100, stan));
    }
    assert!((1..=count).all(|_| client.receive().unwrap().action() == "00"));
    assert_eq!(hosts.entries().len(), count as usize);
    let page = hosts.get("/ledger?after=1000&limit=3");
    let ordinals: Vec<u64> = page["entries"].as_array().unwrap().iter().map(|e| e["ordinal"].as_u64().unwrap()).collect();
    assert_eq!((ordinals, page["rows"].as_u64()), (vec![1001, 1002, 1003], Some(1200)));
    let (_, other) = crate::client::http(hosts.running.card_2.control, "GET", "/ledger", "");
    assert_eq!(other, json!({"entries": [], "batches": [], "rows": 0}));
}
