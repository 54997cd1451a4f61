//! Nonces: counted up from a start that is drawn once for each opening of the key folder.
//!
//! RFC 8452 wants nonces that differ, not nonces that nobody can guess. Counted ones never meet within a run, and those of two runs of 2^40
//! seals each only when their starts lie that close together: one chance in 2^55. Drawn one by one they would meet sooner, and drawing
//! takes as long as sealing. Two runs from one image of a machine's memory do repeat nonces, which SIV is there for.

use super::card::NONCE_BYTES;
use crate::error::PersistenceError;
use std::sync::atomic::{AtomicU64, Ordering};

const DRAWN_BYTES: usize = 4;
const COUNTER_BYTES: usize = NONCE_BYTES - DRAWN_BYTES;

/// The nonces of one run.
pub(super) struct Nonces {
    drawn: [u8; DRAWN_BYTES],
    /// Starts anywhere and wraps.
    next: AtomicU64,
}

impl Nonces {
    /// Draws a start.
    pub(super) fn draw() -> Result<Nonces, PersistenceError> {
        let (mut drawn, mut first) = ([0; DRAWN_BYTES], [0; COUNTER_BYTES]);
        let filled = aws_lc_rs::rand::fill(&mut drawn).and_then(|()| aws_lc_rs::rand::fill(&mut first));
        filled.map_err(|_| PersistenceError::Cryptography { operation: "draw the first nonce" })?;
        Ok(Nonces { drawn, next: AtomicU64::new(u64::from_le_bytes(first)) })
    }

    /// One that this run has not given before.
    pub(super) fn next(&self) -> [u8; NONCE_BYTES] {
        // Only that each is given once matters, not in which order threads see it.
        let counter = self.next.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        let mut nonce = [0; NONCE_BYTES];
        nonce[..DRAWN_BYTES].copy_from_slice(&self.drawn);
        nonce[DRAWN_BYTES..].copy_from_slice(&counter);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_comes_twice_and_the_counter_wraps() {
        let nonces = Nonces { drawn: [7; DRAWN_BYTES], next: AtomicU64::new(u64::MAX) };
        assert_eq!(nonces.next(), [7, 7, 7, 7, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(nonces.next(), [7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(nonces.next(), [7, 7, 7, 7, 1, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn two_runs_start_apart() {
        let (one, other) = (Nonces::draw().unwrap(), Nonces::draw().unwrap());
        assert_ne!(one.next(), other.next());
    }
}
