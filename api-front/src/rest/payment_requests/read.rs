//! A payment request as it is sent: checked, and what its page shows.

use crate::payables::Page;
use crate::rest::limits::{EMAIL_MAX_CHARS, ORDER_ID_MAX_CHARS, REFERENCE_MAX_CHARS, URL_MAX_CHARS, WORD_MAX_CHARS};
use crate::rest::problem::Problem;
use crate::rest::request::checks;
use crate::rest::sent::Sent;
use jiff::Timestamp;
use protocol::money::Currency;
use serde_json::{Map, Value};
use std::net::IpAddr;

/// The document's list.
const CURRENCIES: [&str; 18] = [
    "USD", "EUR", "JPY", "GBP", "AUD", "CAD", "CHF", "CNY", "HKD", "NZD", "SEK", "KRW", "SGD", "NOK", "MXN", "INR", "BRL", "NGN",
];

/// A payment request, checked.
pub(super) struct Asked {
    /// The shop's id of its order.
    pub(super) id: String,
    /// Minor units.
    pub(super) amount: u64,
    pub(super) currency: Currency,
    pub(super) page: Page,
    /// Where the shop is told what becomes of it.
    pub(super) callback_url: String,
    /// What was sent.
    pub(super) body: Map<String, Value>,
}

/// Reads a payment request. In a sandbox addresses of this machine may do without TLS.
pub(super) fn request(sent: Sent<'_>, in_sandbox: bool) -> Result<Asked, Problem> {
    let id = sent.required_text("id", REFERENCE_MAX_CHARS)?.to_owned();
    let order_number = sent.required_text("order_number", REFERENCE_MAX_CHARS)?.to_owned();
    moment(sent.required_text("created_at", WORD_MAX_CHARS)?)?;
    let currency = currency(sent.required_text("currency", WORD_MAX_CHARS)?)?;
    let amount = currency.parse_major(sent.decimal("amount")?).map_err(|error| Problem::invalid("amount", error.to_string()))?;
    if amount == 0 {
        return Err(Problem::invalid("amount", "must be more than 0"));
    }
    let url = |name: &'static str| -> Result<Option<String>, Problem> {
        let Some(url) = sent.text(name, URL_MAX_CHARS)? else { return Ok(None) };
        is_good_url(url, in_sandbox).then(|| Some(url.to_owned())).ok_or_else(|| Problem::invalid(name, URL_WORDS))
    };
    let required = |name| url(name)?.ok_or_else(|| Problem::invalid(name, "is required"));
    let (cancel_url, paid_url) = (required("cancel_url")?, required("paid_url")?);
    let callback_url = required("callback_url")?;
    let page = Page {
        title: format!("Order {order_number}"),
        order_id: order_number.chars().take(ORDER_ID_MAX_CHARS).collect(),
        email: email(&sent)?.to_owned(),
        paid_url: with_status(&paid_url, "completed"),
        cancel_url: with_status(&cancel_url, "cancelled"),
        status_url: url("order_status_url")?.unwrap_or_default(),
        takes_accounts: true,
        ..Page::default()
    };
    Ok(Asked { id, amount, currency, page, callback_url, body: sent.into_object() })
}

fn moment(text: &str) -> Result<(), Problem> {
    let parsed: Result<Timestamp, _> = text.parse();
    let words = "must be a moment in RFC 3339 such as 2022-05-22T18:58:04+01:00";
    parsed.map(drop).map_err(|_| Problem::invalid("created_at", words))
}

fn currency(code: &str) -> Result<Currency, Problem> {
    let known = CURRENCIES.into_iter().find(|known| *known == code).and_then(Currency::from_code);
    known.ok_or_else(|| Problem::invalid("currency", format!("must be one of {}", CURRENCIES.join(", "))))
}

fn email<'s>(sent: &'s Sent<'_>) -> Result<&'s str, Problem> {
    let text = sent.text("email", EMAIL_MAX_CHARS)?.unwrap_or("");
    let is_good = text.is_empty() || checks::email(text);
    is_good.then_some(text).ok_or_else(|| Problem::invalid("email", "must be an e-mail address such as name@example.com"))
}

const URL_WORDS: &str = "must be an https address such as https://shop.example/paid";

/// An absolute https address; in a sandbox also a plain one of this machine.
pub(super) fn is_good_url(url: &str, in_sandbox: bool) -> bool {
    let is_plain_text =
        url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`'));
    let (scheme, rest) = url.split_once("://").unwrap_or(("", ""));
    let host = host_of(rest);
    let is_allowed = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => in_sandbox && is_this_machine(host),
        _ => false,
    };
    is_plain_text && is_allowed && !host.is_empty()
}

/// The host of what stands behind `://`. Empty when a user's name stands before it: nobody but a deceiver writes such.
fn host_of(rest: &str) -> &str {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    if authority.contains('@') {
        return "";
    }
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => authority.split(':').next().unwrap_or(""),
    }
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The address with what became of it added to its query.
pub(super) fn with_status(url: &str, status: &str) -> String {
    let (before, fragment) = url.split_once('#').map_or((url, None), |(before, fragment)| (before, Some(fragment)));
    let mark = match before.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{before}{mark}status={status}{fragment}")
}
