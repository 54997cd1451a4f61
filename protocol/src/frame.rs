//! The bytes of a journal: segment header, frame header, and the records inside a frame.
//!
//! Lives here: the layouts, their limits, and pure checks over `&[u8]` that never panic whatever the bytes are. Must not
//! live here: files, the hash chain's computation, the decision what a damaged frame means (the journal's recovery).
//!
//! A segment is a file of fixed size made of 4 KiB blocks. Block 0 begins with a [`SegmentHeader`], the last block is
//! kept for the seal (a [`FrameHeader`] of kind seal), and frames lie between them, each starting on a block:
//!
//! ```text
//! ┌────────────┬───────────────┬───────────────────┬────  ────┬──────────┬──────────────┐
//! │ header     │ frame: header │ payload … zeros   │ frame … │ zeros    │ seal or zeros │
//! └────────────┴───────────────┴───────────────────┴────  ────┴──────────┴──────────────┘
//! 0          4096                                                        size − 4096
//! ```

use core::mem::{offset_of, size_of};

use crc_fast::{CrcAlgorithm, Digest};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[cfg(test)]
mod tests;

/// Unit of every write, in bytes: frames start on it and are padded with zeros to it.
pub const BLOCK_BYTES: usize = 4096;
/// Every record's size is a multiple of this, in bytes, so that records stay aligned in a frame.
pub const RECORD_ALIGN_BYTES: usize = 8;
/// The smallest record, in bytes: its size field and padding.
pub const RECORD_BYTES_MIN: usize = 8;
/// The largest record, in bytes: a 64 KiB tail and its fixed part.
pub const RECORD_BYTES_MAX: usize = 64 * 1024 + 512;
/// The largest payload of one frame, in bytes. A length above it is refused before anything is allocated or read.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The smallest segment, in bytes: header, one frame with the largest record, seal.
pub const SEGMENT_BYTES_MIN: u64 = 20 * BLOCK_BYTES as u64;
/// The largest segment, in bytes.
pub const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Version of the segment header and of all that follows it. A reader refuses a larger one.
pub const FORMAT_VERSION: u32 = 1;
/// Version of the frame header.
pub const FRAME_VERSION: u8 = 1;
/// First bytes of a segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"SWYDSEG\n";
/// First bytes of a frame and of a seal.
pub const FRAME_MAGIC: [u8; 4] = *b"SWYF";
/// Bytes in front of a frame's payload.
pub const FRAME_HEADER_BYTES: usize = size_of::<FrameHeader>();

const _: () = {
    assert!(RECORD_BYTES_MAX.is_multiple_of(RECORD_ALIGN_BYTES));
    assert!(RECORD_BYTES_MAX <= FRAME_PAYLOAD_BYTES_MAX);
    assert!(SEGMENT_BYTES_MIN >= (RECORD_BYTES_MAX + FRAME_HEADER_BYTES + 3 * BLOCK_BYTES) as u64);
    assert!(SEGMENT_BYTES_MAX <= u32::MAX as u64);
    assert!(size_of::<FrameHeader>() == 64 && align_of::<FrameHeader>() == 1);
    assert!(offset_of!(FrameHeader, version) == 4);
    assert!(offset_of!(FrameHeader, kind) == 5);
    assert!(offset_of!(FrameHeader, reserved) == 6);
    assert!(offset_of!(FrameHeader, payload_bytes) == 8);
    assert!(offset_of!(FrameHeader, record_count) == 12);
    assert!(offset_of!(FrameHeader, first_lsn) == 16);
    assert!(offset_of!(FrameHeader, segment) == 24);
    assert!(offset_of!(FrameHeader, crc) == 28);
    assert!(offset_of!(FrameHeader, chain) == 32);
    assert!(size_of::<SegmentHeader>() == 96 && align_of::<SegmentHeader>() == 1);
    assert!(offset_of!(SegmentHeader, version) == 8);
    assert!(offset_of!(SegmentHeader, segment) == 12);
    assert!(offset_of!(SegmentHeader, first_lsn) == 16);
    assert!(offset_of!(SegmentHeader, segment_bytes) == 24);
    assert!(offset_of!(SegmentHeader, journal_id) == 32);
    assert!(offset_of!(SegmentHeader, chain) == 48);
    assert!(offset_of!(SegmentHeader, reserved) == 80);
    assert!(offset_of!(SegmentHeader, crc) == 92);
};

