//! Where the next frame goes: pure bookkeeping of LSN, chain, segment and offset. It touches no disk, so frames can be
//! closed while earlier ones are still being synced.

use protocol::frame::{BLOCK_BYTES, Chain, FrameHeader, FrameKind, JournalId, SegmentHeader};

use super::chain::FrameDigest;
use super::draft::Draft;

const BLOCK: u64 = BLOCK_BYTES as u64;

/// A place in the journal: the next free block and what a frame there must say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) segment: u32,
    pub(super) segment_bytes: u64,
    pub(super) offset: u64,
    pub(super) next_lsn: u64,
    pub(super) chain: Chain,
}

impl Position {
    /// The start of a segment with this header.
    pub(super) fn start_of(header: &SegmentHeader) -> Self {
        Self {
            segment: header.segment.get(),
            segment_bytes: header.segment_bytes.get(),
            offset: BLOCK,
            next_lsn: header.first_lsn.get(),
            chain: header.chain,
        }
    }

    /// The last block, which is kept for the seal.
    pub(super) fn seal_offset(&self) -> u64 {
        self.segment_bytes - BLOCK
    }
}

/// What must be written before a frame that begins a new segment.
pub(super) struct Roll {
    pub(super) seal: FrameHeader,
    pub(super) seal_offset: u64,
    pub(super) header: SegmentHeader,
}

/// A closed frame's place.
pub(super) struct Placed {
    /// Present if the frame is the first of the next segment.
    pub(super) roll: Option<Roll>,
    pub(super) offset: u64,
    pub(super) first_lsn: u64,
}

/// Closes drafts one after the other.
pub(super) struct Framer {
    journal_id: JournalId,
    segment_bytes: u64,
    at: Position,
}

impl Framer {
    /// Continues at `at`; new segments get `segment_bytes`.
    pub(super) fn new(journal_id: JournalId, segment_bytes: u64, at: Position) -> Self {
        Self { journal_id, segment_bytes, at }
    }

    pub(super) fn next_lsn(&self) -> u64 {
        self.at.next_lsn
    }

    pub(super) fn segment(&self) -> u32 {
        self.at.segment
    }

    /// Adds records to `draft`, which must be the next to be closed.
    pub(super) fn push(&self, draft: &mut Draft, records: &[u8], count: u32) {
        draft.push(records, count, self.journal_id, self.at.chain);
    }

    /// Whether `draft` has no room in the present segment.
    pub(super) fn must_roll(&self, draft: &Draft) -> bool {
        self.at.offset + draft.disk_bytes() as u64 > self.at.seal_offset()
    }

    /// Gives `draft` its LSNs, chain and place, and moves on behind it.
    pub(super) fn close(&mut self, draft: &mut Draft) -> Placed {
        let roll = self.must_roll(draft).then(|| self.roll());
        let (offset, first_lsn) = (self.at.offset, self.at.next_lsn);
        self.at.chain = draft.close(first_lsn, self.at.segment);
        self.at.offset += draft.disk_bytes() as u64;
        self.at.next_lsn += u64::from(draft.record_count());
        assert!(self.at.offset <= self.at.seal_offset(), "a frame was placed over the seal");
        Placed { roll, offset, first_lsn }
    }

    fn roll(&mut self) -> Roll {
        let full = self.at;
        let facts = FrameHeader::with_facts(FrameKind::Seal, 0, 0, full.next_lsn, full.segment);
        let seal = FrameDigest::new(self.journal_id, full.chain).close(facts);
        let number = full.segment.checked_add(1).expect("segment numbers outlast any disk");
        let header = SegmentHeader::sealed_with(number, full.next_lsn, self.segment_bytes, self.journal_id, full.chain);
        self.at = Position::start_of(&header);
        Roll { seal, seal_offset: full.seal_offset(), header }
    }
}
