//! The layouts that the binary front, the queue and the journal share: commands, records, tails.

use protocol::command::Command;
use protocol::record::{self, Body, Decided, Record};
use protocol::tail::{self, Tail};

/// Any bytes as a command, a record, a tail. What is read can be read again from what it is written as.
pub fn any_bytes(bytes: &[u8]) {
    if let Ok((command, tail)) = Command::parse(bytes) {
        let mut again = Vec::new();
        command.write(tail.bytes(), &mut again);
        assert_eq!(again, bytes, "a command has one form");
    }
    if let Ok(tail) = Tail::parse(bytes) {
        let mut again = Vec::new();
        tail::merge(tail, tail, &mut again);
        assert_eq!(again, bytes, "a tail laid over itself is itself");
    }
    if let Ok(read) = Record::parse(bytes) {
        rewrite(&read);
    }
}

/// Writes what was read as a record of its own, and reads that.
fn rewrite(read: &Record<'_>) {
    let Body::Transaction(transaction, tail) = read.body else { return };
    let decided = Decided { shard: read.header.shard.get(), sequence: read.header.sequence.get(), at: read.at() };
    let mut again = Vec::new();
    record::write_transaction(&mut again, read.kind, decided, transaction, tail.bytes());
    let again = Record::parse(&again).expect("what was written can be read");
    let Body::Transaction(same, same_tail) = again.body else { panic!("a transaction stays one") };
    assert_eq!((same, same_tail.bytes()), (transaction, tail.bytes()));
    // Whatever the numbers in it, looking at a version never panics.
    let _ = (transaction.is_open(), transaction.refundable(), transaction.masked_card(), transaction.currency());
}
