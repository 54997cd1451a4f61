//! `kill -9` at any moment, of the switch and of the host: no answer is lost or changed, nothing is charged twice, no approval is
//! left without a transaction, and both sides' books agree in the end.

use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;
use tests::books::{Books, reconcile};
use tests::client::{Client, id, text};
use tests::dice::Dice;
use tests::http::Connection;
use tests::load::{Answered, Load};
use tests::payment::{VISA, payment};
use tests::switch::keys;
use tests::{HostProcess, Options, Switch};

const CYCLES: u32 = 12;
/// Of those that come one behind the other, each before the switch has found its pace again.
const QUICK_CYCLES: u32 = 160;
const WORKERS: usize = 6;
/// Reversals of a dead link are repeated after 100 ms, then doubled up to 1 s.
const DRAINED: Duration = Duration::from_secs(20);

/// Every answer is still there: asked again it comes in the same bytes, and its transaction shows where it stands.
fn assert_answers_last(client: &Client, answers: &[Answered]) {
    let stepped: HashSet<&str> = answers.iter().filter(|answer| !answer.is_payment()).map(target).collect();
    let mut connection = Connection::open(client.address).expect("the switch listens");
    for answer in answers {
        let headers = [("Idempotency-Key", answer.key.as_str())];
        let again = client.call_on(&mut connection, "POST", &answer.path, &headers, answer.body.as_bytes());
        let again = again.expect("a replay is answered");
        assert_eq!(
            (again.status, again.text()),
            (answer.response.status, answer.response.text()),
            "{} {}",
            answer.key,
            answer.path
        );
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{} was done again", answer.key);
        if answer.is_payment() {
            let made = answer.response.data();
            let path = format!("/api/transaction/{}", id(&made));
            let shown = client.call_on(&mut connection, "GET", &path, &[], b"").expect("a GET is answered").data()[0].clone();
            assert_stands(&made, &shown, stepped.contains(id(&made)));
        }
    }
}

fn target(answer: &Answered) -> &str {
    answer.path.split('/').nth(3).expect("the path of a step names its transaction")
}

/// Where a transaction may stand, by what its client was told of the payment that made it.
fn assert_stands(told: &Value, shown: &Value, stepped: bool) {
    let (before, now) = (text(told, "status"), text(shown, "status"));
    let legal: &[&str] = match (before, stepped) {
        ("unknown", _) => &["reversed"],
        (_, false) => &[before],
        (_, true) => &["pending_settlement", "voided", "reversed", "authorized"],
    };
    assert!(legal.contains(&now), "{} was {before} and is {now}", id(told));
    if !stepped {
        assert_eq!(shown["response_code"], told["response_code"], "{}", id(told));
    }
    assert_eq!((&shown["amount"], &shown["created_at"]), (&told["amount"], &told["created_at"]));
}

/// One transaction for each key that was answered, and none besides.
fn assert_one_transaction_per_key(books: &Books, answers: &[Answered]) {
    let payments = answers.iter().filter(|answer| answer.is_payment());
    let told: HashSet<String> = payments.clone().map(|answer| id(&answer.response.data()).to_owned()).collect();
    assert_eq!(told.len(), payments.count(), "two keys were told the same transaction");
    let ours: HashSet<String> = books.transactions().map(|transaction| transaction.id.to_string()).collect();
    let unasked: Vec<_> = ours.difference(&told).collect();
    assert!(unasked.is_empty(), "transactions that no key was told of: {unasked:?}");
    assert_eq!(ours.len(), told.len());
    let numbers: HashSet<&str> = books.transactions().map(|transaction| transaction.rrn()).collect();
    assert_eq!(numbers.len(), ours.len(), "a retrieval reference number was given twice");
}

fn assert_all_answered(answers: &[Answered]) {
    let odd: Vec<_> = answers.iter().filter(|answer| answer.response.status != 200).collect();
    assert!(odd.is_empty(), "{} of {} answers are refusals, the first: {:?}", odd.len(), answers.len(), odd[0]);
}

