//! What lasts: every record that became durable is there after every crash, byte for byte, and nothing else is (I2).

use super::broken;
use super::records::{mark, mark_of, parsed, split};
use api_front::switch::group::Group;
use protocol::batch::Batch;
use protocol::calendar::{Civil, Micros};
use protocol::digest::StateDigest;
use protocol::exchange::Exchange;
use protocol::frame::Durable;
use protocol::id::Xid;
use protocol::record::{Body, Kind, Record};
use protocol::response_code::ResponseCode;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalState, Status};
use reference_model::{Fold, Invariant};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use switch_core::input::Leg;

/// Codes of the denials that worlds draw.
const RULE_DENIALS: [ResponseCode; 3] = [ResponseCode::RULE_ENGINE_DECLINE, ResponseCode(300), ResponseCode(321)];

/// What names a request at a processor: retrieval reference number, trace number, and DE7, for after a restart the trace numbers of a
/// transaction's earlier requests may come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) rrn: [u8; 12],
    pub(super) stan: u32,
    /// Month, day, hour, minute, second, as one number.
    pub(super) transmitted: u64,
}

impl Name {
    fn of(transaction: &Transaction, stan: u32, moment: Micros) -> Name {
        let Civil { month, day, hour, minute, second, .. } = moment.civil();
        let digits = [month, day, hour, minute, second];
        let transmitted = digits.iter().fold(0, |number, two| number * 100 + u64::from(*two));
        Name { rrn: transaction.rrn, stan, transmitted }
    }

    /// Of a request that makes a transaction, or of a step.
    pub(super) fn of_exchange(transaction: &Transaction, exchange: &Exchange) -> Name {
        Name::of(transaction, exchange.stan.get(), exchange.sent_at())
    }

    fn of_reversal(transaction: &Transaction) -> Name {
        Name::of(transaction, transaction.reversal.stan.get(), transaction.reversal.queued_at())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name { rrn, stan, transmitted } = self;
        write!(f, "rrn {} trace number {stan} of {transmitted:010}", String::from_utf8_lossy(rrn))
    }
}

/// A request that is durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intent {
    pub(super) id: Xid,
    /// Index of the processor that it is for.
    pub(super) processor: u16,
    pub(super) leg: Leg,
    /// When it was begun, microseconds.
    pub(super) begun_at: i64,
    /// Its key, zeros when it has none.
    pub(super) key: [u8; 16],
    /// When that key may be used anew, microseconds.
    pub(super) expires_at: i64,
}

/// The journal as the checkers know it.
#[derive(Default)]
pub(super) struct Journal {
    fold: Fold,
    digest: StateDigest,
    /// A mark of every durable record, by LSN from 1.
    marks: Vec<u64>,
    versions: BTreeMap<(Xid, u32), u64>,
    batches: BTreeMap<Xid, Vec<Batch>>,
    intents: BTreeMap<Name, Intent>,
    /// Their names by retrieval reference number, oldest first.
    names: BTreeMap<[u8; 12], Vec<Name>>,
    reversals: BTreeMap<[u8; 12], Name>,
    not_sent: BTreeSet<Name>,
    newly_not_sent: Vec<Name>,
    /// Trace number and batch number of totals.
    totals: BTreeSet<(u16, u32, u32)>,
    /// Answered totals whose number the processor has found used.
    numbers_used: Vec<Batch>,
    /// The latest use of each key.
    keys: BTreeMap<[u8; 16], Intent>,
    /// Appended and not known to be durable; the last record of each frame is marked.
    pending: VecDeque<(Vec<u8>, bool)>,
    /// Payments that a rule has denied.
    pub(super) denials: u64,
    /// Attempts at another processor.
    pub(super) fail_overs: u64,
    /// How many records the start that is under way has found.
    found: u64,
    /// True when the last of them is not the last of its frame.
    is_torn: bool,
}

impl Journal {
    pub(super) fn fold(&self) -> &Fold {
        &self.fold
    }

    pub(super) fn digest(&self) -> StateDigest {
        self.digest
    }

    pub(super) fn last_lsn(&self) -> u64 {
        self.marks.len() as u64
    }

    pub(super) fn mark_of_version(&self, id: Xid, version: u32) -> Option<u64> {
        self.versions.get(&(id, version)).copied()
    }

    pub(super) fn has_batch(&self, batch: &Batch) -> bool {
        self.batches.get(&batch.id).is_some_and(|versions| versions.contains(batch))
    }

