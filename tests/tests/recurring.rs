//! Recurring billing: each sample of the gateway document, months in seconds by the test clock, declines, and one charge for each bill
//! whatever is killed.

use serde_json::{Value, json};
use std::time::Duration;
use tests::Switch;
use tests::client::{Client, text};
use tests::dice::Dice;
use tests::patience::{eventually, until};
use tests::payment::{DECLINED, INSUFFICIENT, VISA};
use tests::switch::shared;

const BILLED: Duration = Duration::from_secs(20);
const DAY_S: u64 = 86_400;

#[track_caller]
fn post(client: &Client, path: &str, body: &Value) -> Value {
    client.call("POST", path, &[], body.to_string().as_bytes()).data()
}

#[track_caller]
fn get(client: &Client, path: &str) -> Value {
    client.call("GET", path, &[], b"").data()
}

#[track_caller]
fn refused(client: &Client, path: &str, body: &Value) -> String {
    let (status, said) = client.call("POST", path, &[], body.to_string().as_bytes()).refusal();
    assert_eq!(status, 400, "{said}");
    said
}

/// A customer with this card, made in the vault.
#[track_caller]
fn customer(client: &Client, card: &str) -> String {
    let method = json!({"card": {"card_number": card, "expiration_date": "12/39"}});
    let made = post(client, "/api/customer", &json!({"description": "subscriber", "payment_method": method}));
    text(&made, "id").to_owned()
}

/// Moves the calendar, and says where it is then.
#[track_caller]
fn advance(client: &Client, days: u64) -> String {
    let moved = post(client, "/api/sandbox/clock", &json!({"advance_seconds": days * DAY_S}));
    text(&moved, "now").to_owned()
}

fn today(client: &Client) -> String {
    text(&get(client, "/api/sandbox/clock"), "now")[..10].to_owned()
}

/// A subscription that is billed every week from today on.
fn weekly(client: &Client, customer: &str, amount: u64, duration: u32) -> Value {
    let body = json!({
        "plan_id": null, "description": "a week of it", "customer": {"id": customer}, "amount": amount, "billing_cycle_interval": 1,
        "billing_frequency": "daily", "billing_days": "7", "duration": duration, "next_bill_date": today(client), "add_ons": [],
        "discounts": null,
    });
    post(client, "/api/recurring/subscription", &body)
}

/// The subscription once it stands like this.
#[track_caller]
fn once(client: &Client, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/api/recurring/subscription/{id}");
    let found = until(BILLED, || Some(get(client, &path)).filter(|shown| is_so(shown)));
    found.unwrap_or_else(|| panic!("not within {BILLED:?}: {}", get(client, &path)))
}

/// Payments of a subscription, from the search.
#[track_caller]
fn payments_of(client: &Client, subscription: &str) -> Vec<Value> {
    let body = json!({"order_id": {"operator": "=", "value": subscription}, "limit": 100});
    post(client, "/api/transaction/search", &body).as_array().cloned().unwrap_or_default()
}

#[track_caller]
fn assert_shows(shown: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("fields") {
        assert_eq!(&shown[name], value, "{name} of {shown}");
    }
}

#[test]
fn the_documents_add_on_and_discount_are_answered_as_printed() {
    let switch = shared();
    let client = switch.client();
    for (single, plural) in [("addon", "addons"), ("discount", "discounts")] {
        let sent = json!({"name": "test plan", "description": "just a simple test plan", "amount": 100, "duration": 0});
        let made = post(&client, &format!("/api/recurring/{single}"), &sent);
        assert_shows(&made, &sent);
        assert!(made["percentage"].is_null() && made["created_at"].is_string() && made["updated_at"].is_string());
        let path = format!("/api/recurring/{single}/{}", text(&made, "id"));
        assert_eq!(get(&client, &path), made);
        let changed = post(&client, &path, &json!({"name": "other", "amount": null, "percentage": 10}));
        assert_shows(&changed, &json!({"name": "other", "amount": null, "percentage": 10, "description": sent["description"]}));
        let list = client.call("GET", &format!("/api/recurring/{plural}"), &[], b"").json();
        let count = list["data"].as_array().expect("a list").len();
        assert!(list["data"].as_array().unwrap().contains(&changed));
        assert_eq!((&list["total_count"], &list["count"]), (&json!(count), &json!(count)));
        assert!(refused(&client, &path, &json!({"amount": 1, "percentage": 1})).contains("amount: must be absent"));
        assert!(refused(&client, &format!("/api/recurring/{single}"), &json!({"name": "x"})).contains("amount: is required"));
        let removed = client.call("DELETE", &path, &[], b"{}").json();
        assert_eq!(removed, json!({"status": "success", "msg": "success", "data": null}));
        assert_eq!(client.call("GET", &path, &[], b"").status, 404);
    }
}

