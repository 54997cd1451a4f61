//! Terminal processor, Dejavoo-style (SPIn): XML over HTTP to a terminal with a person at it.
//!
//! The request is the form field `TerminalTransaction`: `RegisterId`, `TPN`, `AuthKey`, `RefId` (the retrieval reference number of the
//! transaction), `TransType`, and
//!
//! | `TransType` | of | fields beside those |
//! |---|---|---|
//! | `Sale`, `Auth` | sale, authorization | `PaymentType` `Amount` `Tip` `InvNum` `PrintReceipt` `SigCapture` `CurrencyCode` `BatchNum` (`ExpDate` `CVV`) |
//! | `Return` | credit; refund, which names its sale in `OriginalRefId` | the same |
//! | `Capture` | capture | `Amount` `CurrencyCode` `BatchNum` |
//! | `Void` | void; reversal, with `VoidReason` `Timeout` | |
//! | `Status` | what this reference was answered | |
//! | `Cancel` | ends what a person is at, or forbids what has not arrived | |
//! | `Settle`, `Param` `Close` | batch totals | `BatchNum` `MembersBatchNum` `DebitCount` `DebitAmount` `CreditCount` `CreditAmount` `CurrencyCode` |
//!
//! `Cancel`, `CurrencyCode`, `BatchNum`, `OriginalRefId`, `VoidReason`, `ExpDate`, `CVV` and the totals are fields of our own. A batch is a
//! register's: all terminals of a merchant at this processor.
//!
//! An answer that did not come is asked for by reference before anything is sent again. A verification is not possible at a terminal.

mod code_map;
mod decode;
mod encode;
mod exchange;
#[cfg(test)]
mod tests;

pub use code_map::{TEXTS, response_code};
pub use decode::{Told, read};
pub use encode::{Outgoing, PATH, Register, Unwritable};
pub use exchange::Exchange;