    pub(super) fn intent(&self, name: Name) -> Option<&Intent> {
        self.intents.get(&name)
    }

    /// Whether any request of the transaction with this reference number is durable.
    pub(super) fn knows(&self, rrn: [u8; 12]) -> bool {
        self.names.contains_key(&rrn)
    }

    /// The newest request with this reference number that a processor was to get, and with this trace number where one is known.
    pub(super) fn request(&self, processor: u16, rrn: [u8; 12], leg: Leg, stan: Option<u32>) -> Option<Name> {
        let is_it = |name: &&Name| {
            let intent = &self.intents[*name];
            (intent.processor, intent.leg) == (processor, leg) && stan.is_none_or(|stan| name.stan == stan)
        };
        self.names.get(&rrn)?.iter().rev().find(is_it).copied()
    }

    /// The reversal of the transaction with this reference number.
    pub(super) fn reversal(&self, rrn: [u8; 12]) -> Option<Name> {
        self.reversals.get(&rrn).copied()
    }

    pub(super) fn was_not_sent(&self, name: Name) -> bool {
        self.not_sent.contains(&name)
    }

    /// Requests that were called not sent since this was last asked.
    pub(super) fn take_newly_not_sent(&mut self) -> Vec<Name> {
        std::mem::take(&mut self.newly_not_sent)
    }

