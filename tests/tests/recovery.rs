//! Restarts on a long past: what is cold is read back when it is asked for, right to the byte; a database that is behind, lost or away
//! comes back to the journal's state.

use benches::history::{self, Made, Plan};
use persistence::sql::DatabaseUrl;
use protocol::id::Xid;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;
use tests::client::{id, text};
use tests::payment::{VISA, payment};
use tests::{Client, HostProcess, Options, Switch};

/// Of the journal, as the harness configures it.
const SEGMENT_BYTES: u64 = 8 << 20;
const PATIENCE: Duration = Duration::from_secs(20);

/// A small past of some days, in the account of one merchant: "other". The other one, "shop", has none.
fn plan() -> Plan {
    Plan {
        transactions: 3_000,
        open: 100,
        days: 3,
        duplicate_window_s: 0,
        spared: Some("shop"),
        segment_bytes: SEGMENT_BYTES,
        behind: 1_000,
    }
}

/// A switch that has lived through the past and is stopped.
fn switch_with_a_past(host: &HostProcess) -> (Switch, Made) {
    let mut switch = Switch::start(Options::with_host(host.addr));
    switch.kill9();
    let made = history::write(&switch.data(), &DatabaseUrl::sqlite_in(&switch.data()), &plan()).expect("a past can be made");
    (switch, made)
}

/// The merchant whose past it is.
fn other(switch: &Switch) -> Client {
    switch.client_with(tests::switch::keys::OTHER)
}

/// The digests that a switch has logged, in their order.
fn digests(log: &str) -> Vec<&str> {
    log.lines().filter_map(|line| line.split_once(": state digest ")).map(|(_, state)| state).collect()
}

fn assert_drains(switch: &Switch) {
    tests::eventually(PATIENCE, || {
        let waiting = switch.operator().call("GET", "/operator/reversals", &[], b"").data();
        if waiting.as_array().is_some_and(Vec::is_empty) { Ok(()) } else { Err(waiting.to_string()) }
    });
}

#[test]
fn after_a_restart_on_a_long_past_what_is_cold_lives_on() {
    let host = HostProcess::start();
    let (mut switch, made) = switch_with_a_past(&host);
    switch.start_again();
    assert_eq!(made.open, 100);
    assert_drains(&switch);
    let client = switch.client();
    let paid = client.sale(10_00, VISA);
    assert_eq!(switch.operator().settle().iter().filter(|batch| text(batch, "state") == "complete").count(), 1);
    let (to_void, to_capture) = (client.sale(20_00, VISA), client.authorize(30_00, VISA));
    let first = client.pay_once("once", &payment("sale", 40_00, VISA));
    switch.kill9();
    switch.start_again();

    let client = switch.client();
    let again = client.pay_once("once", &payment("sale", 40_00, VISA));
    assert_eq!((again.text(), again.header("idempotent-replayed")), (first.text(), Some("true")), "the same bytes");
    assert_eq!(client.get(id(&to_void)), to_void);
    assert_eq!(client.void(id(&to_void)).status, 200);
    assert_eq!(text(&client.get(id(&to_void)), "status"), "voided");
    assert_eq!(client.capture(id(&to_capture), 25_00).status, 200);
    assert_eq!(client.get(id(&to_capture))["amount_captured"], 25_00);
    assert_eq!(client.refund(id(&paid), 4_00).status, 200);
    let sold = client.get(id(&paid));
    assert_eq!((text(&sold, "status"), &sold["amount_refunded"]), ("partially_refunded", &json!(4_00)), "{sold}");
    assert_eq!(client.refund(id(&paid), 6_01).status, 400, "more than is left of it");
    switch.terminate();
}

#[test]
fn a_database_that_is_behind_or_lost_comes_back_to_the_same_state() {
    let host = HostProcess::start();
    let (mut switch, made) = switch_with_a_past(&host);
    switch.start_again();
    let log = switch.log();
    assert!(log.contains("behind=1000"), "the database was behind: {log}");
    assert_drains(&switch);
    let sample: Vec<Xid> = made.settled.iter().step_by(1 + made.settled.len() / 20).map(|(_, id)| *id).collect();
    let shown: Vec<Value> = sample.iter().map(|id| other(&switch).get(&id.to_string())).collect();
    assert!(shown.iter().all(|sale| text(sale, "status") == "settled"), "{shown:?}");
    switch.terminate();
    let drained = digests(&switch.log()).last().map(|state| (*state).to_owned());
    for name in ["switchyard.db", "switchyard.db-wal", "switchyard.db-shm"] {
        // The write-ahead log goes with the last connection when it is closed in order.
        drop(std::fs::remove_file(switch.data().join(name)));
    }
    switch.start_again();
    assert_eq!(digests(&switch.log()).last().copied(), drained.as_deref(), "the digest of what was rebuilt");
    let rebuilt: Vec<Value> = sample.iter().map(|id| other(&switch).get(&id.to_string())).collect();
    assert_eq!(rebuilt, shown);
    switch.terminate();
}

#[test]
fn many_cold_transactions_are_read_back_at_once_while_payments_go_on() {
    const CALLERS: usize = 24;
    let host = HostProcess::start();
    let (mut switch, made) = switch_with_a_past(&host);
    switch.start_again();
    let (merchant, buyer) = (other(&switch), switch.client());
    let cold = Mutex::new(made.settled.iter().take(100).map(|(_, id)| id.to_string()));
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                loop {
                    let Some(id) = cold.lock().expect("no caller has failed").next() else { return };
                    let answer = merchant.refund(&id, 1);
                    assert_eq!(answer.status, 200, "{id}: {}", answer.text());
                }
            });
        }
        scope.spawn(|| {
            for amount in 0..100 {
                assert_eq!(buyer.sale(5_000 + amount, VISA)["response_code"], 100);
            }
        });
    });
    for (_, id) in made.settled.iter().take(100) {
        assert_eq!(merchant.get(&id.to_string())["amount_refunded"], 1, "{id}");
    }
    switch.terminate();
}
