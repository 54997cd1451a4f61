//! Events and webhooks: the feed is gap-free and ordered, what it says is delivered at least once under the same ids, and no receiver that
//! misbehaves, and no kill, loses or invents anything.

mod callbacks;
mod crash;
mod subscriptions;
mod tls;

use serde_json::{Value, json};
use standardwebhooks::Webhook;
use std::collections::BTreeSet;
use std::time::Duration;
use tests::client::{Client, id, text};
use tests::payment::payment;
use tests::receiver::{Manner, Received, Receiver};
use tests::switch::keys;
use tests::{Switch, eventually, until};

const PATIENCE: Duration = Duration::from_secs(20);
const CARD: &str = "4111111111111111";

fn send(client: &Client, method: &str, path: &str, body: &Value) -> Value {
    client.call(method, path, &[], body.to_string().as_bytes()).data()
}

fn hook(client: &Client, receiver: &Receiver) -> Value {
    send(client, "POST", "/api/webhooks", &json!({"url": receiver.url("/hook"), "events": ["*"]}))
}

/// The whole feed, read in small pages; it must have no gap.
fn feed(client: &Client) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let path = format!("/api/events?after={}&limit=7", all.len());
        let page = client.call("GET", &path, &[], b"").json();
        let events = page["data"].as_array().expect("a list of events").clone();
        if events.is_empty() {
            return all;
        }
        all.extend(events);
        for (place, event) in all.iter().enumerate() {
            assert_eq!(event["sequence"], json!(place + 1), "the feed has no gap");
        }
    }
}

fn ids(events: &[Value]) -> BTreeSet<String> {
    events.iter().map(|event| text(event, "id").to_owned()).collect()
}

fn received_ids(received: &[Received]) -> BTreeSet<String> {
    received.iter().map(|one| one.id().to_owned()).collect()
}

/// Waits until the feed has at least so many events and the receiver has taken all of them, and nothing else.
#[track_caller]
fn assert_all_arrive(client: &Client, receiver: &Receiver, count: usize) {
    eventually(PATIENCE, || {
        let (said, arrived) = (ids(&feed(client)), received_ids(&receiver.taken()));
        let all = said == arrived && said.len() >= count;
        if all { Ok(()) } else { Err(format!("{} of {count} events, {} arrived", said.len(), arrived.len())) }
    });
}

fn advance(client: &Client, seconds: u32) {
    send(client, "POST", "/api/sandbox/clock", &json!({"advance_seconds": seconds}));
}

/// By another implementation.
fn verify(received: &Received, secret: &str) -> Result<(), String> {
    let mut headers = http::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, received.headers[name].parse().expect("a header"));
    }
    let webhook = Webhook::new(secret).map_err(|error| error.to_string())?;
    webhook.verify(&received.body, &headers).map_err(|error| error.to_string())
}

