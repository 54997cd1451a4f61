//! What a simulated file holds: blocks that are shared between copies and absent while they are zeros, and what a power cut
//! leaves of a write that was not synced.

use std::io;
use std::sync::Arc;

use protocol::frame::BLOCK_BYTES;

use crate::journal::walk::is_zero;

/// Unit of a power cut, in bytes. It is the smallest that a disk writes in one piece: a block of 4 KiB then tears in every
/// way that a disk with larger sectors could tear it, and in more.
const SECTOR_BYTES: usize = 512;

/// Random numbers, the caller's.
pub(super) type Draw<'a> = &'a mut dyn FnMut() -> u64;

/// A block; `None` is zeros.
type Block = Option<Arc<[u8; BLOCK_BYTES]>>;

/// The bytes of a file. A copy shares its blocks.
#[derive(Clone, Default)]
pub(super) struct Content {
    blocks: Vec<Block>,
    bytes: usize,
}

/// Whole blocks written at a block's offset.
#[derive(Clone)]
pub(super) struct Write {
    first: usize,
    blocks: Vec<Block>,
}

impl Write {
    pub(super) fn of(bytes: &[u8], offset: u64) -> Self {
        assert_eq!((bytes.len() % BLOCK_BYTES, offset % BLOCK_BYTES as u64), (0, 0), "O_DIRECT would refuse");
        Self { first: offset as usize / BLOCK_BYTES, blocks: bytes.chunks(BLOCK_BYTES).map(block_of).collect() }
    }

    /// Where the file ends at least, once this is written.
    pub(super) fn end(&self) -> u64 {
        ((self.first + self.blocks.len()) * BLOCK_BYTES) as u64
    }

    /// Puts on the `medium` what a power cut left of this write: none of it, all of it, or each sector as the dice fall.
    pub(super) fn survive(&self, medium: &mut Content, draw: Draw<'_>) {
        match draw() % 4 {
            0 => {}
            1 => medium.put(self),
            _ => {
                for sector in 0..self.blocks.len() * BLOCK_BYTES / SECTOR_BYTES {
                    self.survive_in(sector * SECTOR_BYTES, medium, draw);
                }
            }
        }
    }

    /// A sector stays old or is new, mostly; it may be torn inside, for not every disk promises otherwise, or be trash.
    fn survive_in(&self, at: usize, medium: &mut Content, draw: Draw<'_>) {
        let kept_bytes = match draw() % 8 {
            0..3 => return,
            3..6 => SECTOR_BYTES,
            6 => draw() as usize % SECTOR_BYTES,
            _ => return medium.sector(self.first * BLOCK_BYTES + at).fill_with(|| draw() as u8),
        };
        let sector = medium.sector(self.first * BLOCK_BYTES + at);
        match &self.blocks[at / BLOCK_BYTES] {
            Some(block) => sector[..kept_bytes].copy_from_slice(&block[at % BLOCK_BYTES..][..kept_bytes]),
            None => sector[..kept_bytes].fill(0),
        }
    }
}

impl Content {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { blocks: bytes.chunks(BLOCK_BYTES).map(block_of).collect(), bytes: bytes.len() }
    }

    pub(super) fn size(&self) -> u64 {
        self.bytes as u64
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.bytes];
        self.copy_to(&mut bytes, 0);
        bytes
    }

    /// Fills `bytes` from `offset`, or says that the file ends before.
    pub(super) fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.saturating_add(bytes.len() as u64) > self.bytes as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.copy_to(bytes, offset as usize);
        Ok(())
    }

    fn copy_to(&self, bytes: &mut [u8], offset: usize) {
        let mut done = 0;
        while done < bytes.len() {
            let (block, from) = ((offset + done) / BLOCK_BYTES, (offset + done) % BLOCK_BYTES);
            let part = (BLOCK_BYTES - from).min(bytes.len() - done);
            match &self.blocks[block] {
                Some(block) => bytes[done..done + part].copy_from_slice(&block[from..from + part]),
                None => bytes[done..done + part].fill(0),
            }
            done += part;
        }
    }

    /// The whole of a write.
    pub(super) fn put(&mut self, write: &Write) {
        self.reach(write.end() as usize);
        self.blocks[write.first..write.first + write.blocks.len()].clone_from_slice(&write.blocks);
    }

    /// Flips the bits of one byte that are set in `mask`.
    pub(super) fn flip(&mut self, offset: usize, mask: u8) {
        if offset < self.bytes {
            self.block_mut(offset / BLOCK_BYTES)[offset % BLOCK_BYTES] ^= mask;
        }
    }

    fn sector(&mut self, offset: usize) -> &mut [u8] {
        self.reach(offset + SECTOR_BYTES);
        &mut self.block_mut(offset / BLOCK_BYTES)[offset % BLOCK_BYTES..][..SECTOR_BYTES]
    }

    fn block_mut(&mut self, block: usize) -> &mut [u8; BLOCK_BYTES] {
        Arc::make_mut(self.blocks[block].get_or_insert_with(|| Arc::new([0; BLOCK_BYTES])))
    }

    /// Grows with zeros until the file has `bytes`.
    fn reach(&mut self, bytes: usize) {
        self.bytes = self.bytes.max(bytes);
        let blocks = self.bytes.div_ceil(BLOCK_BYTES);
        self.blocks.resize(blocks.max(self.blocks.len()), None);
    }
}

/// The last block of a file may be short; what is behind its end is zeros and never read.
fn block_of(bytes: &[u8]) -> Block {
    if is_zero(bytes) {
        return None;
    }
    let mut block = [0; BLOCK_BYTES];
    block[..bytes.len()].copy_from_slice(bytes);
    Some(Arc::new(block))
}
