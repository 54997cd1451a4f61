//! The host and the wire misbehave: every payment is answered in time, what nobody heard of is reversed, and both sides' books
//! agree once that has drained (I3, I6).

use serde_json::{Value, json};
use std::io::Read;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tests::books::{Books, reconcile};
use tests::client::{id, rrn, text};
use tests::dice::Dice;
use tests::load::Load;
use tests::payment::{VISA, amount, payment};
use tests::wire::{Forwarder, Wire};
use tests::{HostProcess, Options, Switch};

const TIMEOUT_MS: u32 = 400;
/// From a time-out on, an answer may take the journal's sync and a busy machine's leisure.
const LEISURE: Duration = Duration::from_secs(2);
const DRAINED: Duration = Duration::from_secs(20);

fn pair() -> (HostProcess, Switch) {
    let host = HostProcess::start();
    let switch = Switch::start(Options { timeout_ms: TIMEOUT_MS, ..Options::with_host(host.addr) });
    (host, switch)
}

#[track_caller]
fn assert_unknown(answer: &Value) {
    let shown = (text(answer, "status"), text(answer, "response"), &answer["response_code"]);
    assert_eq!(shown, ("unknown", "error", &json!(421)));
}

/// Provably nothing was sent: declined, and the host has never heard of it.
#[track_caller]
fn assert_unsent(answer: &Value, host: &HostProcess) {
    assert_eq!((text(answer, "status"), &answer["response_code"]), ("declined", &json!(421)));
    let number = answer["response_body"]["card"]["processor_specific"]["rrn"].as_str().unwrap_or("none");
    assert_eq!(host.control.entries_of(number), []);
}

