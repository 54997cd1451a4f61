//! Money closes (I5): batches balance with the host under traffic, and no race pays back more than was settled.

use serde_json::{Value, json};
use std::sync::Barrier;
use std::time::Duration;
use tests::books::reconcile;
use tests::client::{Client, id, rrn, text};
use tests::dice::Dice;
use tests::load::Load;
use tests::payment::{self, VISA, payment};
use tests::switch::keys;
use tests::{HostProcess, Options, Switch};

const DRAINED: Duration = Duration::from_secs(20);

#[track_caller]
fn number(object: &Value, name: &str) -> u64 {
    object[name].as_u64().unwrap_or_else(|| panic!("{name} of {object}"))
}

/// A settled sale.
#[track_caller]
fn settled_sale(switch: &Switch, amount: u64, card: &str) -> Value {
    let sale = switch.client().sale(amount, card);
    switch.operator().settle();
    let shown = switch.client().get(id(&sale));
    assert_eq!(text(&shown, "status"), "settled", "{shown}");
    shown
}

#[test]
fn a_settled_batch_says_what_its_members_say() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let (one, two) = (client.sale(6_001, VISA), client.sale(6_002, VISA));
    let held = client.authorize(6_100, VISA);
    client.capture(id(&held), 6_000).data();
    client.pay(&payment("credit", 500, VISA)).data();
    client.void(id(&two)).data();
    client.authorize(9_999, VISA);
    let batches = switch.operator().settle();
    assert_eq!(batches.len(), 1);
    let batch = &batches[0];
    let sums = ["num_transactions", "amount_captured", "amount_credit", "net_deposit"].map(|name| number(batch, name));
    assert_eq!(sums, [3, 12_001, 500, 11_501]);
    assert_eq!((text(batch, "state"), number(batch, "response_code")), ("complete", 100));
    assert!(text(batch, "response_message").starts_with("GB"), "{batch}");
    let shown = client.get(id(&one));
    assert_eq!((text(&shown, "status"), number(&shown, "amount_settled")), ("settled", 6_001));
    assert_eq!(text(&shown, "settlement_batch_id"), id(batch));
    assert!(shown["settled_at"].is_string());
    let entry = switch.control().entries_of(rrn(&one))[0].clone();
    assert_eq!(entry.batch, Some(number(batch, "batch_number")));
    assert_eq!(switch.operator().settle(), Vec::<Value>::new(), "a second call has nothing to close");
    let (status, said) = client.void(id(&one)).refusal();
    assert_eq!(status, 400);
    assert!(said.contains("settled") && said.contains("refund"), "{said}");
}

#[test]
fn a_sale_is_refunded_in_parts_up_to_what_was_settled() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let sale = settled_sale(&switch, 10_000, VISA);
    for (part, refunded, status) in [(2_500, 2_500, "partially_refunded"), (2_500, 5_000, "partially_refunded")] {
        let made = client.refund(id(&sale), part);
        assert_eq!(made.data(), Value::Null);
        let refund = client.get(made.header("location").and_then(|path| path.rsplit('/').next()).expect("the refund's place"));
        assert_eq!((text(&refund, "type"), number(&refund, "amount")), ("refund", part));
        assert_eq!(text(&refund, "referenced_transaction_id"), id(&sale));
        assert_ne!(rrn(&refund), rrn(&sale));
        let shown = client.get(id(&sale));
        assert_eq!((number(&shown, "amount_refunded"), text(&shown, "status")), (refunded, status));
    }
    let (status, said) = client.refund(id(&sale), 5_001).refusal();
    assert_eq!(status, 400);
    assert!(said.contains("amount") && said.contains("at most 5000"), "{said}");
    let rest = client.step(id(&sale), "refund", &[("Prefer", "return=representation")], &json!({})).data();
    assert_eq!(number(&rest, "amount"), 5_000, "without an amount, all that is left");
    assert_eq!(text(&client.get(id(&sale)), "status"), "refunded");
    let (status, said) = client.refund(id(&sale), 1).refusal();
    assert_eq!(status, 400);
    assert!(said.contains("refunded"), "{said}");
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

