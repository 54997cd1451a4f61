//! The Sage-style ACH host: SOAP 1.1 over HTTP, as merchants know it from the GETI Authorization Gateway.
//!
//! - [`wire`]: what the envelopes and packets mean as requests, and how answers are written.
//! - [`triggers`]: what makes the host do something else than approve, and the answers that it gives.
//! - [`book`]: what the host remembers: entries, open totals, used batch numbers, what is to be returned.
//! - [`host`]: the decisions. A value: no clock, socket, file or randomness of its own; [`crate::web`] is the shell around it.
//!
//! | call | what it is |
//! | --- | --- |
//! | `POST /webservices/AuthGateway.asmx`, `ProcessSingleCheck` | one packet: a debit, a credit (negative amount), a void, a reversal |
//! | the same, `GetArchivedResponse` | the answer that a `REQUEST_ID` was given |
//! | the same, `SettleBatch` | ours: the totals of a batch; nothing of the guide closes one |
//! | `GET /returns?after=n` | ours: returns and notifications of change after the n-th, in their order, without gaps |
//!
//! The header `AuthGatewayHeader` carries `UserName` (the merchant's terminal, up to eight characters), `Password` and `TerminalID`. The
//! packet is the guide's, escaped in `DataPacket`; ours in it are `BATCH_NUMBER` (the batch that a payment belongs to) and
//! `ORIGINAL_TRANSACTION_ID` (the debit that a credit pays back). `REQUEST_ID` is `<TRANSACTION_ID>-<trace number, six digits>-<IDENTIFIER>`:
//! a packet that comes again with it is given its first answer.

pub mod book;
pub mod host;
#[cfg(test)]
mod tests;
pub mod triggers;
pub mod wire;

pub use host::{Host, Stats};
