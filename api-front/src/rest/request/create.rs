//! `POST /api/transaction`: the body that makes a payment.

use super::idempotency::SentKey;
use super::means::{Means, Named};
use super::travelling;
use crate::rest::json::{Document, Scope};
use crate::rest::problem::Problem;
use protocol::command::flag;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::words::Verb;

/// A payment as it was asked for.
#[derive(Debug)]
pub struct Create {
    /// Sale, authorize, credit or verification.
    pub verb: Verb,
    /// Minor units; above zero but for a verification, where it is zero.
    pub amount: u64,
    /// Dollars when none was sent.
    pub currency: Currency,
    /// What it is paid with.
    pub means: Means,
    /// Bits of [`flag`] that the client chose.
    pub flags: u32,
    /// The processor that was asked for.
    pub processor: Option<Xid>,
    /// Idempotency key of the body; the header's wins.
    pub key: SentKey,
    /// The travelling fields: a tail without card or account, key and user.
    pub tail: Vec<u8>,
}

const FLAGS: [(&str, u32); 3] = [
    ("allow_duplicate", flag::ALLOW_DUPLICATE),
    ("allow_partial_payment", flag::ALLOW_PARTIAL),
    ("bypass_rule_engine", flag::BYPASS_RULES),
];

impl Create {
    /// Reads and validates a body. Never panics, whatever the bytes are.
    pub fn parse(bytes: &[u8]) -> Result<Create, Problem> {
        let document = Document::read(bytes)?;
        let body = document.scope();
        let verb = verb(body)?;
        let amount = amount(body, verb)?;
        let currency = currency(body)?;
        let named = Named::of(body)?;
        named.check_verb(verb)?;
        named.check_money(amount, currency)?;
        Ok(Create {
            verb,
            amount,
            currency,
            flags: flags(body)?,
            processor: processor(body)?,
            key: SentKey::read(body)?,
            tail: travelling::of_create(body, named)?,
            means: named.read()?,
        })
    }
}

fn verb(body: Scope<'_, '_>) -> Result<Verb, Problem> {
    let word = body.text("type")?.ok_or_else(|| Problem::invalid("type", format!("is required: {VERBS}")))?;
    match Verb::from_word(word) {
        Some(verb @ (Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification)) => Ok(verb),
        Some(Verb::Refund | Verb::Capture | Verb::Void) | None => Err(Problem::invalid("type", format!("must be {VERBS}"))),
    }
}

const VERBS: &str = "sale, authorize, credit or verification";

fn amount(body: Scope<'_, '_>, verb: Verb) -> Result<u64, Problem> {
    match (verb, body.amount("amount")?) {
        (Verb::Verification, None | Some(0)) => Ok(0),
        (Verb::Verification, Some(_)) => Err(Problem::invalid("amount", "must be 0 or absent for a verification")),
        (_, None) => Err(Problem::invalid("amount", "is required, in minor units (1299 is 12.99)")),
        (_, Some(0)) => Err(Problem::invalid("amount", "must be at least 1")),
        (_, Some(amount)) => Ok(amount),
    }
}

fn currency(body: Scope<'_, '_>) -> Result<Currency, Problem> {
    let Some(code) = body.text("currency")? else { return Ok(Currency::USD) };
    Currency::from_code(code).ok_or_else(|| Problem::invalid("currency", "must be an ISO 4217 code such as USD"))
}

fn flags(body: Scope<'_, '_>) -> Result<u32, Problem> {
    let mut flags = 0;
    for (name, bit) in FLAGS {
        if body.flag(name)? == Some(true) {
            flags |= bit;
        }
    }
    Ok(flags)
}

fn processor(body: Scope<'_, '_>) -> Result<Option<Xid>, Problem> {
    let Some(text) = body.text("processor_id")? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Problem::unknown_processor())
}
