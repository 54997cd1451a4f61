//! One request to a processor and what came back of it, as a transaction carries it.

use crate::calendar::Micros;
use crate::response_code::ResponseCode;
use crate::words::{ExchangeState, ReversalReason, ReversalState, Verb};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One request to a processor and its answer. 64 bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Exchange {
    /// Systems trace audit number, ISO 8583 DE11; 0 when no request was made.
    pub stan: U32,
    /// [`Verb`] of the request; 0 when none was made.
    pub verb: u8,
    /// [`ExchangeState`].
    pub state: u8,
    /// Address verification result, one letter; `0` not done.
    pub avs: u8,
    /// Card verification result, one letter; zero when not done.
    pub cvv: u8,
    /// When the intent was made: ISO 8583 DE7 (UTC), DE12 and DE13 derive from it. Microseconds.
    pub sent_at: I64,
    /// When the answer counts as missing. Microseconds.
    pub deadline: I64,
    /// Requested, in minor units.
    pub amount: U64,
    /// [`ResponseCode`] that the processor's answer was mapped to; 0 before.
    pub response_code: U16,
    /// The processor's own action code, ISO 8583 DE39; zeros before.
    pub processor_code: [u8; 2],
    /// Authorization identification response, ISO 8583 DE38; spaces or zeros when none.
    pub auth_code: [u8; 6],
    /// The processor's text, 16 characters, space-filled.
    pub text: [u8; 16],
    /// Zero.
    pub reserved: [u8; 6],
}

/// The reversal of a transaction in the store-and-forward queue. 32 bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Reversal {
    /// Its trace number, that of the request that set it off, the same in every repeat; 0 when there is none.
    pub stan: U32,
    /// [`ReversalState`].
    pub state: u8,
    /// [`ReversalReason`].
    pub reason: u8,
    /// Zero.
    pub reserved: [u8; 2],
    /// When it was queued: DE7 of the first sending and of every repeat. Microseconds.
    pub queued_at: I64,
    /// When the processor acknowledged it. Microseconds.
    pub done_at: I64,
    /// The trace number of the request that made the transaction: DE90 names it.
    pub original_stan: U32,
    /// Zero.
    pub reserved_2: [u8; 4],
}

const _: () = assert!(size_of::<Exchange>() == 64 && size_of::<Reversal>() == 32);

impl Exchange {
    /// No request was made.
    pub fn none() -> Exchange {
        Exchange::new_zeroed()
    }

    /// A request that is about to be made.
    pub fn in_flight(verb: Verb, stan: u32, amount: u64, now: Micros, deadline: Micros) -> Exchange {
        Exchange {
            stan: stan.into(),
            verb: verb.number(),
            state: ExchangeState::InFlight.number(),
            sent_at: now.0.into(),
            deadline: deadline.0.into(),
            amount: amount.into(),
            ..Exchange::none()
        }
    }

    /// What became of it. A number that this version does not know counts as unknown: never as approved (I6).
    pub fn state(&self) -> ExchangeState {
        ExchangeState::from_number(self.state).unwrap_or(ExchangeState::Unknown)
    }

    /// What was asked for.
    pub fn verb(&self) -> Option<Verb> {
        Verb::from_number(self.verb)
    }

    /// When the intent was made.
    pub fn sent_at(&self) -> Micros {
        Micros(self.sent_at.get())
    }

    /// The gateway's code for the answer.
    pub fn response_code(&self) -> ResponseCode {
        ResponseCode(self.response_code.get())
    }

    /// The processor's own code as text; empty before the answer.
    pub fn processor_code(&self) -> &str {
        printable(&self.processor_code)
    }

    /// The authorization code; empty when there is none.
    pub fn auth_code(&self) -> &str {
        printable(&self.auth_code).trim_end()
    }

    /// The processor's text with its trailing spaces; empty before the answer.
    pub fn text(&self) -> &str {
        printable(&self.text)
    }
}

/// Text up to the first zero byte; empty when it is not ASCII.
fn printable(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end]).unwrap_or("")
}

impl Reversal {
    /// No reversal.
    pub fn none() -> Reversal {
        Reversal::new_zeroed()
    }

    /// Where it stands. A number that this version does not know counts as queued: never as done (I3).
    pub fn state(&self) -> ReversalState {
        ReversalState::from_number(self.state).unwrap_or(ReversalState::Queued)
    }

    /// Why it was queued.
    pub fn reason(&self) -> ReversalReason {
        ReversalReason::from_number(self.reason).unwrap_or(ReversalReason::None)
    }

    /// When it was queued.
    pub fn queued_at(&self) -> Micros {
        Micros(self.queued_at.get())
    }
}
