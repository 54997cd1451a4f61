//! Payments at terminals, from the REST front to the sandbox's terminal host and back: the document's answer, every trigger, one payment
//! at a time, and books that agree with the host's.

use sandbox::spin::TERMINALS;
use sandbox::spin::triggers::{TABLE, Then, When};
use sandbox::triggers::Mishap;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tests::Switch;
use tests::books::reconcile;
use tests::client::{Client, id, text};
use tests::host::Control;
use tests::http::exchange;
use tests::patience::eventually;
use tests::payment::with;

const DRAINED: Duration = Duration::from_secs(20);

/// Ids of the merchant's terminals, by their numbers.
fn terminals(client: &Client) -> Vec<String> {
    let list = client.call("GET", "/api/terminals", &[], b"").data();
    let ids: BTreeMap<&str, &str> =
        list.as_array().expect("a list").iter().map(|terminal| (text(terminal, "tpn"), id(terminal))).collect();
    TERMINALS.iter().map(|terminal| ids[terminal.tpn].to_owned()).collect()
}

fn payment(verb: &str, amount: u64, terminal: &str) -> Value {
    json!({"type": verb, "amount": amount, "payment_method": {"terminal": {"id": terminal}}})
}

/// The terminal host's control address.
fn control(switch: &Switch) -> Control {
    let file = switch.sandbox_json();
    Control(text(&file["processors"]["terminal"], "control").parse().expect("an address"))
}

/// Closes the terminals' batches.
fn settle(switch: &Switch) -> Vec<Value> {
    let batches = switch.operator().call("POST", "/operator/processors/terminal/settle", &[], b"").data();
    batches.as_array().expect("a list of batches").clone()
}

fn outcome(transaction: &Value) -> (&str, u64, u64) {
    let number = |name: &str| transaction[name].as_u64().expect("a number");
    (text(transaction, "status"), number("response_code"), number("amount_captured"))
}

#[test]
fn a_sale_is_answered_as_the_document_shows_it() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let terminals = terminals(&client);
    assert_eq!(switch.sandbox_json()["processors"]["terminal"]["terminal_id"], terminals[0].as_str());
    let asked = json!({
        "type": "sale", "amount": 500, "tax_amount": 100, "shipping_amount": 100, "order_id": "someOrderID",
        "payment_method": {"terminal": {"id": terminals[0], "print_receipt": "both", "signature_required": true}},
    });
    let sale = client.pay(&asked).data();
    assert_eq!((outcome(&sale), text(&sale, "payment_method")), (("pending_settlement", 100, 500), "terminal"));
    let mut answer = sale["response_body"]["terminal"].clone();
    let specific = answer["processor_specific"].take();
    let sample = json!({
        "card_type": "mastercard", "payment_type": "credit", "entry_type": "swiped", "first_four": "5424", "last_four": "3333",
        "masked_card": "5424********3333", "cardholder_name": "FDCS TEST CARD /MASTERCARD", "response_code": 100,
        "emv_aid": "", "emv_app_name": "", "emv_tvr": "", "emv_tsi": "",
    });
    for (name, value) in sample.as_object().expect("fields") {
        assert_eq!(&answer[name], value, "{name}");
    }
    assert!(text(&answer, "processor_response_text").starts_with("APPROVAL "));
    assert!(text(&answer, "signature_data").starts_with("Qk1"), "a BMP in base64");
    let mut sample = json!({
        "BatchNum": "1", "CashBack": "0.00", "ClerkID": "", "DISC": "0.00", "EBTCashAvailBalance": "", "EBTCashBeginBalance": "",
        "EBTCashLedgerBalance": "", "EBTFSAvailBalance": "", "EBTFSBeginBalance": "", "EBTFSLedgerBalance": "", "Fee": "0.00",
        "InvNum": "someOrderID", "Language": "English", "ProcessData": "", "RefNo": "", "RewardCode": "", "RewardQR": "",
        "RwdBalance": "0", "RwdIssued": "", "RwdPoints": "0", "SHFee": "0.00", "SVC": "0.00", "TableNum": "0", "TicketNum": "",
        "Tip": "0.00", "TotalAmt": "5.00",
    });
    sample["rrn"] = specific["rrn"].clone();
    assert_eq!(specific, sample);
    assert_eq!(client.get(id(&sale))["response_body"], sale["response_body"]);
    let chip = client.pay(&payment("sale", 501, &terminals[0])).data();
    let chip = &chip["response_body"]["terminal"];
    let shown = ["entry_type", "card_type", "emv_aid", "emv_app_name", "signature_data"].map(|name| text(chip, name));
    assert_eq!(shown, ["contactless", "visa", "A0000000031010", "VISA CREDIT", ""]);
    let tipped = client.pay(&payment("sale", 1_000, &terminals[3])).data();
    assert_eq!(
        (outcome(&tipped), &tipped["tip_amount"], &tipped["amount"]),
        (("pending_settlement", 100, 1_200), &json!(200), &json!(1_200))
    );
    let refused = client.pay(&payment("sale", 500, "b9efr9qj8m0ge2h7tat0")).refusal();
    assert!(refused.0 == 400 && refused.1.contains("payment_method.terminal.id"), "{refused:?}");
    let refused = client.pay(&payment("verification", 0, &terminals[0])).refusal();
    assert!(refused.0 == 400 && refused.1.contains("type"), "{refused:?}");
    reconcile(&switch.journal(), control(&switch), DRAINED);
}

