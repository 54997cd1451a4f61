//! What an event looks like to whoever is told of it: in the feed and in a webhook the same.

use crate::rest::shown_transaction;
use crate::switch::handle::Switch;
use persistence::stores::events::{Event, Told};
use serde_json::Value;
use serde_json::value::RawValue;

/// The event as a JSON object.
pub fn event_json(switch: &Switch, event: &Event) -> String {
    let data = match &event.told {
        Told::Transaction(stored) => {
            let (transaction, tail) = stored.parts();
            shown_transaction(switch, transaction, tail)
        }
        // Written by us; should it not be JSON all the same, it must not break what stands around it.
        Told::Thing { body, .. } if serde_json::from_str::<&RawValue>(body).is_ok() => body.clone(),
        Told::Thing { body, .. } => Value::from(&body[..]).to_string(),
    };
    format!(
        "{{\"id\":\"{}\",\"type\":\"{}\",\"sequence\":{},\"timestamp\":\"{}\",\"object_id\":\"{}\",\"data\":{data}}}",
        event.id(),
        event.kind.word(),
        event.sequence,
        event.at,
        event.about,
    )
}
