//! Answers as HTTP: status, headers, and the envelope around what went wrong.

use crate::rest::json::Writer;
use crate::rest::problem::Problem;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use protocol::id::Xid;

/// Says that the answer was given before to the same idempotency key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Where a transaction is found, but for its id.
const PLACE: &[u8] = b"/api/transaction/";
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with a body of ours.
pub(crate) fn ok(body: Vec<u8>) -> Response {
    with_status(StatusCode::OK, body)
}

/// Any status with a body of ours.
pub(crate) fn with_status(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// 200 for an operation: where the transaction that resulted is, and whether this was answered before.
pub(crate) fn resulted(body: Vec<u8>, id: &Xid, replayed: bool) -> Response {
    let mut response = ok(body);
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_maybe_shared(Bytes::from([PLACE, &id.to_text()].concat())) {
        headers.insert(header::LOCATION, location);
    }
    if replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut out = Writer::starting("{", 256);
        out.word("status", "failed");
        out.text("msg", &self.to_string());
        out.name("data");
        out.verbatim("null}");
        let mut response = with_status(self.status(), out.finish());
        if let Some(seconds) = self.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// RFC 7240: the client wants the transaction where the document shows `null`.
pub(crate) fn prefers_representation(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all(PREFER).into_iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split([',', ';'])).any(|preference| {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        name.trim().eq_ignore_ascii_case("return") && value.trim().trim_matches('"') == "representation"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preference_is_found_among_others() {
        let prefers = |values: &[&'static str]| {
            let headers = values.iter().map(|value| (PREFER, HeaderValue::from_static(value))).collect();
            prefers_representation(&headers)
        };
        assert!(prefers(&["return=representation"]));
        assert!(prefers(&["respond-async, Return=\"representation\"; x=1"]));
        assert!(prefers(&["wait=10", "return = representation"]));
        assert!(!prefers(&["return=minimal"]));
        assert!(!prefers(&[]));
    }

    #[test]
    fn a_replay_and_a_place_are_said_in_headers() {
        let id = Xid::from_parts(1, [2; 5], 4);
        let response = resulted(Vec::new(), &id, true);
        assert_eq!(response.headers()[header::LOCATION], format!("/api/transaction/{id}"));
        assert_eq!(response.headers()[REPLAYED], "true");
        assert!(!resulted(Vec::new(), &id, false).headers().contains_key(REPLAYED));
    }
}
