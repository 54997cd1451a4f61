//! The money behind links, by a clock that is moved: nights make payouts, months make fee invoices, and all of it adds up to the cent.

use super::shopper::pay;
use super::{data, items, link, merchant, send_json};
use protocol::money::Currency;
use serde_json::{Value, json};
use std::time::Duration;
use tests::Switch;
use tests::client::{Client, text};
use tests::patience::until;

const SETTLED: Duration = Duration::from_secs(30);

/// Moves the calendar.
#[track_caller]
pub fn move_to(client: &Client, moment: &str) {
    client.call("POST", "/api/sandbox/clock", &[], json!({"now": moment}).to_string().as_bytes()).data();
}

/// All payouts of a merchant.
#[track_caller]
pub fn payouts_of(client: &Client) -> Vec<Value> {
    items(client, "getPayOutTransactions", &[("limit", "1000")])
}

/// The payouts of a merchant, so many: whoever has moved the calendar finds them made.
#[track_caller]
fn payouts(client: &Client, count: usize) -> Vec<Value> {
    let payouts = payouts_of(client);
    assert_eq!(payouts.len(), count, "{payouts:?}");
    payouts
}

/// Amount, fee and what is left of a payout.
fn amounts(payout: &Value) -> (&str, u64, u64) {
    (text(payout, "payout_amount"), cents(&payout["service_fee"]), cents(&payout["net_amount"]))
}

/// Minor units of an amount, a text or a number.
#[track_caller]
pub fn cents(amount: &Value) -> u64 {
    Currency::EUR.parse_major(amount.to_string().trim_matches('"')).expect("an amount in euros")
}

/// Waits until a payment is settled and a refund of it is carried out: asked for once, then looked at.
#[track_caller]
fn refund(client: &Client, link: &Value, amount: Option<&str>, refunded: f64) {
    data(&send_json(client, "refundPayment", &json!({"pay_id": link["id"], "amount": amount})));
    let id = link["id"].to_string();
    let done = until(SETTLED, || {
        let paid = items(client, "getPayInTransactions", &[("pay_id", &id)]);
        (paid[0]["refunded_amount"].as_f64() == Some(refunded)).then_some(())
    });
    assert!(done.is_some(), "not refunded: {:?}", items(client, "getPayInTransactions", &[("pay_id", &id)]));
}

/// Every posting of the books sums to zero, and so does each currency.
#[track_caller]
pub fn close(operator: &Client) {
    let books = operator.call("GET", "/operator/books", &[], b"").data();
    assert_eq!(books["unbalanced_postings"], 0);
    let accounts = books["accounts"].as_array().expect("accounts");
    let names = ["shoppers", "balance", "fees", "in_transit", "paid_out"];
    let sum = |account: &Value| names.iter().map(|name| account[name].as_i64().expect("an amount")).sum::<i64>();
    assert_eq!(accounts.iter().map(sum).sum::<i64>(), 0, "{books}");
}

