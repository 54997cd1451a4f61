//! `recipients` of a split link, which the document also calls `recipient`: a list of objects, or one object. A form has it as the text
//! of either, or spread out as PHP does: `recipients[0][token]=…&recipients[0][share]=50`.

use super::fields::Fields;
use crate::payment_links::RecipientAsked;
use crate::rest::problem::Problem;
use protocol::money::Currency;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Recipients of one link.
const RECIPIENTS_MAX: usize = 50;
/// A key's longest text.
const TOKEN_MAX_CHARS: usize = 256;
/// All of a payment, hundredths of a percent.
const WHOLE_BP: u64 = 10_000;

/// A recipient as it is sent.
#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    /// Shop plugins call it a percentage.
    #[serde(borrow, alias = "percentage")]
    share: &'a RawValue,
}

/// Who is to share a link's payment.
pub(super) fn recipients(fields: &Fields) -> Result<Vec<RecipientAsked>, Problem> {
    let name = if fields.has("recipient") && !fields.has("recipients") { "recipient" } else { "recipients" };
    let written = written(fields, name).ok_or_else(|| Problem::invalid(name, "is required"))?;
    let parsed: serde_json::Result<Vec<Sent<'_>>> = match written.starts_with('{') {
        true => serde_json::from_str(&written).map(|one| vec![one]),
        false => serde_json::from_str(&written),
    };
    let said = r#"must be a list such as [{"token": "…", "share": 50}]"#;
    let sent = parsed.map_err(|_| Problem::invalid(name, said))?;
    if sent.is_empty() || sent.len() > RECIPIENTS_MAX {
        return Err(Problem::invalid(name, format!("must name 1 to {RECIPIENTS_MAX} recipients")));
    }
    let asked = sent.iter().enumerate().map(|(place, sent)| sent.check(name, place)).collect::<Result<Vec<_>, _>>()?;
    if asked.iter().map(|recipient| u64::from(recipient.share_bp)).sum::<u64>() > WHOLE_BP {
        return Err(Problem::invalid(name, "must have shares of at most 100 together"));
    }
    let mut tokens: Vec<&str> = asked.iter().map(|recipient| recipient.token.as_str()).collect();
    tokens.sort_unstable();
    if tokens.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Problem::invalid(name, "must name each token once"));
    }
    Ok(asked)
}

/// The list, or the one object, as JSON.
fn written<'f>(fields: &'f Fields, name: &'f str) -> Option<Cow<'f, str>> {
    let mut spread = fields.bracketed(name).peekable();
    match spread.peek() {
        None => fields.written(name).map(Cow::Borrowed),
        Some(_) => Some(Cow::Owned(gathered(spread).to_string())),
    }
}

/// What a form has spread out. What has the same index is one object; without an index, one ends where the next begins to repeat it.
fn gathered<'f>(spread: impl Iterator<Item = (&'f str, &'f str)>) -> Value {
    let mut objects: Vec<(&str, Map<String, Value>)> = Vec::new();
    for (path, value) in spread {
        let (index, field) = path.split_once("][").unwrap_or(("", path));
        let known = match index {
            "" => objects.last_mut().filter(|(of, object)| of.is_empty() && !object.contains_key(field)),
            index => objects.iter_mut().find(|(of, _)| *of == index),
        };
        match known {
            Some((_, object)) => drop(object.insert(field.to_owned(), value.into())),
            None => objects.push((index, Map::from_iter([(field.to_owned(), value.into())]))),
        }
    }
    objects.into_iter().map(|(_, object)| Value::Object(object)).collect()
}

impl Sent<'_> {
    fn check(&self, name: &str, place: usize) -> Result<RecipientAsked, Problem> {
        let refused = |field: &str, reason: &'static str| Problem::invalid(format!("{name}[{place}].{field}"), reason);
        if self.token.is_empty() || self.token.chars().count() > TOKEN_MAX_CHARS {
            return Err(refused("token", "must be a merchant's token"));
        }
        // A percentage with two decimals has the form of an amount.
        let share = Currency::USD.parse_major(self.share.get().trim_matches('"')).ok();
        let share_bp = share.filter(|share| (1..=WHOLE_BP).contains(share)).and_then(|share| u32::try_from(share).ok());
        let said = "must be a percentage above 0, at most 100, with at most two decimals";
        let share_bp = share_bp.ok_or_else(|| refused("share", said))?;
        Ok(RecipientAsked { token: self.token.clone().into_owned(), share_bp })
    }
}
