//! Faults on command: each does what it says, and a seed repeats.

use serde_json::json;

use crate::client::{Client, Hosts, NoAnswer, Request, http};

/// Sends sales one at a time and notes what came of each.
fn outcomes(hosts: &Hosts, count: u32, from: u32) -> Vec<Result<String, NoAnswer>> {
    let mut client = hosts.client().patient_for(20);
    (from..from + count).map(|stan| client.try_ask(&Request::sale(100, stan)).map(|a| a.action().to_owned())).collect()
}

fn set(hosts: &Hosts, faults: &str) {
    let (status, body) = hosts.set_faults(faults);
    assert_eq!(status, 200, "{body}");
}

#[test]
fn a_seed_repeats_the_same_losses() {
    let run = || {
        let hosts = Hosts::start();
        let mut client = hosts.client().patient_for(20);
        set(&hosts, r#"{"drop_requests":0.2,"drop_responses":0.2,"garbage":0.2,"seed":11}"#);
        let seen: Vec<_> = (1..=40).map(|stan| client.try_ask(&Request::sale(100, stan)).map(|_| ())).collect();
        (seen, hosts.entries().len(), hosts.get("/stats"))
    };
    let first = run();
    assert_eq!(first, run());
    assert!(first.0.contains(&Err(NoAnswer::Silence)) && first.0.contains(&Err(NoAnswer::Garbage)));
    assert_eq!(first.2["dropped_requests"].as_u64().unwrap() as usize, 40 - first.1);
}

#[test]
fn lost_requests_do_nothing_and_lost_answers_do_all() {
    let hosts = Hosts::start();
    let mut client = hosts.client().patient_for(20);
    set(&hosts, r#"{"drop_requests":1}"#);
    assert_eq!(client.try_ask(&Request::sale(100, 1)), Err(NoAnswer::Silence));
    assert_eq!(hosts.entries().len(), 0);
    set(&hosts, r#"{"drop_responses":1}"#);
    assert_eq!(client.try_ask(&Request::sale(100, 2)), Err(NoAnswer::Silence));
    assert_eq!(hosts.entries().len(), 1);
    set(&hosts, "{}");
    assert_eq!(client.try_ask(&Request::sale(100, 3)).unwrap().action(), "00");
}

#[test]
fn answers_come_twice_or_late_when_told_so() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    set(&hosts, r#"{"duplicate":1}"#);
    let answer = client.ask(&Request::sale(100, 1));
    assert_eq!(client.receive().unwrap(), answer);
    set(&hosts, r#"{"delay_ms":[80,80]}"#);
    let started = std::time::Instant::now();
    for stan in 2..=40 {
        client.send(&Request::sale(100, stan));
    }
    assert!((2..=40).all(|_| client.receive().unwrap().action() == "00"));
    assert!(started.elapsed().as_millis() >= 80);
}

#[test]
fn every_third_request_cuts_its_connection() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    set(&hosts, r#"{"disconnect_every":3}"#);
    assert!(client.try_ask(&Request::sale(100, 1)).is_ok());
    assert!(client.try_ask(&Request::sale(100, 2)).is_ok());
    assert_eq!(client.try_ask(&Request::sale(100, 3)), Err(NoAnswer::Closed));
    assert_eq!(hosts.entries().len(), 3, "it was done before the cut");
}

#[test]
fn a_host_that_is_down_closes_and_refuses_until_it_is_up() {
    let hosts = Hosts::start();
    let mut client = hosts.client();
    set(&hosts, r#"{"down":true}"#);
    assert_eq!(client.receive(), Err(NoAnswer::Closed));
    let mut refused = Client::connect(hosts.running.card.addr);
    assert_eq!(refused.try_ask(&Request::network("001")), Err(NoAnswer::Closed));
    assert_eq!(hosts.get("/healthz"), json!({"status": "down by command"}));
    set(&hosts, "{}");
    assert_eq!(outcomes(&hosts, 2, 1), [Ok("00".to_owned()), Ok("00".to_owned())]);
    assert_eq!(hosts.get("/healthz"), json!({"status": "ok"}));
}

#[test]
fn faults_are_shown_replaced_whole_and_refused_by_name() {
    let hosts = Hosts::start();
    set(&hosts, r#"{"garbage":0.5,"seed":4}"#);
    set(&hosts, r#"{"duplicate":0.25}"#);
    let shown = hosts.get("/faults");
    assert_eq!((&shown["garbage"], &shown["duplicate"], &shown["seed"]), (&json!(0.0), &json!(0.25), &json!(0)));
    for (faults, named) in [(r#"{"droop":1}"#, "droop"), (r#"{"garbage":2}"#, "2"), ("nonsense", "expected")] {
        let (status, body) = hosts.set_faults(faults);
        assert_eq!(status, 400);
        assert!(body["error"].as_str().unwrap().contains(named), "{body}");
    }
    assert_eq!(hosts.get("/faults"), shown, "a refused body changes nothing");
    assert_eq!(http(hosts.running.card_2.control, "GET", "/faults", "").1["duplicate"], 0.0);
}
