//! The settlement batch: captures and credits of one merchant at one processor that are settled together.

use crate::calendar::Micros;
use crate::id::Xid;
use crate::response_code::ResponseCode;
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Where a batch stands. Numbers are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BatchState {
    /// Takes transactions.
    Open = 1,
    /// Totals sent or about to be; its members are frozen.
    Closing = 2,
    /// Accepted by the processor; its members are being settled.
    Accepted = 3,
    /// Rejected: its members wait for the next try under a new number.
    Rejected = 4,
    /// All members are settled.
    Complete = 5,
}

impl BatchState {
    /// From the number in the layout.
    pub fn from_number(number: u8) -> Option<BatchState> {
        use BatchState::{Accepted, Closing, Complete, Open, Rejected};
        [Open, Closing, Accepted, Rejected, Complete].into_iter().find(|state| *state as u8 == number)
    }

    /// The word in the APIs.
    pub const fn word(self) -> &'static str {
        match self {
            BatchState::Open => "open",
            BatchState::Closing => "closing",
            BatchState::Accepted => "accepted",
            BatchState::Rejected => "rejected",
            BatchState::Complete => "complete",
        }
    }
}

/// One version of a settlement batch, 160 bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Batch {
    /// Its id.
    pub id: Xid,
    /// The merchant account.
    pub merchant: Xid,
    /// Number under which its totals were sent, or will be; not reused for five days. A rejected batch tries under a new one.
    pub number: U32,
    /// Index of the processor.
    pub processor: U16,
    /// [`BatchState`].
    pub state: u8,
    /// Zero.
    pub reserved: u8,
    /// Members that the card holder pays.
    pub capture_count: U32,
    /// Members that are paid out.
    pub credit_count: U32,
    /// Sum of captures, minor units.
    pub captured: U64,
    /// Sum of credits and refunds, minor units.
    pub credited: U64,
    /// ISO 4217 numeric code of all of it.
    pub currency: U16,
    /// [`ResponseCode`] of the processor's answer; 0 before.
    pub response_code: U16,
    /// Trace number of the totals message.
    pub stan: U32,
    /// When its first member came. Microseconds.
    pub opened_at: I64,
    /// When it was closed, or when the run began that first sent its totals: DE7 of the totals message and of each repeat. Microseconds.
    pub closed_at: I64,
    /// When the processor answered. Microseconds.
    pub answered_at: I64,
    /// Members that are settled so far.
    pub settled_count: U32,
    /// The processor's text, 16 characters.
    pub text: [u8; 16],
    /// Number that its members' requests carried.
    pub members_number: U32,
    /// Zero.
    pub reserved_2: [u8; 48],
}

const _: () = assert!(size_of::<Batch>() == 160);

impl Batch {
    /// An empty one, for the shard to fill.
    pub fn empty() -> Batch {
        Batch::new_zeroed()
    }

    /// Where it stands; a number of a later version reads as closing: members stay frozen.
    pub fn state(&self) -> BatchState {
        BatchState::from_number(self.state).unwrap_or(BatchState::Closing)
    }

    /// How many transactions are in it.
    pub fn member_count(&self) -> u32 {
        self.capture_count.get().saturating_add(self.credit_count.get())
    }

    /// The code of the processor's answer.
    pub fn response_code(&self) -> ResponseCode {
        ResponseCode(self.response_code.get())
    }

    /// The processor's text; empty before the answer.
    pub fn text(&self) -> &str {
        let end = self.text.iter().position(|&byte| byte == 0).unwrap_or(self.text.len());
        core::str::from_utf8(&self.text[..end]).unwrap_or("")
    }

    /// When it was last closed, or opened while it never was: a cut-over after that moment is one that it has not seen.
    pub fn opened_or_closed_at(&self) -> Micros {
        Micros(self.opened_at.get().max(self.closed_at.get()))
    }

    /// When it was closed.
    pub fn closed_at(&self) -> Micros {
        Micros(self.closed_at.get())
    }
}
