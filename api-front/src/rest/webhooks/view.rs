//! What the webhooks' calls answer.

use crate::rest::envelope::moment;
use crate::rest::view::SUCCESS;
use crate::webhooks::Secret;
use persistence::stores::events::Event;
use persistence::stores::webhooks::{Delivery, DeliveryState, Endpoint, To};
use serde_json::{Value, json};

/// A page of the feed. `newest` is the number of the merchant's last event.
pub(super) fn events(shown: impl Iterator<Item = String>, newest: u64) -> Vec<u8> {
    let shown: Vec<String> = shown.collect();
    format!("{SUCCESS}[{}],\"count\":{},\"total_count\":{newest}}}", shown.join(","), shown.len()).into_bytes()
}

pub(super) fn endpoint(endpoint: &Endpoint) -> Value {
    json!({
        "id": endpoint.id.to_string(),
        "url": endpoint.url,
        "description": endpoint.description,
        "events": endpoint.kinds.split(',').collect::<Vec<_>>(),
        "status": if endpoint.active { "active" } else { "disabled" },
        "reason": endpoint.reason,
        "sequence": endpoint.told,
        "failing_since": moment(endpoint.failing_since),
        "secret_rotated_at": moment(endpoint.rotated_at),
        "created_at": moment(endpoint.created_at),
        "updated_at": moment(endpoint.updated_at),
    })
}

pub(super) fn with_secret(shown: &Endpoint, secret: &Secret) -> Value {
    let mut value = endpoint(shown);
    value["secret"] = secret.text().into();
    value
}

/// An event and what became of it at an endpoint. Without a row it arrived at the first try, or its turn has not come.
pub(super) fn delivery(endpoint: &Endpoint, event: &Event, row: Option<&Delivery>) -> Value {
    let state = match row {
        Some(row) => row.state,
        None if event.sequence <= endpoint.told => DeliveryState::Delivered,
        None => DeliveryState::Pending,
    };
    told(event, state, row)
}

/// An event and what became of it at the address that came with its thing.
pub(super) fn callback(event: &Event, row: &Delivery) -> Value {
    let mut shown = told(event, row.state, Some(row));
    if let To::Address { url, .. } = &row.to {
        shown["url"] = url.as_str().into();
    }
    shown
}

fn told(event: &Event, state: DeliveryState, row: Option<&Delivery>) -> Value {
    let attempts = row.map_or(u32::from(state == DeliveryState::Delivered), |row| row.attempts);
    let next = row.filter(|row| row.state == DeliveryState::Pending).map(|row| moment(row.next_attempt_at));
    json!({
        "event_id": event.id(),
        "type": event.kind.word(),
        "sequence": event.sequence,
        "status": state.word(),
        "attempts": attempts,
        "next_attempt_at": next,
        "last_attempt_at": row.map(|row| moment(row.last_attempt_at)),
        "response_status": row.map(|row| row.status).filter(|status| *status > 0),
        "error": row.map_or("", |row| &row.fault),
    })
}
