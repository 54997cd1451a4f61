//! The name of a request: the caller's when it is sane, else ours, on every response there is.

use crate::rest::cross_origin;
use crate::rest::limits::REQUEST_ID_MAX_CHARS;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::{Instrument, Span};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// Draws names for requests that come without one: unique over restarts, because the start's moment is in them.
#[derive(Clone)]
pub(crate) struct RequestNames(Arc<Counter>);

struct Counter {
    /// The part that all names of this run share.
    prefix: String,
    drawn: AtomicU64,
}

impl RequestNames {
    pub(crate) fn starting_at(start_micros: i64) -> RequestNames {
        RequestNames(Arc::new(Counter { prefix: format!("req-{start_micros:x}-"), drawn: AtomicU64::new(0) }))
    }

    /// The name of a request: its own when it is sane.
    pub(super) fn name(&self, request: &Request) -> Named {
        let own = request.headers().get(REQUEST_ID).filter(|name| is_sane(name)).cloned();
        let (method, is_of_page) = (request.method().clone(), cross_origin::is_permitted(request));
        Named { name: own.unwrap_or_else(|| self.draw()), method, is_of_page }
    }

    fn draw(&self) -> HeaderValue {
        let number = self.0.drawn.fetch_add(1, Ordering::Relaxed);
        let mut name = Vec::with_capacity(self.0.prefix.len() + 2 * size_of::<u64>());
        name.extend_from_slice(self.0.prefix.as_bytes());
        let digits = number.checked_ilog2().unwrap_or(0) / 4;
        name.extend((0..=digits).rev().map(|digit| b"0123456789abcdef"[(number >> (4 * digit) & 15) as usize]));
        HeaderValue::from_maybe_shared(Bytes::from(name)).unwrap_or(HeaderValue::from_static("req"))
    }
}

/// Names the request, and its answer with it. A browser's question whether a page may ask is answered here.
pub(crate) async fn name_request(State(names): State<RequestNames>, request: Request, next: Next) -> Response {
    let named = names.name(&request);
    if named.is_of_page && cross_origin::is_preflight(&request) {
        return named.put_on(cross_origin::preflight());
    }
    let answered = next.run(request).instrument(named.span()).await;
    named.put_on(answered)
}

/// A request's name, and what else its answer's headers depend on.
pub(super) struct Named {
    name: HeaderValue,
    method: Method,
    is_of_page: bool,
}

impl Named {
    /// Around every line that this request leads to; no more than a look at a flag where nobody asked for such lines.
    pub(super) fn span(&self) -> Span {
        tracing::debug_span!(target: "payment", "request", request_id = ?self.name)
    }

    /// Names the answer, lets a page of another origin read it where it may ask, and says in the log which request failed for a reason of
    /// ours.
    pub(super) fn put_on(self, mut response: Response) -> Response {
        let Named { name, method, is_of_page } = self;
        let status = response.status();
        // What is refused for now is told by whoever refuses it, in sum: a line for each would cost more than the refusal.
        if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
            // The path is not logged: whoever puts a card number into one must not find it in our logs.
            tracing::warn!(request_id = ?name, %method, status = status.as_u16(), "request not served");
        }
        let headers = response.headers_mut();
        headers.insert(CORRELATION_ID, name.clone());
        headers.insert(REQUEST_ID, name);
        if is_of_page {
            cross_origin::permit(headers);
        }
        response
    }
}

/// Visible ASCII and not too long: it is repeated in headers and logs.
fn is_sane(name: &HeaderValue) -> bool {
    let bytes = name.as_bytes();
    (1..=REQUEST_ID_MAX_CHARS).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_visible_names_are_repeated() {
        let sane = |text: &str| HeaderValue::from_bytes(text.as_bytes()).is_ok_and(|name| is_sane(&name));
        assert!(sane("5f0c7b3e-6f0f-4f4e-9a52-9d3d9e6b2a10"));
        assert!(sane(&"x".repeat(REQUEST_ID_MAX_CHARS)));
        for text in ["", "two words", "über", &"x".repeat(REQUEST_ID_MAX_CHARS + 1)] {
            assert!(!sane(text), "{text:?}");
        }
    }

    #[test]
    fn no_name_is_drawn_twice() {
        let names = RequestNames::starting_at(7);
        let drawn: Vec<HeaderValue> = (0..18).map(|_| names.draw()).collect();
        assert_eq!(
            (&drawn[0], &drawn[15], &drawn[17]),
            (&"req-7-0".parse().unwrap(), &"req-7-f".parse().unwrap(), &"req-7-11".parse().unwrap())
        );
    }
}
