//! The outcome: what the binary protocol answers of a transaction, cut from its version.

use crate::id::Xid;
use crate::transaction::Transaction;
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The answer to a command, 128 bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Outcome {
    /// The transaction that resulted.
    pub id: Xid,
    /// Refund: what it pays back.
    pub parent: Xid,
    /// Version that this was cut from.
    pub version: U32,
    /// [`crate::words::Verb`] of the transaction.
    pub verb: u8,
    /// [`crate::words::Status`].
    pub status: u8,
    /// [`crate::response_code::ResponseCode`].
    pub response_code: U16,
    /// Requested, minor units.
    pub amount: U64,
    /// Approved, minor units.
    pub amount_authorized: U64,
    /// Captured, minor units.
    pub amount_captured: U64,
    /// Settled, minor units.
    pub amount_settled: U64,
    /// Refunded, minor units.
    pub amount_refunded: U64,
    /// Microseconds since 1970.
    pub created_at: I64,
    /// Retrieval reference number, ISO 8583 DE37.
    pub rrn: [u8; 12],
    /// Authorization code, ISO 8583 DE38.
    pub auth_code: [u8; 6],
    /// Action code, ISO 8583 DE39.
    pub processor_code: [u8; 2],
    /// Address verification result.
    pub avs: u8,
    /// Card verification result.
    pub cvv: u8,
    /// ISO 4217 numeric code.
    pub currency: U16,
    /// Index of the processor.
    pub processor: U16,
    /// Zero.
    pub reserved: [u8; 22],
}

const _: () = assert!(size_of::<Outcome>() == 128);

impl Outcome {
    /// Cuts the answer out of a version.
    pub fn of(transaction: &Transaction) -> Outcome {
        Outcome {
            id: transaction.id,
            parent: transaction.parent,
            version: transaction.version,
            verb: transaction.verb,
            status: transaction.status,
            response_code: transaction.response_code,
            amount: transaction.amount,
            amount_authorized: transaction.amount_authorized,
            amount_captured: transaction.amount_captured,
            amount_settled: transaction.amount_settled,
            amount_refunded: transaction.amount_refunded,
            created_at: transaction.created_at,
            rrn: transaction.rrn,
            auth_code: transaction.original.auth_code,
            processor_code: transaction.original.processor_code,
            avs: transaction.original.avs,
            cvv: transaction.original.cvv,
            currency: transaction.currency,
            processor: transaction.processor,
            ..Outcome::new_zeroed()
        }
    }
}
