//! The handshake: who asks, in which versions, and what holds on this connection.

use super::frame::{FrameKind, FrameWriter};
use super::limits::API_KEY_MAX_BYTES;
use super::{BodyFault, VERSION};
use crate::id::Xid;
use core::fmt;
use zerocopy::little_endian::{I64, U16, U32};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First bytes of a [`Hello`]'s body.
pub const MAGIC: [u8; 8] = *b"SWYDBIN\n";

/// What a client can do beyond the least, and what holds: bits. The switch answers with those that both have.
pub mod capability {
    /// Requests that were not taken may come back together in one Busy frame.
    pub const BUSY_FRAMES: u32 = 1;
    /// Answers without an outcome carry a text for people.
    pub const TEXTS: u32 = 1 << 1;
    /// All that this version knows.
    pub const ALL: u32 = BUSY_FRAMES | TEXTS;
}

const _: () = assert!(size_of::<HelloHeader>() == 24 && size_of::<Welcome>() == 48);

/// Fixed part of a Hello's body, 24 bytes, little-endian. The API key follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct HelloHeader {
    /// `SWYDBIN` and a line feed.
    pub magic: [u8; 8],
    /// Lowest version that the client speaks.
    pub version_min: u8,
    /// Highest version that the client speaks.
    pub version_max: u8,
    /// Bytes of the API key behind this part.
    pub key_bytes: U16,
    /// Bits of capability that the client has.
    pub capabilities: U32,
    /// Zero.
    pub reserved: [u8; 8],
}

/// The client's first frame, read. `Debug` does not show the key.
#[derive(Clone, Copy)]
pub struct Hello<'a> {
    /// Lowest version that the client speaks.
    pub version_min: u8,
    /// Highest version that the client speaks.
    pub version_max: u8,
    /// Bits of [`capability`] that the client has.
    pub capabilities: u32,
    /// Its API key.
    pub api_key: &'a str,
}

impl fmt::Debug for Hello<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hello({}..={}, {:#x})", self.version_min, self.version_max, self.capabilities)
    }
}

impl<'a> Hello<'a> {
    /// Reads a frame's body.
    pub fn parse(body: &'a [u8]) -> Result<Hello<'a>, BodyFault> {
        let (header, key) = HelloHeader::ref_from_prefix(body).map_err(|_| BodyFault::Size { at: body.len() })?;
        if header.magic != MAGIC {
            return Err(BodyFault::Magic);
        }
        if header.reserved != [0; 8] {
            return Err(BodyFault::Reserved);
        }
        if key.len() != usize::from(header.key_bytes.get()) || key.len() > API_KEY_MAX_BYTES {
            return Err(BodyFault::Size { at: size_of::<HelloHeader>() });
        }
        let api_key = core::str::from_utf8(key).map_err(|_| BodyFault::Text)?;
        let HelloHeader { version_min, version_max, .. } = *header;
        Ok(Hello { version_min, version_max, capabilities: header.capabilities.get(), api_key })
    }

    /// True when both ends speak [`VERSION`].
    pub fn speaks_ours(&self) -> bool {
        (self.version_min..=self.version_max).contains(&VERSION)
    }

    /// Appends the frame. A key longer than [`API_KEY_MAX_BYTES`] is cut; the switch knows none that long.
    pub fn write(&self, out: &mut Vec<u8>) {
        let key = &self.api_key.as_bytes()[..self.api_key.len().min(API_KEY_MAX_BYTES)];
        let header = HelloHeader {
            magic: MAGIC,
            version_min: self.version_min,
            version_max: self.version_max,
            key_bytes: (key.len() as u16).into(),
            capabilities: self.capabilities.into(),
            reserved: [0; 8],
        };
        let mut frame = FrameWriter::begin(FrameKind::Hello, out);
        frame.body().extend_from_slice(header.as_bytes());
        frame.body().extend_from_slice(key);
        frame.finish();
    }
}

/// What holds on this connection: a Welcome's body, 48 bytes, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Welcome {
    /// The version that is spoken from here on.
    pub version: u8,
    /// What the key may do: 1 everything, 2 only make payments that take money in.
    pub key_kind: u8,
    /// Most items of a Requests frame.
    pub frame_items_max: U16,
    /// Bits of capability that hold.
    pub capabilities: U32,
    /// The merchant account that the key belongs to.
    pub merchant: Xid,
    /// Requests that may be unanswered at a time.
    pub credits: U32,
    /// Largest frame that the switch accepts, bytes.
    pub frame_max_bytes: U32,
    /// How long the connection may be silent, milliseconds; a Ping is enough.
    pub idle_timeout_ms: U32,
    /// The switch's clock, microseconds since 1970.
    pub now: I64,
    /// Zero.
    pub reserved: [u8; 8],
}

impl Welcome {
    /// One with zeros everywhere.
    pub fn empty() -> Welcome {
        Welcome::new_zeroed()
    }

    /// Reads a frame's body.
    pub fn parse(body: &[u8]) -> Result<Welcome, BodyFault> {
        let welcome = Welcome::read_from_bytes(body).map_err(|_| BodyFault::Size { at: body.len() })?;
        if welcome.reserved != [0; 8] {
            return Err(BodyFault::Reserved);
        }
        Ok(welcome)
    }

    /// Appends the frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        super::frame::push_frame(FrameKind::Welcome, self.as_bytes(), out);
    }
}
