//! Paying from a bank account on the page: where it is offered, once whatever a shopper does, and what the bank may send back.

use serde_json::{Value, json};
use std::time::Duration;
use tests::client::{id, text};
use tests::host::Control;
use tests::shopper::{VISA, account_form, attempt_of, form, order, order_now, page, path_of, request, send};
use tests::switch::shared;
use tests::{Client, HostProcess, Options, Switch, eventually};

/// A bank of the Federal Reserve: the host approves whatever comes from it.
const BANK: &str = "011000015";
/// Whatever comes from this one is declined.
const DECLINED: &str = "490000034";
/// Shown as `99**99`, and part of nothing else.
const ACCOUNT: &str = "998899";
/// Whatever comes from this one is sent back a day after its settlement.
const SENT_BACK: &str = "000000002";
/// Shoppers' clicks at one moment.
const CLICKS: usize = 8;

fn page_of(order: &Value) -> String {
    path_of(order["pay_url"].as_str().expect("an order has a page"))
}

/// Transactions that carry an order's id.
fn transactions(client: &Client, order: &str) -> Vec<Value> {
    let search = json!({"order_id": {"operator": "=", "value": order}, "limit": 100}).to_string();
    client.call("POST", "/api/transaction/search", &[], search.as_bytes()).data().as_array().expect("a list").clone()
}

/// Sends the form for an account, and gives where the browser is sent.
#[track_caller]
fn debit(client: &Client, path: &str, routing: &str, account: &str) -> String {
    let attempt = attempt_of(&page(client, &format!("{path}?by=account"))).unwrap_or_else(|| panic!("{path} can't be paid"));
    let response = send(client, path, &account_form(attempt, routing, account)).expect("an answer");
    assert_eq!(response.status, 303, "{}", response.text());
    response.header("location").expect("a redirect leads somewhere").to_owned()
}

#[test]
fn an_account_is_debited_once_whatever_is_clicked() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let path = page_of(&order(&client, "debited", 7_700));
    assert!(page(&client, &path).contains("Pay from a bank account instead"));
    let shown = page(&client, &format!("{path}?by=account"));
    assert!(shown.contains("you authorize") && shown.contains("$77.00") && shown.contains("Pay by card instead"), "{shown}");
    std::thread::scope(|scope| {
        // Another tab has the form for a card.
        let (client, path) = (&client, &path);
        let click = |form: String| scope.spawn(move || send(client, path, &form).expect("each click is answered").status);
        let clicks: Vec<_> = (0..CLICKS)
            .map(|number| click(if number == CLICKS - 1 { form(1, VISA) } else { account_form(1, BANK, ACCOUNT) }))
            .collect();
        clicks.into_iter().for_each(|click| assert_eq!(click.join().expect("no click panics"), 303));
    });
    assert!(page(&client, &path).contains("You have paid"));
    assert_eq!((order_now(&client, "debited")["status"].clone(), transactions(&client, "debited").len()), (json!("paid"), 1));
    let path = page_of(&order(&client, "debited-alone", 7_701));
    assert_eq!(debit(&client, &path, BANK, ACCOUNT), format!("{path}?by=account"));
    let made = transactions(&client, "debited-alone");
    let shown = &made[0]["response_body"]["ach"];
    assert_eq!((made.len(), text(&made[0], "payment_type"), text(shown, "sec_code")), (1, "ach", "web"), "{made:?}");
    assert_eq!((text(shown, "masked_account_number"), text(shown, "account_type")), ("99**99", "checking"));
    assert_eq!(text(&made[0]["billing_address"], "last_name"), "Lovelace");
    let address = text(&switch.sandbox_json()["processors"]["ach"], "control").trim_start_matches("http://").to_owned();
    let ledger = Control(address.parse().expect("the ACH host's control address")).ledger();
    assert!(ledger.iter().filter(|entry| entry.amount == 7_701).count() == 1, "{ledger:?}");
}

/// A page that stands open while its amount is changed: nobody agreed to the new one.
#[test]
fn what_was_agreed_to_is_what_is_paid_or_nothing_is() {
    let switch = shared();
    let client = switch.client();
    let path = page_of(&order(&client, "agreed", 8_800));
    assert!(page(&client, &format!("{path}?by=account")).contains("name=\"agreed\" value=\"8800 USD\""));
    for (agreed, paid) in [("8700+USD", 0), ("8800+EUR", 0), ("8800+USD", 1)] {
        let sent = format!("{}&agreed={agreed}", account_form(1, BANK, ACCOUNT));
        assert_eq!(send(&client, &path, &sent).expect("an answer").status, 303, "{agreed}");
        assert_eq!(transactions(&client, "agreed").len(), paid, "{agreed}");
    }
    assert!(page(&client, &path).contains("You have paid"));
}

