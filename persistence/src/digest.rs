//! Hashing what the state digest sums. FORMATS.md, "State digest", says the same.

use protocol::batch::Batch;
use protocol::change::Change;
use protocol::digest::StateDigest;
use protocol::record::{Body, Record, RecordHeader};
use protocol::transaction::Transaction;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The part of the digest of a `record` that was read from `bytes`: what happened, and the version whole. Who decided, when it was
/// written and behind what (the record's header, its LSN) are left out.
///
/// The hash is a fast one, for each record passes here on its way into the tables: BLAKE3 would cost a sixth of that way. Against
/// forgery there is the journal's chain.
pub fn of_record(record: &Record<'_>, bytes: &[u8]) -> StateDigest {
    let body_bytes = match record.body {
        Body::Transaction(_, tail) => size_of::<Transaction>() + tail.bytes().len(),
        Body::Batch(_) => size_of::<Batch>(),
        Body::Change(_, text) => size_of::<Change>() + text.len(),
    };
    let body = &bytes[size_of::<RecordHeader>()..][..body_bytes];
    StateDigest::of_hash(xxh3_128_with_seed(body, record.kind as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::calendar::Micros;
    use protocol::record::{Decided, Kind, write_batch, write_transaction};

    fn of(bytes: &[u8]) -> StateDigest {
        of_record(&Record::parse(bytes).unwrap(), bytes)
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
        assert_eq!(of(&one), of(&other), "shard, sequence and time of writing do not count");
        let mut padded = one.clone();
        *padded.last_mut().unwrap() = 1;
        assert_eq!(of(&one), of(&padded), "the padding does not count");
        for at in [4, 32 + 48, 32 + 447, 32 + 448 + 4] {
            let mut changed = one.clone();
            changed[at] ^= 1;
            let is_record = Record::parse(&changed).is_ok();
            assert!(is_record && of(&changed) != of(&one), "byte {at} counts");
        }
    }

    #[test]
    fn the_page_and_the_code_give_the_same_number() {
        let mut batch = Batch::empty();
        batch.state = 1;
        let mut bytes = Vec::new();
        write_batch(&mut bytes, Kind::BatchOpened, Decided { shard: 1, sequence: 9, at: Micros(7) }, &batch);
        let (outcome, opened) = (of(&sale(1, 2)), of(&bytes));
        let page = include_str!("../../protocol/FORMATS.md");
        for golden in [outcome, opened, outcome.plus(opened)] {
            assert!(page.contains(&format!("`{golden}`")), "{golden} is not in FORMATS.md");
        }
    }
}
