//! The API-key calls.

use super::auth::Right;
use super::bodies::Body;
use super::envelope::{data, done, list, moment};
use super::json::Document;
use super::problem::Problem;
use super::request::checks;
use super::users::{PathId, text};
use super::{Front, body};
use crate::accounts::keys::NotMade;
use crate::accounts::limits::{KEYS_PER_MERCHANT_MAX, NAME_MAX_CHARS};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{delete, get};
use persistence::stores::{ApiKey, KeyKind};
use serde_json::{Value, json};

pub(super) const BODIES: &[Body] = &[("api_key", |bytes| parse(bytes).map(drop))];

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/user/apikey", get(all).post(create))
        .route("/api/user/apikeys", get(all))
        .route("/api/user/apikey/{key}", delete(remove))
}

/// `POST /api/user/apikey`: the only answer in which the key itself stands.
async fn create(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Administer).await?;
    let (kind, name) = body::read(&parts.headers, body, parse).await?;
    let made = front.accounts.make_key(caller.merchant.id, caller.key.user, kind, name).await.map_err(|error| match error {
        NotMade::TooManyKeys => Problem::Conflict(format!("the account has {KEYS_PER_MERCHANT_MAX} keys")),
        NotMade::Failed(error) => error.into(),
    })?;
    Ok(data(shown(&made.key, &made.text)))
}

/// `GET /api/user/apikeys`, `GET /api/user/apikey`
async fn all(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Administer).await?;
    let keys = front.accounts.keys(&caller.merchant.id).await?;
    Ok(list(keys.iter().map(|key| shown(key, &key.hint)).collect()))
}

/// `DELETE /api/user/apikey/{key}`: by the key itself, its id, or what the list shows of it.
async fn remove(State(front): State<Front>, named: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Administer).await?;
    let Path(named) = named.map_err(|_| Problem::NotFound)?;
    let removed = front.accounts.delete_key(&caller.merchant.id, &named).await?;
    front.keyring.forget(&removed.hash);
    Ok(done("success"))
}

fn parse(bytes: &[u8]) -> Result<(KeyKind, String), Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let kind = match body.text("type")? {
        None | Some("api") => KeyKind::Api,
        Some("pub") => KeyKind::Public,
        Some(_) => return Err(body.invalid("type", "must be \"api\" or \"pub\"")),
    };
    let name = text(body, "name", NAME_MAX_CHARS, checks::printable, "printable characters")?;
    Ok((kind, name.unwrap_or_default()))
}

fn shown(key: &ApiKey, text: &str) -> Value {
    json!({
        "id": key.id.to_string(),
        "api_key": text,
        "name": key.name,
        "type": match key.kind { KeyKind::Api => "api", KeyKind::Public => "pub" },
        "user_id": key.user.to_string(),
        "account_type": "merchant",
        "account_type_id": key.merchant.to_string(),
        "created_at": moment(key.created_at),
        "updated_at": moment(key.created_at),
    })
}
