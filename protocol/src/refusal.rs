//! Refusals: commands that changed nothing. A decline is not one of them; it is a transaction.

use crate::words::{PaymentMethod, Status, Verb};
use core::fmt;

/// Why a command was turned away with nothing done, nothing journaled and nothing sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A bounded queue or table is full, or the disk nearly is: try again later.
    Busy,
    /// The merchant is not known to this switch or is suspended.
    MerchantNotActive,
    /// The processor that was asked for does not exist or takes no traffic.
    ProcessorNotAvailable,
    /// No such transaction of this merchant.
    NotFound,
    /// The transaction does not stand where this verb is possible.
    IllegalStep {
        /// What made it: what is possible depends on that as well.
        verb: Verb,
        /// Where it stands.
        status: Status,
    },
    /// Its settlement batch is being closed: neither void nor refund is possible until the processor has answered.
    BatchClosing,
    /// Another capture or void of the same transaction is in flight.
    StepInFlight {
        /// Where it stands until that is answered.
        status: Status,
    },
    /// More than is left to capture or refund.
    AmountTooLarge {
        /// Where it stands.
        status: Status,
        /// The most that is possible, in minor units.
        max: u64,
    },
    /// Zero, where the verb needs an amount.
    AmountZero,
    /// The idempotency key was used for a different request.
    KeyReused,
    /// With what the step adds, the transaction's tail would be longer than a tail may be.
    TailTooLong,
    /// The processor that was asked for, or the account's own, does not take this means of payment.
    MethodNotTaken {
        /// The means of payment.
        method: PaymentMethod,
    },
}

impl Refusal {
    /// The frozen number on the binary wire.
    pub const fn number(self) -> u16 {
        match self {
            Refusal::Busy => 1,
            Refusal::MerchantNotActive => 2,
            Refusal::ProcessorNotAvailable => 3,
            Refusal::NotFound => 4,
            Refusal::IllegalStep { .. } => 5,
            Refusal::BatchClosing => 6,
            Refusal::StepInFlight { .. } => 7,
            Refusal::AmountTooLarge { .. } => 8,
            Refusal::AmountZero => 9,
            Refusal::KeyReused => 10,
            Refusal::TailTooLong => 11,
            Refusal::MethodNotTaken { .. } => 12,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Busy => f.write_str("the switch is at its limit, try again later"),
            Refusal::MerchantNotActive => f.write_str("this merchant account is not active"),
            Refusal::ProcessorNotAvailable => {
                f.write_str("invalid processor_id: no such processor takes traffic for this account")
            }
            Refusal::NotFound => f.write_str("not found"),
            Refusal::IllegalStep { verb, status } => {
                write!(f, "the transaction is {}; possible now: {}", status.word(), status.possible(*verb))
            }
            Refusal::BatchClosing => {
                let status = Status::PendingSettlement.word();
                write!(
                    f,
                    "the transaction is {status} in a batch that is being closed; possible now: nothing until it is settled"
                )
            }
            Refusal::StepInFlight { status } => {
                let status = status.word();
                write!(f, "the transaction is {status}; possible now: nothing until its capture or void in progress is answered")
            }
            Refusal::AmountTooLarge { status, max } => {
                write!(f, "invalid amount: must be at most {max}: the transaction is {}", status.word())?;
                if *max == 0 { f.write_str("; possible now: nothing") } else { Ok(()) }
            }
            Refusal::AmountZero => f.write_str("invalid amount: must be at least 1"),
            Refusal::TailTooLong => {
                write!(f, "the transaction's fields together must be at most {} bytes", crate::limits::TAIL_MAX_BYTES)
            }
            Refusal::MethodNotTaken { method } => {
                write!(f, "invalid payment_method: no processor takes {} for this account", method.word())
            }
            Refusal::KeyReused => f.write_str("invalid idempotency_key: it was used with a different request"),
        }
    }
}