/// Names one journal for life; drawn at random when it is created. It seeds every checksum, so that a frame of another
/// journal never passes for one of this.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct JournalId(pub [u8; 16]);

impl core::fmt::Display for JournalId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The value of the hash chain after a frame: keyed BLAKE3 (key: the value before) over the payload, then the first 28
/// bytes of the frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(transparent)]
pub struct Chain(pub [u8; 32]);

impl core::fmt::Display for Chain {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Proof that records are on disk. Outputs that depend on them are handed out against it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Durable {
    first_lsn: u64,
    last_lsn: u64,
}

impl Durable {
    /// Only a journal may call this, and only after the sync that covers `last_lsn` has returned. An empty batch has
    /// `first_lsn == last_lsn + 1`.
    pub fn after_sync(first_lsn: u64, last_lsn: u64) -> Self {
        assert!(first_lsn >= 1 && first_lsn <= last_lsn + 1, "durable range {first_lsn}..={last_lsn} is backwards");
        Self { first_lsn, last_lsn }
    }

    /// LSN of the batch's first record; one past `last_lsn` if it had none.
    pub fn first_lsn(self) -> u64 {
        self.first_lsn
    }

    /// LSN of the batch's last record; everything up to it is durable.
    pub fn last_lsn(self) -> u64 {
        self.last_lsn
    }

    /// Whether the batch had no records.
    pub fn is_empty(self) -> bool {
        self.first_lsn > self.last_lsn
    }
}

/// What a frame is for. Open on the wire as a byte; a byte that is neither makes the frame unreadable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FrameKind {
    /// One group commit: whole records.
    Records = 1,
    /// The segment is full: no payload, `first_lsn` is the next segment's.
    Seal = 2,
}

/// Head of a frame: 64 bytes, little-endian, no padding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct FrameHeader {
    /// [`FRAME_MAGIC`].
    pub magic: [u8; 4],
    /// [`FRAME_VERSION`].
    pub version: u8,
    /// A [`FrameKind`].
    pub kind: u8,
    /// Zero, and checked.
    pub reserved: U16,
    /// Bytes of records behind the header, without the padding to the block.
    pub payload_bytes: U32,
    /// Records in the payload.
    pub record_count: U32,
    /// LSN of the payload's first record.
    pub first_lsn: U64,
    /// Number of the segment the frame was written for.
    pub segment: U32,
    /// CRC32C (Castagnoli) over journal id, payload, header bytes 0..28, chain.
    pub crc: U32,
    /// The chain's value after this frame.
    pub chain: Chain,
}

/// Bytes of a frame header that chain and checksum cover before the checksum itself.
pub const FRAME_FACTS_BYTES: usize = offset_of!(FrameHeader, crc);

/// Head of a segment: 96 bytes at the start of block 0, little-endian, no padding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SegmentHeader {
    /// [`SEGMENT_MAGIC`].
    pub magic: [u8; 8],
    /// [`FORMAT_VERSION`] of the writer.
    pub version: U32,
    /// The segment's number, from 1, without gaps; also in the file's name.
    pub segment: U32,
    /// LSN of the first record that the segment holds or will hold.
    pub first_lsn: U64,
    /// Size of the file.
    pub segment_bytes: U64,
    /// The journal it belongs to.
    pub journal_id: [u8; 16],
    /// The chain's value before the segment's first frame.
    pub chain: Chain,
    /// Zero, and checked.
    pub reserved: [u8; 12],
    /// CRC32C (Castagnoli) over the bytes before it.
    pub crc: U32,
}

/// Why bytes are not a frame, or not a whole one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameFault {
    /// The header's bytes are all zero: nothing was written here.
    Blank,
    /// The bytes end before the header or the payload does; `need` bytes would hold the frame.
    Short {
        /// Bytes of header and payload.
        need: usize,
    },
    /// The first bytes are not [`FRAME_MAGIC`].
    Magic,
    /// A version that this code does not know.
    Version(u8),
    /// Neither records nor seal.
    Kind(u8),
    /// Reserved bytes are not zero.
    Reserved,
    /// A payload length above the limit, not a multiple of 8, or not the kind's.
    PayloadBytes(u32),
    /// A record count that the payload can't hold, or LSNs that would overflow.
    RecordCount(u32),
    /// The stored checksum is not the computed one.
    Crc {
        /// As read.
        stored: u32,
        /// As the bytes give.
        computed: u32,
    },
    /// Checksum good, records not: a bug of the writer, never of the disk.
    Record(RecordFault),
}

