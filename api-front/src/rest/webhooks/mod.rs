//! Events and webhooks: the feed, and the endpoints that are told of it.

mod read;
mod view;

use super::Front;
use super::answer::ok;
use super::auth::Right;
use super::body;
use super::envelope::{data, done, list};
use super::problem::Problem;
use super::users::{PathId, path_id};
use crate::webhooks::WebhookError;
use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/events", get(events))
        .route("/api/webhooks", get(all).post(create))
        .route("/api/webhooks/secret", get(secret))
        .route("/api/webhooks/callbacks", get(callbacks))
        .route("/api/webhooks/callbacks/resend", post(call_back_again))
        .route("/api/webhooks/{id}", get(read_one).patch(change).delete(remove))
        .route("/api/webhooks/{id}/deliveries", get(deliveries))
        .route("/api/webhooks/{id}/resend", post(resend))
        .route("/api/webhooks/{id}/rotate-secret", post(rotate))
}

/// `GET /api/events?after=…&limit=…`
async fn events(State(front): State<Front>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let asked = read::page(query.as_deref())?;
    let page = front.webhooks.events(&caller.merchant.id, asked.after, asked.limit).await?;
    let shown = page.events.iter().map(|event| front.webhooks.event_json(event));
    Ok(ok(view::events(shown, page.newest)))
}

/// `GET /api/webhooks`
async fn all(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let endpoints = front.webhooks.endpoints(&caller.merchant.id).await?;
    Ok(list(endpoints.iter().map(view::endpoint).collect()))
}

/// `POST /api/webhooks`: the answer has the secret.
async fn create(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let asked = body::read(&parts.headers, body, read::endpoint).await?;
    let endpoint = front.webhooks.create(caller.merchant.id, asked).await?;
    Ok(data(view::with_secret(&endpoint, &front.webhooks.secret(&endpoint))))
}

/// `GET /api/webhooks/secret`: what signs where no endpoint's own secret does.
async fn secret(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    Ok(data(json!({"secret": front.webhooks.merchant_secret(&caller.merchant.id).text()})))
}

/// `GET /api/webhooks/callbacks?after=…&limit=…`: what became of events at addresses that came with a thing.
async fn callbacks(State(front): State<Front>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let asked = read::page(query.as_deref())?;
    let callbacks = front.webhooks.callbacks(&caller.merchant.id, asked.after, asked.limit).await?;
    Ok(list(callbacks.iter().map(|(event, row)| view::callback(event, row)).collect()))
}

/// `POST /api/webhooks/callbacks/resend`
async fn call_back_again(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let again = body::read(&parts.headers, body, read::again).await?;
    Ok(data(json!({"queued": front.webhooks.call_back_again(&caller.merchant.id, again).await?})))
}

/// `GET /api/webhooks/{id}`
async fn read_one(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    Ok(data(view::endpoint(&front.webhooks.endpoint(&caller.merchant.id, &path_id(id)?).await?)))
}

/// `PATCH /api/webhooks/{id}`
async fn change(State(front): State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let id = path_id(id)?;
    let asked = body::read(&parts.headers, body, read::endpoint).await?;
    Ok(data(view::endpoint(&front.webhooks.change(&caller.merchant.id, &id, asked).await?)))
}

/// `DELETE /api/webhooks/{id}`
async fn remove(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    front.webhooks.delete(&caller.merchant.id, &path_id(id)?).await?;
    Ok(done("success"))
}

/// `GET /api/webhooks/{id}/deliveries?after=…&limit=…`
async fn deliveries(
    State(front): State<Front>,
    id: PathId,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let asked = read::page(query.as_deref())?;
    let endpoint = front.webhooks.endpoint(&caller.merchant.id, &path_id(id)?).await?;
    let deliveries = front.webhooks.deliveries(&endpoint, asked.after, asked.limit).await?;
    Ok(list(deliveries.iter().map(|(event, row)| view::delivery(&endpoint, event, row.as_ref())).collect()))
}

/// `POST /api/webhooks/{id}/resend`
async fn resend(State(front): State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let id = path_id(id)?;
    let again = body::read(&parts.headers, body, read::again).await?;
    let queued = front.webhooks.send_again(&caller.merchant.id, &id, again).await?;
    Ok(data(json!({"queued": queued})))
}

/// `POST /api/webhooks/{id}/rotate-secret`: the answer has the new secret.
async fn rotate(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let endpoint = front.webhooks.rotate_secret(&caller.merchant.id, &path_id(id)?).await?;
    Ok(data(view::with_secret(&endpoint, &front.webhooks.secret(&endpoint))))
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Problem {
        match error {
            WebhookError::Field { field, reason } => Problem::invalid(field, reason),
            WebhookError::NotFound => Problem::NotFound,
            WebhookError::TooMany => Problem::Conflict(error.to_string()),
            WebhookError::Store(_) => {
                tracing::warn!(%error, "webhooks");
                Problem::StoreUnavailable
            }
        }
    }
}
