//! The REST front of the gateway: HTTP in, commands to the switch, answers of the gateway document out.
//!
//! Lives here: routes, authentication, reading and validating bodies, sealing cards into commands, rendering. Handlers are thin:
//! extract, command, await, view. Must not live here: decisions about payments, SQL, sockets, the clock.

mod answer;
mod auth;
mod body;
mod correlation;
pub mod json;
pub mod limits;
mod operator;
mod peer;
mod problem;
pub mod request;
mod sandbox_clock;
mod search;
mod service;
mod transaction;
mod view;

pub use auth::presented as presented_key;
pub use problem::Problem;

use crate::switch::directory::Merchant;
use crate::switch::handle::Switch;
use auth::{Keyring, Right};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Router, middleware};
use correlation::RequestNames;
use persistence::stores::ApiKey;
use protocol::refusal::Refusal;
use std::net::IpAddr;
use std::sync::Arc;

/// What all handlers share. Cheap to clone.
#[derive(Clone)]
struct Front {
    switch: Switch,
    keyring: Arc<Keyring>,
    trusted_proxies: Arc<[IpAddr]>,
}

/// Who asks: the key, and the account that it belongs to.
struct Caller {
    key: Arc<ApiKey>,
    merchant: Arc<Merchant>,
}

/// Every route of the front. `X-Forwarded-For` is believed where one of `trusted_proxies` sends it.
pub fn router(switch: Switch, trusted_proxies: Vec<IpAddr>) -> Router {
    let names = RequestNames::starting_at(switch.now().0);
    let front = Front { switch, keyring: Arc::new(Keyring::new()), trusted_proxies: trusted_proxies.into() };
    dressed(routes().with_state(front), names)
}

/// What every route has: the envelope around unknown paths and methods, and a name for every request.
fn dressed(routes: Router, names: RequestNames) -> Router {
    routes
        .fallback(|| async { Problem::NotFound })
        .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
        .layer(middleware::from_fn_with_state(names, correlation::name_request))
}

fn routes() -> Router<Front> {
    Router::new()
        .route("/api/transaction", post(transaction::create))
        .route("/api/transaction/search", post(search::transactions))
        .route("/api/transaction/{id}", get(transaction::read))
        .route("/api/transaction/{id}/capture", post(transaction::capture))
        .route("/api/transaction/{id}/void", post(transaction::void))
        .route("/api/transaction/{id}/refund", post(transaction::refund))
        .route("/api/settlement/batch/search", post(search::batches))
        .route("/api/response-codes", get(service::response_codes))
        .route("/api/sandbox/clock", get(sandbox_clock::read).post(sandbox_clock::set))
        .merge(operator::routes())
        .route("/healthz", get(service::healthz))
        .route("/readyz", get(service::readyz))
}

impl Front {
    /// The caller, if its key is ours, may do this, and belongs to an account that is active.
    async fn caller(&self, headers: &HeaderMap, right: Right) -> Result<Caller, Problem> {
        let stores = self.switch.stores();
        let key = self.keyring.key(headers, right, async |hash| stores.api_key_by_hash(hash).await).await?;
        let merchant = self.switch.merchant(&key.merchant).filter(|merchant| merchant.active);
        Ok(Caller { key, merchant: merchant.ok_or(Problem::Refused(Refusal::MerchantNotActive))? })
    }
}

#[cfg(test)]
mod tests;
