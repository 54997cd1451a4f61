//! One segment, frame by frame, each checked against its place: segment number, LSN and chain. Recovery and the reader
//! walk with the same feet.

use protocol::frame::{
    BLOCK_BYTES, FRAME_HEADER_BYTES, Frame, FrameFault, FrameHeader, FrameKind, JournalId, SegmentFault, SegmentHeader,
};

use super::block::padded;
use super::chain;
use super::disk::{Access, Disk, DiskFile};
use super::error::{DiskFault, Found, JournalError};
use super::framer::Position;
use super::names;
use super::window::Window;

/// How a frame's chain value is come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chained {
    /// Computed anew and compared.
    Proven,
    /// Taken from its header: whoever asks has just written it.
    Taken,
}

/// A segment file, open for reading.
pub(super) struct Segment<F> {
    pub(super) name: String,
    window: Window<F>,
}

impl<F: DiskFile> Segment<F> {
    pub(super) fn open<D: Disk<File = F>>(disk: &D, number: u32, read_bytes: usize) -> Result<Self, JournalError> {
        let name = names::segment(number);
        let file = disk.open(&name, Access::Read).map_err(DiskFault::of("open", &name))?;
        let window = Window::new(file, read_bytes).map_err(DiskFault::of("measure", &name))?;
        Ok(Self { name, window })
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.window.file_bytes()
    }

    /// The header, or why there is none; that it fits name and size is checked too.
    pub(super) fn header(&mut self, number: u32) -> Result<Result<SegmentHeader, SegmentFault>, JournalError> {
        let bytes = self.bytes(0, BLOCK_BYTES)?;
        let header = match SegmentHeader::read(bytes) {
            Ok(header) => *header,
            Err(SegmentFault::FutureVersion(version)) => {
                return Err(JournalError::FutureVersion { name: self.name.clone(), version });
            }
            Err(fault) => return Ok(Err(fault)),
        };
        self.expect("segment number", u64::from(header.segment.get()), u64::from(number))?;
        self.expect("size in bytes", self.file_bytes(), header.segment_bytes.get())?;
        Ok(Ok(header))
    }

    pub(super) fn expect(&self, fact: &'static str, found: u64, expected: u64) -> Result<(), JournalError> {
        if found == expected {
            return Ok(());
        }
        Err(JournalError::Misplaced { name: self.name.clone(), fact, found, expected })
    }

    /// The frame that begins at `offset`, whatever its number, LSN and chain.
    pub(super) fn frame_at(&mut self, offset: u64, id: JournalId) -> Result<Result<Frame<'_>, FrameFault>, JournalError> {
        let need = match FrameHeader::read(self.bytes(offset, FRAME_HEADER_BYTES)?) {
            Ok(header) => header.frame_bytes(),
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(Frame::read(self.bytes(offset, need)?, id))
    }

    /// The seal in the last block, if it is one of this segment.
    pub(super) fn seal(&mut self, header: &SegmentHeader) -> Result<Result<FrameHeader, FrameFault>, JournalError> {
        let offset = Position::start_of(header).seal_offset();
        let read = self.frame_at(offset, header.journal_id())?;
        Ok(read.map(|frame| *frame.header).and_then(|seal| match seal.kind() {
            Some(FrameKind::Seal) if seal.segment == header.segment => Ok(seal),
            Some(FrameKind::Seal | FrameKind::Records) | None => Err(FrameFault::Kind(seal.kind)),
        }))
    }

    pub(super) fn bytes(&mut self, offset: u64, need: usize) -> Result<&[u8], JournalError> {
        let read = self.window.at(offset, need);
        read.map_err(DiskFault::of("read", &self.name)).map_err(JournalError::Disk)
    }

    pub(super) fn forget(&mut self) {
        self.window.forget();
    }

    /// Checks the frame at `at` in every respect, its chain as `chained` says, and gives the position behind it.
    pub(super) fn step(
        &mut self,
        at: &Position,
        id: JournalId,
        chained: Chained,
    ) -> Result<Result<(Frame<'_>, Position), Found>, JournalError> {
        let frame = match self.frame_at(at.offset, id)? {
            Ok(frame) => frame,
            Err(fault) => return Ok(Err(Found::Fault(fault))),
        };
        Ok(behind(at, &frame, chained).map(|position| (frame, position)))
    }

    pub(super) fn corrupt(&self, at: &Position, found: Found) -> JournalError {
        JournalError::Corrupt { name: self.name.clone(), offset: at.offset, expected_lsn: at.next_lsn, found }
    }
}

/// The position behind `frame`, if it is the one that belongs at `at`.
fn behind(at: &Position, frame: &Frame<'_>, chained: Chained) -> Result<Position, Found> {
    let header = frame.header;
    if header.segment.get() != at.segment {
        return Err(Found::Segment(header.segment.get()));
    }
    if header.kind() == Some(FrameKind::Seal) {
        return Err(Found::Seal { next_lsn: header.first_lsn.get() });
    }
    if header.first_lsn.get() != at.next_lsn {
        return Err(Found::Lsn(header.first_lsn.get()));
    }
    let offset = at.offset + padded(header.frame_bytes()) as u64;
    if offset > at.seal_offset() {
        return Err(Found::Overrun);
    }
    if chained == Chained::Proven && chain::after(at.chain, frame) != header.chain {
        return Err(Found::Chain);
    }
    Ok(Position { offset, next_lsn: header.next_lsn(), chain: header.chain, ..*at })
}

/// Whether nothing was ever written in this block (or this shorter rest of a file).
pub(super) fn is_zero(block: &[u8]) -> bool {
    static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
    ZEROS.get(..block.len()).is_some_and(|zeros| zeros == block)
}