#[test]
fn each_mishap_on_the_way_is_answered_in_time_and_reversed() {
    let (host, switch) = pair();
    let client = switch.client();
    let mishaps =
        [amount::REQUEST_LOST, amount::ANSWER_LOST, amount::ANSWER_LATE, amount::GARBAGE, amount::CUT, amount::OVERSIZED];
    for minor in mishaps {
        for verb in ["sale", "authorize", "credit"] {
            let asked = Instant::now();
            let answer = client.pay(&payment(verb, minor, VISA)).data();
            let bound = Duration::from_millis(TIMEOUT_MS.into()) + LEISURE;
            assert!(asked.elapsed() < bound, "{verb} of {minor} was answered after {:?}", asked.elapsed());
            assert_unknown(&answer);
            tests::eventually(DRAINED, || {
                let shown = client.get(id(&answer));
                if text(&shown, "status") == "reversed" { Ok(()) } else { Err(format!("{verb} of {minor}: {shown}")) }
            });
            let entries = host.control.entries_of(rrn(&answer));
            assert!(!entries.iter().any(|entry| entry.stands()), "{verb} of {minor}: {entries:?}");
            let unused = client.pay(&payment("sale", 7_000, VISA)).data();
            assert_eq!(unused["response_code"], 100, "after {verb} of {minor} the link works again");
        }
    }
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn a_late_approval_never_revives_a_sale() {
    let (host, switch) = pair();
    let client = switch.client();
    // Later than the time-out, and than the reversal that follows it.
    host.control.faults(&json!({"delay_ms": [900, 900]}));
    let answer = client.sale(7_101, VISA);
    assert_unknown(&answer);
    host.control.heal();
    reconcile(&switch.journal(), host.control, DRAINED);
    client.get_when(id(&answer), "reversed");
    let entries = host.control.entries_of(rrn(&answer));
    assert_eq!(
        entries.iter().map(|entry| (entry.kind.as_str(), entry.reversed)).collect::<Vec<_>>(),
        [("sale", true), ("reversal", false)]
    );
}

#[test]
fn a_lost_answer_to_a_step_takes_the_whole_transaction_back() {
    let (host, switch) = pair();
    let client = switch.client();
    for step in ["capture", "void"] {
        let held = client.authorize(7_200, VISA);
        host.control.faults(&json!({"drop_responses": 1.0}));
        let answer = client.step(id(&held), step, &[], &json!({})).data();
        assert_unknown(&answer);
        host.control.heal();
        reconcile(&switch.journal(), host.control, DRAINED);
        client.get_when(id(&held), "reversed");
        assert!(!host.control.entries_of(rrn(&held)).iter().any(|entry| entry.stands()));
    }
}

#[test]
fn a_lost_answer_to_a_refund_frees_its_amount_once_it_is_reversed() {
    let (host, switch) = pair();
    let client = switch.client();
    let sale = client.sale(7_300, VISA);
    switch.operator().settle();
    host.control.faults(&json!({"drop_responses": 1.0}));
    let refund = client.refund(id(&sale), 7_300).data();
    assert_unknown(&refund);
    let (status, said) = client.refund(id(&sale), 1).refusal();
    assert_eq!(status, 400, "while it may have been paid, nothing is left: {said}");
    host.control.heal();
    reconcile(&switch.journal(), host.control, DRAINED);
    client.get_when(id(&refund), "reversed");
    assert_eq!(client.get(id(&sale))["amount_refunded"], 0);
    assert_eq!(client.refund(id(&sale), 7_300).data(), Value::Null);
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn a_host_that_is_down_declines_what_was_not_sent_and_the_link_comes_back() {
    let (host, switch) = pair();
    let client = switch.client();
    host.control.faults(&json!({"down": true}));
    // The first may have been on its way when the connection fell.
    let first = client.sale(7_400, VISA);
    assert_eq!(first["response_code"], 421);
    tests::eventually(Duration::from_secs(5), || {
        let ready = client.stranger("GET", "/readyz", &[], b"").json();
        let signed_on = ready["data"]["links"][0]["signed_on"].as_bool();
        if signed_on == Some(false) { Ok(()) } else { Err(ready.to_string()) }
    });
    for number in 0..5 {
        let asked = Instant::now();
        assert_unsent(&client.sale(7_410 + number, VISA), &host);
        assert!(asked.elapsed() < LEISURE, "a payment that can't be sent is answered at once");
    }
    let held = client.authorize(7_420, VISA);
    assert_eq!(text(&held, "status"), "declined");
    host.control.heal();
    let back = tests::until(Duration::from_secs(15), || (client.sale(7_430, VISA)["response_code"] == 100).then_some(()));
    back.expect("the link comes back by itself");
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn a_capture_that_can_not_be_sent_leaves_the_authorization_as_it_was() {
    let (host, switch) = pair();
    let client = switch.client();
    let held = client.authorize(7_500, VISA);
    host.control.faults(&json!({"down": true}));
    tests::eventually(Duration::from_secs(5), || {
        let probe = client.sale(7_501, VISA);
        if text(&probe, "status") == "declined" { Ok(()) } else { Err(probe.to_string()) }
    });
    let answer = client.capture(id(&held), 7_500).data();
    assert_eq!((&answer["response_code"], text(&answer, "status")), (&json!(421), "authorized"));
    assert_eq!(answer["amount_captured"], 0);
    host.control.heal();
    tests::eventually(Duration::from_secs(15), || {
        let captured = client.capture(id(&held), 7_500);
        if captured.json()["data"].is_null() && captured.status == 200 { Ok(()) } else { Err(captured.text()) }
    });
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn a_switch_starts_without_its_host_and_finds_it_later() {
    let mut host = HostProcess::start();
    host.kill9();
    let switch = Switch::start(Options { timeout_ms: TIMEOUT_MS, ..Options::with_host(host.addr) });
    let client = switch.client();
    assert_eq!(client.stranger("GET", "/healthz", &[], b"").status, 200);
    let unsent = client.sale(7_600, VISA);
    assert_eq!((text(&unsent, "status"), &unsent["response_code"]), ("declined", &json!(421)));
    host.start_again();
    let found = tests::until(Duration::from_secs(15), || (client.sale(7_601, VISA)["response_code"] == 100).then_some(()));
    found.expect("the host is found");
    assert!(!host.control.ledger().iter().any(|entry| entry.amount == 7_600));
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn reversals_wait_for_a_host_that_is_away_through_a_restart_as_well() {
    let (mut host, mut switch) = pair();
    let answer = switch.client().sale(amount::ANSWER_LOST, VISA);
    assert_unknown(&answer);
    let second = {
        host.control.faults(&json!({"drop_responses": 1.0}));
        let second = switch.client().sale(7_700, VISA);
        host.kill9();
        second
    };
    assert_unknown(&second);
    switch.kill9();
    switch.start_again();
    assert_eq!(text(&switch.client().get(id(&second)), "status"), "unknown", "not known until the host says so");
    host.start_again();
    reconcile(&switch.journal(), host.control, DRAINED);
    for transaction in [&answer, &second] {
        switch.client().get_when(id(transaction), "reversed");
    }
}

#[test]
fn a_listener_that_never_answers_costs_a_time_out_and_no_more() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = silent.local_addr().expect("a bound socket has an address");
    let swallow = std::thread::spawn(move || {
        let mut sink = [0; 4096];
        // Ends when the switch is gone and nobody connects any more: the last stream is read to its end.
        if let Ok((mut stream, _)) = silent.accept() {
            while stream.read(&mut sink).is_ok_and(|count| count > 0) {}
        }
    });
    let switch = Switch::start(Options { timeout_ms: TIMEOUT_MS, ..Options::with_host(addr) });
    let asked = Instant::now();
    let answer = switch.client().sale(7_800, VISA);
    assert_eq!(answer["response_code"], 421);
    assert!(asked.elapsed() < Duration::from_millis(TIMEOUT_MS.into()) + LEISURE);
    assert_eq!(text(&answer, "status"), "declined", "before sign-on nothing is sent");
    drop(switch);
    swallow.join().expect("the listener's thread ends");
}

#[test]
fn a_wire_that_trickles_goes_dead_or_is_cut_midway_loses_no_money() {
    let mut dice = Dice::announced("a_wire_that_trickles");
    let host = HostProcess::start();
    let wire = Forwarder::to(host.addr);
    let switch = Switch::start(Options { timeout_ms: TIMEOUT_MS, ..Options::with_host(wire.addr) });
    let client = switch.client();
    wire.does(Wire::Trickles);
    for number in 0..5 {
        assert_eq!(client.sale(7_980 + number, VISA)["response_code"], 100, "frames in single bytes are frames");
    }
    let load = Load::start(&client, 6, &mut dice);
    for what in [Wire::Trickles, Wire::CutsMidway, Wire::Dead, Wire::CutsMidway, Wire::Cut, Wire::Dead] {
        wire.does(what);
        std::thread::sleep(Duration::from_millis(dice.between(50, 600)));
        wire.does(Wire::Whole);
        // A dead wire that comes to life again has lost bytes in the midst of frames.
        wire.close_all();
        std::thread::sleep(Duration::from_millis(dice.between(50, 300)));
    }
    let back = tests::until(Duration::from_secs(15), || (client.sale(7_990, VISA)["response_code"] == 100).then_some(()));
    back.expect("the link comes back");
    let answers = load.stop();
    assert!(answers.iter().all(|answer| answer.response.status == 200), "each is answered");
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn a_host_that_stands_still_costs_a_time_out_and_its_late_answers_change_nothing() {
    let (host, switch) = pair();
    let client = switch.client();
    host.pause();
    let asked = Instant::now();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|number| {
                scope.spawn({
                    let client = &client;
                    move || client.sale(7_960 + number, VISA)
                })
            })
            .collect();
        asking.into_iter().map(|one| one.join().expect("it is answered")).collect()
    });
    assert!(asked.elapsed() < Duration::from_millis(TIMEOUT_MS.into()) + LEISURE);
    answers.iter().for_each(|answer| assert_eq!(answer["response_code"], 421));
    host.resume();
    let back = tests::until(Duration::from_secs(15), || (client.sale(7_971, VISA)["response_code"] == 100).then_some(()));
    back.expect("the link comes back");
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    assert!(books.undecided().is_empty());
    let over = |answer: &Value| matches!(text(&client.get(id(answer)), "status"), "reversed" | "declined").then_some(());
    answers.iter().for_each(|answer| tests::until(DRAINED, || over(answer)).expect("the switch says what its books say"));
}

#[test]
fn under_every_fault_at_once_no_money_is_lost_and_none_is_made() {
    let mut dice = Dice::announced("under_every_fault_at_once");
    let (host, switch) = pair();
    let faults = json!({
        "drop_requests": 0.03, "drop_responses": 0.03, "duplicate": 0.1, "garbage": 0.01,
        "delay_ms": [0, 30], "disconnect_every": 97, "seed": dice.draw() % 1_000_000
    });
    let load = Load::start(&switch.client(), 8, &mut dice);
    host.control.faults(&faults);
    std::thread::sleep(Duration::from_secs(6));
    host.control.faults(&json!({"down": true}));
    std::thread::sleep(Duration::from_millis(300));
    host.control.faults(&faults);
    std::thread::sleep(Duration::from_secs(1));
    host.control.heal();
    let answers = load.stop();
    let odd: Vec<_> = answers.iter().filter(|answer| answer.response.status != 200).collect();
    assert!(odd.is_empty(), "{} of {}: {:?}", odd.len(), answers.len(), odd[0]);
    let books = reconcile(&switch.journal(), host.control, DRAINED);
    let reversed = books.transactions().filter(|transaction| transaction.status().word() == "reversed").count();
    assert!(reversed > 5, "only {reversed} of {} payments met a fault", answers.len());
    let payments = answers.iter().filter(|answer| answer.is_payment());
    for answer in payments {
        let made = answer.response.data();
        let told = text(&made, "status");
        let shown = switch.client().get(id(&made));
        assert!(told != "unknown" || text(&shown, "status") == "reversed", "{shown}");
        assert!(told != "declined" || text(&shown, "status") == "declined", "{shown}");
    }
    drop(switch.operator().settle());
    reconcile(&switch.journal(), host.control, DRAINED);
}

#[test]
fn garbage_under_load_closes_the_connection_and_nothing_hangs() {
    let (host, switch) = pair();
    let client = switch.client();
    host.control.faults(&json!({"garbage": 1.0}));
    for number in 0..3 {
        let answer = client.sale(7_900 + number, VISA);
        assert_eq!(answer["response_code"], 421, "garbage is no answer");
    }
    host.control.heal();
    let back = tests::until(Duration::from_secs(15), || (client.sale(7_950, VISA)["response_code"] == 100).then_some(()));
    back.expect("payments work again");
    let books: Books = reconcile(&switch.journal(), host.control, DRAINED);
    assert!(books.undecided().is_empty());
}
