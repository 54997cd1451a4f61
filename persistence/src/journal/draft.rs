//! A frame being filled: records are copied behind the place of the header and hashed as they come, so that closing it
//! costs the hash of the last few kilobytes only.

use protocol::frame::{Chain, FRAME_HEADER_BYTES, FrameHeader, FrameKind, JournalId};
use zerocopy::IntoBytes;

use super::block::{BlockBuffer, padded};
use super::chain::FrameDigest;

/// Payload is hashed in runs of at least this many bytes: BLAKE3 needs long runs to use its wide lanes.
const HASH_RUN_BYTES: usize = 64 * 1024;

/// The buffer that one frame is built in.
pub(super) struct Draft {
    buffer: BlockBuffer,
    payload_bytes: usize,
    hashed_bytes: usize,
    record_count: u32,
    digest: Option<FrameDigest>,
}

impl Draft {
    /// An empty draft with room for a payload of `bytes` before it must grow.
    pub(super) fn with_room_for(bytes: usize) -> Self {
        let buffer = BlockBuffer::zeroed(FRAME_HEADER_BYTES + bytes);
        Self { buffer, payload_bytes: 0, hashed_bytes: 0, record_count: 0, digest: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    pub(super) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    pub(super) fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Bytes the frame takes on disk.
    pub(super) fn disk_bytes(&self) -> usize {
        padded(FRAME_HEADER_BYTES + self.payload_bytes)
    }

    /// Forgets what was pushed; the buffer stays.
    pub(super) fn clear(&mut self) {
        self.payload_bytes = 0;
        self.hashed_bytes = 0;
        self.record_count = 0;
        self.digest = None;
    }

    /// Adds whole records. `before` is the chain in front of this frame, the same for every push.
    pub(super) fn push(&mut self, records: &[u8], count: u32, journal_id: JournalId, before: Chain) {
        let start = FRAME_HEADER_BYTES + self.payload_bytes;
        self.buffer.reserve(start + records.len());
        self.buffer.bytes_mut()[start..start + records.len()].copy_from_slice(records);
        self.payload_bytes += records.len();
        self.record_count += count;
        let digest = self.digest.get_or_insert_with(|| FrameDigest::new(journal_id, before));
        if self.payload_bytes - self.hashed_bytes >= HASH_RUN_BYTES {
            let payload = &self.buffer.bytes()[FRAME_HEADER_BYTES..][..self.payload_bytes];
            digest.update(&payload[self.hashed_bytes..]);
            self.hashed_bytes = self.payload_bytes;
        }
    }

    /// Writes the header in front and zeros behind; returns the chain after this frame. The frame is then [`Draft::blocks`].
    pub(super) fn close(&mut self, first_lsn: u64, segment: u32) -> Chain {
        let mut digest = self.digest.take().expect("a draft is closed only with records in it");
        let end = FRAME_HEADER_BYTES + self.payload_bytes;
        let bytes = self.buffer.bytes_mut();
        digest.update(&bytes[FRAME_HEADER_BYTES + self.hashed_bytes..end]);
        let payload_bytes = u32::try_from(self.payload_bytes).expect("payloads are bounded by FRAME_PAYLOAD_BYTES_MAX");
        let facts = FrameHeader::with_facts(FrameKind::Records, payload_bytes, self.record_count, first_lsn, segment);
        let header = digest.close(facts);
        bytes[..FRAME_HEADER_BYTES].copy_from_slice(header.as_bytes());
        bytes[end..padded(end)].fill(0);
        header.chain
    }

    /// The closed frame as whole blocks.
    pub(super) fn blocks(&self) -> &[u8] {
        &self.buffer.bytes()[..self.disk_bytes()]
    }
}