#[test]
fn the_documents_plan_and_subscription_are_answered_as_printed() {
    let switch = shared();
    let client = switch.client();
    let add_on = post(&client, "/api/recurring/addon", &json!({"name": "test_addon", "amount": 7, "duration": 0}));
    let discount = post(&client, "/api/recurring/discount", &json!({"name": "test discount", "percentage": 9, "duration": 3}));
    let (add_on, discount) = (text(&add_on, "id"), text(&discount, "id"));
    let sent = json!({
        "name": "test plan", "description": "just a simple test plan", "amount": 100, "billing_cycle_interval": 1,
        "billing_frequency": "twice_monthly", "billing_days": "1,15", "duration": 0,
        "add_ons": [{"id": add_on, "description": "this will add to the cost of the subscription", "amount": 100, "duration": 0}],
        "discounts": [{"id": discount, "description": "this will discount the cost of the subscription", "amount": 50, "duration": 0}],
    });
    let plan = post(&client, "/api/recurring/plan", &sent);
    let copied = |id: &str, name: &str, description: &str, amount: u64| {
        json!([{"id": id, "name": name, "description": description, "amount": amount, "percentage": null, "duration": 0,
            "created_at": null, "updated_at": null}])
    };
    assert_shows(
        &plan,
        &json!({
            "name": "test plan", "description": "just a simple test plan", "amount": 100, "billing_cycle_interval": 1,
            "billing_frequency": "twice_monthly", "billing_days": "1,15", "total_add_ons": 100, "total_discounts": 50, "duration": 0,
            "add_ons": copied(add_on, "test_addon", "this will add to the cost of the subscription", 100),
            "discounts": copied(discount, "test discount", "this will discount the cost of the subscription", 50),
        }),
    );
    let path = format!("/api/recurring/plan/{}", text(&plan, "id"));
    assert_eq!(get(&client, &path), plan);
    assert!(get(&client, "/api/recurring/plans").as_array().expect("a list").contains(&plan));
    let dearer = post(&client, &path, &json!({"amount": 200}));
    assert_shows(&dearer, &json!({"amount": 200, "name": "test plan", "add_ons": plan["add_ons"], "billing_days": "1,15"}));

    let customer = customer(&client, VISA);
    let body = json!({
        "plan_id": plan["id"], "description": "some description to describe the subscription", "customer": {"id": customer},
        "amount": 100, "billing_cycle_interval": 1, "billing_frequency": "twice_monthly", "billing_days": "1,15", "duration": 0,
        "next_bill_date": "2199-11-21", "add_ons": [],
        "discounts": [{"id": discount, "name": "test discount", "description": "this will discount the cost of the subscription",
            "amount": 50, "duration": 0}],
    });
    let subscription = post(&client, "/api/recurring/subscription", &body);
    assert_shows(
        &subscription,
        &json!({
            "plan_id": plan["id"], "description": "some description to describe the subscription", "customer": {"id": customer},
            "amount": 100, "total_adds": 0, "total_discounts": 50, "billing_cycle_interval": 1,
            "billing_frequency": "twice_monthly", "billing_days": "1,15", "duration": 0, "next_bill_date": "2199-11-21",
            "add_ons": null, "discounts": copied(discount, "test discount", "this will discount the cost of the subscription", 50),
            "status": "active",
        }),
    );
    let id = text(&subscription, "id");
    for path in [format!("/api/recurring/subscription/{id}"), format!("/api/subscription/{id}")] {
        assert_eq!(get(&client, &path), subscription);
    }
    let path = format!("/api/recurring/subscription/{id}");
    let moved = post(&client, &path, &json!({"next_bill_date": "2199-12-01", "description": "other"}));
    assert_shows(&moved, &json!({"next_bill_date": "2199-12-01", "description": "other", "amount": 100, "total_discounts": 50}));
    let from_plan = post(
        &client,
        "/api/recurring/subscription",
        &json!({"plan_id": plan["id"], "customer": {"id": customer},
        "next_bill_date": "2199-11-21"}),
    );
    assert_shows(&from_plan, &json!({"amount": 200, "total_adds": 100, "total_discounts": 50, "billing_days": "1,15"}));
    for id in [text(&subscription, "id"), text(&from_plan, "id")] {
        let path = format!("/api/recurring/subscription/{id}");
        assert_eq!(client.call("DELETE", &path, &[], b"").json()["msg"], "success");
        assert_eq!(client.call("GET", &path, &[], b"").status, 404);
    }
}

