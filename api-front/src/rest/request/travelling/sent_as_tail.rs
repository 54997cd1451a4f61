//! Travelling fields that come as a tail, as the binary protocol sends them: held to the same tables as a body's.

use super::{
    ADDRESS_RULES, ADDRESSES, ADJUSTMENT_TYPES, ADJUSTMENT_VALUES, AMOUNTS, AUTHENTICATION_VALUES, CAPTURE_AMOUNTS,
    CAPTURE_FLAGS, CAPTURE_TEXTS, FLAGS, Field, Rule, TEXTS, too_long,
};
use crate::rest::json::check_json;
use crate::rest::limits::TRAVELLING_JSON_MAX_BYTES;
use protocol::limits::AMOUNT_MAX_MINOR;
use protocol::tail::{ADDRESS_FIELDS, Tail, tag};
use protocol::words::Verb;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A field that is not acceptable: its tag, and what is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongField {
    /// The tag.
    pub tag: u16,
    /// What is accepted, after the field's name.
    pub reason: Cow<'static, str>,
}

/// Checks what a client sent along with a card payment or a step. The idempotency key is not one of these fields.
pub fn check_sent_tail(verb: Verb, sent: Tail<'_>) -> Result<(), WrongField> {
    for (tag, value) in sent.fields() {
        let rule = match verb {
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => rule_of_payment(tag),
            Verb::Capture => rule_in(&[CAPTURE_TEXTS, CAPTURE_AMOUNTS, CAPTURE_FLAGS], tag),
            Verb::Void | Verb::Refund => None,
        };
        let checked = rule.ok_or(Cow::Borrowed("is not accepted here")).and_then(|rule| check(rule, value));
        checked.map_err(|reason| WrongField { tag, reason })?;
    }
    Ok(())
}

fn rule_of_payment(sent: u16) -> Option<Rule> {
    // A record in the vault is made by the REST call only.
    if sent == tag::CREATE_VAULT_RECORD {
        return None;
    }
    let tables = [TEXTS, ADJUSTMENT_TYPES, AMOUNTS, ADJUSTMENT_VALUES, FLAGS, AUTHENTICATION_VALUES];
    rule_in(&tables, sent).or_else(|| rule_of_address(sent))
}

fn rule_in(tables: &[&[Field]], sent: u16) -> Option<Rule> {
    tables.iter().copied().flatten().find(|field| field.tag == sent).map(|field| field.rule)
}

fn rule_of_address(sent: u16) -> Option<Rule> {
    let first = ADDRESSES.iter().map(|(_, _, first)| *first).find(|first| {
        let last = first + ADDRESS_FIELDS.len() as u16;
        (*first..last).contains(&sent)
    })?;
    ADDRESS_RULES.get(usize::from(sent - first)).copied()
}

fn check(rule: Rule, value: &[u8]) -> Result<(), Cow<'static, str>> {
    match rule {
        Rule::Text { max_chars, check, accepts } => {
            let text = text_of(value)?;
            if too_long(text, max_chars) {
                return Err(format!("must be at most {max_chars} characters").into());
            }
            if check(text) { Ok(()) } else { Err(format!("must be {accepts}").into()) }
        }
        Rule::Amount => match <[u8; 8]>::try_from(value).map(u64::from_le_bytes) {
            Ok(amount) if amount <= AMOUNT_MAX_MINOR => Ok(()),
            _ => Err(format!("must be a u64 of at most {AMOUNT_MAX_MINOR}").into()),
        },
        Rule::Flag => {
            if matches!(value, [0 | 1]) {
                Ok(())
            } else {
                Err("must be one byte, 0 or 1".into())
            }
        }
        Rule::Json { openers, accepts } => check_travelling_json(text_of(value)?, openers, accepts),
    }
}

fn text_of(value: &[u8]) -> Result<&str, Cow<'static, str>> {
    std::str::from_utf8(value).ok().filter(|text| !text.is_empty()).ok_or(Cow::Borrowed("must be UTF-8, at least one character"))
}

/// What travels as JSON is shown again as it came, in the middle of an answer: it must be one value and nothing else.
fn check_travelling_json(json: &str, openers: &str, accepts: &str) -> Result<(), Cow<'static, str>> {
    if !json.starts_with(|first| openers.contains(first)) {
        return Err(format!("must be {accepts}").into());
    }
    if json.len() > TRAVELLING_JSON_MAX_BYTES {
        return Err(format!("must be at most {TRAVELLING_JSON_MAX_BYTES} bytes of JSON").into());
    }
    match serde_json::from_str::<&RawValue>(json) {
        Ok(value) if value.get() == json => check_json(json).map_err(Cow::Owned),
        Ok(_) | Err(_) => Err("must be one JSON value and nothing else".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::tail::push;

    fn check_one(verb: Verb, tag: u16, value: &[u8]) -> Result<(), u16> {
        let mut tail = Vec::new();
        push(&mut tail, tag, value);
        check_sent_tail(verb, Tail::parse(&tail).unwrap()).map_err(|wrong| wrong.tag)
    }

    #[test]
    fn fields_are_held_to_the_tables_of_a_body() {
        let good: &[(u16, &[u8])] = &[
            (tag::ORDER_ID, b"someOrderID"),
            (tag::IP_ADDRESS, b"4.2.2.2"),
            (tag::TAX_AMOUNT, &[1, 0, 0, 0, 0, 0, 0, 0]),
            (tag::TAX_EXEMPT, &[1]),
            (tag::CUSTOM_FIELDS, b"{\"a\":[1]}"),
            (tag::CAVV, b"AAAB"),
            (tag::BILLING + 11, b"user@example.com"),
            (tag::SHIPPING, b"John"),
        ];
        for (tag, value) in good {
            assert_eq!(check_one(Verb::Sale, *tag, value), Ok(()), "tag {tag}");
        }
        let wrong: &[(u16, &[u8])] = &[
            (tag::ORDER_ID, &[b'x'; 51]),
            (tag::ORDER_ID, b""),
            (tag::ORDER_ID, &[0xff]),
            (tag::IP_ADDRESS, b"4.2.2"),
            (tag::TAX_AMOUNT, &[1]),
            (tag::TAX_AMOUNT, &[255; 8]),
            (tag::TAX_EXEMPT, &[2]),
            (tag::CUSTOM_FIELDS, b"{\"a\":1},\"status\":\"approved\",\"b\":{}"),
            (tag::CUSTOM_FIELDS, b"{} "),
            (tag::CUSTOM_FIELDS, b"{\"a\":[1e999]}"),
            (tag::SHIPPING + 11, b"nobody"),
        ];
        for (tag, value) in wrong {
            assert_eq!(check_one(Verb::Sale, *tag, value), Err(*tag), "tag {tag}");
        }
    }

    #[test]
    fn what_the_switch_writes_itself_is_not_taken_from_a_client() {
        let ours = [tag::SEALED_CARD, tag::USER_ID, tag::USER_NAME, tag::RULE_NAME, tag::CREATE_VAULT_RECORD, 76, 92, 999];
        for sent in ours {
            assert_eq!(check_one(Verb::Sale, sent, b"x"), Err(sent), "tag {sent}");
        }
        assert_eq!(check_one(Verb::Capture, tag::ORDER_ID, b"x"), Ok(()));
        assert_eq!(check_one(Verb::Capture, tag::DESCRIPTION, b"x"), Err(tag::DESCRIPTION));
        assert_eq!(check_one(Verb::Refund, tag::ORDER_ID, b"x"), Err(tag::ORDER_ID));
    }
}
