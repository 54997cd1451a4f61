//! The calls on a customer's addresses.

use super::{DONE, PathTexts, id, read, two_ids, view};
use crate::rest::auth::Right;
use crate::rest::envelope::{data, done, list};
use crate::rest::problem::Problem;
use crate::rest::users::{PathId, path_id};
use crate::rest::{Front, body};
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/customer/{id}/address", post(create))
        .route("/api/customer/{id}/addresses", get(all))
        .route("/api/customer/{id}/address/{address}", get(one).post(change).delete(remove))
}

/// `POST /api/customer/{id}/address`
async fn create(State(front): State<Front>, customer: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let Path(customer) = customer.map_err(|_| Problem::NotFound)?;
    let fields = body::read(&parts.headers, body, read::address).await?;
    let address = front.vault.add_address(caller.merchant_id(), &id(&customer)?, fields).await?;
    Ok(data(view::address(&address)))
}

/// `GET /api/customer/{id}/addresses`
async fn all(State(front): State<Front>, customer: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let addresses = front.vault.addresses(caller.merchant_id(), &path_id(customer)?).await?;
    Ok(list(addresses.iter().map(view::address).collect()))
}

/// `GET /api/customer/{id}/address/{address}`: a list of one, as the document shows.
async fn one(State(front): State<Front>, path: PathTexts<(String, String)>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let (customer, address) = two_ids(path)?;
    let address = front.vault.address(caller.merchant_id(), &customer, &address).await?;
    Ok(list(vec![view::address(&address)]))
}

/// `POST /api/customer/{id}/address/{address}`
async fn change(State(front): State<Front>, path: PathTexts<(String, String)>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let (customer, address) = two_ids(path)?;
    let fields = body::read(&parts.headers, body, read::address).await?;
    front.vault.change_address(caller.merchant_id(), &customer, &address, fields).await?;
    Ok(done(DONE))
}

/// `DELETE /api/customer/{id}/address/{address}`
async fn remove(State(front): State<Front>, path: PathTexts<(String, String)>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let (customer, address) = two_ids(path)?;
    front.vault.delete_address(caller.merchant_id(), &customer, &address).await?;
    Ok(done(DONE))
}
