//! What a browser may ask of us from a merchant's own page: to make a token of a card, and to pay with a public key.
//!
//! Any page may, for who asks is said by the key in a header, and no cookie of ours means anything there. All other calls stay closed
//! to other origins: they need keys that no browser should hold.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;

/// What a page may call.
const PATHS: [&str; 2] = ["/api/token", "/api/transaction"];
const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST")),
    (
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, idempotency-key, prefer, x-request-id"),
    ),
    // Two hours, the longest that browsers remember.
    (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200")),
];
const READABLE: HeaderValue = HeaderValue::from_static("location, idempotent-replayed, retry-after, x-request-id");

/// True for what a page of another origin asks and may.
pub(super) fn is_permitted(request: &Request) -> bool {
    request.headers().contains_key(header::ORIGIN) && PATHS.contains(&request.uri().path())
}

/// True for a browser's question whether it may ask at all.
pub(super) fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that question.
pub(super) fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().extend(PREFLIGHT);
    response
}

/// Lets the page read an answer.
pub(super) fn permit(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, READABLE);
}