/// Answers that never come take the whole time-out of five seconds: one of them stands for all here.
fn takes_long(then: Then) -> bool {
    matches!(then, Then::Lost | Then::Spoil(Mishap::Late) | Then::NobodyComes)
}

#[test]
fn every_trigger_gives_its_code_and_the_books_agree() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let terminals = terminals(&client);
    for row in TABLE.iter().filter(|row| !takes_long(row.then)) {
        let asked = match row.when {
            When::Terminal(digit) => payment("sale", 1_000, &terminals[usize::from(digit) - 1]),
            When::Amount(minor) => payment("sale", minor, &terminals[0]),
            When::Anything => payment("sale", 1_000, &terminals[0]),
        };
        let made = client.pay(&with(asked, &json!({"allow_partial_payment": true}))).data();
        assert_eq!(made["response_code"], row.code.0, "{:?}: {made}", row.when);
    }
    let books = reconcile(&switch.journal(), control(&switch), DRAINED);
    assert!(books.transactions().count() > 30);
    let batches = settle(&switch);
    assert_eq!(
        (batches.len(), text(&batches[0], "state")),
        (1, "complete"),
        "terminals of one register are one batch: {batches:?}"
    );
}

#[test]
fn a_payment_is_captured_voided_and_refunded_at_its_terminal() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let terminals = terminals(&client);
    let held = client.pay(&payment("authorize", 900, &terminals[0])).data();
    assert_eq!(outcome(&held), ("authorized", 100, 0));
    client.capture(id(&held), 800).data();
    let gone = client.pay(&payment("sale", 700, &terminals[0])).data();
    client.void(id(&gone)).data();
    let kept = client.pay(&payment("sale", 600, &terminals[3])).data();
    client.pay(&payment("credit", 50, &terminals[0])).data();
    let batches = settle(&switch);
    assert_eq!(batches.len(), 1);
    let sums = ["num_transactions", "amount_captured", "amount_credit"].map(|name| batches[0][name].as_u64());
    assert_eq!(sums, [Some(3), Some(800 + 720), Some(50)]);
    assert!(text(&batches[0], "response_message").starts_with("GB"));
    let statuses = [&held, &gone, &kept].map(|payment| text(&client.get(id(payment)), "status").to_owned());
    assert_eq!(statuses, ["settled", "voided", "settled"]);
    client.refund(id(&kept), 720).data();
    assert_eq!(text(&client.get(id(&kept)), "status"), "refunded");
    assert_eq!(settle(&switch).len(), 1);
    reconcile(&switch.journal(), control(&switch), DRAINED);
}

/// What became of a payment at the host: kinds of its entries, in order.
fn kinds(switch: &Switch, payment: &Value) -> Vec<String> {
    let rrn = text(&payment["response_body"]["terminal"]["processor_specific"], "rrn");
    control(switch).entries_of(rrn).into_iter().map(|entry| entry.kind).collect()
}

/// How many requests have come to the terminal host.
fn requests(switch: &Switch) -> Option<u64> {
    exchange(control(switch).0, "GET", "/stats", &[], b"").expect("the control address answers").json()["requests"].as_u64()
}

/// Waits until so many requests have come to the terminal host.
#[track_caller]
fn wait_for_requests(switch: &Switch, count: u64) {
    eventually(Duration::from_secs(4), || {
        let come = requests(switch);
        if come >= Some(count) { Ok(()) } else { Err(format!("{come:?} of {count}")) }
    });
}

#[test]
fn a_terminal_takes_one_payment_at_a_time_and_what_times_out_is_taken_back() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let terminals = terminals(&client);
    let sold = client.pay(&payment("sale", 600, &terminals[0])).data();
    settle(&switch);
    let asked_before = requests(&switch).expect("a number");
    // Nobody comes to the first terminal; the answer of the fourth is lost.
    let (unattended, unheard) = std::thread::scope(|scope| {
        let unattended = scope.spawn(|| client.pay(&payment("sale", 900_403, &terminals[0])).data());
        let unheard = scope.spawn(|| switch.client().pay(&payment("sale", 900_202, &terminals[3])).data());
        wait_for_requests(&switch, asked_before + 2);
        let turned_away = client.pay(&payment("sale", 100, &terminals[0])).data();
        assert_eq!(outcome(&turned_away), ("declined", 421, 0), "somebody is awaited there");
        assert_eq!(kinds(&switch, &turned_away), [""; 0], "and is not disturbed");
        let refused = client.refund(id(&sold), 100).data();
        assert_eq!((text(&refused, "type"), outcome(&refused)), ("refund", ("declined", 421, 0)), "nor for a refund");
        assert_eq!(text(&client.get(id(&sold)), "status"), "settled", "nothing of it was paid back");
        let elsewhere = client.pay(&payment("sale", 100, &terminals[1])).data();
        assert_eq!(outcome(&elsewhere), ("declined", 200, 0), "the other terminals go on");
        (unattended.join().expect("it is answered"), unheard.join().expect("it is answered"))
    });
    assert_eq!([outcome(&unattended), outcome(&unheard)], [("unknown", 421, 0); 2]);
    reconcile(&switch.journal(), control(&switch), DRAINED);
    client.refund(id(&sold), 600).data();
    assert_eq!(text(&client.get(id(&sold)), "status"), "refunded", "once the terminal is free again");
    for payment in [&unattended, &unheard] {
        client.get_when(id(payment), "reversed");
    }
    assert_eq!(kinds(&switch, &unheard), ["sale", "reversal"], "asked for by its reference, found standing, voided");
    assert_eq!(kinds(&switch, &unattended), ["sale"], "called off while it waited: declined");
}
