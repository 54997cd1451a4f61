//! A shopper without a browser: pages are fetched, forms sent, redirects seen. And the shop's calls that ask a shopper for money.

use crate::client::Client;
use crate::http::{self, Response};
use crate::patience::eventually;
use serde_json::{Value, json};
use std::time::Duration;

/// A card that pays.
pub const VISA: &str = "4111111111111111";
/// How long a shopper with a bad connection keeps clicking.
const PATIENCE: Duration = Duration::from_secs(20);

/// The part of an address behind its host: what is asked of the server.
pub fn path_of(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap_or_else(|| panic!("{url} is an address"));
    rest.find('/').map_or_else(|| "/".to_owned(), |at| rest[at..].to_owned())
}

/// The page as a shopper sees it.
#[track_caller]
pub fn page(client: &Client, path: &str) -> String {
    let response = client.stranger("GET", path, &[], b"");
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response.text()
}

/// The number of the attempt that a page's form would be; none where there is no form.
pub fn attempt_of(page: &str) -> Option<u32> {
    let (_, rest) = page.split_once("name=\"attempt\" value=\"")?;
    rest.split('"').next()?.parse().ok()
}

/// The form, filled in.
pub fn form(attempt: u32, card: &str) -> String {
    format!("attempt={attempt}&number={card}&expiry=12%2F33&code=123&name=Ada+Lovelace&postal_code=60601")
}

/// The form for a bank account, filled in.
pub fn account_form(attempt: u32, routing: &str, account: &str) -> String {
    format!(
        "by=account&attempt={attempt}&routing_number={routing}&account_number={account}&account_type=checking&name=Ada+Lovelace"
    )
}

/// Sends a form.
pub fn send(client: &Client, path: &str, body: &str) -> std::io::Result<Response> {
    let address = client.address;
    http::exchange(address, "POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], body.as_bytes())
}

/// Opens the page, fills its form in and sends it. The answer is where the browser is sent.
#[track_caller]
pub fn pay(client: &Client, path: &str, card: &str) -> String {
    let attempt = attempt_of(&page(client, path)).unwrap_or_else(|| panic!("{path} can't be paid"));
    let response = send(client, path, &form(attempt, card)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(response.status, 303, "{}", response.text());
    response.header("location").expect("a redirect leads somewhere").to_owned()
}

/// Clicks until the page says that it is paid, as a shopper would whose connection is bad.
#[track_caller]
pub fn pay_at_last(client: &Client, path: &str) {
    eventually(PATIENCE, || {
        let shown = page(client, path);
        if shown.contains("You have paid") {
            return Ok(());
        }
        if let Some(attempt) = attempt_of(&shown) {
            send(client, path, &form(attempt, VISA)).map_err(|error| error.to_string())?;
        }
        Err(shown)
    });
}

/// `Authorization` of the orders API.
pub fn basic(key: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = "Basic ".to_owned();
    for group in format!("{key}:").as_bytes().chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > group.len() { '=' } else { digit.into() });
        }
    }
    out
}

/// An order as its merchant makes it.
#[track_caller]
pub fn order(client: &Client, id: &str, total: u64) -> Value {
    let body = json!({"id": id, "total_cents": total, "currency": "USD", "items": [{"description": "51 inch TV", "amount_cents": total}]});
    let made = orders_call(client, "POST", "/api/v1/orders", &body);
    assert_eq!(made.status, 200, "{}", made.text());
    made.json()
}

/// The order as it stands.
#[track_caller]
pub fn order_now(client: &Client, id: &str) -> Value {
    let shown = orders_call(client, "GET", &format!("/api/v1/orders/{id}"), &Value::Null);
    assert_eq!(shown.status, 200, "{}", shown.text());
    shown.json()
}

/// A call of the orders API.
#[track_caller]
pub fn orders_call(client: &Client, method: &str, path: &str, body: &Value) -> Response {
    let authorization = basic(&client.key);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    client.stranger(method, path, &headers, body.as_bytes())
}

/// A payment request over 1,234.50 EUR, whose shopper comes back to `shop`, which is told at `callback_url`.
#[track_caller]
pub fn request(client: &Client, id: &str, shop: &str, callback_url: &str) -> Value {
    let body = json!({
        "id": id, "order_number": id, "created_at": "2022-05-22T18:58:04+01:00", "currency": "EUR", "amount": 1234.5,
        "cancel_url": format!("{shop}/cancelled?order={id}"), "paid_url": format!("{shop}/paid?order={id}"),
        "callback_url": callback_url
    });
    let made = requests_call(client, "POST", "/v1/payment/create", &body.to_string());
    assert_eq!(made.status, 200, "{}", made.text());
    made.json()
}

/// A call of the payment requests API.
#[track_caller]
pub fn requests_call(client: &Client, method: &str, path: &str, body: &str) -> Response {
    let bearer = format!("Bearer {}", client.key);
    client.stranger(method, path, &[("Authorization", &bearer), ("Content-Type", "application/json")], body.as_bytes())
}

/// A new link with these fields, JSON.
#[track_caller]
pub fn link(client: &Client, fields: &Value) -> Value {
    let headers = [("token", client.key.as_str()), ("Content-Type", "application/json")];
    let made = client.stranger("POST", "/api/v2/createLink", &headers, fields.to_string().as_bytes());
    assert_eq!(made.status, 200, "{}", made.text());
    made.json()["data"].clone()
}

/// The path of a link's page, found by following the link.
#[track_caller]
pub fn page_of_link(client: &Client, link: &Value) -> String {
    let pay_link = link["pay_link"].as_str().expect("a link has an address");
    let followed = client.stranger("GET", &path_of(pay_link), &[], b"");
    assert_eq!(followed.status, 303, "{}", followed.text());
    path_of(followed.header("location").expect("the page's address"))
}
