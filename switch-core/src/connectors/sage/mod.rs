//! ACH processor, Sage-style (GETI Authorization Gateway): SOAP 1.1 over HTTP.
//!
//! | request | method, `IDENTIFIER` | what says so |
//! |---|---|---|
//! | debit by internet or telephone | `ProcessSingleCheck`, `A` | SEC code `web`, `tel` |
//! | debit by written agreement | `ProcessSingleCheck`, `R` | SEC code `ppd`, `ccd` |
//! | credit; refund, which names its debit | the same, negative `CHECK_AMOUNT` | |
//! | void | `ProcessSingleCheck`, `V` | |
//! | reversal | `ProcessSingleCheck`, `F` | |
//! | batch totals | `SettleBatch`, ours | |
//!
//! `TRANSACTION_ID` is the transaction's retrieval reference number; `REQUEST_ID` adds the trace number and the identifier, so that a
//! repeat is known as one. Ours in a packet are `BATCH_NUMBER` and, of a refund, `ORIGINAL_TRANSACTION_ID`. The gateway's terminal
//! follows from the SEC code and from whether a driver's licence is given.
//!
//! A hold of funds, a capture and a verification do not exist here. What banks send back later comes by [`feed`].

mod code_map;
mod decode;
mod encode;
mod exchange;
pub mod feed;
#[cfg(test)]
mod tests;

pub use code_map::{FAILURES, RESPONSE_TYPES, RESULT_BITS, TYPE_BITS};
pub use encode::{AccountData, Originator, Outgoing, PATH, Unwritable};
pub use exchange::Exchange;
