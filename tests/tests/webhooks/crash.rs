//! `kill -9` around shoppers' clicks: each paid page is one transaction, and the news of both arrive, each under one id.

use super::{PATIENCE, hook, received_ids};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tests::client::text;
use tests::dice::Dice;
use tests::receiver::{Manner, Received, Receiver};
use tests::shopper::{VISA, form, order, order_now, path_of, pay_at_last, send};
use tests::{HostProcess, Options, Switch, eventually};

const CYCLES: u64 = 6;
const SHOPPERS: u64 = 2;

/// The ids under which it was told that something happened to a thing.
fn told(received: &[Received], kind: &str, about: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let is_it = |one: &Received| {
        let body: Value = serde_json::from_slice(&one.body).expect("JSON");
        text(&body, "type") == kind && about(&body["data"])
    };
    received_ids(&received.iter().filter(|one| is_it(one)).cloned().collect::<Vec<_>>())
}

#[test]
fn a_paid_page_is_one_transaction_and_is_told_under_one_id_each() {
    let mut dice = Dice::announced("a_paid_page_is_one_transaction");
    let (host, receiver) = (HostProcess::start(), Receiver::start(Manner::Takes));
    host.control.faults(&serde_json::json!({"delay_ms": [0, 30]}));
    let webhooks = "allow_private = true".to_owned();
    let mut switch = Switch::start(Options { webhooks, ..Options::with_host(host.addr) });
    hook(&switch.client(), &receiver);
    let mut ids = Vec::new();
    for cycle in 0..CYCLES {
        let client = switch.client();
        let orders: Vec<String> = (0..SHOPPERS).map(|shopper| format!("told-{cycle}-{shopper}")).collect();
        let paths: Vec<String> = orders.iter().map(|id| path_of(text(&order(&client, id, 1_000 + cycle), "pay_url"))).collect();
        std::thread::scope(|scope| {
            for path in &paths {
                // Cut off, most of them.
                scope.spawn(|| drop(send(&client, path, &form(1, VISA))));
            }
            std::thread::sleep(Duration::from_millis(dice.between(0, 120)));
            switch.kill9();
        });
        switch.start_again();
        let client = switch.client();
        paths.iter().for_each(|path| pay_at_last(&client, path));
        ids.extend(orders);
    }
    let client = switch.client();
    for id in &ids {
        let transaction = text(&order_now(&client, id), "transaction_id").to_owned();
        eventually(PATIENCE, || {
            let received = receiver.taken();
            let paid = told(&received, "order.paid", |order| order["id"] == **id && order["transaction_id"] == *transaction);
            let captured = told(&received, "transaction.captured", |data| data["order_id"] == **id && data["id"] == *transaction);
            if (paid.len(), captured.len()) == (1, 1) { Ok(()) } else { Err(format!("{id}: {paid:?} {captured:?}")) }
        });
    }
    let received = receiver.taken();
    assert_eq!(told(&received, "order.paid", |_| true).len(), ids.len(), "no order is told to be paid twice");
    assert_eq!(told(&received, "transaction.captured", |_| true).len(), ids.len(), "and none by another transaction");
    assert_eq!(host.control.ledger().iter().filter(|entry| entry.stands()).count(), ids.len());
    switch.terminate();
}
