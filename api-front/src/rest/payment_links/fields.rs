//! The fields of a body, whichever of the kinds it is: a form, as one text or in parts, or a JSON object.
//!
//! A form's values are texts; numbers and lists stand in them as they would in JSON. Numbers are kept as they were written, so that an
//! amount is read exactly.

use crate::payment_links::CURRENCY;
use crate::rest::multipart;
use crate::rest::problem::Problem;
use axum::http::{HeaderMap, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

/// Fields of a body that are read; more are refused.
const FIELDS_MAX: usize = 256;
/// Longest address.
const ADDRESS_MAX_CHARS: usize = 2_000;

/// A value as it was sent.
#[derive(Debug)]
enum Sent {
    /// A text, of a form or of JSON.
    Text(String),
    /// JSON that is no text, as written.
    Json(String),
}

/// A body's fields by name. What is `null` or an empty text is not there.
#[derive(Debug, Default)]
pub(super) struct Fields {
    named: HashMap<String, Sent>,
    /// Of a form: what stands under a name with brackets, `recipients[0][token]`, in the order in which it was sent.
    bracketed: Vec<(String, String)>,
}

impl Fields {
    /// Reads a body. Clients call JSON a form now and then, so its first character counts too.
    pub(super) fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Fields, Problem> {
        let text = std::str::from_utf8(bytes).map_err(|error| Problem::NotUtf8 { at: error.valid_up_to() })?;
        let typed = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let essence = typed.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        let fields = match essence.as_str() {
            _ if text.trim_ascii().is_empty() => Fields::default(),
            "application/json" => json_fields(text)?,
            "application/x-www-form-urlencoded" | "" if text.trim_ascii_start().starts_with('{') => json_fields(text)?,
            "application/x-www-form-urlencoded" | "" => Fields::of_form(form_urlencoded::parse(text.trim_ascii().as_bytes())),
            "multipart/form-data" => {
                let (_, parameters) = typed.split_once(';').unwrap_or_default();
                let parts = multipart::parts(parameters, text, FIELDS_MAX)?;
                Fields::of_form(parts.into_iter().map(|(name, text)| (name.into(), text.into())))
            }
            _ => return Err(Problem::UnsupportedType),
        };
        if fields.named.len() + fields.bracketed.len() > FIELDS_MAX {
            return Err(Problem::invalid("body", format!("must have at most {FIELDS_MAX} fields")));
        }
        Ok(fields)
    }

    fn of_form<'t>(sent: impl Iterator<Item = (Cow<'t, str>, Cow<'t, str>)>) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in sent.filter(|(_, value)| !value.is_empty()) {
            if name.contains('[') {
                fields.bracketed.push((name.into_owned(), value.into_owned()));
            } else {
                fields.named.insert(name.into_owned(), Sent::Text(value.into_owned()));
            }
        }
        fields
    }

    /// A text.
    pub(super) fn text(&self, name: &'static str, chars_max: usize) -> Result<Option<String>, Problem> {
        match self.named.get(name) {
            None => Ok(None),
            Some(Sent::Json(_)) => Err(Problem::invalid(name, "must be a text")),
            Some(Sent::Text(text)) if text.chars().count() > chars_max || text.contains('\0') => {
                Err(Problem::invalid(name, format!("must be a text of at most {chars_max} characters")))
            }
            Some(Sent::Text(text)) => Ok(Some(text.clone())),
        }
    }

    /// An address to which a browser or a webhook goes; empty where there is none. A test's own http server is one where
    /// `loopback_allowed`.
    pub(super) fn address(&self, name: &'static str, loopback_allowed: bool) -> Result<String, Problem> {
        let Some(text) = self.text(name, ADDRESS_MAX_CHARS)? else { return Ok(String::new()) };
        let uri = text.parse::<Uri>().ok();
        let is_accepted = uri.is_some_and(|uri| match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(host)) => !host.is_empty(),
            (Some("http"), Some(host)) => loopback_allowed && matches!(host, "127.0.0.1" | "localhost" | "[::1]"),
            _ => false,
        });
        if is_accepted { Ok(text) } else { Err(Problem::invalid(name, "must be an address that begins with https://")) }
    }

    /// An amount in euros, as a text or a number, above zero.
    pub(super) fn amount(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        let Some(written) = self.written(name) else { return Ok(None) };
        let parsed = CURRENCY.parse_major(written);
        match parsed.map_err(|why| Problem::invalid(name, why.to_string()))? {
            0 => Err(Problem::invalid(name, "must be at least 0.01")),
            amount => Ok(Some(amount)),
        }
    }

    /// A whole number, as a text or a number.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        let Some(written) = self.written(name) else { return Ok(None) };
        // One that a database can hold: more is no number of ours.
        let parsed = written.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
        parsed.map(Some).ok_or_else(|| Problem::invalid(name, "must be a whole number, such as 124"))
    }

    /// The link that the first of these fields names: by its number, or as `link_id` stands in its address, the number in base64.
    pub(super) fn link_number(&self, names: &[&'static str]) -> Result<(u64, &'static str), Problem> {
        let name = names.iter().find(|name| self.has(name)).or(names.first()).copied().unwrap_or("id");
        let encoded = self.written(name).and_then(number_in_base64);
        let number = encoded.map_or_else(|| self.number(name), |number| Ok(Some(number)))?;
        Ok((number.ok_or_else(|| Problem::invalid(name, "is required"))?, name))
    }

    /// True where the field was sent.
    pub(super) fn has(&self, name: &str) -> bool {
        self.named.contains_key(name) || self.bracketed(name).next().is_some()
    }

    /// What a form has below a name, in the order of the form: `0][token` for `recipients[0][token]`, and what it is.
    pub(super) fn bracketed<'f>(&'f self, name: &'f str) -> impl Iterator<Item = (&'f str, &'f str)> {
        let path = move |written: &'f str| written.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']');
        self.bracketed.iter().filter_map(move |(written, value)| Some((path(written)?, value.as_str())))
    }

    /// What was written, text or not.
    pub(super) fn written(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(|sent| match sent {
            Sent::Text(text) | Sent::Json(text) => text.trim(),
        })
    }
}

/// `MTI0` is 124. No number in base64 begins with a digit, so that none is taken for another.
fn number_in_base64(written: &str) -> Option<u64> {
    let digits = URL_SAFE_NO_PAD.decode(written.trim_end_matches('=')).ok()?;
    let is_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(&digits).ok().filter(|_| is_digits)?.parse().ok()
}

fn json_fields(text: &str) -> Result<Fields, Problem> {
    let object: HashMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => Problem::invalid("body", "must be a JSON object or a form"),
        Category::Io | Category::Syntax | Category::Eof => Problem::Malformed { reason: error.to_string() },
    })?;
    let mut named = HashMap::with_capacity(object.len());
    for (name, raw) in object {
        let sent = match raw.get() {
            "null" | "\"\"" => continue,
            text if text.starts_with('"') => {
                let text = serde_json::from_str(text).map_err(|error| Problem::Malformed { reason: error.to_string() })?;
                Sent::Text(text)
            }
            other => Sent::Json(other.to_owned()),
        };
        named.insert(name, sent);
    }
    Ok(Fields { named, bracketed: Vec::new() })
}
