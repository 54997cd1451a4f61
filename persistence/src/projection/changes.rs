//! What a run of records changes: pure, no SQL. The newest version of each thing, and the history of transactions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;

use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::change::Change;
use protocol::digest::StateDigest;
use protocol::id::Xid;
use protocol::record::{Body, Kind, Record, operation_verb};
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use sqlx::any::AnyRow;
use zerocopy::{FromBytes, IntoBytes};

use super::events::{self, Happened, Refunds};
use crate::digest;
use crate::error::PersistenceError;
use crate::sql::{Fields, unsigned};

/// One version of a transaction.
#[derive(Debug)]
pub(super) struct Version {
    pub lsn: u64,
    pub kind: Kind,
    /// The fixed part and the tail.
    pub body: Vec<u8>,
}

impl Version {
    /// From a row of the newest versions.
    pub(super) fn read(row: &AnyRow) -> Result<Version, PersistenceError> {
        const TABLE: &str = "transactions";
        let fields = Fields::of(row, TABLE);
        let kind = Kind::from_number(fields.narrow("kind")?);
        let body = fields.bytes("body")?;
        let is_whole = Transaction::parse(&body).is_some();
        let fault = PersistenceError::StoredRow { table: TABLE, fault: "the body is not a transaction" };
        let kind = kind.filter(|_| is_whole).ok_or(fault)?;
        Ok(Version { lsn: unsigned(fields.integer("lsn")?), kind, body })
    }

    pub(super) fn transaction(&self) -> (&Transaction, Tail<'_>) {
        let (transaction, tail) = Transaction::ref_from_prefix(&self.body).expect("it was parsed when it was taken in");
        (transaction, Tail::trusted(tail))
    }

    /// Whether it is kept once a newer one has come. Intents are not, and they are nearly half of all versions: they answer
    /// nobody, and what they say (what was sent, when, by which numbers) stands in the exchange of the outcome behind them.
    /// The journal has them all.
    pub(super) fn is_kept(&self) -> bool {
        !matches!(self.kind, Kind::Intent | Kind::StepIntent)
    }
}

/// The newest version of a transaction.
#[derive(Debug)]
pub(super) struct Newest {
    pub version: Version,
    /// The table has an older one: the first of these records was not the transaction's first.
    pub is_stored_before: bool,
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
    pub(super) fn usage(&self) -> (Micros, [u8; 16]) {
        (self.expires_at, self.hash)
    }

    /// The use after a later record of it. The first answer stands: an answer once given never changes (I2).
    pub(super) fn then(self, later: IdempotencyKey) -> IdempotencyKey {
        if self.answer_version == 0 { later } else { self }
    }
}

/// A use of an idempotency key.
#[derive(Debug)]
pub(super) struct KeyUse {
    pub key: IdempotencyKey,
    /// The table may have it: the first of these records that shows it was not its transaction's first.
    pub is_stored_before: bool,
}

/// One part of a change of the configuration.
#[derive(Debug)]
pub(super) struct ConfigurationPart {
    pub lsn: u64,
    /// When it was decided.
    pub at: Micros,
    pub change: Change,
    pub text: Vec<u8>,
}

/// The changes of a run of records.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// LSN of the last record; 0 when there is none.
    pub last_lsn: u64,
    pub record_count: usize,
    /// When the newest record was decided.
    pub newest_at: Micros,
    /// Of these records.
    pub digest: StateDigest,
    /// The newest version of each transaction, by id.
    pub newest: BTreeMap<Xid, Newest>,
    /// Versions that a newer one among these records follows, as far as they are kept; by LSN.
    pub superseded: Vec<Version>,
    /// Uses of idempotency keys, by expiry and hash.
    pub keys: BTreeMap<(Micros, [u8; 16]), KeyUse>,
    /// The newest version of each batch with its LSN, by id.
    pub batches: BTreeMap<Xid, (u64, Batch)>,
    /// Parts of changes of the configuration, in their order.
    pub configuration: Vec<ConfigurationPart>,
    /// Events up to this LSN are written already: the projection is being built again.
    pub told_until: u64,
    /// What merchants are told, by LSN.
    pub happened: Vec<Happened>,
    /// Changes of refunds of which only the tables know what was before.
    pub refunds_changed: Vec<(u64, Transaction)>,
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
            Body::Change(change, text) => {
                let part = ConfigurationPart { lsn, at: record.at(), change: *change, text: text.to_vec() };
                self.configuration.push(part);
            }
        }
        self.last_lsn = lsn;
        self.record_count += 1;
        self.digest = self.digest.plus(digest::of_record(&record, bytes));
        self.newest_at = self.newest_at.max(record.at());
        Ok(())
    }

    fn take_version(&mut self, lsn: u64, record: &Record<'_>, transaction: &Transaction, tail: Tail<'_>) {
        let is_stored_before = transaction.version.get() > 1;
        if let Some(key) = key_of(record, transaction) {
            match self.keys.entry(key.usage()) {
                Entry::Vacant(entry) => drop(entry.insert(KeyUse { key, is_stored_before })),
                Entry::Occupied(mut entry) => entry.get_mut().key = entry.get().key.then(key),
            }
        }
        let body = [transaction.as_bytes(), tail.bytes()].concat();
        let version = Version { lsn, kind: record.kind, body };
        if lsn > self.told_until {
            self.take_event(lsn, record.kind, transaction);
        }
        match self.newest.entry(transaction.id) {
            Entry::Vacant(entry) => {
                entry.insert(Newest { version, is_stored_before });
            }
            Entry::Occupied(mut entry) => {
                let older = mem::replace(&mut entry.get_mut().version, version);
                self.superseded.extend(older.is_kept().then_some(older));
            }
        }
    }
}

impl Changes {
    /// Notes what a version is to the merchant.
    fn take_event(&mut self, lsn: u64, kind: Kind, transaction: &Transaction) {
        let became = match (kind, self.newest.get(&transaction.id)) {
            (Kind::RefundsChanged, None) => return self.refunds_changed.push((lsn, *transaction)),
            (Kind::RefundsChanged, Some(older)) => Refunds::of(older.version.transaction().0).became(Refunds::of(transaction)),
            _ => events::became(kind, transaction),
        };
        self.happened.extend(became.map(|became| Happened::of(lsn, transaction, became)));
    }
}

/// The key that a version belongs to, if its operation came with one.
pub(super) fn key_of(record: &Record<'_>, transaction: &Transaction) -> Option<IdempotencyKey> {
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
