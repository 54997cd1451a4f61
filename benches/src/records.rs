//! Batches of 512-byte records for the journal.

use persistence::journal::Batch;
use std::time::Instant;

/// Bytes of a record.
pub const RECORD_BYTES: usize = 512;

/// A batch of equal records.
#[derive(Debug)]
pub struct Records {
    /// One behind the other.
    pub bytes: Vec<u8>,
    /// How many.
    pub count: u32,
    /// When it was given to the journal.
    pub submitted: Instant,
}

impl Batch for Records {
    fn records(&self) -> &[u8] {
        &self.bytes
    }

    fn record_count(&self) -> u32 {
        self.count
    }
}

/// A batch of so many records.
pub fn batch(count: u32) -> Records {
    let mut record = [0x5A; RECORD_BYTES];
    record[..4].copy_from_slice(&(RECORD_BYTES as u32).to_le_bytes());
    Records { bytes: record.repeat(count as usize), count, submitted: Instant::now() }
}
