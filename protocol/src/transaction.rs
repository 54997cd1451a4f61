//! The transaction: one version of it, whole, as memory, journal and projection hold it.

use crate::calendar::Micros;
use crate::choice::Choice;
use crate::exchange::{Exchange, Reversal};
use crate::id::Xid;
use crate::money::Currency;
use crate::response_code::ResponseCode;
use crate::words::{Brand, EntryType, ExchangeState, PaymentMethod, ReversalState, Source, Status, Verb};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Layout number of [`Transaction`].
pub const TRANSACTION_LAYOUT: u16 = 1;

/// The idempotency key of the operation that a version belongs to. 40 bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct OperationKey {
    /// Hash of merchant and key; zeros when the operation came without one.
    pub hash: [u8; 16],
    /// Hash of what was asked.
    pub request: [u8; 16],
    /// When the key may be used anew. Microseconds.
    pub expires_at: I64,
}

/// One version of a transaction, 448 bytes, little-endian. A [`crate::tail::Tail`] follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Transaction {
    /// [`TRANSACTION_LAYOUT`].
    pub layout: U16,
    /// [`Verb`] that made it: its type.
    pub verb: u8,
    /// [`Status`].
    pub status: u8,
    /// Counts the versions of this transaction from 1.
    pub version: U32,
    /// Its id.
    pub id: Xid,
    /// The merchant account it belongs to.
    pub merchant: Xid,
    /// Refund: the transaction that is paid back. Else none.
    pub parent: Xid,
    /// Bits of [`crate::command::flag`].
    pub flags: U32,
    /// Requested, minor units, and a tip that was added at a terminal.
    pub amount: U64,
    /// Approved by the processor, minor units.
    pub amount_authorized: U64,
    /// Captured, minor units; at most authorized (I5).
    pub amount_captured: U64,
    /// Settled, minor units.
    pub amount_settled: U64,
    /// Sum of approved refunds, minor units; at most settled (I5).
    pub amount_refunded: U64,
    /// Sum of refunds whose outcome is open, minor units. With the approved ones at most settled (I5).
    pub amount_refund_pending: U64,
    /// ISO 4217 numeric code.
    pub currency: U16,
    /// [`Source`].
    pub source: u8,
    /// [`PaymentMethod`].
    pub payment_method: u8,
    /// [`EntryType`].
    pub entry_type: u8,
    /// [`Brand`].
    pub brand: u8,
    /// Index of the processor; 0 when none was chosen.
    pub processor: U16,
    /// First six digits of the card.
    pub first_six: U32,
    /// Last four digits of the card; three of 13, two of 12.
    pub last_four: U16,
    /// Expiry, `YYMM`.
    pub expiry: U16,
    /// Digits of the card number.
    pub pan_digits: u8,
    /// 1 when this version is the answer that the operation's client was given.
    pub answers: u8,
    /// Zero.
    pub reserved: [u8; 6],
    /// Keyed hash of the card number.
    pub fingerprint: [u8; 16],
    /// Retrieval reference number, ISO 8583 DE37, the same over the transaction's life.
    pub rrn: [u8; 12],
    /// Version of the table of rules that was asked after the processor's answer; 0 when none was.
    pub post_rules_version: U32,
    /// Microseconds since 1970.
    pub created_at: I64,
    /// Microseconds since 1970.
    pub updated_at: I64,
    /// Microseconds since 1970; 0 never.
    pub captured_at: I64,
    /// Microseconds since 1970; 0 never.
    pub settled_at: I64,
    /// The request that made it.
    pub original: Exchange,
    /// The latest capture or void.
    pub step: Exchange,
    /// Its reversal, if one was needed.
    pub reversal: Reversal,
    /// Idempotency key of the operation that this version belongs to.
    pub key: OperationKey,
    /// Code 301: the transaction that this one repeats.
    pub duplicate_of: Xid,
    /// Settlement batch it waits in or was settled in.
    pub batch: Xid,
    /// [`ResponseCode`] as of this version.
    pub response_code: U16,
    /// Zero.
    pub reserved_3: [u8; 6],
    /// Bytes of the tail that follows.
    pub tail_length: U32,
    /// Number of that batch at the processor, as the requests carried it; 0 outside a batch.
    pub batch_number: U32,
    /// How it came to its processor, and which rules spoke of it.
    pub choice: Choice,
}

