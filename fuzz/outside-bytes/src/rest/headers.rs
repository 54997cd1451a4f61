//! Headers and ids in paths: short texts that decide who asks, and for what.

use super::is_told_well;
use api_front::intake::Key;
use api_front::rest::limits::IDEMPOTENCY_KEY_MAX_CHARS;
use api_front::rest::presented_key;
use api_front::rest::request::{SentKey, Step};
use axum::http::{HeaderMap, HeaderValue, header};
use protocol::id::Xid;
use serde_json::json;

/// Any bytes as the value of `Authorization`, of `Idempotency-Key`, and as an id in a path.
pub fn any_value(input: &[u8]) {
    authorization(input);
    idempotency_key(input);
    if let Ok(text) = std::str::from_utf8(input) {
        id(text);
    }
}

/// Whatever is presented has no blanks around it, and means the same with the word `Bearer` before it.
fn authorization(value: &[u8]) {
    let Some(headers) = authorized_by(value) else { return };
    let Some(key) = presented_key(&headers) else { return };
    assert!(!key.is_empty() && key.trim() == key);
    let again = authorized_by(format!("Bearer {key}").as_bytes()).expect("a key is a header's value");
    assert_eq!(presented_key(&again), Some(key));
}

fn authorized_by(value: &[u8]) -> Option<HeaderMap> {
    let value = HeaderValue::from_bytes(value).ok()?;
    Some(HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
}

/// A key that holds is short and visible, and is the same key when it comes quoted, or in the body.
fn idempotency_key(value: &[u8]) {
    match SentKey::default().with_header(Some(value)) {
        Err(problem) => is_told_well(&problem),
        Ok(None) => panic!("a header that is there names a key"),
        Ok(Some(key)) => {
            assert!((1..=IDEMPOTENCY_KEY_MAX_CHARS).contains(&key.text.len()));
            assert!(key.text.bytes().all(|byte| byte.is_ascii_graphic()));
            assert_eq!(quoted(&key.text).as_ref(), Some(&key));
            assert_eq!(in_body(&key.text).as_ref(), Some(&key));
        }
    }
}

/// As the draft of the IETF writes it: a string of structured fields, RFC 8941.
fn quoted(key: &str) -> Option<Key> {
    let escaped = key.replace('\\', "\\\\").replace('"', "\\\"");
    SentKey::default().with_header(Some(format!("\"{escaped}\"").as_bytes())).ok()?
}

fn in_body(key: &str) -> Option<Key> {
    let body = json!({ "idempotency_key": key }).to_string();
    Step::parse_void(body.as_bytes()).ok()?.key.with_header(None).ok()?
}

/// An id has one text.
fn id(text: &str) {
    match text.parse::<Xid>() {
        Ok(id) => assert_eq!(id.to_text(), text.as_bytes()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
