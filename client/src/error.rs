//! What can go wrong between a client and the switch. A refusal or a decline is none of it: those are answers.

use protocol::binary::{BodyFault, FrameFault, GoAwayCode};
use std::io;

/// Why a conversation can't go on, or a request can't be asked now.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The socket.
    #[error("{operation}: {source}")]
    Socket {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The switch closed the connection without a word. What was asked and not answered is to be asked again under its key.
    #[error("the switch closed the connection with {unanswered} requests unanswered")]
    Closed {
        /// Requests without an answer.
        unanswered: u32,
    },
    /// What came is no frame.
    #[error("what the switch sent is no frame: {0}")]
    Frame(#[from] FrameFault),
    /// A frame is not what it must be.
    #[error("a frame of the switch can't be read: {0}")]
    Body(#[from] BodyFault),
    /// A frame came that is not possible here.
    #[error("a frame of kind {kind} is not expected")]
    Unexpected {
        /// The kind's number.
        kind: u8,
    },
    /// The switch ends the conversation.
    #[error("the switch says go away: {text} ({code:?})")]
    GoAway {
        /// Why.
        code: GoAwayCode,
        /// When connecting again makes sense, milliseconds from now; 0 when it makes none.
        retry_after_ms: u32,
        /// For people.
        text: String,
    },
    /// As many requests as may be are unanswered: receive first.
    #[error("all {credits} credits are used")]
    NoCredit {
        /// How many there are.
        credits: u32,
    },
    /// The requests that wait are as large as a frame may be: send first.
    #[error("the frame is full")]
    FrameFull,
}
