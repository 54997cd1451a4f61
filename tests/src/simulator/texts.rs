//! Changes of the configuration, read in the plainest way: what the text of a change says, in the words of rules and routes.

use serde_json::Value as Json;
use switch_core::conditions::typed::{Condition, Value};
use switch_core::input::ProcessorState;
use switch_core::routing::typed::{Route, Share};
use switch_core::rules::typed::Rule;

/// The rules of a text.
pub fn rules(text: &[u8]) -> Vec<Rule> {
    list(&json(text)["rules"]).iter().map(rule).collect()
}

/// The routes of a text.
pub fn routes(text: &[u8]) -> Vec<Route> {
    list(&json(text)["routes"]).iter().map(route).collect()
}

/// Whether a processor takes payments, by a text.
pub fn state(text: &[u8]) -> ProcessorState {
    match json(text)["state"].as_str() {
        Some("enabled") => ProcessorState::Enabled,
        Some("draining") => ProcessorState::Draining,
        Some("disabled") => ProcessorState::Disabled,
        other => panic!("a processor's state was journaled as {other:?}"),
    }
}

fn json(text: &[u8]) -> Json {
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("a change that was made reads back, but: {error}"))
}

fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], |entries| &entries[..])
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn rule(json: &Json) -> Rule {
    Rule {
        name: text(&json["name"]),
        stage: text(&json["stage"]),
        merchant_id: json["merchant_id"].as_str().map(str::to_owned),
        conditions: list(&json["if"]).iter().map(condition).collect(),
        then: text(&json["then"]),
        code: json["code"].as_u64().map(|code| code as u16),
    }
}

fn route(json: &Json) -> Route {
    let share =
        |share: &Json| Share { processor_id: text(&share["processor_id"]), weight: share["weight"].as_u64().unwrap_or(0) };
    Route {
        name: text(&json["name"]),
        merchant_id: json["merchant_id"].as_str().map(str::to_owned),
        conditions: list(&json["if"]).iter().map(condition).collect(),
        to: list(&json["to"]).iter().map(share).collect(),
        fail_over: list(&json["fail_over"]).iter().map(text).collect(),
    }
}

fn condition(json: &Json) -> Condition {
    Condition {
        field: text(&json["field"]),
        op: text(&json["op"]),
        value: value(&json["value"]),
        per: json["per"].as_str().map(str::to_owned),
        window_s: json["window_s"].as_u64(),
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Array(values) => Value::List(values.iter().map(value).collect()),
        Json::Number(number) => Value::Number(number.as_u64().unwrap_or(0)),
        other => Value::Text(text(other)),
    }
}
