//! What went wrong, as the calls of orders and payment requests tell it: their documents show no envelope, so it is a plain object.

use super::Front;
use super::answer::with_status;
use super::problem::Problem;
use crate::payables::PayableError;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use serde_json::json;

/// A problem without the gateway's envelope: `{"error": "<what, field first>", "field": "<its path>"}`.
#[derive(Debug)]
pub(super) struct PlainProblem(pub(super) Problem);

/// A path below these APIs that is no call of theirs is refused in their words.
pub(super) fn unknown_call(uri: &Uri) -> Option<Response> {
    let is_theirs = ["/api/v1/", "/v1/"].iter().any(|root| uri.path().starts_with(root));
    is_theirs.then(|| PlainProblem(Problem::NotFound).into_response())
}

/// So are other methods than these.
pub(super) fn only(methods: MethodRouter<Front>, allowed: &'static str) -> MethodRouter<Front> {
    methods.fallback(move || async move {
        let mut refused = PlainProblem(Problem::MethodNotAllowed).into_response();
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        refused
    })
}

impl<P: Into<Problem>> From<P> for PlainProblem {
    fn from(problem: P) -> PlainProblem {
        PlainProblem(problem.into())
    }
}

impl IntoResponse for PlainProblem {
    fn into_response(self) -> Response {
        let PlainProblem(problem) = self;
        let field = match &problem {
            Problem::Invalid { field, .. } => Some(field.as_ref()),
            _ => None,
        };
        let body = json!({ "error": problem.to_string(), "field": field }).to_string();
        let mut response = with_status(problem.status(), body.into_bytes());
        if let Some(seconds) = problem.retry_after_s() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if problem.status() == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Basic realm=\"Switchyard\", charset=\"UTF-8\", Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<PayableError> for Problem {
    fn from(error: PayableError) -> Problem {
        match error {
            PayableError::NotFound => Problem::NotFound,
            PayableError::WrongState(_) | PayableError::TooMuch { .. } | PayableError::Busy => {
                Problem::Conflict(error.to_string())
            }
            PayableError::Refused(refusal) => Problem::Refused(refusal),
            PayableError::Unavailable(unavailable) => Problem::Unavailable(unavailable),
            PayableError::Unreadable => {
                tracing::error!(%error, "payables");
                Problem::Internal
            }
            PayableError::Failed(_) => {
                tracing::warn!(%error, "payables");
                Problem::StoreUnavailable
            }
        }
    }
}
