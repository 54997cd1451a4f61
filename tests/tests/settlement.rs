//! Money closes (I5): batches balance with the host under traffic, at every cut-over, and no race pays back more than was settled.

use serde_json::{Value, json};
use std::sync::Barrier;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::books::reconcile;
use tests::client::{Client, id, rrn, text};
use tests::dice::Dice;
use tests::load::Load;
use tests::payment::{self, VISA, payment};
use tests::switch::keys;
use tests::wire::{Forwarder, Wire};
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

const DAY_S: u64 = 86_400;

/// Moves the test clock; gives what it says then.
#[track_caller]
fn advance(client: &Client, seconds: u64) -> String {
    let moved = client.call("POST", "/api/sandbox/clock", &[], json!({"advance_seconds": seconds}).to_string().as_bytes());
    text(&moved.data(), "now").to_owned()
}

/// A merchant's batches that were closed.
#[track_caller]
fn closed_batches(client: &Client) -> Vec<Value> {
    let found = client.call("POST", "/api/settlement/batch/search", &[], b"{}").data();
    found["results"].as_array().expect("results").clone()
}

#[track_caller]
fn await_settled(client: &Client, sale: &Value) -> Value {
    let settled = || Some(client.get(id(sale))).filter(|shown| text(shown, "status") == "settled");
    tests::until(DRAINED, settled).unwrap_or_else(|| panic!("not settled: {}", client.get(id(sale))))
}

