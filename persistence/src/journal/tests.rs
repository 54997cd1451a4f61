//! The journal against a disk that lies within its rights: one file for each kind of trouble.

mod archive;
mod crash;
mod damage;
mod full_disk;
mod real_disk;
mod round_trip;
mod threads;

use protocol::frame::JournalId;

use super::simulated::SimulatedDisk;
use super::{Log, LogOptions, Recovered};

pub(super) const ID: JournalId = JournalId(*b"journal of tests");
pub(super) const SEGMENT: u64 = protocol::frame::SEGMENT_BYTES_MIN;

/// Splitmix64: small, seeded, good enough to choose sectors.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.draw() % sides
    }
}

/// A record that tells which it is: size, then its number, then filling that no zero block can pass for.
pub(super) fn record(number: u64, bytes: usize) -> Vec<u8> {
    let mut record = vec![0xA5; bytes.max(16).next_multiple_of(8)];
    let size = record.len() as u32;
    record[..4].copy_from_slice(&size.to_le_bytes());
    record[8..16].copy_from_slice(&(number | 1 << 63).to_le_bytes());
    record
}

/// `count` records numbered from `first`, in a row.
pub(super) fn records(first: u64, count: u32, bytes: usize) -> Vec<u8> {
    (first..first + u64::from(count)).flat_map(|number| record(number, bytes)).collect()
}

pub(super) fn options() -> LogOptions {
    LogOptions { segment_bytes: SEGMENT, segments_ahead: 1, free_bytes_min: 0, replay_after: 0, new_journal_id: Some(ID) }
}

/// Opens and checks that record n carries number n; gives what was recovered.
pub(super) fn open(disk: &SimulatedDisk) -> Result<(Log<SimulatedDisk>, Recovered), super::JournalError> {
    let mut expected = 0;
    Log::open(disk.clone(), options(), |lsn, bytes| {
        expected += 1;
        assert_eq!(lsn, expected, "LSNs are dense");
        assert_eq!(bytes[8..16], (lsn | 1 << 63).to_le_bytes(), "record {lsn} is another");
    })
}

/// Appends `count` records numbered by their LSNs as one group.
pub(super) fn append(log: &mut Log<SimulatedDisk>, count: u32, bytes: usize) -> Result<(), super::AppendError> {
    let group = records(log.last_lsn() + 1, count, bytes);
    log.append_group(&[(&group, count)]).map(|_| ())
}
