//! Faults on command and by amount: each does what it says, and a seed repeats.

use crate::client::Check;
use crate::host::{Host, LATE_MS, NoAnswer, http};

#[test]
fn amounts_spoil_their_answers() {
    let host = Host::start();
    let post = |number: u32, amount: &'static str| host.post(&Check::sale(number, amount).envelope());
    assert_eq!(post(1, "9002.01"), Err(NoAnswer::Silence));
    assert_eq!(post(2, "9002.02"), Err(NoAnswer::Silence));
    assert_eq!(post(3, "9002.03"), Err(NoAnswer::Silence));
    let body = Check { trace: 5, ..Check::sale(4, "9002.03") }.envelope();
    let late = http(host.running.ach.addr, "POST", "/webservices/AuthGateway.asmx", &body, u64::from(LATE_MS) * 20).unwrap();
    assert!(late.1.contains("APPROVAL"));
    assert!(post(5, "9002.04").unwrap().1.contains("not well-formed"));
    assert_eq!(post(6, "9002.05"), Err(NoAnswer::Closed));
    assert!(post(7, "9002.06").unwrap().1.len() > 100_000);
    let approved: Vec<bool> = host.shape().into_iter().map(|entry| entry.2).collect();
    assert_eq!(approved, [true; 6], "all but the lost one were done");
    let answer = |number, amount| host.ask(&Check::sale(number, amount));
    assert_eq!(answer(10, "9000.06").get("MESSAGE"), "System error");
    assert_eq!(answer(11, "9000.94").get("MESSAGE"), "Duplicate transaction");
    assert_eq!(answer(12, "9000.30").get("RESULT"), "Failed");
    assert_eq!(answer(13, "9000.03").get("faultstring"), "unknown merchant");
    assert_eq!(host.entries().len(), 6);
}

#[test]
fn a_seed_repeats_the_same_losses() {
    let run = || {
        let host = Host::start();
        host.control(
            "POST",
            "/faults",
            r#"{"drop_requests":0.2,"drop_responses":0.2,"garbage":0.2,"disconnect_every":7,"seed":11}"#,
        );
        let kind = |number| match host.post(&Check::sale(number, "1.00").envelope()) {
            Ok((_, text)) => u8::from(text.contains("APPROVAL")),
            Err(NoAnswer::Silence) => 2,
            Err(NoAnswer::Closed) => 3,
        };
        let seen: Vec<u8> = (1..=21).map(kind).collect();
        (seen, host.entries().len())
    };
    let first = run();
    assert_eq!(first, run());
    assert!((0..=3).all(|kind| first.0.contains(&kind)), "{:?}", first.0);
}

#[test]
fn a_host_that_is_down_closes_and_serves_again() {
    let host = Host::start();
    host.control("POST", "/faults", "{\"down\":true}");
    assert_eq!(host.post(&Check::sale(1, "1.00").envelope()), Err(NoAnswer::Closed));
    host.control("POST", "/faults", "{}");
    assert_eq!(host.ask(&Check::sale(1, "1.00")).get("RESPONSE_TYPE"), "A");
    assert_eq!(http(host.running.ach.addr, "GET", "/elsewhere", "", 5_000).unwrap().0, 404);
    assert_eq!(http(host.running.ach.addr, "GET", "/returns?after=x", "", 5_000).unwrap().0, 400);
}
