//! The Dejavoo-style terminal host (SPIn): XML over HTTP, in front of four terminals with a person at each.
//!
//! - [`wire`]: what the XML means as a request, and how answers are written.
//! - [`triggers`]: what makes the terminals do something else than approve.
//! - [`book`]: what the host remembers: transactions by reference, open totals, used batch numbers.
//! - [`host`]: the decisions. A value: no clock, socket, file or randomness of its own.
//!
//! The request is the form field `TerminalTransaction` of a POST, the same in the query of a GET, or the bare XML of a POST, at [`PATH`].
//! `RegisterId`, `TPN`, `AuthKey` and `RefId` come with each; a register's references name its transactions for good.
//!
//! | `TransType` | fields beside those | what it does |
//! | --- | --- | --- |
//! | `Sale`, `Auth`, `Return` | `PaymentType`, `Amount`, `Tip`, `InvNum`, `PrintReceipt`, `SigCapture` | a payment; a person presents a card |
//! | `Capture` | `Amount` | takes what `Auth` with this reference put aside, once |
//! | `Void` | | takes the transaction with this reference back, unless it is settled |
//! | `Status` | | the answer that this reference was given; `NOT FOUND`, `IN PROGRESS` |
//! | `Settle` | `Param` `Close` | closes a batch when the totals agree |
//!
//! Not in the makers' documents, and ours: `TransType` `Cancel`, which ends what a person is at, or forbids what has not arrived;
//! `CurrencyCode` (ISO 4217 numeric), `BatchNum` (the batch that a payment is booked into), `OriginalRefId` (a `Return` pays back that
//! sale, and nobody need present a card), `VoidReason` `Timeout`, and with `Settle`: `MembersBatchNum`, `DebitCount`, `DebitAmount`,
//! `CreditCount`, `CreditAmount`. A batch holds what one register's terminals took in one currency.
//!
//! The fault `delay_ms` is how long a person takes, and how late the answer to anything else is but `Status` and `Cancel`. Not done here:
//! `TipAdjust`.

pub mod book;
pub mod host;
pub mod triggers;
pub mod wire;

pub use host::Host;

use std::ops::RangeInclusive;

/// Where requests are taken.
pub const PATH: &str = "/spin/cgi.html";
/// The key that every register of the sandbox has.
pub const AUTH_KEY: &str = "wcR1c9o1";

/// A terminal of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Terminal profile number, twelve digits.
    pub tpn: &'static str,
    /// What it does, in a merchant's words.
    pub description: &'static str,
}

/// The terminals, by the last digit of their number.
pub const TERMINALS: [Terminal; 4] = [
    Terminal { tpn: "000000000001", description: "approves" },
    Terminal { tpn: "000000000002", description: "declines" },
    Terminal { tpn: "000000000003", description: "is broken" },
    Terminal { tpn: "000000000004", description: "approves, with a tip" },
];

/// Numbers of further terminals, which other merchants may register; they too do what their last digit says, and approve where it says nothing.
pub const FURTHER_TERMINALS: RangeInclusive<u32> = 11..=9_999;

/// True for a number that the host has a terminal for.
fn has_terminal(tpn: u32) -> bool {
    (1..=TERMINALS.len() as u32).contains(&tpn) || FURTHER_TERMINALS.contains(&tpn)
}
