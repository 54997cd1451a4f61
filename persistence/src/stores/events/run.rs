//! Transactions' events in a row of the table, a merchant's of one SQL transaction: their layout.

use protocol::id::Xid;
use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// One event of a run. It is stored, so the layout is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RunEntry {
    /// The record, and with it the version.
    pub lsn: U64,
    pub transaction: Xid,
    /// As kinds are stored.
    pub kind: U16,
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<RunEntry>() == 24);

impl RunEntry {
    /// The events of a row; `None` when the bytes are no run.
    pub(super) fn all(bytes: &[u8]) -> Option<&[RunEntry]> {
        <[RunEntry]>::ref_from_bytes(bytes).ok().filter(|run| !run.is_empty())
    }
}
