//! `kill -9` around nights: each payment goes out once, in one payout, whatever the switch was doing.

use super::money::{cents, close};
use super::shopper::submit;
use super::{items, link};
use serde_json::json;
use std::collections::HashSet;
use std::time::Duration;
use tests::Switch;
use tests::client::text;
use tests::dice::Dice;
use tests::patience::{eventually, until};
use tests::shopper::{VISA, page_of_link};

const CYCLES: u64 = 8;
const DAY_S: u64 = 86_400;
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn each_payment_goes_out_once_whenever_the_switch_is_killed() {
    let mut dice = Dice::announced("each_payment_goes_out_once");
    let mut switch = Switch::sandboxed();
    for cycle in 0..CYCLES {
        let client = switch.client();
        let made = link(&client, &format!("10.{cycle:02}"));
        assert_eq!(submit(&client, &page_of_link(&client, &made), VISA).status, 303);
        std::thread::scope(|scope| {
            let night = json!({"advance_seconds": DAY_S}).to_string();
            // Cut off, most of them.
            scope.spawn(move || drop(client.try_call("POST", "/api/sandbox/clock", &[], night.as_bytes())));
            std::thread::sleep(Duration::from_millis(dice.between(0, 120)));
            switch.kill9();
        });
        if cycle % 3 == 2 {
            switch.start_and_kill9(Duration::from_millis(dice.between(50, 400)));
        }
        switch.start_again();
    }
    let client = switch.client();
    let paid = until(PATIENCE, || Some(items(&client, "getMyUsedLinks", &[])).filter(|used| used.len() as u64 == CYCLES));
    let paid: u64 = paid.expect("each link was paid").iter().map(|link| cents(&link["amount"])).sum();
    client.call("POST", "/api/sandbox/clock", &[], json!({"advance_seconds": 3 * DAY_S}).to_string().as_bytes()).data();
    eventually(PATIENCE, || {
        let payouts = items(&client, "getPayOutTransactions", &[]);
        let sum = |name: &str| payouts.iter().map(|payout| cents(&payout[name])).sum::<u64>();
        let (amount, fee, net) = (sum("payout_amount"), sum("service_fee"), sum("net_amount"));
        // A payout in which something was twice would be too much for good: no later one can make up for it.
        assert!(amount <= paid, "{paid} were paid and {amount} went out: {payouts:?}");
        assert_eq!(fee + net, amount);
        let names: HashSet<&str> = payouts.iter().map(|payout| text(payout, "transaction_id")).collect();
        assert_eq!(names.len(), payouts.len());
        let is_over = amount == paid && payouts.iter().all(|payout| text(payout, "payout_status") == "Paid");
        if is_over { Ok(()) } else { Err(format!("{amount} of {paid} went out")) }
    });
    close(&switch.operator());
    switch.terminate();
}
