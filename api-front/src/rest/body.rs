//! Reading a request's body: bounded in size and in time, handed to a parser, forgotten.

use crate::rest::limits::{BODY_DRAIN_MAX_BYTES, BODY_DRAIN_TIMEOUT, BODY_MAX_BYTES, BODY_READ_TIMEOUT};
use crate::rest::problem::Problem;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use zeroize::Zeroize;

/// Reads the body and gives it to `parse`. The bytes may hold a card number, so they live no longer than that call, and not
/// over any wait for the switch.
pub(crate) async fn read<T>(
    headers: &HeaderMap,
    body: Body,
    parse: impl FnOnce(&[u8]) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let bytes = collect(headers, body, BODY_READ_TIMEOUT).await?;
    let parsed = check_type(headers, &bytes).and_then(|()| parse(&bytes));
    forget(bytes);
    parsed
}

/// The same for a body of whatever type: `parse` looks at it itself.
pub(crate) async fn read_any_type<T>(
    headers: &HeaderMap,
    body: Body,
    parse: impl FnOnce(&[u8]) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let bytes = collect(headers, body, BODY_READ_TIMEOUT).await?;
    let parsed = parse(&bytes);
    forget(bytes);
    parsed
}

/// Takes a body off the connection without looking at it, so that a client which is still sending it hears the answer and not a
/// reset. Most are here already; one that is not may take a moment, no more.
pub(crate) async fn pass_over(mut body: Body) {
    let _ = tokio::time::timeout(BODY_DRAIN_TIMEOUT, drain(&mut body)).await;
}

async fn collect(headers: &HeaderMap, mut body: Body, within: Duration) -> Result<Bytes, Problem> {
    let declared = declared_length(headers);
    // A client that asks before it sends is told at once.
    if declared > BODY_MAX_BYTES as u64 && headers.contains_key(header::EXPECT) {
        return Err(Problem::TooLarge);
    }
    let outcome = in_time(whole(&mut body), within).await;
    if outcome == Err(Problem::TooLarge) {
        // Over in time or not, what is said is 413.
        Box::pin(pass_over(body)).await;
    }
    outcome
}

/// Most bodies are here with their head: only for one that is not, a timer is set.
async fn in_time(whole: impl Future<Output = Result<Bytes, Problem>>, within: Duration) -> Result<Bytes, Problem> {
    let mut whole = pin!(whole);
    match poll_fn(|context| Poll::Ready(whole.as_mut().poll(context))).await {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Box::pin(tokio::time::timeout(within, whole)).await.unwrap_or(Err(Problem::BodyTimeout)),
    }
}

async fn whole(body: &mut Body) -> Result<Bytes, Problem> {
    let collected = Limited::new(body, BODY_MAX_BYTES).collect().await;
    collected.map(|collected| collected.to_bytes()).map_err(|error| read_problem(error.as_ref()))
}

/// Reads on and keeps nothing: a client that is still sending when the connection is closed sees a reset in place of the 413.
async fn drain(body: &mut Body) {
    let mut drained_bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        drained_bytes += frame.data_ref().map_or(0, Bytes::len);
        if drained_bytes > BODY_DRAIN_MAX_BYTES {
            return;
        }
    }
}

fn declared_length(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

fn read_problem(error: &(dyn Error + 'static)) -> Problem {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return Problem::TooLarge;
        }
        cause = error.source();
    }
    Problem::BodyBroken
}

/// Overwrites the bytes where this is their only holder. Where the HTTP library still holds its read buffer, that buffer is
/// overwritten by the connection's next request.
fn forget(bytes: Bytes) {
    if let Ok(mut owned) = bytes.try_into_mut() {
        owned.as_mut().zeroize();
    }
}

/// `application/json` with whatever parameters, or nothing said. A body that is not there has no type.
fn check_type(headers: &HeaderMap, bytes: &[u8]) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
    let json = essence.is_empty() || essence.eq_ignore_ascii_case("application/json");
    if json || bytes.is_empty() { Ok(()) } else { Err(Problem::UnsupportedType) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Frame;
    use std::pin::Pin;
    use std::task::Context;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    fn length(headers: &HeaderMap, body: impl Into<Body>) -> Result<usize, Problem> {
        run(read(headers, body.into(), |bytes| Ok(bytes.len())))
    }

    fn typed(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())])
    }

    #[test]
    fn a_body_up_to_the_limit_is_read_and_one_byte_more_is_not() {
        assert_eq!(length(&HeaderMap::new(), vec![b' '; BODY_MAX_BYTES]), Ok(BODY_MAX_BYTES));
        assert_eq!(length(&HeaderMap::new(), vec![b' '; BODY_MAX_BYTES + 1]), Err(Problem::TooLarge));
    }

    #[test]
    fn json_and_nothing_said_are_accepted_types() {
        for value in ["application/json", "application/json; charset=UTF-8", "APPLICATION/JSON;charset=latin1", ""] {
            assert_eq!(length(&typed(value), "{}"), Ok(2), "{value:?}");
        }
        assert_eq!(length(&HeaderMap::new(), "{}"), Ok(2));
        for value in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            assert_eq!(length(&typed(value), "{}"), Err(Problem::UnsupportedType), "{value:?}");
            assert_eq!(length(&typed(value), ""), Ok(0), "{value:?}");
        }
    }

    #[test]
    fn a_client_that_never_ends_its_body_is_told_so() {
        let stalled = Body::new(Stalled);
        let problem = run(collect(&HeaderMap::new(), stalled, Duration::from_millis(5))).unwrap_err();
        assert_eq!((problem.status().as_u16(), problem), (408, Problem::BodyTimeout));
    }

    /// A body of which nothing more ever comes.
    struct Stalled;

    impl axum::body::HttpBody for Stalled {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }
    }
}
