//! Payment links as their documents show them, called by a merchant and paid by a shopper; the money behind them, by nights and months.

mod calls;
mod crash;
mod model;
mod money;
mod shopper;

use serde_json::{Value, json};
use tests::client::{Client, text};
use tests::http::Response;

/// One call of `/api/v2` with a form of these fields.
#[track_caller]
pub fn send(client: &Client, call: &str, fields: &[(&str, &str)]) -> Response {
    let form = fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect::<Vec<_>>().join("&");
    send_as(client, call, "application/x-www-form-urlencoded", form.as_bytes())
}

/// The same with JSON.
#[track_caller]
pub fn send_json(client: &Client, call: &str, body: &Value) -> Response {
    send_as(client, call, "application/json", body.to_string().as_bytes())
}

/// The same with a body of whatever type.
#[track_caller]
pub fn send_as(client: &Client, call: &str, content_type: &str, body: &[u8]) -> Response {
    let headers = [("token", client.key.as_str()), ("Content-Type", content_type)];
    client.stranger("POST", &format!("/api/v2/{call}"), &headers, body)
}

/// `data` of an envelope that says success.
#[track_caller]
pub fn data(response: &Response) -> Value {
    let said = response.json();
    assert_eq!(response.status, 200, "{said}");
    assert_eq!((&said["ResponseCode"], &said["Result"], &said["ServerTime"]), (&json!(1), &json!("True"), &json!("UTC")));
    said["data"].clone()
}

/// Status, `error` and `errorMessage` of an envelope that says failure.
#[track_caller]
pub fn refusal(response: &Response) -> (u16, String, String) {
    let said = response.json();
    assert_eq!((&said["ResponseCode"], &said["Result"], &said["data"]), (&json!(0), &json!("False"), &Value::Null), "{said}");
    assert_eq!(said["ResponseMsg"], said["errorMessage"]);
    (response.status, text(&said, "error").to_owned(), text(&said, "errorMessage").to_owned())
}

/// The items of a list.
#[track_caller]
pub fn items(client: &Client, call: &str, fields: &[(&str, &str)]) -> Vec<Value> {
    data(&send(client, call, fields)).as_array().cloned().expect("data is a list")
}

/// A new link over so much.
#[track_caller]
pub fn link(client: &Client, amount: &str) -> Value {
    data(&send(client, "createLink", &[("amount", amount), ("recipient_note", "Payment for Invoice #1234")]))
}

/// A new merchant with these terms of payment links, made by the operator.
#[track_caller]
pub fn merchant(operator: &Client, name: &str, links: &Value) -> Client {
    let body = json!({"name": name, "settings": {"links": links, "duplicate_window_s": 0}});
    let made = operator.call("POST", "/operator/merchants", &[], body.to_string().as_bytes()).data();
    Client { address: operator.address, key: text(&made, "api_key").to_owned() }
}

/// Percent-encoded but for what needs no care.
fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