#[test]
fn what_happens_to_a_transaction_is_told_in_order_and_signed() {
    let switch = Switch::sandboxed();
    let (client, receiver) = (switch.client(), Receiver::start(Manner::Takes));
    let made = hook(&client, &receiver);
    let sale = client.sale(1_100, CARD);
    let declined = client.pay(&payment("sale", 900_005, CARD)).data();
    let held = client.authorize(900, CARD);
    client.capture(id(&held), 900);
    client.void(id(&sale));
    let expected = [
        (id(&sale), "transaction.captured", "pending_settlement"),
        (id(&declined), "transaction.declined", "declined"),
        (id(&held), "transaction.authorized", "authorized"),
        (id(&held), "transaction.captured", "pending_settlement"),
        (id(&sale), "transaction.voided", "voided"),
    ];
    assert_all_arrive(&client, &receiver, expected.len());
    for (event, (transaction, kind, status)) in feed(&client).iter().zip(expected) {
        assert_eq!((text(event, "object_id"), text(event, "type")), (transaction, kind));
        assert_eq!(event["data"]["status"], json!(status), "the version of then");
    }
    let secret = switch.sandbox_json()["webhook_secret"].as_str().expect("a secret").to_owned();
    assert_eq!(text(&made, "secret"), secret);
    for one in receiver.taken() {
        assert_eq!(verify(&one, &secret), Ok(()));
        let body: Value = serde_json::from_slice(&one.body).expect("JSON");
        assert_eq!(text(&body, "id"), one.id());
        assert!(feed(&client).contains(&body), "what is sent is what the feed says");
    }
    assert!(verify(&receiver.taken()[0], "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_err());
}

#[test]
fn for_a_day_after_a_change_both_secrets_sign() {
    let switch = Switch::sandboxed();
    let (client, receiver) = (switch.client(), Receiver::start(Manner::Takes));
    let made = hook(&client, &receiver);
    let path = format!("/api/webhooks/{}/rotate-secret", id(&made));
    let changed = send(&client, "POST", &path, &json!({}));
    let (older, newer) = (text(&made, "secret").to_owned(), text(&changed, "secret").to_owned());
    assert_ne!(older, newer);
    client.sale(1_100, CARD);
    assert_all_arrive(&client, &receiver, 1);
    let first = &receiver.taken()[0];
    assert_eq!((verify(first, &older), verify(first, &newer)), (Ok(()), Ok(())));
    advance(&client, 86_401);
    client.sale(1_200, CARD);
    assert_all_arrive(&client, &receiver, 2);
    let last = receiver.taken().pop().expect("it was told");
    assert!(verify(&last, &older).is_err());
    assert_eq!(verify(&last, &newer), Ok(()));
}

#[test]
fn one_receivers_faults_delay_nobody_else_and_lose_nothing() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let bad: Vec<Receiver> = [Manner::Fails, Manner::Redirects, Manner::Lies, Manner::Hangs].map(Receiver::start).into();
    let good = Receiver::start(Manner::Takes);
    for receiver in bad.iter().chain([&good]) {
        hook(&client, receiver);
    }
    let sales: Vec<Value> = (0..6).map(|number| client.sale(1_100 + number, CARD)).collect();
    client.void(id(&sales[0]));
    assert_all_arrive(&client, &good, 7);
    for receiver in &bad {
        eventually(PATIENCE, || if receiver.received().is_empty() { Err("nobody came".into()) } else { Ok(()) });
        assert!(receiver.received().iter().all(|one| one.path == "/hook"), "a redirect is not followed");
        receiver.behave(Manner::Takes);
    }
    // Hours of the calendar pass; what waited is told, in order about each thing.
    let all_have_all = || {
        let said = ids(&feed(&client));
        bad.iter().all(|receiver| received_ids(&receiver.taken()) == said).then_some(())
    };
    let told = (0..48).find_map(|_| {
        advance(&client, 3_600);
        until(Duration::from_secs(1), all_have_all)
    });
    assert!(told.is_some(), "each has everything");
    for receiver in bad {
        let first = |kind: &str| {
            let is_it = |one: &Received| {
                let body: Value = serde_json::from_slice(&one.body).expect("JSON");
                text(&body, "object_id") == id(&sales[0]) && text(&body, "type") == kind
            };
            receiver.taken().iter().position(is_it).expect("it was told")
        };
        assert!(first("transaction.captured") < first("transaction.voided"));
    }
}

#[test]
fn a_kill_loses_and_invents_nothing() {
    let mut switch = Switch::sandboxed();
    let receiver = Receiver::start(Manner::Takes);
    hook(&switch.client(), &receiver);
    let mut sales = BTreeSet::new();
    for round in 0..3 {
        for number in 0..8 {
            sales.insert(id(&switch.client().sale(1_100 + round * 10 + number, CARD)).to_owned());
        }
        switch.kill9();
        switch.start_again();
    }
    let client = switch.client();
    assert_all_arrive(&client, &receiver, sales.len());
    let events = feed(&client);
    let captured = events.iter().filter(|event| text(event, "type") == "transaction.captured");
    let told: Vec<String> = captured.map(|event| text(event, "object_id").to_owned()).collect();
    assert_eq!(told.len(), sales.len(), "each sale once");
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), sales);
}

