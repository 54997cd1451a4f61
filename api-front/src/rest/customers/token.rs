//! `POST /api/token`: a browser, with its public key, gives us a card and gets what stands for it once.

use super::read;
use crate::rest::auth::Right;
use crate::rest::envelope::{data, moment};
use crate::rest::problem::Problem;
use crate::rest::{Front, body};
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;

/// `POST /api/token`
pub(super) async fn create(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Pay).await?;
    let card = body::read(&parts.headers, body, read::tokenized_card).await?;
    let made = front.vault.make_token(caller.merchant.id, &card.pan, card.expiry, card.value).await?;
    Ok(data(json!({"token": made.text, "expires_at": moment(made.expires_at)})))
}
