//! Faults on command: each does what it says.

use serde_json::json;

use crate::client::{Request, said};
use crate::host::{Host, NoAnswer, http};

fn set(host: &Host, faults: &str) {
    host.control("POST", "/faults", faults);
}

#[test]
fn lost_requests_do_nothing_and_lost_answers_do_all() {
    let host = Host::start();
    set(&host, r#"{"drop_requests":1}"#);
    assert_eq!(host.try_ask(&Request::sale("RRN000000001", "5.00"), 30), Err(NoAnswer::Silence));
    assert_eq!(host.ledger(), []);
    for faults in [r#"{"drop_responses":1}"#, r#"{"garbage":1}"#, r#"{"disconnect_every":1}"#] {
        set(&host, faults);
        let reference = format!("RRN{:09}", host.ledger().len() + 2);
        let answer = host.try_ask(&Request::sale(&reference, "5.00"), 30);
        assert!(answer.is_err() || !answer.unwrap().0.contains("</xmp>"), "{faults}");
        set(&host, "{}");
        assert_eq!(host.ask(&Request::of("Status", &reference)).said(), said("0", "APPROVAL"), "{faults}");
    }
    assert_eq!((host.ledger().len(), host.stat("dropped_requests"), host.stat("dropped_responses")), (3, 1, 3));
}

#[test]
fn a_seed_repeats_the_same_losses() {
    let run = || {
        let host = Host::start();
        set(&host, r#"{"drop_requests":0.2,"disconnect_every":3,"garbage":0.2,"seed":11}"#);
        let ask = |number| host.try_ask(&Request::sale(&format!("RRN{number:09}"), "5.00"), 20).map(|answer| answer.0.len());
        (0..20).map(ask).collect::<Vec<_>>()
    };
    let first = run();
    assert_eq!(first, run());
    assert!(first.contains(&Err(NoAnswer::Silence)) && first.contains(&Err(NoAnswer::Closed)));
}

#[test]
fn a_host_that_is_down_answers_nobody_until_it_is_up() {
    let host = Host::start();
    set(&host, r#"{"down":true}"#);
    assert_eq!(host.try_ask(&Request::sale("RRN000000001", "5.00"), 500), Err(NoAnswer::Closed));
    assert_eq!(host.control("GET", "/healthz", ""), json!({"status": "down by command"}));
    set(&host, "{}");
    assert_eq!(host.ask(&Request::sale("RRN000000001", "5.00")).said(), said("0", "APPROVAL"));
    let refused = http(host.running.terminal.control, "POST", "/faults", r#"{"droop":1}"#, 5_000).unwrap();
    assert!(refused.0 == 400 && refused.1.contains("droop"));
}
