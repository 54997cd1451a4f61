//! Records as the checkers look at them.

use protocol::record::Record;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use std::hash::{DefaultHasher, Hash, Hasher};
use zerocopy::IntoBytes;

/// The records that stand one behind the other.
pub(super) fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let size = bytes.first_chunk().map(|size| u32::from_le_bytes(*size) as usize)?;
        let (record, rest) = bytes.split_at(size);
        bytes = rest;
        Some(record)
    })
}

/// The same, taken apart.
pub(super) fn parsed(bytes: &[u8]) -> Record<'_> {
    Record::parse(bytes).unwrap_or_else(|error| panic!("a shard writes sound records, but: {error}"))
}

/// The shard's count of a record, without taking it apart.
pub(super) fn sequence(record: &[u8]) -> u64 {
    record.get(8..16).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// A number that tells two versions apart: it is the same in every run.
pub(super) fn mark(transaction: &Transaction, tail: Tail<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (transaction.as_bytes(), tail.bytes()).hash(&mut hasher);
    hasher.finish()
}

/// The same of any bytes.
pub(super) fn mark_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
