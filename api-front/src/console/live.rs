//! The stream that keeps the overview fresh: the page's own HTML, once a second.

use super::session::Viewer;
use super::{Console, overview};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Streams at a time; a page beyond them stays as it was loaded.
const STREAMS_MAX: usize = 64;
/// Events that a slow browser may be behind before it is waited for.
const EVENTS_AHEAD: usize = 2;

static STREAMS: AtomicUsize = AtomicUsize::new(0);

/// Counts a stream while it lives.
struct Stream;

impl Stream {
    fn open() -> Option<Stream> {
        let stream = Stream;
        (STREAMS.fetch_add(1, Ordering::Relaxed) < STREAMS_MAX).then_some(stream)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        STREAMS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `GET /console/live`
pub(super) async fn stream(State(console): State<Console>, headers: HeaderMap) -> Response {
    let Some(viewer) = console.sessions.viewer(&headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    let Some(place) = Stream::open() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let (events, body) = Channel::<Bytes, Infallible>::new(EVENTS_AHEAD);
    tokio::spawn(tell(console, viewer, headers, events, place));
    let mut response = Body::new(body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Ends with the browser, with the session, and with the switch.
async fn tell(console: Console, viewer: Viewer, headers: HeaderMap, mut events: Sender<Bytes>, _place: Stream) {
    let mut news = console.monitor.news();
    while news.changed().await.is_ok() {
        let Some(seen) = console.monitor.seen() else { continue };
        if console.sessions.viewer_unused(&headers).is_none() {
            return;
        }
        let html = overview::body(&viewer, &seen).into_string();
        let event = format!("data: {}\n\n", serde_json::Value::from(html));
        let is_last = seen.now().readiness.draining;
        if events.send_data(Bytes::from(event)).await.is_err() || is_last {
            return;
        }
    }
}
