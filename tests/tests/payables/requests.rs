//! The payment requests API: the document's sample, its states, and the ways back to the shop.

use serde_json::{Value, json};
use tests::http::Response;
use tests::shopper::{form, page, path_of, pay, requests_call, send};
use tests::switch::{keys, shared};
use tests::{Client, Options, Switch};

/// As the document prints it, but for the id.
fn sample(id: &str) -> String {
    format!(
        "{{\n\t\"id\": \"{id}\",\n\t\"order_number\": \"1234\",\n\t\"created_at\": \"2022-05-22T18:58:04+01:00\",\n\t\"currency\": \"USD\",\n\t\
         \"amount\": 123.45,\n\t\"email\": \"\",\n\t\"order_status_url\": \"https://example.com\",\n\t\"cancel_url\": \"https://example.com\",\n\t\
         \"paid_url\": \"https://example.com\",\n\t\"callback_url\": \"https://example.com\"\n}}"
    )
}

fn create(client: &Client, body: &str) -> Response {
    requests_call(client, "POST", "/v1/payment/create", body)
}

fn status(client: &Client, id: &str) -> Response {
    requests_call(client, "GET", &format!("/v1/payment/status/{id}"), "")
}

#[track_caller]
fn made(client: &Client, id: &str) -> Value {
    let made = create(client, &sample(id));
    assert_eq!(made.status, 200, "{}", made.text());
    made.json()
}

#[test]
fn the_documents_sample_makes_a_request_that_is_paid_and_leads_back() {
    let switch = shared();
    let client = switch.client();
    let request = made(&client, "12345");
    let id = request["payment_id"].as_str().unwrap();
    assert!(request["pay_url"].as_str().unwrap().ends_with(id), "as the document's sample does: {request}");
    let sent: Value = serde_json::from_str(&sample("12345")).unwrap();
    let shown = status(&client, id).json();
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name} comes back");
    }
    assert_eq!(
        (&shown["status"], &shown["kupay_status"], &shown["transaction_id"]),
        (&json!("created"), &json!("open"), &Value::Null)
    );
    assert_eq!(create(&client, &sample("12345")).json()["payment_id"], request["payment_id"], "the same request again");
    assert_eq!(create(&client, &sample("12345").replace("123.45", "99.00")).status, 409);
    let path = path_of(request["pay_url"].as_str().unwrap());
    assert_eq!(pay(&client, &path, "4111111111111111"), "https://example.com?status=completed");
    let paid = status(&client, id).json();
    assert_eq!((&paid["status"], &paid["kupay_status"]), (&json!("paid"), &json!("completed")));
    assert_eq!(client.get(paid["transaction_id"].as_str().unwrap())["amount"], 12_345);
    assert!(page(&client, &path).contains("https://example.com?status=completed"), "whoever comes back finds the way on");
}

#[test]
fn a_shopper_may_cancel_and_the_shop_may_ask_anew() {
    let switch = shared();
    let client = switch.client();
    let request = made(&client, "cancelled-1");
    let path = path_of(request["pay_url"].as_str().unwrap());
    let cancelled = send(&client, &format!("{path}/cancel"), "").unwrap();
    assert_eq!((cancelled.status, cancelled.header("location")), (303, Some("https://example.com?status=cancelled")));
    let shown = status(&client, request["payment_id"].as_str().unwrap()).json();
    assert_eq!((&shown["status"], &shown["kupay_status"]), (&json!("cancelled"), &json!("cancelled")));
    let late = send(&client, &path, &form(1, "4111111111111111")).unwrap();
    assert_eq!((late.status, late.header("location")), (303, Some("https://example.com?status=cancelled")));
    assert!(page(&client, &path).contains("Cancelled"));
    let again = made(&client, "cancelled-1");
    assert_ne!(again["payment_id"], request["payment_id"], "the shopper may begin anew");
    assert_eq!(again["status"], "created");
}

#[test]
fn requests_expire_after_seven_days_by_the_calendar() {
    let mut switch = Switch::start(Options::default());
    let client = switch.client();
    let request = made(&client, "late");
    let id = request["payment_id"].as_str().unwrap().to_owned();
    let advance = |seconds: u64| {
        let moved = client.call("POST", "/api/sandbox/clock", &[], json!({"advance_seconds": seconds}).to_string().as_bytes());
        assert_eq!(moved.status, 200, "{}", moved.text());
    };
    advance(7 * 86_400 - 60);
    assert_eq!(status(&client, &id).json()["status"], "created");
    advance(61);
    let expired = status(&client, &id).json();
    assert_eq!((&expired["status"], &expired["kupay_status"]), (&json!("expired"), &json!("expired")), "at once");
    assert!(page(&client, &path_of(request["pay_url"].as_str().unwrap())).contains("Expired"));
    switch.terminate();
}

#[test]
fn a_request_is_its_merchants_and_wrong_ones_are_told_by_their_field() {
    let switch = shared();
    let client = switch.client();
    let request = made(&client, "mine");
    let id = request["payment_id"].as_str().unwrap();
    assert_eq!(status(&Client { key: keys::PUBLIC.to_owned(), ..client.clone() }, id).status, 403);
    assert_eq!(status(&Client { key: "api_wrong".to_owned(), ..client.clone() }, id).status, 401);
    assert_eq!(status(&client, "d038ea94").status, 404);
    for (from, to, field) in [
        ("123.45", "123.456", "amount"),
        ("\"USD\"", "\"ZAR\"", "currency"),
        ("2022-05-22T18:58:04+01:00", "22.5.2022", "created_at"),
        ("\"paid_url\": \"https:", "\"paid_url\": \"http:", "paid_url"),
    ] {
        let refused = create(&client, &sample("wrong").replacen(from, to, 1));
        let said = refused.json();
        assert_eq!((refused.status, &said["field"]), (400, &json!(field)), "{said}");
    }
}
