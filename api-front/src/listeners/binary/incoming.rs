//! Bytes of a client that were not understood yet. Card numbers are among them, so they are wiped as soon as they were.

use super::limits::{BUFFER_KEPT_BYTES, READ_LEAST_BYTES};
use std::io::{self, Read};
use zeroize::Zeroize;

/// The buffer. Its bytes are zero but for those between `taken` and `end`.
#[derive(Default)]
pub(super) struct Incoming {
    bytes: Vec<u8>,
    taken: usize,
    end: usize,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({} bytes)", self.end - self.taken)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl Incoming {
    /// Reads once. `Ok(0)` is the stream's end.
    pub(super) fn read_from(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        self.make_room();
        let count = stream.read(&mut self.bytes[self.end..])?;
        self.end += count;
        Ok(count)
    }

    /// True when the last reading took all the room there was.
    pub(super) fn is_full(&self) -> bool {
        self.end == self.bytes.len()
    }

    /// What is there.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.taken..self.end]
    }

    /// So many bytes were understood.
    pub(super) fn take(&mut self, count: usize) {
        let end = self.taken + count;
        self.bytes[self.taken..end].zeroize();
        self.taken = end;
        if self.taken == self.end {
            (self.taken, self.end) = (0, 0);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.take(self.end - self.taken);
    }

    /// Gives back what a large frame has left behind.
    pub(super) fn shrink(&mut self) {
        if self.end == 0 && self.bytes.len() > BUFFER_KEPT_BYTES {
            self.bytes = Vec::new();
        }
    }

    fn make_room(&mut self) {
        if self.taken > 0 && self.bytes.len() - self.end < READ_LEAST_BYTES {
            let left = self.end - self.taken;
            self.bytes.copy_within(self.taken..self.end, 0);
            self.bytes[left.max(self.taken)..self.end].zeroize();
            (self.taken, self.end) = (0, left);
        }
        if self.bytes.len() - self.end < READ_LEAST_BYTES {
            let mut larger = vec![0; (2 * self.bytes.len()).max(4 * READ_LEAST_BYTES)];
            larger[..self.end].copy_from_slice(&self.bytes[..self.end]);
            self.bytes.zeroize();
            self.bytes = larger;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_came_in_and_leave_nothing_behind() {
        let mut incoming = Incoming::default();
        let sent: Vec<u8> = (0..200_000_u32).map(|number| (number % 251 + 1) as u8).collect();
        let (mut stream, mut received) = (&sent[..], Vec::new());
        for step in 1.. {
            let count = incoming.read_from(&mut stream).unwrap();
            let taken = incoming.bytes().len().min(step * 97);
            received.extend_from_slice(&incoming.bytes()[..taken]);
            incoming.take(taken);
            let (behind, ahead) = (&incoming.bytes[..incoming.taken], &incoming.bytes[incoming.end..]);
            assert!(behind.iter().chain(ahead).all(|byte| *byte == 0), "step {step}");
            if count == 0 && incoming.bytes().is_empty() {
                break;
            }
        }
        assert_eq!(received, sent);
        incoming.shrink();
        assert_eq!((incoming.bytes.len(), incoming.bytes()), (0, &[][..]));
    }
}
