//! The shard: a value that takes inputs and gives records and outputs. It owns its merchants' payments whole.
//!
//! Same inputs, same records (I7): nothing in here depends on a clock, on chance or on hash order.

use crate::conditions::Velocity;
use crate::duplicates::{Duplicates, RecentAt};
use crate::idempotency::{KeyAt, Keys};
use crate::input::{Input, Leg, MerchantTerms, ProcessorState, ProcessorTerms, Sent, Token};
use crate::limits::{Limits, REVERSAL_STUCK_AFTER_S, SHARDS_MAX, TURN_CLOSES_AT_BYTES, VELOCITY_COUNTERS_MAX};
use crate::output::{Effects, Released, Written};
use crate::routing::{Circuit, Health, Results};
use crate::settlement::{BatchAt, BatchCounts, Batches};
use crate::stan::Stans;
use crate::table::{SlotAt, Table};
use crate::tails::Tails;
use crate::waiters::Waiters;
use crate::wheel::{Alarm, Wheel};
use crate::{routing, rules};
use hashbrown::HashTable;
use protocol::calendar::Micros;
use protocol::change::Change;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::record::{Decided, Kind};
use protocol::words::Verb;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// Sets of effects that are kept for reuse.
const SPARE_EFFECTS_MAX: usize = 8;
/// Deadlines of one tick that are looked at together before they fire.
const EXPIRIES_FORESEEN: usize = 32;

/// Which shard, of how many, and how large.
#[derive(Debug, Clone, Copy)]
pub struct ShardOptions {
    /// From 0.
    pub index: u16,
    /// How many shards the switch has; at most [`SHARDS_MAX`].
    pub count: u16,
    /// How large it may grow.
    pub limits: Limits,
}

/// The shard that an account belongs to.
pub fn shard_of(merchant: Xid, count: u16) -> u16 {
    (merchant.hash64() % u64::from(count.max(1))) as u16
}

/// What a shard has counted since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Answers that came after their deadline: the transaction is unknown or reversed, and stays so.
    pub late_answers: u64,
    /// Of those, approvals: covered by their reversal.
    pub late_approvals: u64,
    /// Answers that name nothing that is in memory.
    pub unmatched_answers: u64,
    /// Requests that became unknown.
    pub unknowns: u64,
    /// Reversals sent, repeats included.
    pub reversals_sent: u64,
    /// Reversals acknowledged.
    pub reversals_done: u64,
    /// Commands refused because a limit was reached.
    pub busy: u64,
    /// Payments denied by a rule, before or after the processor's answer.
    pub rule_denials: u64,
    /// Entries that their banks have sent back.
    pub returns: u64,
    /// Answers whose facts were left out, because there was no room for them beside the transaction.
    pub facts_left_out: u64,
    /// Payments offered to another processor of their route, because nothing had been sent to the one before.
    pub fail_overs: u64,
}

/// What fires when its time has come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Timer {
    /// A request has no answer.
    Deadline(SlotAt),
    /// A reversal has no receipt.
    Reversal(SlotAt),
    /// An idempotency window is over.
    Key(KeyAt),
    /// A duplicate window is over.
    Recent(RecentAt),
    /// A batch's totals have no answer.
    Totals(BatchAt),
}

/// A processor as a shard sees it.
#[derive(Debug)]
pub(crate) struct Processor {
    pub(crate) terms: ProcessorTerms,
    pub(crate) stans: Stans,
    /// The store-and-forward queue: reversals not acknowledged, in the order in which they were queued.
    pub(crate) reversals: BTreeSet<(Micros, Xid)>,
    pub(crate) health: Health,
    pub(crate) counts: ProcessorCounts,
}

/// What a shard has counted of one processor since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessorCounts {
    /// Requests that are not decided; reversals and totals are not counted.
    pub in_flight: u32,
    /// Answers that came after their deadline.
    pub late_answers: u64,
    /// Requests that became unknown.
    pub unknowns: u64,
    /// Reversals sent, repeats included.
    pub reversals_sent: u64,
    /// Reversals acknowledged.
    pub reversals_done: u64,
}

