use super::read::{Order, order, path_segment};
use super::*;
use axum::http::header;

/// The document's own sample, its parts short of its total by 15.00.
const SAMPLE: &str = r#"{
    "id":"MERCHANT_GENERATED_ORDER_ID",
    "sub_total_cents": 10000,
    "shipping_amount_cents": 200,
    "total_cents": 12200,
    "currency": "USD",
    "items":
    [{
        "description": "51 inch TV",
        "amount_cents": "10000"
    }],
    "taxes":
    [{
        "description": "GST",
        "amount_cents": "500"
    }]}"#;

fn read(body: &str) -> Result<Order, Problem> {
    order(Sent::read(body.as_bytes())?)
}

#[test]
fn the_documents_sample_is_taken_and_the_difference_told() {
    let order = read(SAMPLE).ok().unwrap();
    assert_eq!((order.id.as_str(), order.amount), ("MERCHANT_GENERATED_ORDER_ID", 12_200));
    assert_eq!(order.body["adjustment_cents"], 1_500);
    assert_eq!(order.body["items"][0]["amount_cents"], "10000", "it comes back as it was sent");
    let labels: Vec<&str> = order.page.sums.iter().map(|line| line.label.as_str()).collect();
    assert_eq!(labels, ["Subtotal", "Shipping", "GST", "Adjustment"]);
}

#[test]
fn a_total_below_its_parts_is_refused_and_parts_that_are_missing_are_not_summed() {
    let below = read(&SAMPLE.replace("12200", "10699")).err().unwrap();
    assert!(
        below.to_string().contains("invalid total_cents: must be at least") && below.to_string().contains("10700"),
        "{below}"
    );
    assert_eq!(read(&SAMPLE.replace("12200", "\"10700\"")).ok().unwrap().body["adjustment_cents"], 0);
    assert_eq!(read(r#"{"id":"7","sub_total_cents":500,"total_cents":400}"#).ok().unwrap().amount, 400);
}

#[test]
fn what_is_wrong_is_named() {
    for (body, field) in [
        ("{}", "id"),
        (r#"{"id":7,"total_cents":1}"#, "id"),
        (r#"{"id":"7"}"#, "total_cents"),
        (r#"{"id":"7","total_cents":0}"#, "total_cents"),
        (r#"{"id":"7","total_cents":1.5}"#, "total_cents"),
        (r#"{"id":"7","total_cents":"1.50"}"#, "total_cents"),
        (r#"{"id":"7","total_cents":-1}"#, "total_cents"),
        (r#"{"id":"7","total_cents":1000000000000}"#, "total_cents"),
        (r#"{"id":"7","total_cents":1,"currency":"DOLLARS"}"#, "currency"),
        (r#"{"id":"7","total_cents":1,"items":{}}"#, "items"),
        (r#"{"id":"7","total_cents":1,"items":[{"amount_cents":"x"}]}"#, "items.amount_cents"),
        (r#"{"id":"7","total_cents":1,"taxes":[{"description":5}]}"#, "taxes.description"),
        ("[]", "body"),
    ] {
        let problem = read(body).err().unwrap();
        let Problem::Invalid { field: named, .. } = &problem else { panic!("{body}: {problem}") };
        assert_eq!(named, field, "{body}: {problem}");
    }
}

#[test]
fn the_key_is_the_users_name() {
    let user = |value: &str| basic_user(&HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]));
    // api_x with an empty password, with another, without a colon.
    assert_eq!(user("Basic YXBpX3g6").as_deref(), Some("api_x"));
    assert_eq!(user("basic YXBpX3g6KioqKg==").as_deref(), Some("api_x"));
    for wrong in ["Basic YXBpX3g=", "Basic Og==", "Basic ?", "Bearer YXBpX3g6", "api_x"] {
        assert_eq!(user(wrong), None, "{wrong}");
    }
    assert_eq!(path_segment("a b/ö"), "a%20b%2F%C3%B6");
}
