//! The REST front of the gateway: HTTP in, commands to the switch, answers of the gateway document out.
//!
//! Lives here: routes, authentication, reading and validating bodies, sealing cards into commands, rendering. Handlers are thin:
//! extract, command, await, view. Must not live here: decisions about payments, SQL, sockets, the clock.

mod answer;
mod api_keys;
mod auth;
pub mod bodies;
mod body;
mod correlation;
mod cross_origin;
mod customers;
mod entrance;
mod envelope;
mod invoices;
pub mod json;
pub mod limits;
mod metrics;
mod multipart;
mod openapi;
mod operator;
mod orders;
mod payment_links;
mod payment_requests;
mod peer;
mod plain_problem;
mod problem;
mod recurring;
pub mod request;
mod sandbox_clock;
mod search;
mod sent;
mod service;
mod terminals;
mod token;
mod transaction;
mod users;
mod view;
mod webhooks;

pub use auth::presented as presented_key;
pub(crate) use body::read_any_type;
pub use entrance::Entrance;
pub(crate) use envelope::moment;
pub(crate) use peer::Encrypted;
pub(crate) use peer::client_address;
pub use problem::Problem;
pub(crate) use recurring::shown_subscription;

use crate::accounts::{AccountError, Accounts};
use crate::console::{self, Console, ConsoleUser};
use crate::invoices::Invoices;
use crate::pages;
use crate::payables::Payables;
use crate::payment_links::PaymentLinks;
use crate::recurring::Recurring;
use crate::switch::directory::Merchant;
use crate::switch::handle::Switch;
use crate::vault::Vault;
use crate::webhooks::Webhooks;
use auth::{Identity, Keyring, Right};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Router, middleware};
use correlation::RequestNames;
use persistence::stores::{ApiKey, KeyKind, Role, User};
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

/// What all handlers share. One counter to clone: every request does.
#[derive(Clone)]
pub(crate) struct Front(Arc<Shared>);

/// What a [`Front`] is made of.
pub(crate) struct Shared {
    switch: Switch,
    keyring: Arc<Keyring>,
    accounts: Accounts,
    vault: Vault,
    recurring: Recurring,
    invoices: Invoices,
    payables: Payables,
    links: PaymentLinks,
    payment_request_days: u32,
    webhooks: Webhooks,
    trusted_proxies: Arc<[IpAddr]>,
}

impl Deref for Front {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Who asks: the key or user, and the account that it belongs to.
struct Caller {
    key: Arc<Identity>,
    merchant: Arc<Merchant>,
}

/// The rooms behind the routes.
pub struct Behind {
    /// Payments.
    pub switch: Switch,
    /// Users and their keys.
    pub accounts: Accounts,
    /// Customers and what they pay with.
    pub vault: Vault,
    /// Plans and subscriptions.
    pub recurring: Recurring,
    /// Invoices.
    pub invoices: Invoices,
    /// What shoppers are asked to pay.
    pub payables: Payables,
    /// Payment links.
    pub links: PaymentLinks,
    /// Who may sign in to the console beside whoever holds the operator's key.
    pub console_users: Vec<ConsoleUser>,
    /// Days after which a payment request that is not paid expires.
    pub payment_request_days: u32,
    /// Who is told of events.
    pub webhooks: Webhooks,
}

/// Every route of the front. `X-Forwarded-For` is believed where one of `trusted_proxies` sends it.
pub fn entrance(behind: Behind, trusted_proxies: Vec<IpAddr>) -> Entrance {
    let Behind { switch, accounts, vault, recurring, invoices, payables, links, webhooks, console_users, payment_request_days } =
        behind;
    let names = RequestNames::starting_at(switch.now().0);
    let trusted_proxies: Arc<[IpAddr]> = trusted_proxies.into();
    let pages = pages::routes(payables.clone(), switch.clone(), Arc::clone(&trusted_proxies));
    let keyring = Arc::new(Keyring::new());
    let front = Front(Arc::new(Shared {
        switch,
        keyring,
        accounts,
        vault,
        recurring,
        invoices,
        payables,
        links,
        payment_request_days,
        webhooks,
        trusted_proxies,
    }));
    let console = console::routes(Console::new(front.clone(), console_users));
    let routes = dressed(routes().with_state(front.clone()).merge(pages).merge(console), names.clone());
    Entrance::new(front, names, routes)
}

/// What every route has: the envelope around unknown paths and methods, and a name for every request.
fn dressed(routes: Router, names: RequestNames) -> Router {
    routes
        .fallback(|uri: Uri| async move {
            let of_its_api = payment_links::unknown_call(&uri).or_else(|| plain_problem::unknown_call(&uri));
            of_its_api.unwrap_or_else(|| Problem::NotFound.into_response())
        })
        .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
        .layer(middleware::from_fn_with_state(names, correlation::name_request))
}

fn routes() -> Router<Front> {
    Router::new()
        .route(entrance::PAYMENTS, post(transaction::create))
        .route("/api/transaction/search", post(search::transactions))
        .route("/api/transaction/{id}", get(transaction::read))
        .route("/api/transaction/{id}/capture", post(transaction::capture))
        .route("/api/transaction/{id}/void", post(transaction::void))
        .route("/api/transaction/{id}/refund", post(transaction::refund))
        .route("/api/settlement/batch/search", post(search::batches))
        .route("/api/response-codes", get(service::response_codes))
        .route("/api/sandbox/clock", get(sandbox_clock::read).post(sandbox_clock::set))
        .merge(terminals::routes())
        .merge(token::routes())
        .merge(users::routes())
        .merge(api_keys::routes())
        .merge(customers::routes())
        .merge(invoices::routes())
        .merge(recurring::routes())
        .merge(orders::routes())
        .merge(payment_requests::routes())
        .merge(operator::routes())
        .merge(payment_links::routes())
        .merge(webhooks::routes())
        .route("/metrics", get(metrics::read))
        .merge(openapi::routes())
        .route("/healthz", get(service::healthz))
        .route("/readyz", get(service::readyz))
}

impl Front {
    /// Payments.
    pub(crate) fn switch(&self) -> &Switch {
        &self.switch
    }