#[test]
fn the_clock_closes_the_batches_of_a_day_and_nothing_that_came_after_also_when_it_is_told_again() {
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let sale = client.sale(6_801, VISA);
    advance(&client, DAY_S);
    // Whoever moves the clock finds the day's payments settled.
    let settled = client.get(id(&sale));
    assert_eq!((text(&settled, "status"), number(&settled, "amount_settled")), ("settled", 6_801), "{settled}");
    let later = client.sale(6_802, VISA);
    // Each start looks what its last cut-over should have closed.
    for _ in 0..2 {
        switch.kill9();
        switch.start_again();
    }
    let client = switch.client();
    assert_eq!(text(&client.get(id(&later)), "status"), "pending_settlement");
    assert_eq!(closed_batches(&client).len(), 1);
    advance(&client, 3 * DAY_S);
    let other = await_settled(&client, &later);
    assert_ne!(text(&other, "settlement_batch_id"), text(&settled, "settlement_batch_id"));
    let processors = switch.operator().call("GET", "/operator/processors/card", &[], b"").data();
    assert_eq!((text(&processors, "cut_over"), &processors["batches"]["open"]), ("00:00", &json!(0)));
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn a_cut_over_that_passed_while_the_switch_was_down_is_made_up_for_at_the_start() {
    let mut switch = Switch::sandboxed();
    let sale = switch.client().sale(6_811, VISA);
    assert_eq!(closed_batches(&switch.client()).len(), 0);
    switch.kill9();
    // The clock goes on while nobody is there to see it.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
    let moved = json!({"moves": [{"at_us": now as u64, "ahead_us": 2 * DAY_S * 1_000_000}]});
    std::fs::write(switch.data().join("clock.json"), moved.to_string()).expect("the clock's file can be written");
    switch.start_again();
    let client = switch.client();
    await_settled(&client, &sale);
    assert_eq!(closed_batches(&client).len(), 1, "two days are one batch");
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn kills_around_a_cut_over_lose_no_member_and_settle_none_twice() {
    let mut dice = Dice::announced("kills_around_a_cut_over");
    let mut switch = Switch::sandboxed();
    let mut sales = Vec::new();
    for day in 0..4 {
        let client = switch.client();
        sales.extend((0..5).map(|number| client.sale(6_900 + 10 * day + number, VISA)));
        let clock = std::thread::spawn(move || {
            let body = json!({ "advance_seconds": DAY_S }).to_string();
            client.try_call("POST", "/api/sandbox/clock", &[], body.as_bytes())
        });
        std::thread::sleep(Duration::from_micros(dice.between(0, 15_000)));
        switch.kill9();
        // Answered or cut short: both are right.
        let _ = clock.join().expect("the clock's thread ends");
        switch.start_again();
    }
    let client = switch.client();
    advance(&client, DAY_S);
    let settled: Vec<Value> = sales.iter().map(|sale| await_settled(&client, sale)).collect();
    let sum: u64 = settled.iter().map(|sale| number(sale, "amount_settled")).sum();
    let batches = closed_batches(&client);
    assert!(batches.iter().all(|batch| text(batch, "state") == "complete"), "{batches:?}");
    assert_eq!(batches.iter().map(|batch| number(batch, "num_transactions")).sum::<u64>(), 20);
    assert_eq!(batches.iter().map(|batch| number(batch, "amount_captured")).sum::<u64>(), sum);
    assert!(batches.len() <= 5, "a day has one cut-over: {batches:?}");
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn a_rejected_batch_loses_nothing_and_is_accepted_under_its_next_number() {
    let host = HostProcess::start();
    let before = Switch::start(Options::with_host(host.addr));
    before.client().sale(6_821, VISA);
    assert_eq!(before.operator().settle().len(), 1);
    drop(before);
    // The same merchant at the same host, with numbers that begin anew, and in another second: within one, totals with the same trace
    // number are a repeat.
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let begun = second();
    tests::until(DRAINED, || (second() > begun + 1).then_some(())).expect("time passes");
    let mut switch = Switch::start(Options::with_host(host.addr));
    let sale = switch.client().sale(6_822, VISA);
    let rejected = switch.operator().settle();
    assert_eq!((text(&rejected[0], "state"), number(&rejected[0], "response_code")), ("rejected", 430), "{rejected:?}");
    assert_eq!(text(&switch.client().get(id(&sale)), "status"), "pending_settlement");
    switch.kill9();
    switch.start_again();
    let shown = switch.operator().call("GET", "/operator/processors/card", &[], b"").data();
    assert_eq!((&shown["batches"]["rejected"], &shown["batches"]["num_transactions"]), (&json!(1), &json!(1)));
    let accepted = switch.operator().settle();
    assert_eq!(text(&accepted[0], "state"), "complete", "{accepted:?}");
    assert_eq!(id(&accepted[0]), id(&rejected[0]));
    assert_eq!(number(&accepted[0], "batch_number"), number(&rejected[0], "batch_number") + 1);
    assert_eq!(number(&switch.client().get(id(&sale)), "amount_settled"), 6_822);
}

#[test]
fn the_test_clock_goes_forward_only_and_only_in_a_sandbox() {
    let switch = Switch::sandboxed();
    let (client, path) = (switch.client(), "/api/sandbox/clock");
    let shown = client.call("GET", path, &[], b"").data();
    let now = text(&shown, "now").to_owned();
    assert!(advance(&client, 60) > now);
    let set = |body: &Value| client.call("POST", path, &[], body.to_string().as_bytes());
    let moved = set(&json!({"now": "2040-02-29T12:00:00Z"})).data();
    assert!(text(&moved, "now").starts_with("2040-02-29T12:00:0"), "{moved}");
    for (wrong, named) in [
        (json!({"now": now}), "now"),
        (json!({"now": "soon"}), "now"),
        (json!({"now": "9999-01-01T00:00:00Z"}), "now"),
        (json!({"advance_seconds": -5}), "body"),
        (json!({}), "body"),
        (json!({"now": "2041-01-01T00:00:00Z", "advance_seconds": 1}), "body"),
    ] {
        let (status, said) = set(&wrong).refusal();
        assert_eq!((status, said.contains(named)), (400, true), "{wrong}: {said}");
    }
    assert_eq!(client.stranger("POST", path, &[], b"{\"advance_seconds\":1}").status, 401);
    assert_eq!(switch.client_with(keys::PUBLIC).call("POST", path, &[], b"{\"advance_seconds\":1}").status, 403);
    let host = HostProcess::start();
    let real = Switch::start(Options::with_host(host.addr));
    assert_eq!(real.client().call("GET", path, &[], b"").status, 404);
    assert_eq!(real.client().call("POST", path, &[], b"{\"advance_seconds\":1}").status, 404);
}

#[test]
fn totals_that_the_host_has_otherwise_are_followed_by_the_members_and_accepted() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let held = client.authorize(6_200, VISA);
    client.capture(id(&held), 6_100).data();
    // More than a page of members, so that the upload goes on in turns; one has dropped out.
    let sales: Vec<Value> = (0..300).map(|cents| client.sale(1_000 + cents, VISA)).collect();
    client.void(id(&sales[7])).data();
    client.pay(&payment("credit", 500, VISA)).data();
    switch.control().faults(&json!({"drift_totals": 3}));
    let batches = switch.operator().settle();
    assert_eq!((batches.len(), text(&batches[0], "state"), number(&batches[0], "response_code")), (1, "complete", 100));
    assert!(text(&batches[0], "response_message").starts_with("GB"), "{}", batches[0]);
    assert_eq!(number(&batches[0], "num_transactions"), 301);
    assert_eq!(text(&client.get(id(&sales[299])), "status"), "settled");
    switch.control().heal();
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

#[test]
fn an_upload_that_a_cut_wire_or_a_kill_breaks_off_is_begun_again_and_the_batch_accepted() {
    let host = HostProcess::start();
    let wire = Forwarder::to(host.addr);
    let mut switch = Switch::start(Options::with_host(wire.addr));
    for (round, broken) in [(1, Wire::Cut), (2, Wire::Dead)] {
        let client = switch.client();
        let sales: Vec<Value> = (0..120).map(|cents| client.sale(round * 1_000 + cents, VISA)).collect();
        host.control.faults(&json!({"drift_totals": 3}));
        // The message type of a member's advice, behind the high byte of its length.
        wire.snare(b"0320", 60, broken);
        let operator = switch.operator();
        let closing = std::thread::spawn(move || operator.try_call("POST", "/operator/processors/card/settle", &[], b""));
        tests::until(DRAINED, || wire.has_sprung().then_some(())).expect("its members are uploaded");
        if broken == Wire::Dead {
            switch.kill9();
        } else {
            wire.close_all();
        }
        wire.does(Wire::Whole);
        if broken == Wire::Dead {
            switch.start_again();
        }
        // Answered or cut short: both are right.
        let _ = closing.join().expect("the operator's thread ends");
        let client = switch.client();
        tests::eventually(Duration::from_secs(40), || {
            switch.operator().settle();
            let open = sales.iter().map(|sale| client.get(id(sale))).find(|shown| text(shown, "status") != "settled");
            open.map_or(Ok(()), |shown| Err(format!("{shown}")))
        });
        reconcile(&switch.journal(), host.control, DRAINED);
        let in_no_batch = host.control.ledger().into_iter().filter(|entry| entry.stands() && entry.batch.is_none()).count();
        assert_eq!(in_no_batch, 0, "the host has settled what we have settled, after {broken:?}");
    }
}

#[test]
fn a_member_that_the_host_has_lost_is_named_and_nothing_is_settled() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let sales: Vec<Value> = (1..=5).map(|cents| client.sale(1_000 + cents, VISA)).collect();
    switch.control().faults(&json!({"drift_totals": 1, "lost_record": 3}));
    let rejected = switch.operator().settle();
    assert_eq!((text(&rejected[0], "state"), text(&rejected[0], "response_message")), ("rejected", "RB 000003 ABSENT"));
    assert!(switch.log().contains(id(&sales[2])), "the log names the third member: {}", switch.log());
    assert_eq!(text(&client.get(id(&sales[2])), "status"), "pending_settlement");
    switch.control().heal();
    let again = switch.operator().settle();
    assert_eq!((text(&again[0], "state"), number(&again[0], "num_transactions")), ("complete", 5));
    assert_ne!(number(&again[0], "batch_number"), number(&rejected[0], "batch_number"), "under a new number");
    reconcile(&switch.journal(), switch.control(), DRAINED);
}

/// A sale from a bank account.
fn account_sale(amount: u64) -> Value {
    let ach =
        json!({"routing_number": "021000021", "account_number": "123456789012", "sec_code": "web", "account_type": "checking"});
    let billing = json!({"first_name": "John", "last_name": "Smith", "address_line_1": "1 Main St", "city": "Wheaton", "state": "IL",
        "postal_code": "60187", "country": "US", "phone": "5555555555", "email": "john@example.com"});
    json!({"type": "sale", "amount": amount, "currency": "USD", "payment_method": {"ach": ach}, "billing_address": billing})
}

#[test]
fn an_accepted_batch_of_bank_accounts_is_a_file_for_the_bank() {
    use std::os::unix::fs::PermissionsExt;
    let switch = Switch::sandboxed();
    let client = switch.client();
    for amount in [7_501, 7_502] {
        let sale = client.pay(&account_sale(amount)).data();
        assert_eq!(text(&sale, "status"), "pending_settlement", "{sale}");
    }
    let settled = switch.operator().call("POST", "/operator/processors/ach/settle", &[], b"").data();
    assert_eq!((text(&settled[0], "state"), number(&settled[0], "num_transactions")), ("complete", 2), "{settled}");
    let folder = switch.data().join("nacha");
    let files: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder is there").map(|file| file.expect("a file").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0].file_name().and_then(|name| name.to_str()).expect("its name");
    assert_eq!(name, format!("ach-{}-{:06}.ach", text(&settled[0], "merchant_id"), number(&settled[0], "batch_number")));
    assert_eq!(std::fs::metadata(&files[0]).expect("its mode").permissions().mode() & 0o777, 0o600);
    let written = std::fs::read_to_string(&files[0]).expect("it is text");
    let records: Vec<&str> = written.lines().collect();
    assert!(records.len().is_multiple_of(10) && records.iter().all(|record| record.len() == 94), "{written}");
    let entries: Vec<&&str> = records.iter().filter(|record| record.starts_with('6')).collect();
    let facts: Vec<_> =
        entries.iter().map(|entry| (&entry[1..3], &entry[3..12], entry[12..29].trim_end(), &entry[29..39])).collect();
    let expected = |cents| ("27", "021000021", "123456789012", cents);
    assert_eq!(facts, [expected("0000007501"), expected("0000007502")]);
    let control = records.iter().find(|record| record.starts_with('9')).expect("the file's control");
    assert_eq!((&control[13..21], &control[31..43], &control[43..55]), ("00000002", "000000015003", "000000000000"));
    assert!(!switch.log().contains("123456789012"), "the log has no account number");
}