#[test]
fn nights_and_months_close_to_the_cent() {
    let switch = Switch::sandboxed();
    let (client, recipient) = (switch.client(), merchant(&switch.operator(), "recipient", &json!({"service_fee": "9"})));
    move_to(&client, "2031-03-10T12:00:00Z");
    let basic = link(&client, "100.00");
    let shares = json!([{"token": recipient.key, "share": 33.33}]);
    let split = data(&send_json(&client, "createSplitLink", &json!({"amount": 50, "recipients": shares})));
    [&basic, &split].iter().for_each(|link| drop(pay(&client, link)));
    // Asked for before settlement: carried out after it, and so after the night's payout.
    let asked = data(&send_json(&client, "refundPayment", &json!({"pay_id": basic["id"], "amount": "10.00"})));
    assert_eq!(text(&asked, "refund_status"), "InProgress");

    move_to(&client, "2031-03-11T01:58:04Z");
    let first = payouts(&client, 1).remove(0);
    // 33.33 % of 50.00 are 16.665: the cent that can't be halved is the merchant's. The link's fee of 0.75 is borne by both.
    assert_eq!(amounts(&first), ("133.34", 200, 13_134));
    assert_eq!((text(&first, "payout_id"), text(&first, "payout_status")), ("1", "InProgress"));
    assert_eq!((text(&first, "request_date"), &text(&first, "transaction_id")[..12]), ("2031-03-10", "20310310-po-"));
    assert_eq!(text(&first, "transaction_id").len(), "20241012-po-WHk3KxTdHQ".len());
    assert!(text(&first, "created_at").starts_with("2031-03-11T01:5") && text(&first, "created_at").ends_with('Z'));
    assert_eq!(amounts(&payouts(&recipient, 1)[0]), ("16.66", 25, 1_641));
    let id = basic["id"].to_string();
    let refunded = until(SETTLED, || {
        let paid = items(&client, "getPayInTransactions", &[("pay_id", &id)]);
        (text(&paid[0], "status") == "PartiallyRefunded").then_some(())
    });
    assert!(refunded.is_some(), "a refund that waited is carried out once the payment is settled");

    pay(&client, &link(&client, "20.00"));
    move_to(&client, "2031-03-12T00:00:10Z");
    let both = payouts(&client, 2);
    assert_eq!(text(&both[0], "payout_status"), "Paid", "a night ends what the one before has begun");
    assert_eq!(amounts(&both[1]), ("10.00", 30, 970));
    assert_eq!(text(&both[1], "payout_status"), "InProgress");
    // After its payout: what is taken back is carried over, on both sides.
    refund(&client, &split, None, 50.0);
    pay(&client, &link(&client, "100.00"));
    move_to(&client, "2031-03-13T12:00:00Z");
    assert_eq!(amounts(&payouts(&client, 3)[2]), ("66.66", 150, 6_516));
    assert_eq!(payouts(&recipient, 1).len(), 1, "16.66 are owed by the recipient");
    pay(&recipient, &link(&recipient, "30.00"));
    move_to(&client, "2031-04-01T00:01:00Z");
    // Its own links have its own fee.
    assert_eq!(amounts(&payouts(&recipient, 2)[1]), ("13.34", 270, 1_064));

    let invoices = |client: &Client| items(client, "getTaxInvoiceList", &[]).pop().expect("a fee invoice");
    let (own, theirs) = (invoices(&client), invoices(&recipient));
    assert_eq!((text(&own, "month"), cents(&own["service_fee"]), &own["payments"]), ("2031-03", 380, &json!(4)));
    assert_eq!((cents(&theirs["service_fee"]), &theirs["payments"]), (295, &json!(2)));
    assert!(text(&own, "invoice_number").starts_with("203103-sf-"));
    // 300.00 were paid and 60.00 given back; what is left has gone out or was kept.
    let all = [payouts(&client, 3), payouts(&recipient, 2)].concat();
    let gone_out: u64 = all.iter().map(|payout| cents(&payout["net_amount"])).sum();
    assert_eq!(gone_out + cents(&own["service_fee"]) + cents(&theirs["service_fee"]), 30_000 - 6_000);
    close(&switch.operator());
    let listed = items(&client, "getPayOutTransactions", &[("date", "2031-03-11")]);
    assert_eq!(listed, [payouts(&client, 3)[1].clone()]);
    assert_eq!(items(&client, "getPayOutTransactions", &[("since", "1"), ("limit", "1")]), listed);
    assert_eq!(items(&client, "getPayInTransactions", &[("date", "2031-03-10")]).len(), 2);
}

#[test]
fn a_merchants_cut_over_and_fee_are_its_own_and_events_tell_of_its_payouts() {
    let switch = Switch::sandboxed();
    let operator = switch.operator();
    let evening = merchant(&operator, "evening", &json!({"service_fee": "0", "payout_at": "22:30"}));
    move_to(&switch.client(), "2031-05-10T12:00:00Z");
    let made = link(&evening, "1.00");
    assert_eq!(text(&made, "service_fee"), "0");
    pay(&evening, &made);
    move_to(&switch.client(), "2031-05-10T22:31:00Z");
    let payout = payouts(&evening, 1).remove(0);
    assert_eq!((amounts(&payout), text(&payout, "request_date")), (("1.00", 0, 100), "2031-05-10"));
    move_to(&switch.client(), "2031-06-02T00:00:00Z");
    let paid = until(SETTLED, || payouts(&evening, 1).pop().filter(|payout| text(payout, "payout_status") == "Paid"));
    assert!(paid.is_some(), "a payout arrives a day later");
    assert_eq!(items(&evening, "getTaxInvoiceList", &[]), [] as [Value; 0], "no fee, no invoice");
}
