//! A shopper without a browser: pages are fetched, forms sent, redirects seen.

use serde_json::{Value, json};
use tests::Client;
use tests::http::Response;

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

/// Sends a form.
pub fn send(client: &Client, path: &str, body: &str) -> std::io::Result<Response> {
    let address = client.address;
    tests::http::exchange(address, "POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], body.as_bytes())
}

/// Opens the page, fills its form in and sends it. The answer is where the browser is sent.
#[track_caller]
pub fn pay(client: &Client, path: &str, card: &str) -> String {
    let attempt = attempt_of(&page(client, path)).unwrap_or_else(|| panic!("{path} can't be paid"));
    let response = send(client, path, &form(attempt, card)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(response.status, 303, "{}", response.text());
    response.header("location").expect("a redirect leads somewhere").to_owned()
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
