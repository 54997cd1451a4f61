//! Paying once, whatever a shopper does; what a decline leaves; what becomes of a payment afterwards.

use serde_json::{Value, json};
use std::time::Duration;
use tests::shopper::{VISA, attempt_of, form, order, order_now, page, path_of, pay, send};
use tests::switch::shared;
use tests::{Client, HostProcess, Options, Switch, eventually};

const DECLINED: &str = "4000000000000002";
const POOR: &str = "4000000000009995";
/// Shoppers' clicks at one moment.
const CLICKS: usize = 16;

fn page_of(order: &Value) -> String {
    path_of(order["pay_url"].as_str().expect("an order has a page"))
}

#[track_caller]
fn eventually_is(client: &Client, id: &str, status: &str) {
    eventually(Duration::from_secs(10), || {
        let shown = order_now(client, id);
        if shown["status"] == status { Ok(()) } else { Err(shown.to_string()) }
    });
}

/// Transactions that carry an order's id.
fn transactions(client: &Client, order: &str) -> Vec<Value> {
    let search = json!({"order_id": {"operator": "=", "value": order}, "limit": 100}).to_string();
    client.call("POST", "/api/transaction/search", &[], search.as_bytes()).data().as_array().expect("a list").clone()
}

#[test]
fn a_decline_is_told_and_the_next_attempt_may_pay() {
    let switch = shared();
    let client = switch.client();
    let path = page_of(&order(&client, "declined-first", 5_000));
    assert_eq!(pay(&client, &path, POOR), path);
    let told = page(&client, &path);
    assert!(told.contains("There is not enough money on this card.") && told.contains("You were not charged."), "{told}");
    assert_eq!((attempt_of(&told), order_now(&client, "declined-first")["status"].clone()), (Some(2), json!("pending")));
    // An old form, sent again by a reload: nothing is tried.
    assert_eq!(send(&client, &path, &form(1, VISA)).unwrap().status, 303);
    assert_eq!(transactions(&client, "declined-first").len(), 1);
    pay(&client, &path, DECLINED);
    assert!(page(&client, &path).contains("Your bank has declined the payment."));
    pay(&client, &path, VISA);
    let paid = page(&client, &path);
    assert!(paid.contains("You have paid") && attempt_of(&paid).is_none(), "{paid}");
    assert_eq!(order_now(&client, "declined-first")["status"], "paid");
    assert_eq!(transactions(&client, "declined-first").len(), 3);
}

#[test]
fn many_clicks_at_one_moment_are_one_payment() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let client = switch.client();
    host.control.faults(&json!({"delay_ms": [200, 300]}));
    let path = page_of(&order(&client, "clicked", 7_700));
    let answers: Vec<_> = std::thread::scope(|scope| {
        // Two tabs hold the same form; some have typed another card into it.
        let (client, path) = (&client, &path);
        let click = |card| scope.spawn(move || send(client, path, &form(1, card)).expect("each click is answered"));
        let clicks: Vec<_> = (0..CLICKS).map(|number| click(if number % 2 == 0 { VISA } else { "5555555555554444" })).collect();
        clicks.into_iter().map(|click| click.join().expect("no click panics")).collect()
    });
    for answer in answers {
        assert_eq!((answer.status, answer.header("location")), (303, Some(path.as_str())), "{}", answer.text());
    }
    assert!(page(&client, &path).contains("You have paid"));
    assert_eq!(transactions(&client, "clicked").len(), 1);
    assert_eq!(host.control.ledger().iter().filter(|entry| entry.stands()).count(), 1, "{:?}", host.control.ledger());
    // Back, and once more.
    assert_eq!(send(&client, &path, &form(1, VISA)).unwrap().status, 303);
    assert_eq!(send(&client, &path, &form(2, VISA)).unwrap().status, 303);
    assert_eq!(host.control.ledger().len(), 1);
    switch.terminate();
}

#[test]
fn a_shopper_who_hangs_up_has_paid_once_and_finds_it_so() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let client = switch.client();
    host.control.faults(&json!({"delay_ms": [300, 400]}));
    let path = page_of(&order(&client, "cut", 900));
    let mut connection = tests::http::Connection::open(client.address).unwrap();
    let body = form(1, VISA);
    connection.ask("POST", &path, &[("Content-Type", "application/x-www-form-urlencoded")], body.as_bytes()).unwrap();
    eventually(Duration::from_secs(5), || match page(&client, &path) {
        page if page.contains("Your payment is under way") => Ok(()),
        page => Err(page),
    });
    drop(connection);
    eventually_is(&client, "cut", "paid");
    assert_eq!(host.control.ledger().len(), 1);
    switch.terminate();
}

