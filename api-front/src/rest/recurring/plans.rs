//! Plans.

use super::{one, terms};
use crate::recurring::PlanAsked;
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
use persistence::stores::Plan;
use serde_json::{Map, Value};

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/recurring/plan", post(create))
        .route("/api/recurring/plans", get(all).post(all))
        .route("/api/recurring/plan/{id}", get(read).post(change).delete(remove))
}

async fn create(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let asked = body::read(&parts.headers, body, parse).await?;
    let plan = front.recurring.create_plan(caller.merchant.id, asked).await?;
    Ok(one(shown(&plan), caller.merchant.compat))
}

async fn change(State(front): State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let id = path_id(id)?;
    let asked = body::read(&parts.headers, body, parse).await?;
    let plan = front.recurring.change_plan(&caller.merchant.id, &id, asked).await?;
    Ok(one(shown(&plan), caller.merchant.compat))
}

async fn read(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let plan = front.recurring.plan(&caller.merchant.id, &path_id(id)?).await?;
    Ok(one(shown(&plan), caller.merchant.compat))
}

async fn all(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let plans = front.recurring.plans(&caller.merchant.id).await?;
    Ok(list(plans.iter().map(shown).collect()))
}

async fn remove(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    front.recurring.delete_plan(&caller.merchant.id, &path_id(id)?).await?;
    Ok(done("success"))
}

pub(super) fn parse(bytes: &[u8]) -> Result<PlanAsked, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    Ok(PlanAsked { name: terms::name(body)?, description: terms::description(body)?, terms: terms::read(body)? })
}

const NAMES: terms::Names =
    terms::Names { total_add_ons: &["total_add_ons"], list: |adjustments| adjustments.iter().map(terms::copied).collect() };

fn shown(plan: &Plan) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), plan.id.to_string().into());
    out.insert("name".into(), plan.name.clone().into());
    out.insert("description".into(), plan.description.clone().into());
    terms::show(&plan.terms, 1, &NAMES, &mut out);
    out.insert("created_at".into(), moment(plan.created_at));
    out.insert("updated_at".into(), moment(plan.updated_at));
    out.into()
}
