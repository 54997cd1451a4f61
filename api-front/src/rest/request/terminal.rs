//! `payment_method.terminal`: which terminal is to ask for the card, and how.

use super::card;
use crate::intake::AtTerminal;
use crate::rest::json::Scope;
use crate::rest::problem::Problem;
use protocol::id::Xid;
use protocol::tail::{self, tag};

/// Which copies of the receipt the terminal prints.
const RECEIPTS: [&str; 4] = ["no", "customer", "merchant", "both"];

/// Reads what is known of the card beforehand.
pub(super) fn read(scope: Scope<'_, '_>) -> Result<AtTerminal, Problem> {
    Ok(AtTerminal { expiry: card::optional_expiry(scope)?, cvv: card::cvv(scope)? })
}

/// Appends whether a signature is wanted.
pub(super) fn push_flags(scope: Scope<'_, '_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    if let Some(flag) = scope.flag("signature_required")? {
        tail::push(out, tag::SIGNATURE_REQUIRED, &[flag.into()]);
    }
    Ok(())
}

/// Appends which terminal, and its receipt; tags ascending.
pub(super) fn push_words(scope: Scope<'_, '_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    let text = scope.text("id")?.ok_or_else(|| scope.invalid("id", "is required: the id of a terminal"))?;
    let id: Xid = text.parse().map_err(|_| scope.invalid("id", "must be an id of 20 characters"))?;
    tail::push(out, tag::TERMINAL_ID, &id.to_text());
    if let Some(text) = scope.text("print_receipt")? {
        let found = RECEIPTS.iter().find(|word| word.eq_ignore_ascii_case(text));
        let word = found.ok_or_else(|| scope.invalid("print_receipt", format!("must be one of {}", RECEIPTS.join(", "))))?;
        tail::push(out, tag::PRINT_RECEIPT, word.as_bytes());
    }
    Ok(())
}
