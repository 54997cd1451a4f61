//! A journal in memory: records with their LSNs, and the fold of them that a restart needs.

use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::frame::Durable;
use protocol::id::Xid;
use protocol::record::{Body, Kind, Record, operation_verb};
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, Status, Verb};
use std::collections::BTreeMap;
use switch_core::Shard;
use switch_core::input::{Input, Recovered, RecoveredKey};
use switch_core::output::Effects;

/// A version of a transaction with its tail.
pub type Version = (Transaction, Vec<u8>);

/// Records that last.
#[derive(Debug, Default)]
pub struct Journal {
    bytes: Vec<u8>,
    last_lsn: u64,
    pub kinds: Vec<Kind>,
    versions: BTreeMap<Xid, Vec<(Kind, Version)>>,
    batches: BTreeMap<Xid, Vec<Batch>>,
}

/// The records that stand one behind the other.
pub fn split(mut bytes: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let size = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
        let (record, rest) = bytes.split_at(size);
        records.push(Record::parse(record).expect("a shard writes sound records"));
        bytes = rest;
    }
    records
}

impl Journal {
    /// Makes the records of a turn durable.
    pub fn append(&mut self, effects: &Effects) -> Durable {
        let records = split(effects.records());
        assert_eq!(records.len(), effects.record_count() as usize);
        for record in records {
            self.kinds.push(record.kind);
            match record.body {
                Body::Transaction(transaction, tail) => {
                    let versions = self.versions.entry(transaction.id).or_default();
                    assert_eq!(
                        transaction.version.get() as usize,
                        versions.len() + 1,
                        "no version is missing, {:?}",
                        record.kind
                    );
                    versions.push((record.kind, (*transaction, tail.bytes().to_vec())));
                }
                Body::Batch(batch) => self.batches.entry(batch.id).or_default().push(*batch),
                Body::Change(..) => {}
            }
        }
        self.bytes.extend_from_slice(effects.records());
        let first = self.last_lsn + 1;
        self.last_lsn += u64::from(effects.record_count());
        Durable::after_sync(first, self.last_lsn)
    }

    /// Everything that was written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One version of a transaction.
    pub fn version(&self, id: Xid, version: u32) -> Option<&Version> {
        self.versions.get(&id)?.get(version as usize - 1).map(|(_, version)| version)
    }

    /// The newest version of a transaction.
    pub fn newest(&self, id: Xid) -> Option<&Version> {
        self.versions.get(&id)?.last().map(|(_, version)| version)
    }

    /// The newest version of every transaction.
    pub fn all_newest(&self) -> impl Iterator<Item = &Transaction> {
        self.versions.values().filter_map(|versions| versions.last().map(|(_, version)| &version.0))
    }

    /// True when a batch was written like this.
    pub fn has_batch(&self, batch: &Batch) -> bool {
        self.batches.get(&batch.id).is_some_and(|versions| versions.contains(batch))
    }

    /// The newest version of every batch.
    pub fn all_batches(&self) -> impl Iterator<Item = &Batch> {
        self.batches.values().filter_map(|versions| versions.last())
    }

    /// Members of a batch that wait to be settled.
    pub fn unsettled_members(&self, batch: Xid) -> Vec<Xid> {
        let members = self.all_newest().filter(|member| member.batch == batch && member.status() == Status::PendingSettlement);
        members.map(|member| member.id).collect()
    }

    /// Gives a new shard all that lasts, in the order that the driver of the switch keeps.
    pub fn recover(&self, shard: &mut Shard, now: Micros) {
        for batch in self.all_batches().filter(|batch| batch.state() != BatchState::Complete) {
            let batch = self.with_totals(*batch);
            shard.accept(now, Input::Recover(Recovered::Batch(&batch)));
        }
        for (transaction, tail) in self.versions.values().filter_map(|versions| versions.last().map(|(_, version)| version)) {
            if transaction.is_open() {
                shard.accept(now, Input::Recover(Recovered::Transaction(transaction, Tail::trusted(tail))));
            }
        }
        for key in self.keys().into_values().filter(|key| key.expires_at >= now) {
            shard.accept(now, Input::Recover(Recovered::Key(key)));
        }
        for (transaction, tail) in self.versions.values().filter_map(|versions| versions.last().map(|(_, version)| version)) {
            shard.accept(now, Input::Recover(Recovered::Recent(transaction)));
            shard.accept(now, Input::Recover(Recovered::Counted(transaction, Tail::trusted(tail))));
        }
        for batch in self.all_batches() {
            let (merchant, processor, number) = (batch.merchant, batch.processor.get(), batch.number.get());
            shard.accept(now, Input::Recover(Recovered::BatchNumber { merchant, processor, number }));
        }
    }

    /// The first answer of a use of a key stands; a later use replaces it.
    fn keys(&self) -> BTreeMap<[u8; 16], RecoveredKey> {
        let mut keys: BTreeMap<[u8; 16], RecoveredKey> = BTreeMap::new();
        for record in split(&self.bytes) {
            let Body::Transaction(transaction, _) = record.body else { continue };
            let Some(verb) = operation_verb(record.kind, transaction).filter(|_| transaction.key.is_some()) else { continue };
            let key = key_of(transaction, verb);
            let known = keys.entry(key.hash).or_insert(key);
            let same_use = (known.transaction, known.verb, known.expires_at) == (key.transaction, key.verb, key.expires_at);
            if !same_use || known.answer_version == 0 {
                *known = key;
            }
        }
        keys
    }

    fn with_totals(&self, mut batch: Batch) -> Batch {
        let final_totals =
            batch.state() == BatchState::Accepted || (batch.state() == BatchState::Closing && batch.stan.get() != 0);
        if final_totals {
            let settled = self.all_newest().filter(|member| member.batch == batch.id && member.amount_settled.get() != 0);
            batch.settled_count = (settled.count() as u32).into();
            return batch;
        }
        let (mut counts, mut sums) = ([0u32; 2], [0u64; 2]);
        for member in self.all_newest().filter(|member| member.batch == batch.id && counts_in_totals(member)) {
            let side = usize::from(member.verb().pays_out());
            counts[side] += 1;
            sums[side] += member.amount_captured.get();
        }
        (batch.capture_count, batch.credit_count) = (counts[0].into(), counts[1].into());
        (batch.captured, batch.credited) = (sums[0].into(), sums[1].into());
        batch
    }
}

fn key_of(transaction: &Transaction, verb: Verb) -> RecoveredKey {
    RecoveredKey {
        hash: transaction.key.hash,
        request: transaction.key.request,
        transaction: transaction.id,
        verb,
        answer_version: if transaction.answers == 1 { transaction.version.get() } else { 0 },
        expires_at: Micros(transaction.key.expires_at.get()),
    }
}

fn counts_in_totals(member: &Transaction) -> bool {
    let is_being_voided = member.step.verb() == Some(Verb::Void) && member.step.state() == ExchangeState::InFlight;
    member.status() == Status::PendingSettlement && !is_being_voided
}
