//! What says no to more than one request at once: Busy, and GoAway.

use super::BodyFault;
use super::answer::short;
use super::frame::{FrameKind, FrameWriter};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const _: () = assert!(size_of::<BusyHeader>() == 8 && size_of::<GoAwayHeader>() == 8);

/// Fixed part of a Busy frame's body, 8 bytes, little-endian. The ids of the requests follow, 8 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct BusyHeader {
    /// When asking again makes sense, milliseconds from now.
    pub retry_after_ms: U32,
    /// Zero.
    pub reserved: U32,
}

/// Requests that were not taken, read: nothing was done, nothing journaled, nothing sent.
#[derive(Debug, Clone, Copy)]
pub struct Busy<'a> {
    /// When asking again makes sense, milliseconds from now.
    pub retry_after_ms: u32,
    /// The requests.
    pub request_ids: &'a [U64],
}

impl<'a> Busy<'a> {
    /// Reads a frame's body.
    pub fn parse(body: &'a [u8], announced: u16) -> Result<Busy<'a>, BodyFault> {
        let (header, ids) = BusyHeader::ref_from_prefix(body).map_err(|_| BodyFault::Size { at: body.len() })?;
        if header.reserved.get() != 0 {
            return Err(BodyFault::Reserved);
        }
        let request_ids = <[U64]>::ref_from_bytes(ids).map_err(|_| BodyFault::Size { at: body.len() })?;
        if request_ids.len() != usize::from(announced) {
            return Err(BodyFault::Count { announced });
        }
        Ok(Busy { retry_after_ms: header.retry_after_ms.get(), request_ids })
    }
}

/// Appends a Busy frame for these requests, 65,535 at most.
pub fn push_busy(request_ids: &[u64], retry_after_ms: u32, out: &mut Vec<u8>) {
    let header = BusyHeader { retry_after_ms: retry_after_ms.into(), reserved: 0.into() };
    let mut frame = FrameWriter::begin(FrameKind::Busy, out);
    frame.body().extend_from_slice(header.as_bytes());
    for request_id in request_ids {
        frame.body().extend_from_slice(&request_id.to_le_bytes());
        frame.count_item();
    }
    frame.finish();
}

/// Why a connection ends. Open: a number that this version does not know survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoAwayCode {
    /// The switch stops. What was taken is still answered; what comes from here on is not.
    ShuttingDown,
    /// The bytes are no frames, or a frame is not what it must be.
    Malformed,
    /// No version is spoken by both.
    Version,
    /// The API key is not known.
    Unauthorized,
    /// A frame came that is not possible here: no Hello first, a second one, or a frame that only the switch sends.
    Unexpected,
    /// More requests than credits.
    NoCredit,
    /// The connection was silent for too long.
    Idle,
    /// There are as many connections as may be.
    TooManyConnections,
    /// The merchant account is not active.
    NotActive,
    /// The accounts can't be read at the moment.
    Unavailable,
    /// A code of a later version.
    Other(u16),
}

impl GoAwayCode {
    /// All that this version knows, in the order of their numbers.
    pub const ALL: [GoAwayCode; 10] = [
        GoAwayCode::ShuttingDown,
        GoAwayCode::Malformed,
        GoAwayCode::Version,
        GoAwayCode::Unauthorized,
        GoAwayCode::Unexpected,
        GoAwayCode::NoCredit,
        GoAwayCode::Idle,
        GoAwayCode::TooManyConnections,
        GoAwayCode::NotActive,
        GoAwayCode::Unavailable,
    ];

    /// From the number in the frame.
    pub fn from_number(number: u16) -> GoAwayCode {
        GoAwayCode::ALL.into_iter().find(|code| code.number() == number).unwrap_or(GoAwayCode::Other(number))
    }

    /// The frozen number.
    pub const fn number(self) -> u16 {
        match self {
            GoAwayCode::ShuttingDown => 1,
            GoAwayCode::Malformed => 2,
            GoAwayCode::Version => 3,
            GoAwayCode::Unauthorized => 4,
            GoAwayCode::Unexpected => 5,
            GoAwayCode::NoCredit => 6,
            GoAwayCode::Idle => 7,
            GoAwayCode::TooManyConnections => 8,
            GoAwayCode::NotActive => 9,
            GoAwayCode::Unavailable => 10,
            GoAwayCode::Other(number) => number,
        }
    }
}

/// Fixed part of a GoAway's body, 8 bytes, little-endian. A text for people follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct GoAwayHeader {
    /// GoAwayCode.
    pub code: U16,
    /// Zero.
    pub reserved: U16,
    /// When connecting again makes sense, milliseconds from now; 0 when it makes none.
    pub retry_after_ms: U32,
}

/// The end of a connection, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoAway<'a> {
    /// Why.
    pub code: GoAwayCode,
    /// When connecting again makes sense, milliseconds from now; 0 when it makes none.
    pub retry_after_ms: u32,
    /// For people.
    pub text: &'a str,
}

impl<'a> GoAway<'a> {
    /// Reads a frame's body.
    pub fn parse(body: &'a [u8]) -> Result<GoAway<'a>, BodyFault> {
        let (header, text) = GoAwayHeader::ref_from_prefix(body).map_err(|_| BodyFault::Size { at: body.len() })?;
        if header.reserved.get() != 0 {
            return Err(BodyFault::Reserved);
        }
        let text = core::str::from_utf8(text).map_err(|_| BodyFault::Text)?;
        let code = GoAwayCode::from_number(header.code.get());
        Ok(GoAway { code, retry_after_ms: header.retry_after_ms.get(), text })
    }

    /// Appends the frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (code, retry_after_ms) = (self.code.number().into(), self.retry_after_ms.into());
        let mut frame = FrameWriter::begin(FrameKind::GoAway, out);
        frame.body().extend_from_slice(GoAwayHeader { code, reserved: 0.into(), retry_after_ms }.as_bytes());
        frame.body().extend_from_slice(short(self.text).as_bytes());
        frame.finish();
    }
}