#[test]
fn nothing_is_lost_or_done_twice_over_kills_of_the_switch_at_any_moment() {
    let mut dice = Dice::announced("nothing_is_lost_or_done_twice");
    let mut host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let load = Load::start(&switch.client(), WORKERS, &mut dice);
    for cycle in 0..CYCLES {
        std::thread::sleep(Duration::from_millis(dice.between(20, 700)));
        switch.kill9();
        if cycle % 4 == 3 {
            host.kill9();
            host.start_again();
        }
        if cycle % 3 == 1 {
            // Into the recovery, wherever it stands.
            switch.start_and_kill9(Duration::from_millis(dice.between(1, 250)));
        }
        switch.start_again();
        load.moved(switch.http());
    }
    std::thread::sleep(Duration::from_millis(300));
    let answers = load.stop();
    assert_all_answered(&answers);
    let retried = answers.iter().filter(|answer| answer.tries > 0).count();
    assert!(retried >= CYCLES as usize, "only {retried} of {} requests met a kill", answers.len());
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    assert_one_transaction_per_key(&books, &answers);
    assert_answers_last(&switch.client(), &answers);
    switch.terminate();
}

/// Every fifth kill strikes a second time, into the recovery; every tenth strikes the host as well; now and then the switch stands
/// still before it dies, so that what its clients and its host do meanwhile is the last that they did.
#[test]
#[expect(clippy::print_stdout, reason = "what the run has met, for whoever reads the log of all checks")]
fn two_hundred_kills_in_quick_succession_leave_no_difference() {
    let mut dice = Dice::announced("two_hundred_kills");
    let mut host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let load = Load::start(&switch.client(), 2, &mut dice);
    let mut kills = 0;
    for cycle in 0..QUICK_CYCLES {
        std::thread::sleep(Duration::from_millis(dice.between(5, 120)));
        if cycle % 7 == 6 {
            switch.pause();
            std::thread::sleep(Duration::from_millis(dice.between(1, 50)));
        }
        switch.kill9();
        if cycle % 10 == 9 {
            host.kill9();
            host.start_again();
            kills += 1;
        }
        if cycle % 5 == 4 {
            switch.start_and_kill9(Duration::from_millis(dice.between(1, 200)));
            kills += 1;
        }
        kills += 1;
        switch.start_again();
        load.moved(switch.http());
    }
    std::thread::sleep(Duration::from_millis(300));
    let answers = load.stop();
    assert_all_answered(&answers);
    let met = answers.iter().filter(|answer| answer.tries > 0).count();
    println!("{kills} kills, {} requests, {met} of them met one", answers.len());
    assert!(kills >= 200 && met >= QUICK_CYCLES as usize / 2, "{kills} kills, {met} requests met one");
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    assert_one_transaction_per_key(&books, &answers);
    assert_answers_last(&switch.client(), &answers);
    switch.terminate();
}

#[test]
fn a_host_that_is_killed_leaves_no_difference() {
    let mut dice = Dice::announced("a_host_that_is_killed");
    let mut host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let load = Load::start(&switch.client(), WORKERS, &mut dice);
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(dice.between(50, 500)));
        host.kill9();
        std::thread::sleep(Duration::from_millis(dice.between(0, 300)));
        host.start_again();
    }
    let client = switch.client();
    let recovered = tests::until(Duration::from_secs(10), || (client.sale(4_001, VISA)["response_code"] == 100).then_some(()));
    recovered.expect("the link comes back and payments are approved again");
    let answers = load.stop();
    assert_all_answered(&answers);
    reconcile(&switch.journal(), host.control, DRAINED);
    assert_answers_last(&client, &answers);
    switch.terminate();
}

#[test]
fn a_switch_that_stood_still_beyond_the_time_out_agrees_with_its_host() {
    let mut dice = Dice::announced("a_switch_that_stood_still");
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: 500, ..Options::with_host(host.addr) });
    let load = Load::start(&switch.client(), WORKERS, &mut dice);
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(dice.between(100, 400)));
        switch.pause();
        std::thread::sleep(Duration::from_millis(1_200));
        switch.resume();
    }
    std::thread::sleep(Duration::from_millis(300));
    let answers = load.stop();
    assert_all_answered(&answers);
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    assert_one_transaction_per_key(&books, &answers);
    assert_answers_last(&switch.client(), &answers);
}

#[test]
fn a_sandbox_that_dies_with_its_switch_agrees_with_it_afterwards() {
    let mut dice = Dice::announced("a_sandbox_that_dies_with_its_switch");
    let mut switch = Switch::sandboxed();
    let load = Load::start(&switch.client(), WORKERS, &mut dice);
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(dice.between(50, 500)));
        switch.kill9();
        switch.start_again();
        load.moved(switch.http());
    }
    let answers = load.stop();
    assert_all_answered(&answers);
    let books = reconcile(&switch.journal(), switch.control(), DRAINED);
    assert_one_transaction_per_key(&books, &answers);
    assert_answers_last(&switch.client(), &answers);
}

