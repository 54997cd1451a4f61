//! What a run of records changes: pure, no SQL. The newest version of each thing, and the history of transactions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::record::{Body, Record, operation_verb};
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use zerocopy::{FromBytes, IntoBytes};

use crate::error::PersistenceError;

/// One version of a transaction, as it goes to the history.
#[derive(Debug)]
pub(super) struct Version {
    pub lsn: u64,
    pub kind: u8,
    pub at: Micros,
    /// The fixed part and the tail.
    pub body: Vec<u8>,
}

impl Version {
    pub(super) fn transaction(&self) -> (&Transaction, Tail<'_>) {
        let (transaction, tail) = Transaction::ref_from_prefix(&self.body).expect("it was parsed when it was taken in");
        (transaction, Tail::trusted(tail))
    }
}

/// What is known of one use of an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Hash of merchant and key.
    pub hash: [u8; 16],
    /// Hash of what was asked.
    pub request: [u8; 16],
    /// The transaction that the operation made or acted upon.
    pub transaction: Xid,
    /// What was asked.
    pub verb: Verb,
    /// The version that answered; 0 while none has.
    pub answer_version: u32,
    /// When the key may be used anew.
    pub expires_at: Micros,
}

impl IdempotencyKey {
    /// Names this use of the key: the next use can only begin after it has expired.
    fn usage(&self) -> (Micros, [u8; 16]) {
        (self.expires_at, self.hash)
    }

    /// The use after a later record of it. The first answer stands: an answer once given never changes (I2).
    fn then(self, later: IdempotencyKey) -> IdempotencyKey {
        if self.answer_version == 0 { later } else { self }
    }
}

/// The changes of a run of records.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// LSN of the last record; 0 when there is none.
    pub last_lsn: u64,
    pub record_count: usize,
    /// When the newest record was decided.
    pub newest_at: Micros,
    /// Every version, by LSN.
    pub versions: Vec<Version>,
    /// Where in `versions` the newest of each transaction is, by id.
    pub newest: BTreeMap<Xid, usize>,
    /// Uses of idempotency keys, by expiry and hash.
    pub keys: BTreeMap<(Micros, [u8; 16]), IdempotencyKey>,
    /// The newest version of each batch with its LSN, by id.
    pub batches: BTreeMap<Xid, (u64, Batch)>,
}

impl Changes {
    /// Takes the next record in.
    pub(super) fn take(&mut self, lsn: u64, bytes: &[u8]) -> Result<(), PersistenceError> {
        let record = Record::parse(bytes).map_err(|source| PersistenceError::Record { lsn, source })?;
        match record.body {
            Body::Transaction(transaction, tail) => self.take_version(lsn, &record, transaction, tail),
            Body::Batch(batch) => {
                self.batches.insert(batch.id, (lsn, *batch));
            }
        }
        self.last_lsn = lsn;
        self.record_count += 1;
        self.newest_at = self.newest_at.max(record.at());
        Ok(())
    }

    fn take_version(&mut self, lsn: u64, record: &Record<'_>, transaction: &Transaction, tail: Tail<'_>) {
        if let Some(key) = key_of(record, transaction) {
            match self.keys.entry(key.usage()) {
                Entry::Vacant(entry) => drop(entry.insert(key)),
                Entry::Occupied(mut entry) => drop(entry.insert(entry.get().then(key))),
            }
        }
        self.newest.insert(transaction.id, self.versions.len());
        let body = [transaction.as_bytes(), tail.bytes()].concat();
        self.versions.push(Version { lsn, kind: record.header.kind, at: record.at(), body });
    }
}

/// The key that a version belongs to, if its operation came with one.
fn key_of(record: &Record<'_>, transaction: &Transaction) -> Option<IdempotencyKey> {
    let verb = operation_verb(record.kind, transaction)?;
    let key = &transaction.key;
    key.is_some().then(|| IdempotencyKey {
        hash: key.hash,
        request: key.request,
        transaction: transaction.id,
        verb,
        answer_version: if transaction.answers == 1 { transaction.version.get() } else { 0 },
        expires_at: Micros(key.expires_at.get()),
    })
}
