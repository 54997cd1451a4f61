//! The sandbox's test clock: days that pass in a moment. Where there is no sandbox there is no such path.

use super::answer::ok;
use super::json::Writer;
use super::problem::Problem;
use super::view::SUCCESS;
use super::{Front, body};
use crate::calendar::NotMoved;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use protocol::calendar::Micros;
use serde::Deserialize;

/// `{"now": "<RFC 3339>"}` or `{"advance_seconds": n}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    now: Option<String>,
    advance_seconds: Option<u32>,
}

/// `GET /api/sandbox/clock`
pub(super) async fn read(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_clock(&headers).await?;
    Ok(show(front.switch.calendar().now()))
}

/// `POST /api/sandbox/clock`
pub(super) async fn set(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, sent) = request.into_parts();
    front.permit_clock(&parts.headers).await?;
    let wanted = body::read(&parts.headers, sent, |bytes| {
        serde_json::from_slice(bytes).map_err(|error| Problem::Malformed { reason: error.to_string() })
    });
    let calendar = front.switch.calendar();
    let (field, moved) = match wanted.await? {
        Wanted { now: Some(now), advance_seconds: None } => ("now", calendar.move_to(moment(&now)?).await),
        Wanted { now: None, advance_seconds: Some(seconds) } => ("advance_seconds", calendar.advance_s(seconds).await),
        Wanted { .. } => return Err(Problem::invalid("body", "must have either now or advance_seconds")),
    };
    moved.map(show).map_err(|error| match error {
        NotMoved::NoSandbox => Problem::NotFound,
        NotMoved::Backwards { .. } | NotMoved::TooFar => Problem::invalid(field, error.to_string()),
        NotMoved::Kept(_) => {
            tracing::error!(%error, "the test clock was not moved");
            Problem::Internal
        }
    })
}

fn moment(text: &str) -> Result<Micros, Problem> {
    let parsed: Result<Timestamp, _> = text.parse();
    parsed.map(|at| Micros(at.as_microsecond())).map_err(|_| Problem::invalid("now", "must be a moment in RFC 3339"))
}

fn show(now: Micros) -> Response {
    let mut out = Writer::starting(SUCCESS, 128);
    out.verbatim("{");
    out.moment("now", now);
    out.verbatim("}}");
    ok(out.finish())
}

impl Front {
    /// A merchant of a sandbox may move its clock, and so may the operator.
    async fn permit_clock(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if !self.switch.calendar().is_movable() {
            return Err(Problem::NotFound);
        }
        match self.permit_operator(headers) {
            Ok(()) => Ok(()),
            Err(_) => self.caller(headers, super::auth::Right::Manage).await.map(drop),
        }
    }
}
