//! The tail pool: what the core need not read of each transaction, in chains of fixed blocks of one reserved piece of memory.

use crate::limits::TAIL_BLOCK_BYTES;

const NIL: u32 = u32::MAX;

/// Where a tail lies in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TailAt {
    first: u32,
    length: u32,
}

/// The pool.
#[derive(Debug)]
pub(crate) struct Tails {
    bytes: Vec<u8>,
    next: Vec<u32>,
    free: u32,
    used: u32,
    blocks_max: u32,
}

impl Tails {
    /// A pool of at most `max_bytes`.
    pub(crate) fn new(max_bytes: u32) -> Tails {
        let blocks_max = max_bytes / TAIL_BLOCK_BYTES as u32;
        Tails {
            bytes: Vec::with_capacity(blocks_max as usize * TAIL_BLOCK_BYTES),
            next: Vec::with_capacity(blocks_max as usize),
            free: NIL,
            used: 0,
            blocks_max,
        }
    }

    /// True when a tail of this length fits.
    pub(crate) fn has_room(&self, length: usize) -> bool {
        self.blocks_max - self.used >= length.div_ceil(TAIL_BLOCK_BYTES) as u32
    }

    /// Keeps a tail.
    ///
    /// # Panics
    /// When there is no room: callers reserve it before they change anything.
    pub(crate) fn keep(&mut self, tail: &[u8]) -> TailAt {
        assert!(self.has_room(tail.len()), "room for a tail is checked before a command changes anything");
        let mut first = NIL;
        // Chained from the last block to the first, so that each block's follower is known when it is written.
        for chunk in tail.chunks(TAIL_BLOCK_BYTES).rev() {
            let block = self.take_block();
            let at = block as usize * TAIL_BLOCK_BYTES;
            self.bytes[at..at + chunk.len()].copy_from_slice(chunk);
            self.next[block as usize] = first;
            first = block;
        }
        TailAt { first, length: tail.len() as u32 }
    }

    /// Appends a tail to `out`.
    pub(crate) fn read(&self, at: TailAt, out: &mut Vec<u8>) {
        let (mut block, mut left) = (at.first, at.length as usize);
        while left > 0 {
            let begin = block as usize * TAIL_BLOCK_BYTES;
            let length = left.min(TAIL_BLOCK_BYTES);
            out.extend_from_slice(&self.bytes[begin..begin + length]);
            left -= length;
            block = self.next[block as usize];
        }
    }

    /// Gives a tail's blocks back.
    pub(crate) fn forget(&mut self, at: TailAt) {
        let mut block = at.first;
        while block != NIL {
            let next = self.next[block as usize];
            self.next[block as usize] = self.free;
            self.free = block;
            self.used -= 1;
            block = next;
        }
    }

    fn take_block(&mut self) -> u32 {
        self.used += 1;
        if self.free == NIL {
            self.next.push(NIL);
            self.bytes.resize(self.next.len() * TAIL_BLOCK_BYTES, 0);
            return self.next.len() as u32 - 1;
        }
        let block = self.free;
        self.free = self.next[block as usize];
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_of_every_length_read_back_and_give_their_blocks_back() {
        let mut tails = Tails::new(16 * TAIL_BLOCK_BYTES as u32);
        for length in [0, 1, 255, 256, 257, 1024, 16 * 256] {
            let tail: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let at = tails.keep(&tail);
            let mut read = Vec::new();
            tails.read(at, &mut read);
            assert_eq!(read, tail);
            tails.forget(at);
        }
        assert!(tails.has_room(16 * 256));
        assert!(!tails.has_room(16 * 256 + 1));
    }

    #[test]
    fn two_tails_do_not_touch_each_other() {
        let mut tails = Tails::new(1 << 16);
        let first = tails.keep(&[1; 700]);
        let second = tails.keep(&[2; 700]);
        tails.forget(first);
        let third = tails.keep(&[3; 1000]);
        let read = |at| {
            let mut out = Vec::new();
            tails.read(at, &mut out);
            out
        };
        assert_eq!(read(second), [2; 700]);
        assert_eq!(read(third), [3; 1000]);
    }
}