const _: () = assert!(size_of::<Transaction>() == 448);
const _: () = assert!(core::mem::offset_of!(Transaction, amount) == 48);
const _: () = assert!(core::mem::offset_of!(Transaction, currency) == 96);
const _: () = assert!(core::mem::offset_of!(Transaction, fingerprint) == 120);
const _: () = assert!(core::mem::offset_of!(Transaction, created_at) == 152);
const _: () = assert!(core::mem::offset_of!(Transaction, original) == 184);
const _: () = assert!(core::mem::offset_of!(Transaction, step) == 248);
const _: () = assert!(core::mem::offset_of!(Transaction, reversal) == 312);
const _: () = assert!(core::mem::offset_of!(Transaction, key) == 344);
const _: () = assert!(core::mem::offset_of!(Transaction, duplicate_of) == 384);
const _: () = assert!(core::mem::offset_of!(Transaction, response_code) == 408);
const _: () = assert!(core::mem::offset_of!(Transaction, tail_length) == 416);
const _: () = assert!(core::mem::offset_of!(Transaction, choice) == 424);

impl OperationKey {
    /// No key.
    pub fn none() -> OperationKey {
        OperationKey::new_zeroed()
    }

    /// True when the operation came with a key.
    pub fn is_some(&self) -> bool {
        self.hash != [0; 16]
    }
}

impl Transaction {
    /// An empty one, for the shard to fill.
    pub fn empty() -> Transaction {
        Transaction { layout: TRANSACTION_LAYOUT.into(), ..Transaction::new_zeroed() }
    }

    /// Reads a version and its tail from the body of a record. `None` when the bytes can't be one.
    pub fn parse(bytes: &[u8]) -> Option<(&Transaction, crate::tail::Tail<'_>)> {
        let (transaction, rest) = Transaction::ref_from_prefix(bytes).ok()?;
        let sound = transaction.layout.get() == TRANSACTION_LAYOUT
            && Verb::from_number(transaction.verb).is_some_and(Verb::creates)
            && Status::from_number(transaction.status).is_some();
        let tail = rest.get(..transaction.tail_length.get() as usize)?;
        if !sound {
            return None;
        }
        Some((transaction, crate::tail::Tail::parse(tail).ok()?))
    }

    /// Its type.
    ///
    /// # Panics
    /// When the number is none of ours: [`Transaction::parse`] has refused such bytes.
    pub fn verb(&self) -> Verb {
        Verb::from_number(self.verb).expect("a transaction's verb is checked when it is read")
    }

    /// Where it stands.
    ///
    /// # Panics
    /// When the number is none of ours: [`Transaction::parse`] has refused such bytes.
    pub fn status(&self) -> Status {
        Status::from_number(self.status).expect("a transaction's status is checked when it is read")
    }

    /// The means of payment; a number of a later version reads as a card.
    pub fn payment_method(&self) -> PaymentMethod {
        PaymentMethod::from_number(self.payment_method).unwrap_or(PaymentMethod::Card)
    }

    /// How the card came in.
    pub fn entry_type(&self) -> EntryType {
        EntryType::from_number(self.entry_type).unwrap_or(EntryType::Keyed)
    }

    /// Through which door it came.
    pub fn source(&self) -> Source {
        Source::from_number(self.source).unwrap_or(Source::Api)
    }

    /// The card's brand.
    pub fn brand(&self) -> Brand {
        Brand::from_number(self.brand).unwrap_or(Brand::Unknown)
    }

    /// Its currency; dollars when the number is unknown to this version's table, which the edge excludes.
    pub fn currency(&self) -> Currency {
        Currency::from_numeric(self.currency.get()).unwrap_or(Currency::USD)
    }

    /// The gateway's code as of this version.
    pub fn response_code(&self) -> ResponseCode {
        ResponseCode(self.response_code.get())
    }

    /// Retrieval reference number as text.
    pub fn rrn(&self) -> &str {
        core::str::from_utf8(&self.rrn).unwrap_or("")
    }

    /// `401200******5439`.
    pub fn masked_card(&self) -> String {
        crate::card::masked(self.first_six.get(), self.last_four.get(), self.pan_digits)
    }

    /// True when a bit of [`crate::command::flag`] is set.
    pub fn has(&self, flag: u32) -> bool {
        self.flags.get() & flag != 0
    }

    /// What the request asked for, minor units: the amount without a tip that the shopper added at a terminal.
    pub fn requested(&self) -> u64 {
        match self.original.verb() {
            Some(_) => self.original.amount.get(),
            None => self.amount.get(),
        }
    }

    /// What may still be refunded, minor units: settled less refunds, the open ones too (I5).
    pub fn refundable(&self) -> u64 {
        let taken = self.amount_refunded.get().saturating_add(self.amount_refund_pending.get());
        self.amount_settled.get().saturating_sub(taken)
    }

    /// True while something of it is under way: a request in flight, a reversal not acknowledged, a refund not decided.
    /// Such a transaction stays in memory and is recovered after a crash.
    pub fn is_open(&self) -> bool {
        self.original.state() == ExchangeState::InFlight
            || self.step.state() == ExchangeState::InFlight
            || self.reversal.state() == ReversalState::Queued
            || self.amount_refund_pending.get() != 0
    }

    /// When this version was made.
    pub fn updated_at(&self) -> Micros {
        Micros(self.updated_at.get())
    }
}
