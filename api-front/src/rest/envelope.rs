//! The gateway's envelope around what is not a transaction: one thing, a list, or nothing.

use super::answer::ok;
use axum::response::Response;
use protocol::calendar::Micros;
use serde_json::{Value, json};

/// One thing.
pub(super) fn data(data: Value) -> Response {
    ok(json!({"status": "success", "msg": "success", "data": data}).to_string().into_bytes())
}

/// Nothing, with the words that the document has there.
pub(super) fn done(msg: &str) -> Response {
    ok(json!({"status": "success", "msg": msg, "data": null}).to_string().into_bytes())
}

/// A page of a list. The document says `total_count` here and `count` there: both are sent everywhere.
pub(super) fn page(items: Vec<Value>, total: u64) -> Response {
    let body = json!({"status": "success", "msg": "success", "data": items, "total_count": total, "count": items.len()});
    ok(body.to_string().into_bytes())
}

/// All there are.
pub(super) fn list(items: Vec<Value>) -> Response {
    let total = items.len() as u64;
    page(items, total)
}

/// RFC 3339 in UTC; `null` for a moment that never was.
pub(crate) fn moment(at: Micros) -> Value {
    if at.is_none() { Value::Null } else { at.to_string().into() }
}