/// A processor as a shard has it, for an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessorReport {
    /// Which traffic it takes.
    pub state: ProcessorState,
    /// Where its circuit stands. This shard's: each judges by its own payments.
    pub circuit: Circuit,
    /// What was counted.
    pub counts: ProcessorCounts,
    /// Reversals that it has not acknowledged.
    pub reversals_queued: u32,
    /// Of those, the ones that wait for longer than [`REVERSAL_STUCK_AFTER_S`].
    pub reversals_stuck: u32,
    /// When the oldest of those was queued; [`Micros::NONE`] when there is none.
    pub oldest_reversal_at: Micros,
    /// What became of its latest requests, as its circuit counts them.
    pub results: Results,
    /// Its batches that are not complete.
    pub batches: BatchCounts,
}

/// A shard.
#[derive(Debug)]
pub struct Shard {
    index: u16,
    count: u16,
    pub(crate) now: Micros,
    sequence: u64,
    durable_sequence: u64,
    pub(crate) table: Table,
    pub(crate) tails: Tails,
    pub(crate) keys: Keys,
    pub(crate) duplicates: Duplicates,
    pub(crate) waiters: Waiters,
    pub(crate) wheel: Wheel<Timer>,
    pub(crate) batches: Batches,
    pub(crate) rules: Arc<rules::Table>,
    pub(crate) routes: Arc<routing::Table>,
    pub(crate) velocity: Velocity,
    merchants: HashTable<MerchantTerms>,
    processors: Vec<Option<Processor>>,
    pub(crate) effects: Effects,
    /// Turns that were closed because they had become large; older than `effects`.
    closed: VecDeque<Effects>,
    spare: Vec<Effects>,
    /// A tail on its way from the pool into a record.
    pub(crate) scratch: Vec<u8>,
    pub(crate) in_flight: u32,
    pub(crate) stats: Stats,
}

impl Shard {
    /// An empty shard.
    pub fn new(options: ShardOptions) -> Shard {
        let ShardOptions { index, count, limits } = options;
        assert!(index < count && count <= SHARDS_MAX, "shard {index} of {count}: at most {SHARDS_MAX}, counted from 0");
        // Each transaction, key, recent payment and batch has at most one deadline, so the wheel is never full before they are.
        let alarms_max = limits.transactions_max + limits.keys_max + limits.recent_max + limits.batches_max;
        Shard {
            index,
            count,
            now: Micros::NONE,
            sequence: 0,
            durable_sequence: 0,
            table: Table::new(limits.transactions_max),
            tails: Tails::new(limits.tails_max_bytes),
            keys: Keys::new(limits.keys_max),
            duplicates: Duplicates::new(limits.recent_max),
            waiters: Waiters::new(limits.waiters_max),
            wheel: Wheel::new(alarms_max),
            batches: Batches::new(limits.batches_max),
            rules: Arc::default(),
            routes: Arc::default(),
            velocity: Velocity::new(VELOCITY_COUNTERS_MAX),
            merchants: HashTable::new(),
            processors: Vec::new(),
            effects: Effects::default(),
            closed: VecDeque::new(),
            spare: Vec::with_capacity(SPARE_EFFECTS_MAX),
            scratch: Vec::new(),
            in_flight: 0,
            stats: Stats::default(),
        }
    }