impl core::fmt::Display for FrameFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Blank => write!(f, "zeros instead of a frame"),
            Self::Short { need } => write!(f, "bytes end inside a frame of {need} bytes"),
            Self::Magic => write!(f, "bytes that do not begin like a frame"),
            Self::Version(version) => write!(f, "frame version {version}, known is {FRAME_VERSION}"),
            Self::Kind(kind) => write!(f, "frame kind {kind}"),
            Self::Reserved => write!(f, "reserved bytes that are not zero"),
            Self::PayloadBytes(bytes) => write!(f, "payload length {bytes}"),
            Self::RecordCount(count) => write!(f, "record count {count}"),
            Self::Crc { stored, computed } => write!(f, "checksum {stored:08x} where the bytes give {computed:08x}"),
            Self::Record(fault) => write!(f, "{fault} under a good checksum"),
        }
    }
}

/// Why bytes are not a row of records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordFault {
    /// A size field below 8, above the limit, or not a multiple of 8.
    Size {
        /// Where the record begins in the payload.
        offset: usize,
        /// The size as read.
        size: u32,
    },
    /// The bytes end inside a record.
    Cut {
        /// Where the record begins in the payload.
        offset: usize,
    },
    /// Another number of records than was said.
    Count {
        /// As said.
        said: u32,
        /// As found.
        found: u32,
    },
}

impl core::fmt::Display for RecordFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Size { offset, size } => write!(f, "record of size {size} at payload byte {offset}"),
            Self::Cut { offset } => write!(f, "record cut short at payload byte {offset}"),
            Self::Count { said, found } => write!(f, "{found} records where {said} were said"),
        }
    }
}

/// Why bytes are not a segment's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SegmentFault {
    /// All zero: a segment that was written ahead and not begun.
    Blank,
    /// Fewer bytes than a header has.
    Short,
    /// Not [`SEGMENT_MAGIC`].
    Magic,
    /// Written by newer code; told apart from damage because a newer format may be laid out otherwise.
    FutureVersion(u32),
    /// Version 0.
    Version(u32),
    /// The stored checksum is not the computed one.
    Crc {
        /// As read.
        stored: u32,
        /// As the bytes give.
        computed: u32,
    },
    /// Reserved bytes are not zero under a good checksum.
    Reserved,
    /// A size outside the limits or not a multiple of the block.
    SegmentBytes(u64),
    /// Segment number or first LSN zero.
    Numbers,
}

impl core::fmt::Display for SegmentFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Blank => write!(f, "zeros instead of a segment header"),
            Self::Short => write!(f, "fewer bytes than a segment header"),
            Self::Magic => write!(f, "bytes that do not begin like a segment"),
            Self::FutureVersion(version) => write!(f, "format version {version}, this program knows up to {FORMAT_VERSION}"),
            Self::Version(version) => write!(f, "format version {version}"),
            Self::Crc { stored, computed } => write!(f, "header checksum {stored:08x} where the bytes give {computed:08x}"),
            Self::Reserved => write!(f, "reserved header bytes that are not zero"),
            Self::SegmentBytes(bytes) => write!(f, "segment size {bytes}"),
            Self::Numbers => write!(f, "segment number or LSN zero"),
        }
    }
}

/// CRC32C that grows with a frame's payload and is closed with its header.
#[derive(Clone)]
pub struct FrameCrc(Digest);

impl FrameCrc {
    /// Begins the checksum of one frame.
    pub fn new(journal_id: JournalId) -> Self {
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        digest.update(&journal_id.0);
        Self(digest)
    }

    /// Takes the next bytes of the payload in.
    pub fn update(&mut self, payload: &[u8]) {
        self.0.update(payload);
    }

