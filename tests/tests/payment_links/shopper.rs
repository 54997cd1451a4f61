//! A shopper: opens a link, fills the page's form, sends it.

use super::escaped;
use serde_json::Value;
use tests::client::{Client, text};
use tests::http::Response;

pub const VISA: &str = "4111111111111111";

/// The path of a link's page, found by following the link.
#[track_caller]
pub fn page_of(client: &Client, link: &Value) -> String {
    let followed = client.stranger("GET", &path_of(text(link, "pay_link")), &[], b"");
    assert_eq!(followed.status, 303, "{}", followed.text());
    path_of(followed.header("location").expect("the page's address"))
}

/// Sends the form of a page's first attempt.
#[track_caller]
pub fn submit(client: &Client, page: &str, card: &str) -> Response {
    let form = [
        ("attempt", "1"),
        ("number", card),
        ("expiry", "12/39"),
        ("code", "123"),
        ("name", "A Shopper"),
        ("postal_code", "60000"),
    ];
    let body = form.map(|(name, value)| format!("{name}={}", escaped(value))).join("&");
    client.stranger("POST", page, &[("Content-Type", "application/x-www-form-urlencoded")], body.as_bytes())
}

/// Pays a link, and gives where the shopper is sent to.
#[track_caller]
pub fn pay(client: &Client, link: &Value) -> String {
    let answer = submit(client, &page_of(client, link), VISA);
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").expect("where the shopper goes on to").to_owned()
}

/// What follows the address in a URL.
pub fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..]).to_owned()
}
