//! The vault's calls: customers, their addresses and payment methods, and tokens.

mod addresses;
mod payment_methods;
mod read;
mod token;
mod view;

use super::auth::Right;
use super::bodies::Body;
use super::body;
use super::envelope::{data, done, page};
use super::problem::Problem;
use super::users::{PathId, path_id};
use super::{Caller, Front};
use crate::vault::VaultError;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use protocol::id::Xid;
use protocol::words::PaymentMethod;

const DONE: &str = "success";

pub(super) const BODIES: &[Body] = &[
    ("customer", |bytes| read::new_customer(bytes, true).map(drop)),
    ("customer_change", |bytes| read::customer_change(bytes).map(drop)),
    ("address", |bytes| read::address(bytes).map(drop)),
    ("card", |bytes| read::new_method(bytes, PaymentMethod::Card, false).map(drop)),
    ("account", |bytes| read::new_method(bytes, PaymentMethod::Ach, false).map(drop)),
    ("card_change", |bytes| read::method_change(bytes, PaymentMethod::Card, true).map(drop)),
    ("account_change", |bytes| read::method_change(bytes, PaymentMethod::Ach, true).map(drop)),
    ("tokenized_card", |bytes| read::tokenized_card(bytes).map(drop)),
    ("customer_search", |bytes| read::search(bytes, Xid::NONE).map(drop)),
];

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/customer", post(create))
        .route("/api/customer/search", post(search))
        .route("/api/customer/{id}", get(read_one).post(change).delete(remove))
        .merge(addresses::routes())
        .merge(payment_methods::routes())
        .route("/api/token", post(token::create))
}

/// `POST /api/customer`
async fn create(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let new = body::read(&parts.headers, body, |bytes| read::new_customer(bytes, caller.merchant.sandbox)).await?;
    let filed = front.vault.create_customer(caller.merchant.id, new).await?;
    Ok(data(view::customer(&filed)))
}

/// `GET /api/customer/{id}`
async fn read_one(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let filed = front.vault.customer(&caller.merchant.id, &path_id(id)?).await?;
    Ok(data(view::customer(&filed)))
}

/// `POST /api/customer/search`
async fn search(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let search = body::read(&parts.headers, body, |bytes| read::search(bytes, caller.merchant.id)).await?;
    let (total, found) = front.vault.search(&search).await?;
    Ok(page(found.iter().map(view::customer).collect(), total))
}

/// `POST /api/customer/{id}`
async fn change(State(front): State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let id = path_id(id)?;
    let change = body::read(&parts.headers, body, read::customer_change).await?;
    front.vault.change_customer(&caller.merchant.id, &id, change).await?;
    Ok(done(DONE))
}

/// `DELETE /api/customer/{id}`
async fn remove(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    front.vault.delete_customer(&caller.merchant.id, &path_id(id)?).await?;
    Ok(done(DONE))
}

/// The texts of a path; such as can't be read are not there.
type PathTexts<T> = Result<Path<T>, axum::extract::rejection::PathRejection>;

/// Customer, and a thing of the customer's.
fn two_ids(path: PathTexts<(String, String)>) -> Result<(Xid, Xid), Problem> {
    let Path((customer, thing)) = path.map_err(|_| Problem::NotFound)?;
    Ok((id(&customer)?, id(&thing)?))
}

fn id(text: &str) -> Result<Xid, Problem> {
    text.parse().map_err(|_| Problem::NotFound)
}

impl Caller {
    fn merchant_id(&self) -> &Xid {
        &self.merchant.id
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Problem {
        match error {
            VaultError::NotFound => Problem::NotFound,
            VaultError::NotIts { field } => Problem::invalid(field, "is not one of this customer's"),
            VaultError::TooMany { max } => Problem::Conflict(format!("the customer has {max} already")),
            VaultError::Token => Problem::invalid("payment_method.token", "no such token, or it was used or is too old"),
            VaultError::Failed(_) => {
                tracing::warn!(%error, "vault");
                Problem::StoreUnavailable
            }
        }
    }
}