#[test]
fn the_number_of_shards_may_change_from_kill_to_kill() {
    let mut dice = Dice::announced("the_number_of_shards_may_change");
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { shards: 1, ..Options::with_host(host.addr) });
    let ours = Load::start(&switch.client(), 3, &mut dice);
    let theirs = Load::start(&switch.client_with(keys::OTHER), 3, &mut dice);
    for shards in [3, 2, 4, 1] {
        std::thread::sleep(Duration::from_millis(dice.between(100, 500)));
        switch.kill9();
        switch.reconfigure(|options| options.shards = shards);
        switch.start_again();
        ours.moved(switch.http());
        theirs.moved(switch.http());
    }
    let (ours, theirs) = (ours.stop(), theirs.stop());
    let all = [&ours[..], &theirs].concat();
    assert_all_answered(&all);
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    assert_one_transaction_per_key(&books, &all);
    assert_answers_last(&switch.client(), &ours);
    assert_answers_last(&switch.client_with(keys::OTHER), &theirs);
    let batches = switch.operator().settle();
    assert!(!batches.is_empty());
    batches.iter().for_each(|batch| assert_eq!(text(batch, "state"), "complete", "{batch}"));
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn an_orderly_stop_lets_payments_in_flight_finish() {
    let mut dice = Dice::announced("an_orderly_stop");
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { timeout_ms: 3_000, ..Options::with_host(host.addr) });
    host.control.faults(&serde_json::json!({"delay_ms": [200, 600]}));
    let client = switch.client();
    let asking: Vec<_> = (0..16)
        .map(|number| {
            let (client, body) = (client.clone(), payment("sale", dice.between(1_000, 9_000), VISA).to_string());
            let key = format!("stopped-{number}");
            std::thread::spawn(move || client.try_call("POST", "/api/transaction", &[("Idempotency-Key", &key)], body.as_bytes()))
        })
        .collect();
    tests::until(Duration::from_secs(10), || (host.control.ledger().len() == 16).then_some(())).expect("all are on their way");
    switch.terminate();
    for asked in asking {
        let answer = asked.join().expect("a client's thread ends").expect("what was in flight is answered");
        assert_eq!(answer.data()["response_code"], 100);
    }
    switch.start_again();
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    assert!(books.transactions().all(|transaction| transaction.status().word() == "pending_settlement"));
}

#[test]
fn every_write_is_read_back_at_once_under_load() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let client = &client;
            scope.spawn(move || {
                for number in 0..60 {
                    let held = client.authorize(10_000 + worker * 100 + number, VISA);
                    assert_eq!(client.get(id(&held)), held);
                    client.capture(id(&held), 9_000).data();
                    assert_eq!(text(&client.get(id(&held)), "status"), "pending_settlement");
                }
            });
        }
    });
}

#[test]
fn a_payment_in_flight_at_the_kill_is_unknown_then_reversed_and_its_key_says_so() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options { timeout_ms: 30_000, ..Options::with_host(host.addr) });
    host.control.faults(&serde_json::json!({"drop_responses": 1.0}));
    let body = payment("sale", 4_100, VISA);
    let client = switch.client();
    let waiting = std::thread::spawn({
        let (client, body) = (client.clone(), body.to_string());
        move || client.try_call("POST", "/api/transaction", &[("Idempotency-Key", "cut-short")], body.as_bytes())
    });
    let seen = tests::until(Duration::from_secs(10), || (!host.control.ledger().is_empty()).then_some(()));
    seen.expect("the host has approved");
    switch.kill9();
    assert!(waiting.join().expect("the client's thread ends").is_err(), "nobody was told anything");
    host.control.heal();
    switch.start_again();
    let told = switch.client().pay_once("cut-short", &body);
    assert_eq!((&told.data()["response_code"], told.header("idempotent-replayed")), (&421.into(), Some("true")));
    reconcile(&switch.journal(), host.control, DRAINED);
    switch.client().get_when(id(&told.data()), "reversed");
    let again = switch.client().pay_once("cut-short", &body);
    assert_eq!(again.text(), told.text(), "the answer that was given stays");
    let kinds: Vec<_> = host.control.ledger().into_iter().map(|entry| (entry.kind, entry.reversed)).collect();
    assert_eq!(kinds, [("sale".to_owned(), true), ("reversal".to_owned(), false)]);
}