    /// Looks at what these commands will be compared with and where they will be kept, before they are accepted in this order. Each look
    /// waits for memory, and here the waits of many overlap. Changes nothing, and nothing depends on it.
    pub fn foresee<'a>(&self, commands: impl IntoIterator<Item = &'a Command>) {
        let mut seen = 0;
        for (ahead, command) in commands.into_iter().enumerate() {
            seen ^= self.keys.glance(&command.key_hash) ^ self.keys.glance_at_free(ahead);
            seen ^= self.duplicates.glance(command) ^ self.duplicates.glance_at_free(ahead);
            seen ^= self.table.glance(command.id) ^ self.table.glance_at_free(ahead);
        }
        core::hint::black_box(seen);
    }

    /// The same for answers to what was sent.
    pub fn foresee_answers<'a>(&self, answered: impl IntoIterator<Item = &'a Sent>) {
        let mut seen = 0;
        for sent in answered {
            let Some(at) = self.table.find(sent.id) else { continue };
            seen ^= self.table.glance_at(at);
            seen ^= self.keys.glance(&self.table[at].transaction.key.hash);
        }
        core::hint::black_box(seen);
    }

    /// Takes one input that arrived at `now`. A clock that went back counts as standing still.
    pub fn accept(&mut self, now: Micros, input: Input<'_>) {
        self.now = self.now.max(now);
        self.expire();
        self.close_large_turn();
        match input {
            Input::Command { token, command, tail } => self.command(token, command, tail),
            Input::Answer { answer, facts } => self.answered(&answer, facts),
            Input::NotSent(sent) => self.not_sent(sent, routing::Outcome::NotSent),
            Input::NotTaken(sent) => self.not_sent(sent, routing::Outcome::NotTaken),
            Input::Lost(sent) => self.lost(sent),
            Input::LinkUp { processor } => self.link_up(processor),
            Input::LinkDown { processor } => self.link_down(processor),
            Input::Hydrate { transaction, tail, read_at } => self.hydrate(transaction, tail, read_at),
            Input::FindKey { token, hash } => self.find_key(token, hash),
            Input::CloseBatches { token, processor, before } => self.close_batches(token, processor, before),
            Input::Returned { token, transaction, code, returned_at, facts } => {
                self.returned(token, transaction, code, returned_at, facts);
            }
            Input::ChangeNotified { token, transaction, facts } => self.change_notified(token, transaction, facts),
            Input::SettleMember { transaction } => self.settle_member(transaction),
            Input::CompleteBatch { batch } => self.complete_batch(batch),
            Input::TakeOver { token, transaction } => self.take_over_reversal(token, transaction),
            Input::Configure { token, parts } => self.configure(token, parts),
            Input::Merchant(terms) => self.set_merchant(terms),
            Input::Processor(terms) => self.set_processor(terms),
            Input::Rules(rules) => self.set_rules(rules),
            Input::Routes(routes) => self.set_routes(routes),
            Input::Recover(recovered) => self.recover(recovered),
            Input::RecoveryDone => self.recovery_done(),
            Input::Tick => {}
        }
        self.table.sweep(self.now, self.durable_sequence, &mut self.tails);
    }

    /// The records and outputs of the oldest turn that was not taken; `None` when there are none. Call until `None`.
    pub fn take_effects(&mut self) -> Option<Effects> {
        if let Some(oldest) = self.closed.pop_front() {
            return Some(oldest);
        }
        if self.effects.is_empty() {
            return None;
        }
        Some(self.begin_turn())
    }

    /// Records of the turns that wait to be taken, oldest turn first: for whoever watches a shard input by input. What a shard says
    /// leaves it by [`Shard::take_effects`] only.
    pub fn records_waiting(&self) -> impl Iterator<Item = &[u8]> {
        self.closed.iter().chain([&self.effects]).map(Effects::records)
    }

    /// True when [`Shard::take_effects`] would give some.
    pub fn has_effects(&self) -> bool {
        !self.closed.is_empty() || !self.effects.is_empty()
    }

    /// Puts a turn that has become large aside, so that each fits one write of the journal. Called between operations only: the
    /// records of one operation stay together.
    pub(crate) fn close_large_turn(&mut self) {
        if self.effects.bytes_held() >= TURN_CLOSES_AT_BYTES {
            let large = self.begin_turn();
            self.closed.push_back(large);
        }
    }

    fn begin_turn(&mut self) -> Effects {
        let empty = self.spare.pop().unwrap_or_default();
        core::mem::replace(&mut self.effects, empty)
    }

    /// Gives released effects back: their records are durable, their buffers can be used again.
    pub fn recycle(&mut self, released: Released) {
        self.durable_sequence = self.durable_sequence.max(released.last_sequence());
        if self.spare.len() < SPARE_EFFECTS_MAX {
            self.spare.push(released.into_empty());
        }
    }

    /// The latest moment that it was told.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// When the next [`Input::Tick`] must come at the latest; `None` while nothing waits.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.wheel.next()
    }

    /// Requests to processors that are not decided; reversals and totals are not counted.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Reversals that no processor has acknowledged yet.
    pub fn reversals_queued(&self) -> u32 {
        self.processors.iter().flatten().map(|processor| processor.reversals.len() as u32).sum()
    }

    /// A processor as this shard has it; `None` when it has none of that index.
    /// `now` may be later than the latest moment that it was told: a report is no input.
    pub fn processor_report(&self, index: u16, now: Micros) -> Option<ProcessorReport> {
        let Processor { terms, reversals, health, counts, .. } = self.processor(index)?;
        let stuck_before = Micros(now.0.saturating_sub(i64::from(REVERSAL_STUCK_AFTER_S) * 1_000_000));
        Some(ProcessorReport {
            state: terms.state,
            circuit: health.circuit(),
            counts: *counts,
            reversals_queued: reversals.len() as u32,
            reversals_stuck: reversals.range(..(stuck_before, Xid::NONE)).count() as u32,
            results: health.results(now, self.routes.breaker()),
            batches: self.batches.counts(index),
            oldest_reversal_at: reversals.first().map_or(Micros::NONE, |(queued_at, _)| *queued_at),
        })
    }

    /// Transactions in memory.
    pub fn transactions_in_memory(&self) -> u32 {
        self.table.len()
    }

    /// What was counted.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Fires all whose time has come, those of a tick in bunches: what they will be looked up in is looked at before.
    fn expire(&mut self) {
        while self.wheel.turn_to_due(self.now) {
            let bunch = self.wheel.due().take(EXPIRIES_FORESEEN);
            core::hint::black_box(bunch.fold(0, |seen, timer| seen ^ self.glance_at(timer)));
            for _ in 0..EXPIRIES_FORESEEN {
                let Some(timer) = self.wheel.fire() else { break };
                self.expired(timer);
                self.close_large_turn();
            }
        }
    }

    /// Reads what a timer will read first when it fires. What is rare waits for itself.
    fn glance_at(&self, timer: Timer) -> u64 {
        match timer {
            Timer::Key(at) => self.keys.glance_at(at),
            Timer::Recent(at) => self.duplicates.glance_at(at),
            Timer::Deadline(_) | Timer::Reversal(_) | Timer::Totals(_) => 0,
        }
    }

    fn expired(&mut self, timer: Timer) {
        match timer {
            Timer::Deadline(at) => self.deadline_passed(at),
            Timer::Reversal(at) => self.repeat_reversal(at),
            Timer::Key(at) => self.key_expired(at),
            Timer::Recent(at) => self.duplicates.forget(at),
            Timer::Totals(at) => self.repeat_totals(at),
        }
    }

    /// The parts stay in one turn, so that they are one write of the journal: all of the change lasts, or nothing.
    fn configure(&mut self, token: Token, parts: &[(Change, Vec<u8>)]) {
        for (change, text) in parts {
            let decided = self.decide();
            self.effects.write_change(decided, change, text);
        }
        self.effects.reply_configured(token);
    }

    fn set_merchant(&mut self, terms: MerchantTerms) {
        let hash = terms.id.hash64();
        match self.merchants.find_mut(hash, |known| known.id == terms.id) {
            Some(known) => *known = terms,
            None => {
                self.merchants.insert_unique(hash, terms, |known| known.id.hash64());
            }
        }
    }

    fn set_processor(&mut self, terms: ProcessorTerms) {
        let at = terms.index as usize;
        if self.processors.len() <= at {
            self.processors.resize_with(at + 1, || None);
        }
        match &mut self.processors[at] {
            Some(known) => known.terms = terms,
            empty => {
                let (stans, reversals) = (Stans::of_shard(self.index, self.count), BTreeSet::new());
                let (health, counts) = (Health::default(), ProcessorCounts::default());
                *empty = Some(Processor { terms, stans, reversals, health, counts });
            }
        }
    }

    fn set_rules(&mut self, rules: Arc<rules::Table>) {
        if rules.longest_window_s() > 0 {
            self.velocity.reserve();
        }
        self.rules = rules;
    }

    fn set_routes(&mut self, routes: Arc<routing::Table>) {
        if routes.longest_window_s() > 0 {
            self.velocity.reserve();
        }
        self.routes = routes;
    }

    fn link_down(&mut self, index: u16) {
        let (now, breaker) = (self.now, *self.routes.breaker());
        if let Some(processor) = self.processors.get_mut(index as usize).and_then(Option::as_mut) {
            processor.health.link_down(now, &breaker);
        }
    }

    pub(crate) fn merchant(&self, id: Xid) -> Option<&MerchantTerms> {
        self.merchants.find(id.hash64(), |known| known.id == id)
    }

    pub(crate) fn processor(&self, index: u16) -> Option<&Processor> {
        self.processors.get(index as usize)?.as_ref()
    }

    /// The processor of a transaction in memory.
    pub(crate) fn processor_mut(&mut self, index: u16) -> &mut Processor {
        self.processors[index as usize].as_mut().expect("a transaction's processor was known when it was chosen or recovered")
    }

    /// Writes a transaction's new version: from here on it is what the journal says.
    pub(crate) fn commit(&mut self, at: SlotAt, kind: Kind, answers: bool) -> Written {
        let decided = self.decide();
        let slot = &mut self.table[at];
        slot.transaction.version.set(slot.transaction.version.get() + 1);
        slot.transaction.updated_at.set(decided.at.0);
        slot.transaction.answers = u8::from(answers);
        (slot.last_sequence, slot.touched_at) = (decided.sequence, decided.at);
        assert_money_closes(&slot.transaction);
        self.scratch.clear();
        self.tails.read(slot.tail, &mut self.scratch);
        self.effects.write_transaction(kind, decided, &slot.transaction, &self.scratch)
    }

    /// Writes a batch's new version.
    pub(crate) fn commit_batch(&mut self, at: BatchAt, kind: Kind) {
        let decided = self.decide();
        self.effects.write_batch(kind, decided, &self.batches[at].batch);
    }

    fn decide(&mut self) -> Decided {
        self.sequence += 1;
        Decided { shard: self.index, sequence: self.sequence, at: self.now }
    }

    /// The answer to an operation is decided: it is remembered under its key, and all who wait are told.
    pub(crate) fn tell(&mut self, at: SlotAt, verb: Verb, written: Written) {
        let transaction = &self.table[at].transaction;
        if transaction.key.is_some()
            && let Some(key) = self.keys.find(&transaction.key.hash)
        {
            self.keys[key].answer_version = transaction.version.get();
        }
        while let Some((token, attached)) = self.waiters.pop(&mut self.table[at].waiters) {
            self.effects.reply_written(token, written, verb, attached);
        }
    }

    /// Sets a transaction's deadline in place of the one it has.
    pub(crate) fn set_alarm(&mut self, at: SlotAt, when: Micros, timer: Timer) {
        self.wheel.cancel(self.table[at].alarm);
        self.table[at].alarm = self.wheel.set(when, timer);
    }

    pub(crate) fn cancel_alarm(&mut self, at: SlotAt) {
        self.wheel.cancel(self.table[at].alarm);
        self.table[at].alarm = Alarm::NONE;
    }

    /// Hands a version to the link of its processor.
    pub(crate) fn send(&mut self, at: SlotAt, leg: Leg, stan: u32, repeat: bool, written: Written) {
        let transaction = &self.table[at].transaction;
        let sent = Sent { id: transaction.id, leg, stan };
        self.effects.send_written(transaction.processor.get(), sent, repeat, written);
    }

    /// One more request is not decided.
    pub(crate) fn takes_off(&mut self, at: SlotAt) {
        self.in_flight += 1;
        self.counts_mut(at).in_flight += 1;
    }

    /// One request is decided, or unknown for good.
    pub(crate) fn lands(&mut self, at: SlotAt) {
        self.in_flight -= 1;
        self.counts_mut(at).in_flight -= 1;
    }

    /// What is counted of a transaction's processor.
    pub(crate) fn counts_mut(&mut self, at: SlotAt) -> &mut ProcessorCounts {
        let index = self.table[at].transaction.processor.get();
        &mut self.processor_mut(index).counts
    }

    pub(crate) fn wait(&mut self, at: SlotAt, token: Token, attached: bool) {
        let mut chain = self.table[at].waiters;
        self.waiters.push(&mut chain, token, attached);
        self.table[at].waiters = chain;
    }
}

/// I5, checked at every version that is written: a breach is our own error, and the process stops rather than journal it.
fn assert_money_closes(transaction: &protocol::transaction::Transaction) {
    let captured = transaction.amount_captured.get();
    let authorized = transaction.amount_authorized.get();
    assert!(captured <= authorized, "I5: {captured} captured of {authorized} authorized, {}", transaction.id);
    let refunds = transaction.amount_refunded.get() + transaction.amount_refund_pending.get();
    let settled = transaction.amount_settled.get();
    assert!(refunds <= settled, "I5: {refunds} refunded of {settled} settled, {}", transaction.id);
}
