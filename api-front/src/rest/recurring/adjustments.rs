//! Add-ons and discounts: the same calls under two names.

use super::{one, terms};
use crate::recurring::KeptAsked;
use crate::rest::auth::Right;
use crate::rest::envelope::{done, list, moment};
use crate::rest::json::Document;
use crate::rest::problem::Problem;
use crate::rest::users::{PathId, path_id};
use crate::rest::{Front, body};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use persistence::stores::{AdjustmentKind, KeptAdjustment};
use serde_json::{Value, json};

pub(super) fn routes() -> Router<Front> {
    let routes = [
        ("/api/recurring/addon", "/api/recurring/addons", AdjustmentKind::AddOn),
        ("/api/recurring/discount", "/api/recurring/discounts", AdjustmentKind::Discount),
    ];
    routes.into_iter().fold(Router::new(), |router, (single, plural, kind)| {
        router
            .route(single, post(move |state, request| create(state, kind, request)))
            // The document's samples ask for lists by a POST without a body.
            .route(
                plural,
                get(move |state, headers| all(state, kind, headers)).post(move |state, headers| all(state, kind, headers)),
            )
            .route(
                &format!("{single}/{{id}}"),
                get(move |state, id, headers| read(state, kind, id, headers))
                    .post(move |state, id, request| change(state, kind, id, request))
                    .delete(move |state, id, headers| remove(state, kind, id, headers)),
            )
    })
}

async fn create(State(front): State<Front>, kind: AdjustmentKind, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let asked = body::read(&parts.headers, body, parse).await?;
    let kept = front.recurring.create_adjustment(caller.merchant.id, kind, asked).await?;
    Ok(one(shown(&kept), caller.merchant.compat))
}

async fn change(State(front): State<Front>, kind: AdjustmentKind, id: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let id = path_id(id)?;
    let asked = body::read(&parts.headers, body, parse).await?;
    let kept = front.recurring.change_adjustment(&caller.merchant.id, kind, &id, asked).await?;
    Ok(one(shown(&kept), caller.merchant.compat))
}

async fn read(State(front): State<Front>, kind: AdjustmentKind, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let kept = front.recurring.adjustment(&caller.merchant.id, kind, &path_id(id)?).await?;
    Ok(one(shown(&kept), caller.merchant.compat))
}

async fn all(State(front): State<Front>, kind: AdjustmentKind, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let kept = front.recurring.adjustments(&caller.merchant.id, kind).await?;
    Ok(list(kept.iter().map(shown).collect()))
}

async fn remove(State(front): State<Front>, kind: AdjustmentKind, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    front.recurring.delete_adjustment(&caller.merchant.id, kind, &path_id(id)?).await?;
    Ok(done("success"))
}

pub(super) fn parse(bytes: &[u8]) -> Result<KeptAsked, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    Ok(KeptAsked {
        name: terms::name(body)?,
        description: terms::description(body)?,
        amount: body.amount("amount")?,
        percentage: terms::percentage(body)?,
        duration: terms::duration(body)?,
    })
}

fn shown(kept: &KeptAdjustment) -> Value {
    json!({
        "id": kept.id.to_string(),
        "name": kept.name,
        "description": kept.description,
        "amount": kept.amount,
        "percentage": kept.percentage,
        "duration": kept.duration,
        "created_at": moment(kept.created_at),
        "updated_at": moment(kept.updated_at),
    })
}
