//! What is told of a subscription, from its first day to its last.

use super::{PATIENCE, advance, feed, send};
use serde_json::{Value, json};
use tests::client::{Client, id, text};
use tests::payment::{INSUFFICIENT, VISA};
use tests::{Switch, eventually};

#[track_caller]
fn customer(client: &Client, card: &str) -> Value {
    let body = json!({
        "description": "subscriber", "payment_method": {"card": {"card_number": card, "expiration_date": "12/33"}}
    });
    send(client, "POST", "/api/customer", &body)
}

#[track_caller]
fn subscribe(client: &Client, customer: &Value) -> Value {
    let body = json!({
        "customer": {"id": customer["id"]}, "amount": 500, "billing_cycle_interval": 1, "billing_frequency": "daily",
        "billing_days": "1", "duration": 2
    });
    send(client, "POST", "/api/recurring/subscription", &body)
}

/// What was told of a subscription, and how it stood then.
fn told(client: &Client, subscription: &Value) -> Vec<(String, String)> {
    let is_its = |event: &Value| event["object_id"] == subscription["id"];
    let told = |event: Value| (text(&event, "type").to_owned(), text(&event["data"], "status").to_owned());
    feed(client).into_iter().filter(is_its).map(told).collect()
}

#[track_caller]
fn eventually_told(client: &Client, subscription: &Value, expected: &[(&str, &str)]) {
    eventually(PATIENCE, || {
        let told = told(client, subscription);
        let is_all = told.iter().map(|(kind, status)| (kind.as_str(), status.as_str())).eq(expected.iter().copied());
        if is_all { Ok(()) } else { Err(format!("{told:?}")) }
    });
}

#[test]
fn a_subscription_tells_of_its_bills_and_its_end() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let (good, poor) = (subscribe(&client, &customer(&client, VISA)), subscribe(&client, &customer(&client, INSUFFICIENT)));
    let change = json!({"description": "still poor"});
    send(&client, "POST", &format!("/api/recurring/subscription/{}", id(&poor)), &change);
    (0..3).for_each(|_| advance(&client, 86_400));
    let ended = ["created", "paid", "paid", "ended"].map(|became| format!("subscription.{became}"));
    let statuses = ["active", "active", "completed", "completed"];
    let expected: Vec<(&str, &str)> = ended.iter().map(String::as_str).zip(statuses).collect();
    eventually_told(&client, &good, &expected);
    eventually(PATIENCE, || {
        let told = told(&client, &poor);
        // Its first bill is made at once: the change may come before or after it.
        let was_told = |kind: &str, status: &str| told.contains(&(kind.to_owned(), status.to_owned()));
        let is_all = was_told("subscription.declined", "past_due") && was_told("subscription.changed", "active");
        if is_all { Ok(()) } else { Err(format!("{told:?}")) }
    });
    let removed = client.call("DELETE", &format!("/api/recurring/subscription/{}", id(&poor)), &[], b"");
    assert_eq!(removed.status, 200, "{}", removed.text());
    assert_eq!(told(&client, &poor).pop().expect("it was told of").0, "subscription.cancelled");
}
