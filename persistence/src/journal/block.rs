//! Memory laid out as the disk wants it: whole 4 KiB blocks on 4 KiB addresses, as `O_DIRECT` requires.

use protocol::frame::BLOCK_BYTES;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(4096))]
struct Block([u8; BLOCK_BYTES]);

/// A growing run of aligned blocks. It never shrinks: a buffer lives as long as its writer and is used again.
pub(super) struct BlockBuffer {
    blocks: Vec<Block>,
}

impl BlockBuffer {
    /// A buffer of zeros that holds at least `bytes`.
    pub(super) fn zeroed(bytes: usize) -> Self {
        let blocks = vec![Block([0; BLOCK_BYTES]); bytes.div_ceil(BLOCK_BYTES)];
        Self { blocks }
    }

    /// Makes room for `bytes`; what is there stays.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let need = bytes.div_ceil(BLOCK_BYTES);
        if need > self.blocks.len() {
            let doubled = need.max(self.blocks.len() * 2);
            self.blocks.resize(doubled, Block([0; BLOCK_BYTES]));
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.blocks.as_slice().as_bytes()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        self.blocks.as_mut_slice().as_mut_bytes()
    }
}

/// One block that begins with `head` and is zero behind it.
pub(super) fn block_of(head: &[u8]) -> BlockBuffer {
    let mut block = BlockBuffer::zeroed(BLOCK_BYTES);
    block.bytes_mut()[..head.len()].copy_from_slice(head);
    block
}

/// Bytes of the blocks that hold `bytes`.
pub(super) fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK_BYTES)
}
