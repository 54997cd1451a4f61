//! Our reader of JSON against serde_json's own values: the same documents, the same values in them.

use super::{RAW_FIELDS, is_about_writing, is_told_well};
use api_front::rest::Problem;
use api_front::rest::json::{Document, Scope};
use protocol::limits::AMOUNT_MAX_MINOR;
use serde_json::{Map, Value};

/// What a raw field may begin with, when anything is accepted.
const ANY_OPENER: &str = "{[\"-0123456789tf";

/// Any bytes as a body. We read what serde_json reads, less what is no object, what is too wide, and more only nothing at all;
/// and every field has one type and one value.
pub fn any_document(input: &[u8]) {
    match (Document::read(input), serde_json::from_slice::<Value>(input)) {
        (Ok(document), Ok(Value::Object(fields))) => agree(document.scope(), &fields),
        (Ok(document), Ok(Value::Null)) => assert!(!document.scope().has("")),
        (Ok(_), Ok(other)) => panic!("{other} is no object"),
        (Ok(_), Err(error)) => assert!(input.trim_ascii().is_empty(), "serde_json refuses: {error}"),
        (Err(problem), Ok(Value::Object(_) | Value::Null)) => assert!(is_about_writing(&problem), "refused: {problem}"),
        (Err(problem), Ok(_)) => assert!(matches!(&problem, Problem::Invalid { field, .. } if field == "body"), "{problem}"),
        (Err(problem), Err(_)) => is_told_well(&problem),
    }
}

fn agree(scope: Scope<'_, '_>, fields: &Map<String, Value>) {
    for (name, value) in fields {
        assert_eq!(scope.has(name), !value.is_null(), "{name:?}");
        if RAW_FIELDS.contains(&name.as_str()) {
            agree_as_sent(scope, name, value);
        } else {
            agree_on(scope, name, value);
        }
    }
}

/// Exactly the one reading that fits gives the value; every other complains, and well.
fn agree_on(scope: Scope<'_, '_>, name: &str, value: &Value) {
    let text = value.as_str().filter(|text| !text.is_empty());
    reads(scope.text(name), value.is_string(), text);
    reads(scope.flag(name), value.is_boolean(), value.as_bool());
    reads(scope.integer(name), value.is_u64(), value.as_u64());
    let amount = value.as_u64().filter(|amount| *amount <= AMOUNT_MAX_MINOR);
    reads(scope.amount(name), amount.is_some(), amount);
    match (scope.object(name, "outer."), value) {
        (Ok(inner), Value::Object(fields)) => agree(inner, fields),
        (Ok(_), Value::Null) => {}
        (Ok(_), other) => panic!("{name:?} is taken for an object and is {other}"),
        (Err(_), other) => assert!(!other.is_object() && !other.is_null()),
    }
    // The raw readings are for raw fields: here they complain.
    assert!(value.is_null() || scope.raw(name, ANY_OPENER, "").is_err());
}

fn reads<T: PartialEq + core::fmt::Debug>(read: Result<Option<T>, Problem>, fits: bool, expected: Option<T>) {
    match read {
        Ok(found) => assert_eq!(found, expected),
        Err(problem) => assert!(!fits, "{problem}"),
    }
}

fn agree_as_sent(scope: Scope<'_, '_>, name: &str, value: &Value) {
    match scope.raw(name, ANY_OPENER, "anything") {
        Ok(Some(raw)) => assert_eq!(serde_json::from_str::<Value>(raw).ok().as_ref(), Some(value)),
        Ok(None) => assert!(value.is_null() || value.as_str() == Some("")),
        Err(problem) => assert!(is_about_writing(&problem), "{problem}"),
    }
}