#[test]
fn what_cannot_be_billed_is_refused_by_the_field_that_is_wrong() {
    let switch = shared();
    let client = switch.client();
    let plan = |change: Value| {
        let mut body = json!({"name": "p", "amount": 100, "billing_frequency": "monthly", "billing_days": "15"});
        change.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        refused(&client, "/api/recurring/plan", &body)
    };
    for (change, expected) in [
        (json!({"amount": null}), "invalid amount: is required"),
        (json!({"billing_frequency": "weekly"}), "invalid billing_frequency: must be \"daily\""),
        (json!({"billing_days": "32"}), "invalid billing_days: must be a day of the month"),
        (json!({"billing_days": null}), "invalid billing_days: must be"),
        (json!({"billing_cycle_interval": 0}), "invalid billing_cycle_interval: must be 1 to 999"),
        (json!({"duration": 10_001}), "invalid duration: must be 0 to 10000"),
        (json!({"add_ons": "x"}), "invalid add_ons: must be a list"),
        (json!({"add_ons": [1]}), "invalid add_ons: must be a list of objects"),
        (json!({"add_ons": [{}]}), "invalid add_ons[0].id: is required"),
        (json!({"discounts": [{"id": "b89flfqj8m0o735i19ig"}]}), "invalid discounts[0].id: no such one"),
    ] {
        let said = plan(change);
        assert!(said.contains(expected), "{said:?} does not say {expected:?}");
    }
    let subscription = json!({"customer": {"id": "b81ko5qq9qq5v460r9i0"}, "amount": 1, "billing_days": "1"});
    let said = refused(&client, "/api/recurring/subscription", &subscription);
    assert!(said.contains("customer.id: no such customer"), "{said}");
    let public = switch.client_with(tests::switch::keys::PUBLIC);
    assert_eq!(public.call("GET", "/api/recurring/plans", &[], b"").status, 403);
}

#[test]
fn the_clock_bills_each_cycle_once_with_its_amount() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let customer = customer(&client, VISA);
    let discount = post(&client, "/api/recurring/discount", &json!({"name": "first two", "amount": 30, "duration": 2}));
    let body = json!({
        "customer": {"id": customer}, "amount": 1_000, "billing_frequency": "daily", "billing_days": "7", "duration": 5,
        "next_bill_date": today(&client), "discounts": [{"id": discount["id"]}],
    });
    let made = post(&client, "/api/recurring/subscription", &body);
    let id = text(&made, "id");
    let first = once(&client, id, |shown| shown["number_of_bills"] == 1);
    assert_eq!(first["status"], "active");
    // Three weeks at once are three bills, as after a switch that was down for so long.
    advance(&client, 21);
    once(&client, id, |shown| shown["number_of_bills"] == 4);
    advance(&client, 7);
    let last = once(&client, id, |shown| shown["status"] == "completed");
    assert_eq!((&last["number_of_bills"], &last["next_bill_date"]), (&json!(5), &Value::Null));
    advance(&client, 70);
    let payments = payments_of(&client, id);
    let mut amounts: Vec<u64> = payments.iter().map(|payment| payment["amount"].as_u64().unwrap()).collect();
    amounts.sort_unstable();
    assert_eq!(amounts, [970, 970, 1_000, 1_000, 1_000]);
    for payment in &payments {
        assert_shows(payment, &json!({"transaction_source": "recurring", "customer_id": customer, "response_code": 100}));
    }
    assert!(payments.iter().any(|payment| payment["id"] == last["last_transaction_id"]));
}

