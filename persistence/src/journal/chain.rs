//! The hash chain: each frame's value is keyed by the one before, so no frame can be taken out, changed or swapped unseen.

use protocol::frame::{Chain, Frame, FrameCrc, FrameHeader, JournalId};
use zerocopy::little_endian::U32;

/// Separates the first chain value from every other use of BLAKE3.
const GENESIS_CONTEXT: &str = "switchyard journal, chain value before the first frame, v1";

/// The chain's value before the first frame of a journal.
pub(super) fn genesis(journal_id: JournalId) -> Chain {
    Chain(blake3::derive_key(GENESIS_CONTEXT, &journal_id.0))
}

/// Checksum and chain of a frame under construction, fed with the payload as it grows.
pub(super) struct FrameDigest {
    crc: FrameCrc,
    hash: blake3::Hasher,
}

impl FrameDigest {
    pub(super) fn new(journal_id: JournalId, before: Chain) -> Self {
        Self { crc: FrameCrc::new(journal_id), hash: blake3::Hasher::new_keyed(&before.0) }
    }

    pub(super) fn update(&mut self, payload: &[u8]) {
        self.crc.update(payload);
        self.hash.update(payload);
    }

    /// Completes `header` with chain and checksum.
    pub(super) fn close(mut self, mut header: FrameHeader) -> FrameHeader {
        self.hash.update(header.facts());
        header.chain = Chain(*self.hash.finalize().as_bytes());
        header.crc = U32::new(self.crc.close(&header));
        header
    }
}

/// The chain's value after `frame` when it was `before` in front of it.
pub(super) fn after(before: Chain, frame: &Frame<'_>) -> Chain {
    let mut hash = blake3::Hasher::new_keyed(&before.0);
    hash.update(frame.payload);
    hash.update(frame.header.facts());
    Chain(*hash.finalize().as_bytes())
}

/// Whether `seal` closes a segment whose frames end with the chain at `before`. A seal does not move the chain on: the
/// next segment continues from `before`, so that a frame can be hashed before it is known whether a seal goes in front.
pub(super) fn closes(before: Chain, seal: &FrameHeader) -> bool {
    after(before, &Frame { header: seal, payload: &[] }) == seal.chain
}
