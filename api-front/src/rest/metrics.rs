//! `/metrics`, for Prometheus.

use super::Front;
use super::peer::client_address;
use super::problem::Problem;
use crate::metrics::{CONTENT_TYPE, Reading, exposition};
use axum::extract::{Request, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

/// `GET /metrics`: under the operator's key, or from this machine.
pub(super) async fn read(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    if !is_of_this_machine(&parts) {
        front.permit_operator(&parts.headers)?;
    }
    let text = exposition(Reading::take(&front.switch).await).map_err(|error| {
        tracing::error!(%error, "the metrics can't be written");
        Problem::Internal
    })?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// What a proxy on this machine brings comes from somewhere else, so a request that was forwarded is a stranger's.
fn is_of_this_machine(parts: &Parts) -> bool {
    let is_forwarded = [header::FORWARDED.as_str(), "x-forwarded-for"].iter().any(|name| parts.headers.contains_key(*name));
    !is_forwarded && client_address(parts, &[]).is_some_and(|address| address.is_loopback())
}
