//! Addresses that came with a payment request or a link: a real receiver is told there of each change, in the words of that API.

use super::{PATIENCE, advance, send, verify};
use serde_json::{Value, json};
use tests::client::{Client, text};
use tests::payment::DECLINED;
use tests::receiver::{Manner, Received, Receiver};
use tests::shopper::{self, VISA, form, link, page_of_link, path_of, pay, requests_call};
use tests::{Switch, eventually};

/// What was taken at a path, once it is so many.
#[track_caller]
fn taken(receiver: &Receiver, path: &str, count: usize) -> Vec<Received> {
    let at_path = || -> Vec<Received> { receiver.taken().into_iter().filter(|one| one.path == path).collect() };
    eventually(PATIENCE, || if at_path().len() >= count { Ok(()) } else { Err(format!("{} of {count}", at_path().len())) });
    at_path()
}

fn secret(switch: &Switch) -> String {
    switch.sandbox_json()["webhook_secret"].as_str().expect("a secret").to_owned()
}

fn callbacks(client: &Client) -> Vec<Value> {
    client.call("GET", "/api/webhooks/callbacks", &[], b"").data().as_array().expect("a list").clone()
}

#[test]
fn each_status_of_a_payment_request_is_told_at_its_callback_url() {
    let switch = Switch::sandboxed();
    let (client, receiver) = (switch.client(), Receiver::start(Manner::Takes));
    let made = shopper::request(&client, "told", "https://shop.example", &receiver.url("/told"));
    let path = path_of(text(&made, "pay_url"));
    pay(&client, &path, DECLINED);
    pay(&client, &path, VISA);
    let left = shopper::request(&client, "left", "https://shop.example", &receiver.url("/left"));
    shopper::send(&client, &format!("{}/cancel", path_of(text(&left, "pay_url"))), "").expect("it is cancelled");
    let told = taken(&receiver, "/told", 2);
    let bodies: Vec<Value> = told.iter().map(|one| serde_json::from_slice(&one.body).expect("JSON")).collect();
    assert_eq!(
        bodies.iter().map(|body| text(body, "status")).collect::<Vec<_>>(),
        ["pending", "paid"],
        "a decline changes nothing"
    );
    let shown = requests_call(&client, "GET", &format!("/v1/payment/status/{}", text(&made, "payment_id")), "").json();
    assert_eq!(bodies[1], shown, "what is told is the order object");
    assert_eq!((text(&shown, "id"), text(&shown, "kupay_status")), ("told", "completed"));
    let cancelled: Value = serde_json::from_slice(&taken(&receiver, "/left", 1)[0].body).expect("JSON");
    assert_eq!((text(&cancelled, "status"), text(&cancelled, "kupay_status")), ("cancelled", "cancelled"));
    for one in receiver.taken() {
        assert_eq!((verify(&one, &secret(&switch)), one.headers["content-type"].as_str()), (Ok(()), "application/json"));
    }
}

#[test]
fn a_links_payment_endpoint_is_told_by_a_form_and_its_shopper_led_back() {
    let switch = Switch::sandboxed();
    let (client, receiver) = (switch.client(), Receiver::start(Manner::Takes));
    let fields = |path: &str| {
        let (told_at, back) = (receiver.url(path), "https://shop.example/back?order=7");
        json!({"amount": 5, "recipient_note": "Order 7", "paymentEndpoint": told_at, "callback_url": back})
    };
    let (paid, left) = (link(&client, &fields("/paid")), link(&client, &fields("/left")));
    let back = |link: &Value, status: &str| format!("https://shop.example/back?order=7&pay_id={}&status={status}", link["id"]);
    assert_eq!(pay(&client, &page_of_link(&client, &paid), VISA), back(&paid, "success"));
    let page = page_of_link(&client, &left);
    let cancelled = shopper::send(&client, &format!("{page}/cancel"), "").expect("it is cancelled");
    assert_eq!((cancelled.status, cancelled.header("location")), (303, Some(back(&left, "cancel").as_str())));
    let late = shopper::send(&client, &page, &form(1, VISA)).expect("an answer");
    assert_eq!(late.header("location"), Some(back(&left, "cancel").as_str()), "nobody pays what was cancelled");
    for (link, path, status) in [(&paid, "/paid", "success"), (&left, "/left", "cancel")] {
        let told = taken(&receiver, path, 1).remove(0);
        let body = format!("ResponseCode=1&data%5Bpay_id%5D={}&data%5Bstatus%5D={status}", link["id"]);
        assert_eq!(String::from_utf8_lossy(&told.body), body);
        assert_eq!(told.headers["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(verify(&told, &secret(&switch)), Ok(()));
    }
    assert_eq!(receiver.taken().len(), 2);
}

#[test]
fn callbacks_are_listed_and_sent_again_under_the_same_id() {
    let switch = Switch::sandboxed();
    let (client, receiver) = (switch.client(), Receiver::start(Manner::Gone));
    let made = link(&client, &json!({"amount": 5, "paymentEndpoint": receiver.url("/told")}));
    pay(&client, &page_of_link(&client, &made), VISA);
    let is = |status: &'static str| {
        eventually(PATIENCE, || match &callbacks(&client)[..] {
            [one] if one["status"] == status && one["url"] == receiver.url("/told") => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    is("dead");
    receiver.behave(Manner::Takes);
    assert_eq!(send(&client, "POST", "/api/webhooks/callbacks/resend", &json!({})), json!({"queued": 1}), "what was given up");
    is("delivered");
    let event = callbacks(&client)[0]["event_id"].clone();
    assert_eq!(send(&client, "POST", "/api/webhooks/callbacks/resend", &json!({ "event_id": event })), json!({"queued": 1}));
    let told = taken(&receiver, "/told", 2);
    assert!(told.iter().all(|one| one.id() == event.as_str().expect("an id")), "a receiver knows the repeat");
    is("delivered");
    // After a month it is known no more that they arrived; the events stay.
    let events = || client.call("GET", "/api/events", &[], b"").json()["total_count"].clone();
    let before = events();
    advance(&client, 31 * 86_400);
    eventually(PATIENCE, || if callbacks(&client).is_empty() { Ok(()) } else { Err(format!("{:?}", callbacks(&client))) });
    assert!(events().as_u64() >= before.as_u64());
}

#[test]
fn nobody_is_told_where_webhooks_may_not_go() {
    let switch = Switch::sandboxed();
    let client = switch.client();
    for url in ["https://169.254.169.254/latest", "https://10.0.0.1/", "https://[fd00::1]/", "https://shop:secret@shop.example/"]
    {
        let body = json!({
            "id": "x", "order_number": "x", "created_at": "2022-05-22T18:58:04+01:00", "currency": "EUR", "amount": 1,
            "cancel_url": "https://shop.example", "paid_url": "https://shop.example", "callback_url": url
        });
        let refused = requests_call(&client, "POST", "/v1/payment/create", &body.to_string());
        assert_eq!((refused.status, &refused.json()["field"]), (400, &json!("callback_url")), "{url}");
        let body = json!({"amount": 1, "paymentEndpoint": url}).to_string();
        let headers = [("token", client.key.as_str()), ("Content-Type", "application/json")];
        let refused = client.stranger("POST", "/api/v2/createLink", &headers, body.as_bytes());
        let said = refused.json();
        assert_eq!((refused.status, text(&said, "error")), (400, "InvalidParameters"), "{url}");
        assert!(text(&said, "errorMessage").contains("invalid paymentEndpoint: "), "{said}");
    }
}
