//! What a restart needs of the past without SQL: the journal, folded in memory from its first record on.
//!
//! It gives the same items as [`super::Queries::recover`], and a test holds the two together. It can't give what is cold: that stays
//! with the SQL home.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::record::{Body, Record};
use protocol::tail::Tail;
use protocol::transaction::Transaction;

use super::changes::{IdempotencyKey, key_of};
use super::configuration::StoredChange;
use super::queries::StoredTransaction;
use super::recovery::{MemberTotals, RecoveryItem, RecoveryScope, with_members};
use super::tables::batch_share;
use crate::error::PersistenceError;

/// A payment's place among the recent ones: its birth, then its id.
type Born = (Micros, Xid);
/// A use of a key: its expiry and its hash.
type Usage = (Micros, [u8; 16]);

/// The fold. Its size goes with what is open, remembered and unsettled, not with the journal's.
#[derive(Debug)]
pub struct Fold {
    scope: RecoveryScope,
    last_lsn: u64,
    newest_at: Micros,
    open: BTreeMap<Xid, StoredTransaction>,
    recent: BTreeMap<Born, StoredTransaction>,
    /// Uses of keys, newest first, and whose they are.
    keys: BTreeMap<Reverse<Usage>, (Xid, IdempotencyKey)>,
    /// Not complete.
    batches: BTreeMap<Xid, Batch>,
    /// What each member adds to its batch: batch, whether it pays out, minor units.
    shares: BTreeMap<Xid, (Xid, bool, u64)>,
    numbers: BTreeMap<(Xid, u16), u32>,
    changes: Vec<StoredChange>,
}

impl Fold {
    /// An empty one. What is outside the scope at the journal's end is outside at every moment before it, and is left out.
    pub fn new(scope: RecoveryScope) -> Fold {
        Fold {
            scope,
            last_lsn: 0,
            newest_at: Micros::NONE,
            open: BTreeMap::new(),
            recent: BTreeMap::new(),
            keys: BTreeMap::new(),
            batches: BTreeMap::new(),
            shares: BTreeMap::new(),
            numbers: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// Takes the next record in. The first is the journal's first.
    pub fn take(&mut self, lsn: u64, bytes: &[u8]) -> Result<(), PersistenceError> {
        let expected = self.last_lsn + 1;
        if lsn != expected {
            return Err(PersistenceError::Gap { expected, found: lsn });
        }
        let record = Record::parse(bytes).map_err(|source| PersistenceError::Record { lsn, source })?;
        match record.body {
            Body::Transaction(transaction, tail) => self.take_version(lsn, &record, transaction, tail),
            Body::Batch(batch) => self.take_batch(batch),
            Body::Change(change, text) => super::configuration::join_part(&mut self.changes, record.at(), change, text),
        }
        self.last_lsn = lsn;
        self.newest_at = self.newest_at.max(record.at());
        Ok(())
    }

    /// LSN of the newest record.
    pub fn last_lsn(&self) -> u64 {
        self.last_lsn
    }

    /// The latest moment at which a record was decided; `None` in a journal without records.
    pub fn newest_record_at(&self) -> Option<Micros> {
        (self.last_lsn > 0).then_some(self.newest_at)
    }

    /// All changes of the configuration, oldest first.
    pub fn changes(&self) -> &[StoredChange] {
        &self.changes
    }

    /// Gives everything to `take`, in the order of [`super::Queries::recover`].
    pub fn recover(self, mut take: impl FnMut(RecoveryItem)) {
        let mut totals: BTreeMap<Xid, MemberTotals> = BTreeMap::new();
        for (batch, pays_out, amount) in self.shares.into_values() {
            totals.entry(batch).or_default().add(pays_out, 1, amount);
        }
        for (id, batch) in self.batches {
            take(RecoveryItem::Batch(with_members(batch, totals.get(&id).copied().unwrap_or_default())));
        }
        for ((merchant, processor), number) in self.numbers {
            take(RecoveryItem::BatchNumber { merchant, processor, number });
        }
        self.open.into_values().for_each(|stored| take(RecoveryItem::Open(stored)));
        self.recent.into_values().rev().for_each(|stored| take(RecoveryItem::Recent(stored)));
        self.keys.into_values().for_each(|(merchant, key)| take(RecoveryItem::Key { merchant, key }));
    }

    fn take_version(&mut self, lsn: u64, record: &Record<'_>, transaction: &Transaction, tail: Tail<'_>) {
        let id = transaction.id;
        if let Some(key) = key_of(record, transaction) {
            self.take_key(transaction.merchant, key);
        }
        match batch_share(transaction) {
            Some(amount) => drop(self.shares.insert(id, (transaction.batch, transaction.verb().pays_out(), amount))),
            None => drop(self.shares.remove(&id)),
        }
        if transaction.is_open() {
            self.open.insert(id, StoredTransaction::of(lsn, transaction, tail));
        } else {
            self.open.remove(&id);
        }
        let born = Micros(transaction.created_at.get());
        if born >= self.scope.recent_since {
            self.recent.insert((born, id), StoredTransaction::of(lsn, transaction, tail));
            if self.recent.len() > self.scope.recent_max as usize {
                self.recent.pop_first();
            }
        }
    }

    fn take_key(&mut self, merchant: Xid, key: IdempotencyKey) {
        if key.expires_at <= self.scope.now {
            return;
        }
        match self.keys.entry(Reverse(key.usage())) {
            Entry::Vacant(entry) => drop(entry.insert((merchant, key))),
            Entry::Occupied(mut entry) => entry.get_mut().1 = entry.get().1.then(key),
        }
    }

    fn take_batch(&mut self, batch: &Batch) {
        let last = self.numbers.entry((batch.merchant, batch.processor.get())).or_default();
        *last = (*last).max(batch.number.get());
        if batch.state() == BatchState::Complete {
            self.batches.remove(&batch.id);
        } else {
            self.batches.insert(batch.id, *batch);
        }
    }
}
