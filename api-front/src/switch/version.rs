//! One version of a transaction, as the front renders it.

use bytes::Bytes;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use zerocopy::{FromBytes, IntoBytes};

/// A version and its tail in one piece of memory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Version {
    bytes: Bytes,
}

impl Version {
    /// Copies what a shard gave out.
    pub fn copy_of(transaction: &Transaction, tail: Tail<'_>) -> Version {
        let mut bytes = Vec::with_capacity(size_of::<Transaction>() + tail.bytes().len());
        bytes.extend_from_slice(transaction.as_bytes());
        bytes.extend_from_slice(tail.bytes());
        Version { bytes: bytes.into() }
    }

    /// Takes a version that was read back, in the layout of a record's body. `None` when it is not one.
    pub fn parse(body: Vec<u8>) -> Option<Version> {
        let (transaction, tail) = Transaction::parse(&body)?;
        let length = size_of_val(transaction) + tail.bytes().len();
        let mut bytes = Bytes::from(body);
        bytes.truncate(length);
        Some(Version { bytes })
    }

    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        let (transaction, _) = Transaction::ref_from_prefix(&self.bytes).expect("both constructors put a transaction first");
        transaction
    }

    /// Its tail.
    pub fn tail(&self) -> Tail<'_> {
        Tail::trusted(&self.bytes[size_of::<Transaction>()..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::tail::{push, tag};
    use protocol::words::{Status, Verb};

    fn body() -> Vec<u8> {
        let mut tail = Vec::new();
        push(&mut tail, tag::ORDER_ID, b"someOrderID");
        let mut transaction = Transaction::empty();
        transaction.verb = Verb::Sale.number();
        transaction.status = Status::Pending.number();
        transaction.tail_length = (tail.len() as u32).into();
        [transaction.as_bytes(), &tail].concat()
    }

    #[test]
    fn a_body_reads_back_with_its_tail_and_without_what_follows() {
        let mut padded = body();
        padded.extend_from_slice(&[0; 5]);
        let version = Version::parse(padded).unwrap();
        assert_eq!(version.transaction().verb(), Verb::Sale);
        assert_eq!(version.tail().text(tag::ORDER_ID), "someOrderID");
        assert_eq!(version.tail().bytes().len(), 15);
        let copied = Version::copy_of(version.transaction(), version.tail());
        assert_eq!(copied.bytes, version.bytes);
    }

    #[test]
    fn bytes_that_are_no_version_are_refused() {
        assert!(Version::parse(vec![0; 448]).is_none());
        assert!(Version::parse(body()[..400].to_vec()).is_none());
    }
}
