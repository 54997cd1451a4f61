//! A shopper of links: opens one, fills the page's form, sends it.

use serde_json::Value;
use tests::client::Client;
use tests::http::Response;
use tests::shopper::{VISA, form, page_of_link, send};

/// Sends the form of a page's first attempt.
#[track_caller]
pub fn submit(client: &Client, page: &str, card: &str) -> Response {
    send(client, page, &form(1, card)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Pays a link, and gives where the shopper is sent to.
#[track_caller]
pub fn pay(client: &Client, link: &Value) -> String {
    let answer = submit(client, &page_of_link(client, link), VISA);
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").expect("where the shopper goes on to").to_owned()
}
