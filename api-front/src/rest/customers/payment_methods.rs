//! The calls on a customer's payment methods.

use super::{DONE, PathTexts, id, read, view};
use crate::rest::auth::Right;
use crate::rest::envelope::{data, done, list};
use crate::rest::problem::Problem;
use crate::rest::{Front, body};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use protocol::id::Xid;
use protocol::words::PaymentMethod;

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/customer/{id}/paymentmethod/{kind}", get(all).post(create))
        .route("/api/customer/{id}/paymentmethod/{kind}/{method}", get(one).post(change).delete(remove))
}

/// `POST /api/customer/{id}/paymentmethod/{card|ach}`
async fn create(State(front): State<Front>, path: PathTexts<(String, String)>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let (customer, kind) = owner(path)?;
    let new = body::read(&parts.headers, body, |bytes| read::new_method(bytes, kind, caller.merchant.sandbox)).await?;
    let method = front.vault.add_method(caller.merchant_id(), &customer, new).await?;
    Ok(data(view::method_by_kind(&method)))
}

/// `GET /api/customer/{id}/paymentmethod/{card|ach}`
async fn all(State(front): State<Front>, path: PathTexts<(String, String)>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let (customer, kind) = owner(path)?;
    let methods = front.vault.methods(caller.merchant_id(), &customer, kind).await?;
    Ok(list(methods.iter().map(view::method).collect()))
}

/// `GET /api/customer/{id}/paymentmethod/{card|ach}/{method}`: a list of one, as the document shows.
async fn one(
    State(front): State<Front>,
    path: PathTexts<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let (customer, kind, method) = owned(path)?;
    let method = front.vault.method(caller.merchant_id(), &customer, kind, &method).await?;
    Ok(list(vec![view::method(&method)]))
}

/// `POST /api/customer/{id}/paymentmethod/{card|ach}/{method}`
async fn change(
    State(front): State<Front>,
    path: PathTexts<(String, String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let (customer, kind, method) = owned(path)?;
    let change = body::read(&parts.headers, body, |bytes| read::method_change(bytes, kind, caller.merchant.sandbox)).await?;
    front.vault.change_method(caller.merchant_id(), &customer, (kind, &method), change).await?;
    Ok(done(DONE))
}

/// `DELETE /api/customer/{id}/paymentmethod/{card|ach}/{method}`
async fn remove(
    State(front): State<Front>,
    path: PathTexts<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let (customer, kind, method) = owned(path)?;
    front.vault.delete_method(caller.merchant_id(), &customer, (kind, &method)).await?;
    Ok(done(DONE))
}

fn owner(path: PathTexts<(String, String)>) -> Result<(Xid, PaymentMethod), Problem> {
    let Path((customer, kind)) = path.map_err(|_| Problem::NotFound)?;
    Ok((id(&customer)?, kind_of(&kind)?))
}

fn owned(path: PathTexts<(String, String, String)>) -> Result<(Xid, PaymentMethod, Xid), Problem> {
    let Path((customer, kind, method)) = path.map_err(|_| Problem::NotFound)?;
    Ok((id(&customer)?, kind_of(&kind)?, id(&method)?))
}

fn kind_of(word: &str) -> Result<PaymentMethod, Problem> {
    match word {
        "card" => Ok(PaymentMethod::Card),
        "ach" => Ok(PaymentMethod::Ach),
        _ => Err(Problem::NotFound),
    }
}
