//! Bodies that come back as they were sent: the object whole, and its fields looked at one by one.
//!
//! Numbers of the object are kept for the answer only. An amount is read from its text, never from a float.

use super::problem::Problem;
use crate::rest::limits::{BODY_KEPT_MAX_BYTES, LIST_ITEMS_MAX};
use protocol::limits::AMOUNT_MAX_MINOR;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// A JSON object as it was sent.
pub(super) struct Sent<'b> {
    object: Map<String, Value>,
    /// The same, each field as its text.
    texts: HashMap<String, &'b RawValue>,
}

impl<'b> Sent<'b> {
    /// Reads a body.
    pub(super) fn read(body: &'b [u8]) -> Result<Sent<'b>, Problem> {
        let text = std::str::from_utf8(body).map_err(|error| Problem::NotUtf8 { at: error.valid_up_to() })?;
        if text.len() > BODY_KEPT_MAX_BYTES {
            return Err(Problem::invalid("body", format!("must have at most {BODY_KEPT_MAX_BYTES} bytes: all of it comes back")));
        }
        super::json::check_json(text).map_err(|reason| Problem::Malformed { reason })?;
        let malformed = |error: serde_json::Error| Problem::Malformed { reason: error.to_string() };
        let Value::Object(object) = serde_json::from_str(text).map_err(malformed)? else {
            return Err(Problem::invalid("body", "must be a JSON object"));
        };
        Ok(Sent { object, texts: serde_json::from_str(text).map_err(malformed)? })
    }

    /// What was sent, to be kept.
    pub(super) fn into_object(self) -> Map<String, Value> {
        self.object
    }

    /// A field, unless it is `null`.
    fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A text; an empty one counts as not sent. At most `max` characters, none of them a control character.
    pub(super) fn text(&self, name: &'static str, max: usize) -> Result<Option<&str>, Problem> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => checked_text(name, text, max).map(|text| Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(Problem::invalid(name, "must be a text")),
        }
    }

    /// A text that must be there.
    pub(super) fn required_text(&self, name: &'static str, max: usize) -> Result<&str, Problem> {
        self.text(name, max)?.ok_or_else(|| Problem::invalid(name, "is required"))
    }

    /// The text of a decimal number, or the text that stands in its place: `123.45`, `"123.45"`.
    pub(super) fn decimal(&self, name: &'static str) -> Result<&str, Problem> {
        let raw = self.texts.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null");
        match (raw, self.object.get(name)) {
            (None, _) => Err(Problem::invalid(name, "is required")),
            (Some(_), Some(Value::String(text))) => Ok(text),
            (Some(raw), Some(Value::Number(_))) => Ok(raw),
            (Some(_), _) => Err(Problem::invalid(name, "must be a decimal number such as 123.45")),
        }
    }

    /// Minor units: an integer, or a text of digits.
    pub(super) fn cents(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        self.get(name).map(|value| cents(name, value)).transpose()
    }

    /// The objects of a list: of each its `description` and its `amount_cents`.
    pub(super) fn lines(&self, name: &'static str) -> Result<Option<Vec<SentLine>>, Problem> {
        let items = match self.get(name) {
            None => return Ok(None),
            Some(Value::Array(items)) if items.len() <= LIST_ITEMS_MAX => items,
            Some(Value::Array(_)) => return Err(Problem::invalid(name, format!("must have at most {LIST_ITEMS_MAX} items"))),
            Some(_) => return Err(Problem::invalid(name, "must be a list of objects")),
        };
        items.iter().map(|item| line(name, item)).collect::<Result<_, _>>().map(Some)
    }
}

/// What a line says: its description, and its amount in minor units where it has one.
type SentLine = (String, Option<u64>);

fn line(list: &'static str, item: &Value) -> Result<SentLine, Problem> {
    let Value::Object(item) = item else { return Err(Problem::invalid(list, "must be a list of objects")) };
    let of = |name: &str| item.get(name).filter(|value| !value.is_null());
    let description = match of("description") {
        None => "",
        Some(Value::String(text)) => checked_text(format!("{list}.description"), text, super::limits::DESCRIPTION_MAX_CHARS)?,
        Some(_) => return Err(Problem::invalid(format!("{list}.description"), "must be a text")),
    };
    let amount = of("amount_cents").map(|value| cents(format!("{list}.amount_cents"), value)).transpose()?;
    Ok((description.to_owned(), amount))
}

fn checked_text(name: impl Into<std::borrow::Cow<'static, str>>, text: &str, max: usize) -> Result<&str, Problem> {
    if text.chars().count() > max {
        return Err(Problem::invalid(name, format!("must have at most {max} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::invalid(name, "must not have control characters"));
    }
    Ok(text)
}

fn cents(name: impl Into<std::borrow::Cow<'static, str>>, value: &Value) -> Result<u64, Problem> {
    let amount = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    };
    let words = "must be an integer of minor units (1299 is 12.99), or a text of its digits";
    match amount {
        Some(amount) if amount <= AMOUNT_MAX_MINOR => Ok(amount),
        Some(_) => Err(Problem::invalid(name, format!("must be at most {AMOUNT_MAX_MINOR}"))),
        None => Err(Problem::invalid(name, words)),
    }
}