/// Thirty refunds of a tenth each at once: ten are paid.
fn race_refunds(switch: &Switch, sale: &Value) {
    const RACERS: usize = 30;
    let (client, start) = (switch.client(), Barrier::new(RACERS));
    let race = |client: &Client| {
        start.wait();
        client.refund(id(sale), 1_000).status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS).map(|_| scope.spawn(|| race(&client))).collect();
        racers.into_iter().map(|racer| racer.join().expect("a racer is answered")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 10, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 400)), "{statuses:?}");
    let refunds = switch.control().ledger().into_iter().filter(|entry| entry.kind == "refund" && entry.stands());
    assert_eq!(refunds.map(|entry| entry.amount).sum::<u64>(), 10_000);
    let shown = client.get(id(sale));
    assert_eq!((number(&shown, "amount_refunded"), text(&shown, "status")), (10_000, "refunded"));
    switch.operator().settle();
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn racing_refunds_never_pay_back_more_than_was_settled() {
    let switch = Switch::sandboxed();
    let sale = settled_sale(&switch, 10_000, VISA);
    race_refunds(&switch, &sale);
}

#[test]
fn nor_do_they_when_their_sale_must_be_read_back_first() {
    let mut switch = Switch::sandboxed();
    let sale = settled_sale(&switch, 10_000, VISA);
    switch.kill9();
    switch.start_again();
    race_refunds(&switch, &sale);
}

#[test]
fn of_racing_captures_and_voids_one_wins() {
    const RACERS: u64 = 24;
    let switch = Switch::sandboxed();
    let client = switch.client();
    for _ in 0..5 {
        let held = client.authorize(5_000, VISA);
        let start = Barrier::new(RACERS as usize);
        let race = |number: u64| {
            start.wait();
            if number.is_multiple_of(2) { client.capture(id(&held), 4_000 + number) } else { client.void(id(&held)) }.status
        };
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let race = &race;
            let racers: Vec<_> = (0..RACERS).map(|number| scope.spawn(move || race(number))).collect();
            racers.into_iter().map(|racer| racer.join().expect("a racer is answered")).collect()
        });
        let shown = client.get(id(&held));
        let won = statuses.iter().filter(|status| **status == 200).count();
        // A capture may win first and a void after it, which is legal; two captures or two voids are not.
        let entries = switch.control().entries_of(rrn(&held));
        let count = |kind: &str| entries.iter().filter(|entry| entry.kind == kind).count();
        assert!(count("capture") <= 1 && count("void") <= 1, "{entries:?}");
        assert_eq!(won, count("capture") + count("void"), "{statuses:?} {entries:?} {shown}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 400)), "{statuses:?}");
    }
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn a_declined_refund_leaves_the_sale_as_it_was() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let sale = settled_sale(&switch, 7_000, payment::REFUND_DECLINED);
    let declined = client.refund(id(&sale), 7_000).data();
    assert_eq!(
        (number(&declined, "response_code"), text(&declined, "status"), text(&declined, "type")),
        (201, "declined", "refund")
    );
    let shown = client.get(id(&sale));
    assert_eq!((number(&shown, "amount_refunded"), text(&shown, "status")), (0, "settled"));
}

#[test]
fn a_voided_refund_can_be_paid_again() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let sale = settled_sale(&switch, 8_000, VISA);
    let refund = client.refund(id(&sale), 8_000).header("location").and_then(|path| path.rsplit('/').next().map(str::to_owned));
    let refund = refund.expect("the refund's place");
    assert_eq!(text(&client.get(id(&sale)), "status"), "refunded");
    assert_eq!(client.void(&refund).data(), Value::Null);
    assert_eq!(text(&client.get(&refund), "status"), "voided");
    let shown = client.get(id(&sale));
    assert_eq!((number(&shown, "amount_refunded"), text(&shown, "status")), (0, "settled"));
    assert_eq!(client.refund(id(&sale), 8_000).data(), Value::Null);
    switch.operator().settle();
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn batches_that_close_under_traffic_balance() {
    let mut dice = Dice::announced("batches_that_close_under_traffic_balance");
    let host = HostProcess::start();
    let switch = Switch::start(Options::with_host(host.addr));
    let load = Load::start(&switch.client(), 6, &mut dice);
    let (mut count, mut captured) = (0, 0);
    let mut take = |batches: Vec<Value>| {
        for batch in batches {
            assert_eq!(text(&batch, "state"), "complete", "{batch}");
            count += number(&batch, "num_transactions");
            captured += number(&batch, "amount_captured");
        }
    };
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(dice.between(50, 400)));
        take(switch.operator().settle());
    }
    let answers = load.stop();
    assert!(answers.iter().all(|answer| matches!(answer.response.status, 200 | 400)), "a step meets a closing batch at worst");
    take(switch.operator().settle());
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    let settled: Vec<u64> =
        books.transactions().map(|transaction| transaction.amount_settled.get()).filter(|amount| *amount > 0).collect();
    assert!(settled.len() > 50, "only {} payments were settled", settled.len());
    assert_eq!((settled.len() as u64, settled.iter().sum::<u64>()), (count, captured), "the batches are the fold of the journal");
    let open = books.transactions().filter(|transaction| transaction.status().word() == "pending_settlement").count();
    assert_eq!(open, 0, "the last call has closed all");
}

