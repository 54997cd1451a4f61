//! The binary protocol: frames, the handshake, requests and answers, as both ends of a connection must agree on them.
//!
//! Lives here: layouts, their limits, and pure checks over bytes that never panic whatever the bytes are. Must not live here:
//! sockets, clocks, what a request means to the switch. `FORMATS.md` says the same for writers of clients; a test holds the two
//! together.
//!
//! ```text
//! client ── Hello ─────────────────────────────▶ switch     version range, capabilities, API key
//!        ◀───────────────────────────── Welcome             version, capabilities, credits, limits
//!        ── Requests [r1 r2 r3] ───────────────▶            each costs a credit until it is answered
//!        ◀────────────── Answers [a2] · Answers [a3 a1]     in any order, in frames of any size
//! ```

pub mod answer;
pub mod ending;
pub mod frame;
pub mod handshake;
pub mod limits;
pub mod request;

#[cfg(test)]
mod tests;

pub use answer::{Answer, AnswerHeader, AnswerKind, Answers, InvalidCode, UnavailableCode};
pub use ending::{Busy, GoAway, GoAwayCode};
pub use frame::{Frame, FrameFault, FrameHeader, FrameKind, FrameWriter, OpenFrame, next_frame};
pub use handshake::{Hello, HelloHeader, Welcome, capability};
pub use request::{CardBlock, Request, RequestHeader, RequestKind, Requests};

/// Version of everything in this module.
pub const VERSION: u8 = 1;

/// What a frame's body must be and is not. The frame is whole and its checksum right, so it is the writer's fault; the
/// connection can't go on, for nobody knows what was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// The body ends too early, or goes on behind its end.
    Size {
        /// The byte of the body at which that is seen.
        at: usize,
    },
    /// Reserved bytes are not zero.
    Reserved,
    /// The first bytes of a [`Hello`] are not its magic.
    Magic,
    /// A text is not UTF-8.
    Text,
    /// The number of items is not what the header says.
    Count {
        /// What the header says.
        announced: u16,
    },
}

impl core::fmt::Display for BodyFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BodyFault::Size { at } => write!(f, "the body ends too early or too late, seen at its byte {at}"),
            BodyFault::Reserved => f.write_str("reserved bytes are not zero"),
            BodyFault::Magic => f.write_str("the first bytes are not those of a Hello"),
            BodyFault::Text => f.write_str("a text is not UTF-8"),
            BodyFault::Count { announced } => write!(f, "the header announces {announced} items, the body has another number"),
        }
    }
}

impl core::error::Error for BodyFault {}