    /// Takes the header's facts and chain in and gives the checksum to store.
    pub fn close(mut self, header: &FrameHeader) -> u32 {
        self.0.update(header.facts());
        self.0.update(&header.chain.0);
        crc32(self.0.finalize())
    }
}

/// `crc_fast` gives every width in a u64; of CRC32C only the low half is set.
fn crc32(wide: u64) -> u32 {
    wide as u32
}

impl FrameHeader {
    /// A header with its facts filled in; chain and checksum still zero.
    pub fn with_facts(kind: FrameKind, payload_bytes: u32, record_count: u32, first_lsn: u64, segment: u32) -> Self {
        Self {
            magic: FRAME_MAGIC,
            version: FRAME_VERSION,
            kind: kind as u8,
            reserved: U16::ZERO,
            payload_bytes: U32::new(payload_bytes),
            record_count: U32::new(record_count),
            first_lsn: U64::new(first_lsn),
            segment: U32::new(segment),
            crc: U32::ZERO,
            chain: Chain([0; 32]),
        }
    }

    /// The bytes in front of the checksum, which chain and checksum cover.
    pub fn facts(&self) -> &[u8] {
        &self.as_bytes()[..FRAME_FACTS_BYTES]
    }

    /// Reads a header from the start of `bytes` and checks all that can be told without the payload.
    pub fn read(bytes: &[u8]) -> Result<&Self, FrameFault> {
        let short = FrameFault::Short { need: FRAME_HEADER_BYTES };
        let (header, _) = Self::ref_from_prefix(bytes).map_err(|_| short)?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Err(FrameFault::Blank);
        }
        header.check_facts()?;
        Ok(header)
    }

    fn check_facts(&self) -> Result<(), FrameFault> {
        if self.magic != FRAME_MAGIC {
            return Err(FrameFault::Magic);
        }
        if self.version != FRAME_VERSION {
            return Err(FrameFault::Version(self.version));
        }
        if self.reserved != U16::ZERO {
            return Err(FrameFault::Reserved);
        }
        let kind = self.kind().ok_or(FrameFault::Kind(self.kind))?;
        let (bytes, count) = (self.payload_bytes.get(), self.record_count.get());
        let bytes_fit = match kind {
            FrameKind::Records => {
                (RECORD_BYTES_MIN..=FRAME_PAYLOAD_BYTES_MAX).contains(&(bytes as usize))
                    && (bytes as usize).is_multiple_of(RECORD_ALIGN_BYTES)
            }
            FrameKind::Seal => bytes == 0,
        };
        if !bytes_fit {
            return Err(FrameFault::PayloadBytes(bytes));
        }
        let count_fits = match kind {
            FrameKind::Records => count >= 1 && count as usize <= bytes as usize / RECORD_BYTES_MIN,
            FrameKind::Seal => count == 0,
        };
        let lsn_fits = self.first_lsn.get() >= 1 && self.first_lsn.get().checked_add(u64::from(count)).is_some();
        if !count_fits || !lsn_fits {
            return Err(FrameFault::RecordCount(count));
        }
        Ok(())
    }

    /// The frame's kind, if the byte is one.
    pub fn kind(&self) -> Option<FrameKind> {
        match self.kind {
            1 => Some(FrameKind::Records),
            2 => Some(FrameKind::Seal),
            _ => None,
        }
    }

    /// Bytes of header and payload, without padding.
    pub fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + self.payload_bytes.get() as usize
    }

    /// LSN of the record after this frame's last.
    pub fn next_lsn(&self) -> u64 {
        self.first_lsn.get() + u64::from(self.record_count.get())
    }
}

/// A frame whose checksum and records are good. That it is the right one at its place (segment, LSN, chain) is for the
/// journal to say.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The head.
    pub header: &'a FrameHeader,
    /// Whole records, nothing else.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes`, which may go on behind it.
    pub fn read(bytes: &'a [u8], journal_id: JournalId) -> Result<Self, FrameFault> {
        let header = FrameHeader::read(bytes)?;
        let need = header.frame_bytes();
        let payload = bytes.get(FRAME_HEADER_BYTES..need).ok_or(FrameFault::Short { need })?;
        let mut crc = FrameCrc::new(journal_id);
        crc.update(payload);
        let (stored, computed) = (header.crc.get(), crc.close(header));
        if stored != computed {
            return Err(FrameFault::Crc { stored, computed });
        }
        check_records(payload, header.record_count.get()).map_err(FrameFault::Record)?;
        Ok(Self { header, payload })
    }

    /// The frame's records in the order of their LSNs.
    pub fn records(&self) -> Records<'a> {
        Records { bytes: self.payload, offset: 0 }
    }
}