#[test]
fn a_receiver_that_is_gone_is_switched_off_and_told_the_rest_when_it_is_back() {
    let switch = Switch::sandboxed();
    let (client, receiver) = (switch.client(), Receiver::start(Manner::Gone));
    client.sale(900, CARD);
    eventually(PATIENCE, || if feed(&client).len() == 1 { Ok(()) } else { Err("it is told of".into()) });
    let path = format!("/api/webhooks/{}", id(&hook(&client, &receiver)));
    let deliveries = || client.call("GET", &format!("{path}/deliveries"), &[], b"").data();
    assert_eq!(deliveries(), json!([]), "what was before it is not its");
    client.sale(1_100, CARD);
    let shown = || client.call("GET", &path, &[], b"").data();
    eventually(PATIENCE, || if shown()["status"] == json!("disabled") { Ok(()) } else { Err(shown().to_string()) });
    client.sale(1_200, CARD);
    receiver.behave(Manner::Takes);
    send(&client, "PATCH", &path, &json!({"status": "active"}));
    advance(&client, 60);
    eventually(PATIENCE, || {
        let (mut said, arrived) = (ids(&feed(&client)), received_ids(&receiver.taken()));
        said.retain(|id| *id != text(&feed(&client)[0], "id"));
        if said == arrived && said.len() == 2 { Ok(()) } else { Err(format!("{} arrived", arrived.len())) }
    });
    eventually(PATIENCE, || {
        let deliveries = deliveries();
        let open = deliveries.as_array().expect("a list").iter().filter(|one| one["status"] != json!("delivered")).count();
        if open == 0 { Ok(()) } else { Err(format!("{open} of {deliveries}")) }
    });
    // What has arrived may be sent again, by its number or by its id: with the same id, so that a receiver knows the repeat.
    let first = feed(&client).remove(1);
    for (again, times) in [(json!({"sequence": 2}), 2), (json!({"event_id": first["id"]}), 3)] {
        assert_eq!(send(&client, "POST", &format!("{path}/resend"), &again), json!({"queued": 1}));
        eventually(PATIENCE, || {
            let repeats = receiver.taken().iter().filter(|one| one.id() == text(&first, "id")).count();
            if repeats == times { Ok(()) } else { Err(format!("{repeats} times")) }
        });
    }
}

#[test]
fn the_calls_refuse_what_they_must() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    let refused = |body: Value| client.call("POST", "/api/webhooks", &[], body.to_string().as_bytes()).refusal();
    for url in
        ["http://shop.example/", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data", "ftp://shop.example/", "shop"]
    {
        let (status, message) = refused(json!({ "url": url }));
        assert!(status == 400 && message.contains("url"), "{url}: {status} {message}");
    }
    assert!(refused(json!({})).1.contains("url"));
    assert!(refused(json!({"url": "https://shop.example/", "events": ["order.lost"]})).1.contains("order.lost"));
    let browser = switch.client_with(keys::PUBLIC);
    for path in ["/api/events", "/api/webhooks", "/api/webhooks/secret"] {
        assert_eq!(browser.call("GET", path, &[], b"").refusal().0, 403, "{path}");
    }
    assert_eq!(client.call("GET", "/api/events?limit=0", &[], b"").refusal().0, 400);
    assert_eq!(client.call("GET", "/api/webhooks/9m4e2mr0ui3e8a215n4g", &[], b"").refusal().0, 404);
    let again = |body: Value| client.call("POST", "/api/webhooks/callbacks/resend", &[], body.to_string().as_bytes()).refusal();
    for unknown in
        ["evt_9m4e2mr0ui3e8a215n4g", "evt_9m4e2mr0ui3e8a215n4g_2", "evt_9m4e2mr0ui3e8a215n4g_99999999999999999999", "x"]
    {
        assert_eq!(again(json!({ "event_id": unknown })).0, 404, "{unknown}");
    }
    assert_eq!((again(json!({"after": 0})).0, again(json!({"sequence": 1, "event_id": "x"})).0), (400, 400));
}
