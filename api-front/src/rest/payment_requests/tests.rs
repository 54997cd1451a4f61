use super::read::{Asked, is_good_url, request, with_status};
use super::*;

/// The document's own sample.
const SAMPLE: &str = r#"{
	"id": "12345",
	"order_number": "1234",
	"created_at": "2022-05-22T18:58:04+01:00",
	"currency": "USD",
	"amount": 123.45,
	"email": "",
	"order_status_url": "https://example.com",
	"cancel_url": "https://example.com",
	"paid_url": "https://example.com",
	"callback_url": "https://example.com"
}"#;

fn read(body: &str) -> Result<Asked, Problem> {
    request(Sent::read(body.as_bytes())?, false)
}

#[test]
fn the_documents_sample_is_taken_exactly() {
    let asked = read(SAMPLE).ok().unwrap();
    assert_eq!((asked.id.as_str(), asked.amount, asked.currency.code()), ("12345", 12_345, "USD"));
    assert_eq!(asked.page.paid_url, "https://example.com?status=completed");
    assert_eq!(asked.page.cancel_url, "https://example.com?status=cancelled");
    assert_eq!(asked.body["amount"].to_string(), "123.45");
}

#[test]
fn amounts_are_exact_and_have_the_currencys_decimals() {
    let amount =
        |amount: &str, currency: &str| read(&SAMPLE.replace("123.45", amount).replace("USD", currency)).map(|asked| asked.amount);
    assert_eq!(amount("0.1", "USD").ok(), Some(10));
    assert_eq!(amount("9999999999.99", "USD").ok(), Some(999_999_999_999));
    assert_eq!(amount("\"123.45\"", "EUR").ok(), Some(12_345));
    assert_eq!(amount("1500", "JPY").ok(), Some(1_500));
    for (text, currency) in
        [("0.001", "USD"), ("1.5", "KRW"), ("0", "USD"), ("-1", "USD"), ("1e2", "USD"), ("\"1,5\"", "EUR"), ("null", "USD")]
    {
        let problem = amount(text, currency).err().unwrap();
        assert!(problem.to_string().contains("invalid amount: "), "{text} {currency}: {problem}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (from, to, field) in [
        ("\"12345\"", "12345", "id"),
        ("\"1234\"", "\"\"", "order_number"),
        ("2022-05-22T18:58:04+01:00", "yesterday", "created_at"),
        ("USD", "ZAR", "currency"),
        ("\"email\": \"\"", "\"email\": \"nobody\"", "email"),
        ("\"paid_url\": \"https://", "\"paid_url\": \"http://", "paid_url"),
        ("\"callback_url\": \"https://example.com\"", "\"x\": 1", "callback_url"),
        ("\"cancel_url\": \"https://example.com\"", "\"cancel_url\": \"javascript:alert(1)\"", "cancel_url"),
    ] {
        let problem = read(&SAMPLE.replacen(from, to, 1)).err().unwrap();
        let Problem::Invalid { field: named, .. } = &problem else { panic!("{to}: {problem}") };
        assert_eq!(named, field, "{to}: {problem}");
    }
}

#[test]
fn only_https_leads_out_and_only_a_sandbox_leads_to_this_machine() {
    for url in ["https://shop.example/x?y=1#z", "HTTPS://shop.example:8443"] {
        assert!(is_good_url(url, false), "{url}");
    }
    for url in ["http://127.0.0.1:9000/x", "http://localhost", "http://[::1]:80/"] {
        assert!(is_good_url(url, true) && !is_good_url(url, false), "{url}");
    }
    for url in [
        "http://shop.example",
        "https://",
        "https://shop.example@evil.example",
        "//shop.example",
        "https://a b",
        "ftp://127.0.0.1",
    ] {
        assert!(!is_good_url(url, true), "{url}");
    }
}

#[test]
fn the_status_joins_whatever_query_there_is() {
    for (url, expected) in [
        ("https://a.example", "https://a.example?status=completed"),
        ("https://a.example/p?x=1", "https://a.example/p?x=1&status=completed"),
        ("https://a.example/p?", "https://a.example/p?status=completed"),
        ("https://a.example/#/paid", "https://a.example/?status=completed#/paid"),
    ] {
        assert_eq!(with_status(url, "completed"), expected);
    }
}
