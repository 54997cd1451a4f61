//! What the operator sees of the books behind payment links.

use crate::payment_links::CURRENCY;
use crate::rest::Front;
use crate::rest::envelope;
use crate::rest::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use persistence::PersistenceError;
use serde_json::{Value, json};

/// `GET /operator/books`: each merchant's accounts, which sum to zero, and how many postings do not: none, while the books are sound.
pub(super) async fn read(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    let unreadable = |error: PersistenceError| {
        tracing::warn!(%error, "the books can't be read");
        Problem::StoreUnavailable
    };
    let stores = front.switch.stores();
    let (unbalanced, books) = (stores.unbalanced_postings().await, stores.books(CURRENCY).await);
    let accounts: Vec<Value> = books
        .map_err(unreadable)?
        .into_iter()
        .map(|(merchant, [shoppers, balance, fees, in_transit, paid_out])| {
            json!({
                "merchant_id": merchant.to_string(), "shoppers": shoppers, "balance": balance, "fees": fees,
                "in_transit": in_transit, "paid_out": paid_out,
            })
        })
        .collect();
    let unbalanced = unbalanced.map_err(unreadable)?;
    Ok(envelope::data(json!({"currency": CURRENCY.code(), "unbalanced_postings": unbalanced, "accounts": accounts})))
}