#[test]
fn a_host_that_never_answers_costs_nobody_anything() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let client = switch.client();
    let path = page_of(&order(&client, "silent", 4_200));
    host.control.faults(&json!({"drop_responses": 1.0}));
    assert_eq!(pay(&client, &path, VISA), path);
    assert!(page(&client, &path).contains("Your bank could not be reached."));
    host.control.heal();
    pay(&client, &path, VISA);
    assert_eq!(order_now(&client, "silent")["status"], "paid");
    tests::books::reconcile(&switch.journal(), host.control, Duration::from_secs(20));
    assert_eq!(host.control.ledger().iter().filter(|entry| entry.stands()).count(), 1);
    switch.terminate();
}

#[test]
fn what_a_merchant_gives_back_by_the_gateway_is_seen_in_the_order() {
    let mut switch = Switch::start(Options::default());
    let client = switch.client();
    for id in ["voided", "refunded"] {
        pay(&client, &page_of(&order(&client, id, 1_000)), VISA);
    }
    let transaction = |id: &str| order_now(&client, id)["transaction_id"].as_str().expect("it is paid").to_owned();
    assert_eq!(client.void(&transaction("voided")).status, 200);
    eventually_is(&client, "voided", "refunded");
    switch.operator().settle();
    assert_eq!(client.refund(&transaction("refunded"), 300).status, 200);
    eventually_is(&client, "refunded", "partially_refunded");
    assert!(page(&client, &page_of(&order_now(&client, "refunded"))).contains("$3.00"));
    assert_eq!(client.refund(&transaction("refunded"), 700).status, 200);
    eventually_is(&client, "refunded", "refunded");
    switch.terminate();
}

#[test]
fn pages_are_kept_by_nobody_and_framed_by_nobody() {
    let switch = shared();
    let client = switch.client();
    let path = page_of(&order(&client, "headers", 100));
    for (path, status) in [(path.as_str(), 200), ("/pay/nowhere", 404)] {
        let shown = client.stranger("GET", path, &[], b"");
        assert_eq!(shown.status, status);
        let header = |name: &str| shown.header(name).unwrap_or_else(|| panic!("{name} of {path}")).to_owned();
        assert_eq!((header("cache-control").as_str(), header("x-frame-options").as_str()), ("no-store", "DENY"));
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!((header("referrer-policy").as_str(), header("x-content-type-options").as_str()), ("no-referrer", "nosniff"));
    }
    for asset in ["/pay/style.css", "/pay/script.js"] {
        let shown = client.stranger("GET", asset, &[], b"");
        assert_eq!(shown.status, 200);
        assert!(shown.header("cache-control").is_some_and(|kept| kept.contains("immutable")));
    }
}

#[test]
fn a_form_that_cannot_be_accepted_leads_to_the_page_that_says_why() {
    let switch = shared();
    let client = switch.client();
    let path = page_of(&order(&client, "mistyped", 5_000));
    let typed = "attempt=1&number=4111+1111+1111+1112&expiry=1&code=123&name=Ada+Lovelace&postal_code=60601";
    let refused = send(&client, &path, typed).unwrap();
    let place = refused.header("location").unwrap().to_owned();
    assert_eq!((refused.status, place.as_str()), (303, format!("{path}?check=number+expiry").as_str()));
    let cookie = refused.header("set-cookie").unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && !cookie.contains("4111"), "{cookie}");
    let told = page(&client, &place);
    assert!(told.contains("This is not the number of a card.") && !told.contains("4111"), "{told}");
    assert_eq!(attempt_of(&told), Some(1), "a form that can't be accepted is no attempt");
    let pair = cookie.split(';').next().unwrap();
    let kept = client.stranger("GET", &place, &[("Cookie", pair)], b"").text();
    assert!(
        kept.contains("value=\"Ada Lovelace\"") && kept.contains("value=\"60601\""),
        "what was typed and is no card's is kept"
    );
    assert!(transactions(&client, "mistyped").is_empty());
    pay(&client, &path, VISA);
    assert!(page(&client, &place).contains("You have paid"), "an old address tells how it stands now");
}

#[test]
fn whoever_tries_card_after_card_is_asked_to_wait() {
    let host = HostProcess::start();
    let mut switch = Switch::start(Options::with_host(host.addr));
    let client = switch.client();
    let declined = |number: u32| {
        let path = page_of(&order(&client, &format!("tried-{number}"), 100));
        send(&client, &path, &form(1, DECLINED)).unwrap()
    };
    let refused = (0..40).map(declined).find(|answer| answer.status != 303).expect("forty cards are too many");
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some() && refused.text().contains("You were not charged."), "{}", refused.text());
    let charged = host.control.ledger().iter().filter(|entry| entry.stands()).count();
    assert_eq!(charged, 0);
    switch.terminate();
}
