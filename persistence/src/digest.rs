//! Hashing what the state digest sums. FORMATS.md, "State digest", says the same.

use std::sync::LazyLock;

use protocol::digest::StateDigest;
use protocol::record::{Body, Record};
use zerocopy::IntoBytes;

/// Separates these hashes from every other use of BLAKE3.
const CONTEXT: &str = "switchyard state digest, one record, v1";

static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| blake3::derive_key(CONTEXT, &[]));

/// A record's part of the digest: what happened, and the version whole. Who decided, when it was written and behind what
/// (the record's header, its LSN) are left out.
pub fn of_record(record: &Record<'_>) -> StateDigest {
    let mut hasher = blake3::Hasher::new_keyed(&KEY);
    hasher.update(&[record.kind as u8]);
    match record.body {
        Body::Transaction(transaction, tail) => hasher.update(transaction.as_bytes()).update(tail.bytes()),
        Body::Batch(batch) => hasher.update(batch.as_bytes()),
        Body::Change(change, text) => hasher.update(change.as_bytes()).update(text),
    };
    let mut hash = [0; 16];
    hasher.finalize_xof().fill(&mut hash);
    StateDigest::of_hash(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::batch::Batch;
    use protocol::calendar::Micros;
    use protocol::record::{Decided, Kind, write_batch, write_transaction};
    use protocol::transaction::Transaction;

    /// Hashed by hand: the key, then the bytes as the page draws them.
    fn by_hand(bytes: &[u8]) -> u128 {
        let key = blake3::derive_key("switchyard state digest, one record, v1", b"");
        let hash = blake3::keyed_hash(&key, bytes);
        u128::from_le_bytes(hash.as_bytes()[..16].try_into().unwrap())
    }

    fn sale(shard: u16, sequence: u64) -> Vec<u8> {
        let mut sale = Transaction::empty();
        (sale.verb, sale.status) = (1, 4);
        sale.amount = 1112.into();
        sale.tail_length = 5.into();
        let mut bytes = Vec::new();
        let decided = Decided { shard, sequence, at: Micros(sequence as i64) };
        write_transaction(&mut bytes, Kind::Outcome, decided, &sale, &[1, 0, 1, 0, 9]);
        bytes
    }

    #[test]
    fn a_record_counts_by_its_kind_and_version_alone() {
        let (one, other) = (sale(0, 1), sale(3, 77));
        let digest = of_record(&Record::parse(&one).unwrap());
        assert_eq!(digest, of_record(&Record::parse(&other).unwrap()), "shard, sequence and time of writing do not count");
        let hashed = [&[2], &one[32..32 + 448 + 5]].concat();
        assert_eq!(digest.to_string(), format!("{:032x}", by_hand(&hashed)), "the padding does not count");
        let mut intent = one.clone();
        intent[4] = Kind::Intent as u8;
        assert_ne!(digest, of_record(&Record::parse(&intent).unwrap()));
    }

    #[test]
    fn the_page_and_the_code_give_the_same_number() {
        let mut batch = Batch::empty();
        batch.state = 1;
        let mut bytes = Vec::new();
        write_batch(&mut bytes, Kind::BatchOpened, Decided { shard: 1, sequence: 9, at: Micros(7) }, &batch);
        let outcome = of_record(&Record::parse(&sale(1, 2)).unwrap());
        let opened = of_record(&Record::parse(&bytes).unwrap());
        let page = include_str!("../../protocol/FORMATS.md");
        for golden in [outcome, opened, outcome.plus(opened)] {
            assert!(page.contains(&format!("`{golden}`")), "{golden} is not in FORMATS.md");
        }
    }
}
