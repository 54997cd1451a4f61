//! The keys that cards are sealed under, and their change while payments go on.

use super::data;
use crate::operator::actions::Action;
use crate::rest::Front;
use crate::rest::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use persistence::PersistenceError;
use protocol::change::ChangedBy;
use protocol::id::Xid;
use serde_json::json;
use tokio::task::spawn_blocking;

/// `GET /operator/keys`: ids of the keys, the one that seals last.
pub(super) async fn list(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    Ok(data(json!({"key_ids": front.switch.sealer().key_ids()})))
}

/// `POST /operator/keys/rotate`: from now on a new key seals, and the vault is sealed anew under it. Older keys stay, for payments of
/// the past are sealed under them. Called again after a failure it seals what was left.
pub(super) async fn rotate(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    let switch = front.switch.clone();
    switch.operator().write_down(Action::RotateKeys, Xid::NONE, ChangedBy::OPERATOR_KEY).await?;
    let rotated = spawn_blocking(move || switch.sealer().rotate()).await.map_err(|_| Problem::Internal)?;
    let key_id = rotated.map_err(|error: PersistenceError| {
        tracing::error!(%error, "no seal key was added");
        Problem::Internal
    })?;
    let resealed = front.vault.reseal(key_id).await?;
    tracing::info!(key_id, resealed, "a new key seals");
    Ok(data(json!({"key_id": key_id, "resealed": resealed})))
}