    /// Batches whose number was found used, since this was last asked.
    pub(super) fn take_numbers_used(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.numbers_used)
    }

    pub(super) fn has_totals(&self, processor: u16, stan: u32, number: u32) -> bool {
        self.totals.contains(&(processor, stan, number))
    }

    pub(super) fn appending(&mut self, groups: &[&Group]) {
        for group in groups {
            self.pending.extend(split(group.effects.records()).map(|record| (record.to_vec(), false)));
        }
        if let Some((_, is_last)) = self.pending.back_mut() {
            *is_last = true;
        }
    }

    pub(super) fn append_failed(&mut self) {
        self.pending.clear();
    }

    pub(super) fn durable(&mut self, durable: Durable) {
        while self.last_lsn() < durable.last_lsn() {
            let Some((record, _)) = self.pending.pop_front() else {
                broken(Invariant::OutcomeFirst, format_args!("LSN {} is durable and was never appended", durable.last_lsn()));
            };
            self.take(&record);
        }
    }

    /// Records come in order, from the first.
    pub(super) fn replayed(&mut self, lsn: u64, record: &[u8]) {
        if lsn != self.found + 1 {
            broken(Invariant::OutcomeFirst, format_args!("the journal goes from LSN {} to {lsn}", self.found));
        }
        self.found = lsn;
        match self.marks.get(lsn as usize - 1) {
            Some(mark) if *mark == mark_of(record) => {}
            Some(_) => broken(Invariant::OutcomeFirst, format_args!("LSN {lsn} is not what was written there")),
            None => match self.pending.pop_front() {
                Some((written, is_last)) if written == record => {
                    self.take(record);
                    self.is_torn = !is_last;
                }
                _ => broken(Invariant::OutcomeFirst, format_args!("LSN {lsn} was never written")),
            },
        }
    }

    /// Not a record that was durable is missing, and no frame is there in part.
    pub(super) fn reopened(&mut self, last_lsn: u64) {
        let durable = self.last_lsn();
        let found = std::mem::take(&mut self.found);
        if last_lsn < durable || found != last_lsn {
            broken(
                Invariant::OutcomeFirst,
                format_args!("records up to LSN {durable} were durable; the journal ends with {last_lsn}, {found} were read"),
            );
        }
        if std::mem::take(&mut self.is_torn) {
            broken(Invariant::OutcomeFirst, format_args!("the frame that ends the journal at LSN {last_lsn} is there in part"));
        }
        self.pending.clear();
    }

    fn take(&mut self, bytes: &[u8]) {
        let record = parsed(bytes);
        self.marks.push(mark_of(bytes));
        self.digest = self.digest.plus(persistence::digest::of_record(&record, bytes));
        let before = match record.body {
            Body::Transaction(transaction, _) => self.fold.newest(transaction.id).map(|(before, _)| *before),
            Body::Batch(_) | Body::Change(..) => None,
        };
        self.fold.take(&record);
        match record.body {
            Body::Transaction(transaction, tail) => {
                self.versions.insert((transaction.id, transaction.version.get()), mark(transaction, tail));
                self.take_transaction(&record, before.as_ref(), transaction);
            }
            Body::Batch(batch) => {
                self.totals.insert((batch.processor.get(), batch.stan.get(), batch.number.get()));
                self.batches.entry(batch.id).or_default().push(*batch);
                if batch.response_code.get() == ResponseCode::DUPLICATE_AT_PROCESSOR.0 {
                    self.numbers_used.push(*batch);
                }
            }
            Body::Change(..) => {}
        }
    }

    fn take_transaction(&mut self, record: &Record<'_>, before: Option<&Transaction>, transaction: &Transaction) {
        match (record.kind, before) {
            (Kind::Intent, Some(before)) => self.take_fail_over(before, transaction),
            (Kind::Intent, None) => {
                let intent = self.take_intent(transaction, Leg::Original);
                self.take_key(intent);
            }
            (Kind::StepIntent, _) => {
                let intent = self.take_intent(transaction, Leg::Step);
                self.take_key(intent);
            }
            (kind, _) => self.take_decided(kind, transaction),
        }
        if transaction.reversal.state() == ReversalState::Queued {
            self.reversals.insert(transaction.rrn, Name::of_reversal(transaction));
        }
    }

    /// A payment that is offered to another processor was provably not sent to the one before: no host may have it, then or ever.
    fn take_fail_over(&mut self, before: &Transaction, transaction: &Transaction) {
        let id = transaction.id;
        if before.original.state() != ExchangeState::InFlight || before.processor == transaction.processor {
            let (state, processor) = (before.original.state(), before.processor);
            broken(Invariant::OneEffectPerKey, format_args!("{id} is offered again, and was {state:?} at processor {processor}"));
        }
        if before.original.stan == transaction.original.stan {
            let stan = before.original.stan;
            broken(Invariant::OneEffectPerKey, format_args!("{id} is offered again under the trace number {stan} that it had"));
        }
        self.fail_overs += 1;
        self.take_not_sent(Name::of_exchange(before, &before.original));
        self.take_intent(transaction, Leg::Original);
    }

    fn take_decided(&mut self, kind: Kind, transaction: &Transaction) {
        let is_decline = kind == Kind::Outcome && transaction.status() == Status::Declined;
        self.denials += u64::from(is_decline && RULE_DENIALS.contains(&transaction.response_code()));
        match kind {
            Kind::Outcome if transaction.version.get() == 1 => self.take_decline(transaction),
            Kind::Outcome if transaction.original.state() == ExchangeState::NotSent => {
                self.take_not_sent(Name::of_exchange(transaction, &transaction.original));
            }
            Kind::StepOutcome if transaction.step.state() == ExchangeState::NotSent => {
                self.take_not_sent(Name::of_exchange(transaction, &transaction.step));
            }
            _ => {}
        }
    }

    fn take_not_sent(&mut self, name: Name) {
        self.not_sent.insert(name);
        self.newly_not_sent.push(name);
    }

    fn take_intent(&mut self, transaction: &Transaction, leg: Leg) -> Intent {
        let exchange = if leg == Leg::Step { &transaction.step } else { &transaction.original };
        let (key, expires_at) = (transaction.key.hash, transaction.key.expires_at.get());
        let (id, processor, begun_at) = (transaction.id, transaction.processor.get(), exchange.sent_at.get());
        let intent = Intent { id, processor, leg, begun_at, key, expires_at };
        let name = Name::of_exchange(transaction, exchange);
        self.intents.insert(name, intent);
        self.names.entry(name.rrn).or_default().push(name);
        intent
    }

    /// I4: inside its window a key begins one thing.
    fn take_key(&mut self, intent: Intent) {
        if intent.key == [0; 16] {
            return;
        }
        if let Some(first) = self.keys.insert(intent.key, intent).filter(|first| first.expires_at > intent.begun_at) {
            let (first, second) = (first.id, intent.id);
            broken(Invariant::OneEffectPerKey, format_args!("one key has begun something of {first} and something of {second}"));
        }
    }

    /// What is declined without asking a processor has used its key, too.
    fn take_decline(&mut self, transaction: &Transaction) {
        let (key, expires_at) = (transaction.key.hash, transaction.key.expires_at.get());
        let (id, processor, begun_at) = (transaction.id, transaction.processor.get(), transaction.created_at.get());
        self.take_key(Intent { id, processor, leg: Leg::Original, begun_at, key, expires_at });
    }
}
