//! The frame: a header of sixteen bytes and a body, the only thing that either end ever sends.

use super::VERSION;
use super::limits::FRAME_MAX_BYTES;
use core::fmt;
use core::mem::offset_of;
use crc_fast::{CrcAlgorithm, checksum};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a frame's header.
pub const FRAME_HEADER_BYTES: usize = size_of::<FrameHeader>();
/// First byte that the checksum covers.
const CHECKED_FROM: usize = offset_of!(FrameHeader, version);

const _: () = assert!(size_of::<FrameHeader>() == 16 && CHECKED_FROM == 8);

/// Head of every frame, 16 bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FrameHeader {
    /// Bytes of the whole frame, this header included.
    pub size: U32,
    /// CRC32C (Castagnoli) of the frame's bytes from offset 8 to its end.
    pub crc: U32,
    /// Version of the protocol, 1.
    pub version: u8,
    /// FrameKind.
    pub kind: u8,
    /// Items in the body: requests, answers, or request ids; 0 where there are none.
    pub count: U16,
    /// Zero.
    pub reserved: U32,
}

/// What a frame is. Open: a number that this version does not know survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// The client's first frame.
    Hello,
    /// The answer to a good [`FrameKind::Hello`].
    Welcome,
    /// Requests.
    Requests,
    /// Answers to requests.
    Answers,
    /// Requests that were not taken, for want of room.
    Busy,
    /// The connection ends.
    GoAway,
    /// Are you there?
    Ping,
    /// I am.
    Pong,
    /// A kind of a later version.
    Other(u8),
}

impl FrameKind {
    /// From the number in the header.
    pub const fn from_number(number: u8) -> FrameKind {
        match number {
            1 => FrameKind::Hello,
            2 => FrameKind::Welcome,
            3 => FrameKind::Requests,
            4 => FrameKind::Answers,
            5 => FrameKind::Busy,
            6 => FrameKind::GoAway,
            7 => FrameKind::Ping,
            8 => FrameKind::Pong,
            other => FrameKind::Other(other),
        }
    }

    /// The number in the header.
    pub const fn number(self) -> u8 {
        match self {
            FrameKind::Hello => 1,
            FrameKind::Welcome => 2,
            FrameKind::Requests => 3,
            FrameKind::Answers => 4,
            FrameKind::Busy => 5,
            FrameKind::GoAway => 6,
            FrameKind::Ping => 7,
            FrameKind::Pong => 8,
            FrameKind::Other(other) => other,
        }
    }
}

/// A stream that can't be cut into frames any further: the connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFault {
    /// The header announces fewer bytes than it has itself, or more than a frame may have.
    Size {
        /// Bytes announced.
        announced: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The checksum does not fit: bytes were damaged on the way, or are no frame.
    Crc,
    /// A version that was not agreed on.
    Version(u8),
    /// Reserved bytes are not zero.
    Reserved,
}

impl fmt::Display for FrameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameFault::Size { announced, max } => {
                write!(f, "a frame of {announced} bytes, {FRAME_HEADER_BYTES} to {max} are accepted")
            }
            FrameFault::Crc => f.write_str("the frame's checksum does not fit its bytes"),
            FrameFault::Version(version) => write!(f, "version {version} is not {VERSION}"),
            FrameFault::Reserved => f.write_str("reserved bytes of the frame's header are not zero"),
        }
    }
}

impl core::error::Error for FrameFault {}

/// A whole frame whose checksum fits.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// What it is.
    pub kind: FrameKind,
    /// Items as announced.
    pub count: u16,
    /// What follows the header.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Bytes that it takes of the stream.
    pub fn size(&self) -> usize {
        FRAME_HEADER_BYTES + self.body.len()
    }
}

/// The first frame of a stream when it has come whole; `Ok(None)` asks for more bytes. A frame larger than `max_bytes` is refused
/// as soon as its header is there.
pub fn next_frame(stream: &[u8], max_bytes: usize) -> Result<Option<Frame<'_>>, FrameFault> {
    let Ok((header, _)) = FrameHeader::ref_from_prefix(stream) else { return Ok(None) };
    let announced = header.size.get() as usize;
    if !(FRAME_HEADER_BYTES..=max_bytes.min(FRAME_MAX_BYTES)).contains(&announced) {
        return Err(FrameFault::Size { announced, max: max_bytes });
    }
    let Some(bytes) = stream.get(..announced) else { return Ok(None) };
    if checksum(CrcAlgorithm::Crc32Iscsi, &bytes[CHECKED_FROM..]) != u64::from(header.crc.get()) {
        return Err(FrameFault::Crc);
    }
    if header.version != VERSION {
        return Err(FrameFault::Version(header.version));
    }
    if header.reserved.get() != 0 {
        return Err(FrameFault::Reserved);
    }
    let kind = FrameKind::from_number(header.kind);
    Ok(Some(Frame { kind, count: header.count.get(), body: &bytes[FRAME_HEADER_BYTES..] }))
}

/// A frame that is being written to the end of a buffer. Nothing is sent until it is finished; one that is dropped unfinished
/// leaves the buffer as it was.
#[derive(Debug)]
pub struct FrameWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    kind: FrameKind,
    count: u16,
    is_finished: bool,
}

impl<'a> FrameWriter<'a> {
    /// Begins a frame.
    pub fn begin(kind: FrameKind, out: &'a mut Vec<u8>) -> FrameWriter<'a> {
        let start = out.len();
        out.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
        FrameWriter { out, start, kind, count: 0, is_finished: false }
    }

    /// Where the body goes; only to be appended to.
    pub fn body(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Counts an item that was appended.
    pub fn count_item(&mut self) {
        self.count += 1;
    }

    /// Items so far.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// Bytes so far, header included.
    pub fn size(&self) -> usize {
        self.out.len() - self.start
    }

    /// Lets go of the buffer; the frame is gone on with by [`OpenFrame::resume`].
    pub fn pause(mut self) -> OpenFrame {
        self.is_finished = true;
        OpenFrame { start: self.start, kind: self.kind, count: self.count }
    }

    /// Writes the header.
    pub fn finish(mut self) {
        self.is_finished = true;
        let frame = &mut self.out[self.start..];
        let mut header = FrameHeader {
            size: (frame.len() as u32).into(),
            crc: 0.into(),
            version: VERSION,
            kind: self.kind.number(),
            count: self.count.into(),
            reserved: 0.into(),
        };
        frame[..FRAME_HEADER_BYTES].copy_from_slice(header.as_bytes());
        header.crc = (checksum(CrcAlgorithm::Crc32Iscsi, &frame[CHECKED_FROM..]) as u32).into();
        frame[..FRAME_HEADER_BYTES].copy_from_slice(header.as_bytes());
    }
}

impl Drop for FrameWriter<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.out.truncate(self.start);
        }
    }
}

/// A frame that stands unfinished at the end of a buffer, for one that has items added now and then.
#[derive(Debug)]
pub struct OpenFrame {
    start: usize,
    kind: FrameKind,
    count: u16,
}

impl OpenFrame {
    /// Goes on with it. `out` is the buffer that it was begun in, as it was left.
    pub fn resume(self, out: &mut Vec<u8>) -> FrameWriter<'_> {
        FrameWriter { out, start: self.start, kind: self.kind, count: self.count, is_finished: false }
    }
}

/// Appends a frame whose body is these bytes.
pub fn push_frame(kind: FrameKind, body: &[u8], out: &mut Vec<u8>) {
    let mut frame = FrameWriter::begin(kind, out);
    frame.body().extend_from_slice(body);
    frame.finish();
}
