//! `kill -9` at moments around shoppers' payments: each order is paid by exactly one transaction, and both sides' books agree.

use protocol::words::Status;
use std::collections::HashSet;
use std::time::Duration;
use tests::books::reconcile;
use tests::dice::Dice;
use tests::shopper::{VISA, form, order, order_now, path_of, pay_at_last, send};
use tests::{HostProcess, Options, Switch};

const CYCLES: u32 = 16;
const SHOPPERS: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn each_order_is_paid_once_whenever_the_switch_is_killed() {
    let mut dice = Dice::announced("each_order_is_paid_once");
    let host = HostProcess::start();
    host.control.faults(&serde_json::json!({"delay_ms": [0, 30]}));
    let mut switch = Switch::start(Options::with_host(host.addr));
    let mut ids = Vec::new();
    for cycle in 0..CYCLES {
        let client = switch.client();
        let orders: Vec<String> = (0..SHOPPERS).map(|shopper| format!("crash-{cycle}-{shopper}")).collect();
        let paths: Vec<String> =
            orders.iter().map(|id| path_of(order(&client, id, 1_000 + u64::from(cycle))["pay_url"].as_str().unwrap())).collect();
        std::thread::scope(|scope| {
            for path in &paths {
                // Cut off, most of them.
                scope.spawn(|| drop(send(&client, path, &form(1, VISA))));
            }
            std::thread::sleep(Duration::from_millis(dice.between(0, 90)));
            switch.kill9();
        });
        if cycle % 4 == 3 {
            switch.start_and_kill9(Duration::from_millis(dice.between(1, 250)));
        }
        switch.start_again();
        let client = switch.client();
        paths.iter().for_each(|path| pay_at_last(&client, path));
        ids.extend(orders);
    }
    let books = reconcile(&switch.journal(), host.control, PATIENCE);
    let client = switch.client();
    let paid: HashSet<String> = ids
        .iter()
        .map(|id| {
            let order = order_now(&client, id);
            assert_eq!(order["status"], "paid", "{order}");
            order["transaction_id"].as_str().expect("a paid order names its transaction").to_owned()
        })
        .collect();
    assert_eq!(paid.len(), ids.len());
    let standing = host.control.ledger().iter().filter(|entry| entry.stands()).count();
    assert_eq!(standing, ids.len(), "one charge for each order, and no other");
    let ours = books.transactions().filter(|made| made.status() == Status::PendingSettlement);
    let captured: HashSet<String> = ours.map(|made| made.id.to_string()).collect();
    assert_eq!(captured, paid);
    switch.terminate();
}