    /// The client's address, as far as proxies that are trusted tell it.
    pub(crate) fn client_address(&self, parts: &Parts) -> Option<IpAddr> {
        client_address(parts, &self.trusted_proxies)
    }

    /// The caller, if its key or token is ours, may do this, and belongs to an account that is active.
    async fn caller(&self, headers: &HeaderMap, right: Right) -> Result<Caller, Problem> {
        self.caller_with(auth::presented(headers), right).await
    }

    /// The same for credentials that stand elsewhere than in the gateway's header.
    async fn caller_with(&self, presented: Option<&str>, right: Right) -> Result<Caller, Problem> {
        // Boxed, like all that few payments wait for: a payment's future is moved now and then, whole.
        let key = async |hash: &[u8; 32]| Box::pin(self.identity_of_key(hash)).await;
        let token = async |text: &str| Box::pin(self.identity_of_token(text)).await;
        let key = self.keyring.identity(presented, right, key, token).await?;
        let merchant = self.switch.merchant(&key.merchant).filter(|merchant| merchant.active);
        Ok(Caller { key, merchant: merchant.ok_or(Problem::Refused(Refusal::MerchantNotActive))? })
    }

    /// Whose key this is. A key of a user has the rights that the user has now.
    async fn identity_of_key(&self, hash: &[u8; 32]) -> Result<Option<Identity>, Problem> {
        let stores = self.switch.stores();
        let Some(key) = stores.api_key_by_hash(hash).await.map_err(AccountError::from)? else { return Ok(None) };
        if key.user.is_none() {
            let ApiKey { id, name, merchant, kind, .. } = key;
            return Ok(Some(Identity { id, name, merchant, kind, role: Role::Admin, user: Xid::NONE }));
        }
        let user = stores.user(&key.user).await.map_err(AccountError::from)?;
        Ok(user.filter(|user| user.active && user.merchant == key.merchant).map(|user| Identity::of(user, key.kind)))
    }

    async fn identity_of_token(&self, text: &str) -> Result<Option<Identity>, Problem> {
        let user: Option<User> = self.accounts.user_of_token(text).await?;
        Ok(user.map(|user| Identity::of(user, KeyKind::Api)))
    }
}

/// A version of a transaction as reads show it: what an event of it tells.
pub(crate) fn shown_transaction(switch: &Switch, transaction: &Transaction, tail: Tail<'_>) -> String {
    let compat = switch.merchant(&transaction.merchant).map(|merchant| merchant.compat).unwrap_or_default();
    let shown = view::Shown::present(transaction, tail, compat, switch.processors()).object();
    String::from_utf8(shown).unwrap_or_else(|_| "null".to_owned())
}

#[cfg(test)]
mod tests;
