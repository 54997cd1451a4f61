//! The fold of a journal: its records laid one over the other, with no old code and no old rules.

use crate::model::Operation;
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::change::{Area, Change};
use protocol::id::Xid;
use protocol::record::{Body, Kind, Record, operation_verb};
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use std::collections::BTreeMap;

/// The latest use of an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsed {
    /// Hash of what was asked.
    pub request: [u8; 16],
    /// What was asked.
    pub verb: Verb,
    /// What was begun.
    pub operation: Operation,
    /// When it may be used anew.
    pub expires_at: Micros,
}

/// A thing that was changed at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What was changed.
    pub area: Area,
    /// Which processor or merchant; none for a table.
    pub subject: Xid,
    /// The new text, whole.
    pub text: Vec<u8>,
}

/// What the records of a journal say together.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    transactions: BTreeMap<Xid, (Transaction, Vec<u8>)>,
    batches: BTreeMap<Xid, Batch>,
    /// By number.
    changes: BTreeMap<u32, Changed>,
    keys: BTreeMap<[u8; 16], KeyUsed>,
    answers: BTreeMap<Operation, u32>,
    /// The version that began each transaction's latest operation.
    began: BTreeMap<Xid, u32>,
    records: u64,
}

impl Fold {
    /// Lays the next record over what is there.
    ///
    /// # Panics
    /// When a version of a transaction is missing or comes twice: the journal has lost or doubled a record.
    pub fn take(&mut self, record: &Record<'_>) {
        self.records += 1;
        match record.body {
            Body::Transaction(transaction, tail) => self.take_transaction(record.kind, transaction, tail),
            Body::Batch(batch) => drop(self.batches.insert(batch.id, *batch)),
            Body::Change(change, text) => self.take_change(change, text),
        }
    }

    /// The parts of a change come one after the other.
    fn take_change(&mut self, change: &Change, text: &[u8]) {
        let changed = Changed { area: change.area(), subject: change.subject, text: Vec::new() };
        let whole = self.changes.entry(change.version.get()).or_insert(changed);
        whole.text.extend_from_slice(text);
    }

    fn take_transaction(&mut self, kind: Kind, transaction: &Transaction, tail: Tail<'_>) {
        let (id, version) = (transaction.id, transaction.version.get());
        let before = self.transactions.insert(id, (*transaction, tail.bytes().to_vec()));
        let last = before.map_or(0, |(before, _)| before.version.get());
        assert_eq!(version, last + 1, "I2 outcome first: {id} goes from version {last} to {version}");
        let Some(verb) = operation_verb(kind, transaction) else { return };
        // What is declined without asking a processor begins and ends with one record. A later intent that makes a transaction offers it
        // to another processor: what was begun goes on.
        if version == 1 || kind == Kind::StepIntent {
            self.began.insert(id, version);
        }
        let operation = Operation { transaction: id, began: self.began[&id] };
        if transaction.answers == 1 {
            self.answers.entry(operation).or_insert(version);
        }
        if transaction.key.is_some() {
            let expires_at = Micros(transaction.key.expires_at.get());
            self.keys.insert(transaction.key.hash, KeyUsed { request: transaction.key.request, verb, operation, expires_at });
        }
    }

    /// Records taken.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The newest version of every transaction, oldest transaction first.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.transactions.values().map(|(transaction, _)| transaction)
    }

    /// The newest version of every transaction and its tail, oldest transaction first.
    pub fn versions(&self) -> impl Iterator<Item = (&Transaction, &[u8])> {
        self.transactions.values().map(|(transaction, tail)| (transaction, &tail[..]))
    }

    /// The newest version of a transaction, and its tail.
    pub fn newest(&self, id: Xid) -> Option<(&Transaction, &[u8])> {
        self.transactions.get(&id).map(|(transaction, tail)| (transaction, &tail[..]))
    }

    /// All changes, by their numbers.
    pub fn changes(&self) -> impl Iterator<Item = (u32, &Changed)> {
        self.changes.iter().map(|(version, change)| (*version, change))
    }

    /// A change by its number.
    pub fn change(&self, version: u32) -> Option<&Changed> {
        self.changes.get(&version)
    }

    /// The newest change of a table, or of one processor or merchant, and its number.
    pub fn newest_change(&self, area: Area, subject: Xid) -> Option<(u32, &Changed)> {
        let of_it = |change: &Changed| (change.area, change.subject) == (area, subject);
        self.changes.iter().rev().find(|(_, change)| of_it(change)).map(|(version, change)| (*version, change))
    }

    /// The newest version of every batch.
    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.batches.values()
    }

    /// The newest version of a batch.
    pub fn batch(&self, id: Xid) -> Option<&Batch> {
        self.batches.get(&id)
    }

    /// The transactions that name a batch.
    pub fn members(&self, batch: Xid) -> impl Iterator<Item = &Transaction> {
        self.transactions().filter(move |transaction| transaction.batch == batch)
    }

    /// The latest use of every key.
    pub fn keys(&self) -> impl Iterator<Item = (&[u8; 16], &KeyUsed)> {
        self.keys.iter()
    }

    /// Operations that are answered, and the version that says so.
    pub fn answers(&self) -> &BTreeMap<Operation, u32> {
        &self.answers
    }

    /// The version that began a transaction's latest operation.
    pub(crate) fn began(&self, id: Xid) -> u32 {
        self.began.get(&id).copied().unwrap_or(1)
    }
}