#[test]
fn a_decline_is_tried_again_and_a_card_that_is_changed_pays() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let customer = customer(&client, INSUFFICIENT);
    let made = weekly(&client, &customer, 500, 0);
    let id = text(&made, "id");
    let due = once(&client, id, |shown| shown["status"] == "past_due");
    assert_shows(&due, &json!({"number_of_bills": 0, "failed_attempts": 1, "next_bill_date": made["next_bill_date"]}));
    advance(&client, 1);
    once(&client, id, |shown| shown["failed_attempts"] == 2);
    let filed = get(&client, &format!("/api/customer/{customer}"));
    let card = json!({"card_number": VISA, "expiration_date": "12/39"});
    let method = text(&filed["payment_method"]["card"], "id").to_owned();
    post(&client, &format!("/api/customer/{customer}/paymentmethod/card/{method}"), &card);
    advance(&client, 3);
    let paid = once(&client, id, |shown| shown["number_of_bills"] == 1);
    assert_shows(&paid, &json!({"status": "active", "failed_attempts": 0}));
    let codes: Vec<Value> = payments_of(&client, id).iter().map(|payment| payment["response_code"].clone()).collect();
    assert_eq!(codes.iter().filter(|code| **code == 202).count(), 2, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 100).count(), 1, "{codes:?}");
}

/// The document's own sample asks for a day that is long past.
#[test]
fn a_first_day_that_is_past_bills_nothing_for_the_past() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let customer = customer(&client, VISA);
    let body = json!({"customer": {"id": customer}, "amount": 700, "billing_frequency": "daily", "billing_days": "7",
        "next_bill_date": "2019-11-21"});
    let made = post(&client, "/api/recurring/subscription", &body);
    assert!(text(&made, "next_bill_date") >= today(&client).as_str(), "{made}");
    // The clock's answer comes when the bills are through: nobody need wait for them.
    advance(&client, 14);
    let path = format!("/api/recurring/subscription/{}", text(&made, "id"));
    let billed = get(&client, &path);
    assert!(matches!(billed["number_of_bills"].as_u64(), Some(2 | 3)), "{billed}");
    assert_eq!(client.call("POST", &format!("/api/subscription/{}", text(&made, "id")), &[], b"").data(), billed);
    for list in ["addons", "discounts", "plans"] {
        assert_eq!(client.call("POST", &format!("/api/recurring/{list}"), &[], b"").json()["count"], 0, "{list}");
    }
}

#[test]
fn declines_without_end_fail_and_a_change_begins_anew() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let made = weekly(&client, &customer(&client, DECLINED), 500, 0);
    let id = text(&made, "id");
    for (attempts, wait_days) in [(1, 1), (2, 3), (3, 5), (4, 7)] {
        once(&client, id, |shown| shown["failed_attempts"] == attempts && shown["status"] == "past_due");
        advance(&client, wait_days);
    }
    once(&client, id, |shown| shown["status"] == "failed");
    advance(&client, 30);
    let other = customer(&client, VISA);
    post(
        &client,
        &format!("/api/recurring/subscription/{id}"),
        &json!({"customer": {"id": other}, "next_bill_date": today(&client)}),
    );
    once(&client, id, |shown| shown["number_of_bills"] == 1 && shown["status"] == "active");
    assert_eq!(payments_of(&client, id).len(), 6);
}

/// Killed anywhere around a bill, over and over: the host has each bill once.
#[test]
fn no_kill_makes_a_bill_come_twice_or_never() {
    const WEEKS: u64 = 12;
    let mut dice = Dice::announced("no_kill_makes_a_bill_come_twice_or_never");
    let mut switch = Switch::sandboxed();
    let client = switch.client();
    let made = weekly(&client, &customer(&client, VISA), 4_321, WEEKS as u32);
    let id = text(&made, "id").to_owned();
    for _ in 0..WEEKS {
        let (client, week) = (switch.client(), json!({"advance_seconds": 7 * DAY_S}).to_string());
        std::thread::scope(|scope| {
            // It returns when the bills are through, so it is killed while it waits.
            scope.spawn(move || drop(client.try_call("POST", "/api/sandbox/clock", &[], week.as_bytes())));
            std::thread::sleep(Duration::from_micros(dice.between(0, 40_000)));
            switch.kill9();
        });
        switch.start_again();
    }
    let client = switch.client();
    // Weeks whose move was killed before it was kept.
    advance(&client, 7 * WEEKS);
    let last = once(&client, &id, |shown| shown["status"] == "completed");
    assert_eq!(last["number_of_bills"], WEEKS);
    eventually(BILLED, || {
        let standing = switch.control().ledger().iter().filter(|entry| entry.amount == 4_321 && entry.stands()).count() as u64;
        if standing == WEEKS { Ok(()) } else { Err(format!("{standing} bills stand at the host, {WEEKS} are due")) }
    });
    let approved = payments_of(&client, &id).iter().filter(|payment| payment["response_code"] == 100).count() as u64;
    assert_eq!(approved, WEEKS);
}
