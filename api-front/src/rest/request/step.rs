//! The bodies of capture, void and refund. An empty body is a good one: all that is possible is meant.

use super::idempotency::SentKey;
use super::travelling;
use crate::rest::json::{Document, Scope};
use crate::rest::problem::Problem;
use protocol::words::Verb;

/// A step on a transaction as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Capture, void or refund.
    pub verb: Verb,
    /// Minor units; none means all that is possible. A void has none.
    pub amount: Option<u64>,
    /// Idempotency key of the body; the header's wins.
    pub key: SentKey,
    /// Fields of the transaction that are sent anew: a tail.
    pub tail: Vec<u8>,
}

impl Step {
    /// Reads and validates the body of a capture.
    pub fn parse_capture(bytes: &[u8]) -> Result<Step, Problem> {
        let document = Document::read(bytes)?;
        let body = document.scope();
        let (amount, tail) = (amount(body)?, travelling::of_capture(body)?);
        Ok(Step { verb: Verb::Capture, amount, key: SentKey::read(body)?, tail })
    }

    /// Reads the body of a void, which has nothing but an idempotency key.
    pub fn parse_void(bytes: &[u8]) -> Result<Step, Problem> {
        let document = Document::read(bytes)?;
        Ok(Step { verb: Verb::Void, amount: None, key: SentKey::read(document.scope())?, tail: Vec::new() })
    }

    /// Reads and validates the body of a refund.
    pub fn parse_refund(bytes: &[u8]) -> Result<Step, Problem> {
        let document = Document::read(bytes)?;
        let body = document.scope();
        Ok(Step { verb: Verb::Refund, amount: amount(body)?, key: SentKey::read(body)?, tail: Vec::new() })
    }
}

fn amount(body: Scope<'_, '_>) -> Result<Option<u64>, Problem> {
    match body.amount("amount")? {
        Some(0) => Err(Problem::invalid("amount", "must be at least 1, or absent for all that is possible")),
        amount => Ok(amount),
    }
}