#[test]
fn a_settlement_that_a_kill_interrupts_is_finished_after_the_restart() {
    let mut dice = Dice::announced("a_settlement_that_a_kill_interrupts");
    let host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let client = switch.client();
    let mut sales: Vec<Value> = (0..20).map(|number| client.sale(1_000 + number, VISA)).collect();
    for _ in 0..4 {
        let operator = switch.operator();
        let closing = std::thread::spawn(move || operator.try_call("POST", "/operator/processors/card/settle", &[], b""));
        std::thread::sleep(Duration::from_micros(dice.between(0, 12_000)));
        switch.kill9();
        // Answered or cut short: both are right.
        let _ = closing.join().expect("the operator's thread ends");
        switch.start_again();
        sales.push(switch.client().sale(2_000, VISA));
    }
    let client = switch.client();
    tests::eventually(Duration::from_secs(20), || {
        switch.operator().settle();
        let open = sales.iter().map(|sale| client.get(id(sale))).find(|shown| text(shown, "status") != "settled");
        open.map_or(Ok(()), |shown| Err(format!("{shown}")))
    });
    reconcile(&switch.journal(), host.control, DRAINED);
    let in_no_batch = host.control.ledger().into_iter().filter(|entry| entry.stands() && entry.batch.is_none()).count();
    assert_eq!(in_no_batch, 0, "the host has settled what we have settled");
}

#[test]
fn totals_that_a_forgetful_host_has_accepted_before_are_settled_once() {
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 500, ..Options::with_host(host.addr) });
    let (client, operator) = (switch.client(), switch.operator());
    let sale = client.sale(6_701, VISA);
    host.control.faults(&json!({"drop_responses": 1.0}));
    let closing = std::thread::spawn(move || operator.settle());
    let is_settled = || host.control.entries_of(rrn(&sale))[0].batch;
    tests::until(DRAINED, is_settled).expect("the host accepts the totals, and its answer is lost");
    host.control.faults(&json!({"forget_totals": true}));
    let batches = closing.join().expect("the operator is answered");
    assert_eq!((batches.len(), text(&batches[0], "state")), (1, "complete"), "{batches:?}");
    assert_eq!(number(&batches[0], "response_code"), 430, "what the host said stays to be seen");
    assert!(text(&batches[0], "response_message").starts_with("QD"), "{batches:?}");
    assert_eq!(text(&client.get(id(&sale)), "status"), "settled");
    assert_eq!(switch.operator().settle(), Vec::<Value>::new(), "nothing is settled a second time");
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn two_merchants_at_one_processor_settle_apart() {
    let host = HostProcess::start();
    let switch = Switch::start(Options::with_host(host.addr));
    let (ours, theirs) = (switch.client(), switch.client_with(keys::OTHER));
    let sales = [ours.sale(6_601, VISA), ours.sale(6_602, VISA)];
    let other = theirs.sale(6_603, VISA);
    let batches = switch.operator().settle();
    let mut sums: Vec<u64> = batches.iter().map(|batch| number(batch, "amount_captured")).collect();
    sums.sort_unstable();
    assert_eq!(sums, [6_603, 13_203], "{batches:?}");
    batches.iter().for_each(|batch| assert_eq!(text(batch, "state"), "complete", "{batch}"));
    sales.iter().for_each(|sale| assert_eq!(text(&ours.get(id(sale)), "status"), "settled"));
    assert_eq!(text(&theirs.get(id(&other)), "status"), "settled");
    reconcile(&switch.journal(), host.control, DRAINED);
}