/// The records of a payload, one after the other; ends early with a fault at the first that is not one.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    offset: usize,
}

/// Walks the records in `bytes`.
pub fn records(bytes: &[u8]) -> Records<'_> {
    Records { bytes, offset: 0 }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<&'a [u8], RecordFault>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let read = record_at_start(rest, self.offset);
        // After a fault there is no next record to find: the walk ends.
        self.offset = read.map_or(self.bytes.len(), |record| self.offset + record.len());
        Some(read)
    }
}

#[inline]
fn record_at_start(rest: &[u8], offset: usize) -> Result<&[u8], RecordFault> {
    let (size, _) = U32::ref_from_prefix(rest).map_err(|_| RecordFault::Cut { offset })?;
    let bytes = size.get() as usize;
    if !(RECORD_BYTES_MIN..=RECORD_BYTES_MAX).contains(&bytes) || !bytes.is_multiple_of(RECORD_ALIGN_BYTES) {
        return Err(RecordFault::Size { offset, size: size.get() });
    }
    rest.get(..bytes).ok_or(RecordFault::Cut { offset })
}

/// Checks that `bytes` are exactly `count` whole records.
pub fn check_records(bytes: &[u8], count: u32) -> Result<(), RecordFault> {
    let mut found = 0u32;
    for record in records(bytes) {
        record?;
        found += 1;
    }
    if found == count { Ok(()) } else { Err(RecordFault::Count { said: count, found }) }
}

impl SegmentHeader {
    /// A header ready to write, checksum included.
    pub fn sealed_with(segment: u32, first_lsn: u64, segment_bytes: u64, journal_id: JournalId, chain: Chain) -> Self {
        let mut header = Self {
            magic: SEGMENT_MAGIC,
            version: U32::new(FORMAT_VERSION),
            segment: U32::new(segment),
            first_lsn: U64::new(first_lsn),
            segment_bytes: U64::new(segment_bytes),
            journal_id: journal_id.0,
            chain,
            reserved: [0; 12],
            crc: U32::ZERO,
        };
        header.crc = U32::new(header.computed_crc());
        header
    }

    fn computed_crc(&self) -> u32 {
        crc32(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, &self.as_bytes()[..offset_of!(Self, crc)]))
    }

    /// The journal it belongs to.
    pub fn journal_id(&self) -> JournalId {
        JournalId(self.journal_id)
    }

    /// Reads and checks the header at the start of a segment.
    pub fn read(bytes: &[u8]) -> Result<&Self, SegmentFault> {
        let (header, _) = Self::ref_from_prefix(bytes).map_err(|_| SegmentFault::Short)?;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Err(SegmentFault::Blank);
        }
        if header.magic != SEGMENT_MAGIC {
            return Err(SegmentFault::Magic);
        }
        // Before the checksum: a newer format may keep its checksum elsewhere, and its files are not damaged.
        match header.version.get() {
            0 => return Err(SegmentFault::Version(0)),
            FORMAT_VERSION => {}
            newer => return Err(SegmentFault::FutureVersion(newer)),
        }
        let (stored, computed) = (header.crc.get(), header.computed_crc());
        if stored != computed {
            return Err(SegmentFault::Crc { stored, computed });
        }
        header.check_facts()?;
        Ok(header)
    }

    fn check_facts(&self) -> Result<(), SegmentFault> {
        let bytes = self.segment_bytes.get();
        if self.reserved != [0; 12] {
            return Err(SegmentFault::Reserved);
        }
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) || !bytes.is_multiple_of(BLOCK_BYTES as u64) {
            return Err(SegmentFault::SegmentBytes(bytes));
        }
        if self.segment.get() == 0 || self.first_lsn.get() == 0 {
            return Err(SegmentFault::Numbers);
        }
        Ok(())
    }
}