#[test]
fn a_decline_is_told_and_a_card_may_pay_instead() {
    let switch = shared();
    let client = switch.client();
    let path = page_of(&order(&client, "debit-declined", 5_000));
    let told_at = debit(&client, &path, DECLINED, ACCOUNT);
    let told = page(&client, &told_at);
    assert!(told.contains("You were not charged.") && told.contains("id=\"routing_number\""), "{told}");
    assert_eq!(order_now(&client, "debit-declined")["status"], "pending");
    assert_eq!(send(&client, &path, &form(2, VISA)).expect("an answer").status, 303);
    assert_eq!(order_now(&client, "debit-declined")["status"], "paid");
    assert_eq!(transactions(&client, "debit-declined").len(), 2);
}

#[test]
fn a_wrong_field_is_told_without_the_accounts_number_and_nothing_is_tried() {
    let switch = shared();
    let client = switch.client();
    let path = page_of(&order(&client, "debit-wrong", 5_000));
    let told_at = debit(&client, &path, "011000016", ACCOUNT);
    assert_eq!(told_at, format!("{path}?by=account&check=routing"));
    let told = page(&client, &told_at);
    assert!(told.contains("No bank has this routing number.") && !told.contains(ACCOUNT), "{told}");
    assert_eq!(transactions(&client, "debit-wrong").len(), 0);
}

#[test]
fn accounts_are_debited_only_where_the_merchant_can_and_in_dollars() {
    let host = HostProcess::start();
    let cards_only = Switch::start(Options::with_host(host.addr));
    let sandbox = shared();
    let without = (cards_only.client(), page_of(&order(&cards_only.client(), "no-ach", 5_000)));
    let shop = "https://example.com";
    let in_euros = (sandbox.client(), page_of(&request(&sandbox.client(), "debit-in-euros", shop, shop)));
    for (client, path) in [without, in_euros] {
        for shown in [page(&client, &path), page(&client, &format!("{path}?by=account"))] {
            assert!(!shown.contains("bank account") && shown.contains("id=\"number\""), "{shown}");
        }
        assert_eq!(send(&client, &path, &account_form(1, BANK, ACCOUNT)).expect("an answer").status, 303);
        assert_eq!(attempt_of(&page(&client, &path)), Some(1), "nothing was tried");
    }
}

#[test]
fn an_invoice_is_paid_by_what_it_names_and_may_be_paid_by_accounts_alone() {
    let switch = shared();
    let client = switch.client();
    let invoice = |methods: Value| -> String {
        let body = json!({"items": [{"name": "Widget", "quantity": 1, "unit_price": 4_200}], "payment_methods": methods});
        let made = client.call("POST", "/api/invoice", &[], body.to_string().as_bytes()).data();
        format!("/pay/{}", text(&made, "public_url"))
    };
    let by_card = page(&client, &invoice(json!(["card"])));
    assert!(!by_card.contains("bank account") && by_card.contains("id=\"number\""), "{by_card}");
    let path = invoice(json!(["ach"]));
    let by_account = page(&client, &path);
    assert!(by_account.contains("id=\"routing_number\"") && !by_account.contains("Pay by card"), "{by_account}");
    assert_eq!(send(&client, &path, &form(1, VISA)).expect("an answer").status, 303);
    assert_eq!(attempt_of(&page(&client, &path)), Some(1), "a card is not tried");
    debit(&client, &path, BANK, ACCOUNT);
    assert!(page(&client, &path).contains("You have paid"));
}

#[test]
fn what_the_bank_sends_back_was_not_paid_in_the_end() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let path = page_of(&order(&client, "sent-back", 2_003));
    debit(&client, &path, SENT_BACK, ACCOUNT);
    let paid = order_now(&client, "sent-back");
    assert_eq!(paid["status"], "paid", "{paid}");
    switch.operator().call("POST", "/operator/processors/ach/settle", &[], b"").data();
    client.call("POST", "/api/sandbox/clock", &[], json!({"advance_seconds": 90_000}).to_string().as_bytes()).data();
    eventually(Duration::from_secs(20), || {
        let shown = order_now(&client, "sent-back");
        if shown["status"] == "refunded" { Ok(()) } else { Err(shown.to_string()) }
    });
    let debit = client.get(text(&paid, "transaction_id"));
    assert_eq!((id(&debit), text(&debit, "status")), (text(&paid, "transaction_id"), "returned"));
}
