//! One shard beside the model: every input is given to both, and what the shard wrote of it must be what the model has.

use super::broken;
use super::callers::Awaited;
use super::records::{parsed, sequence};
use api_front::returns::is_passing;
use api_front::switch::desk::Desk;
use api_front::switch::door::{CommandMessage, Return, Told};
use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::record::{Body, Kind};
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalState, Verb};
use reference_model::{Begun, Expect, Fold, Invariant, Model, RouteTable, RuleTable};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use switch_core::Shard;
use switch_core::input::{Answer, Leg, Sent};
use switch_core::limits::Limits;
use switch_core::routing::Outcome;

/// A shard under watch.
pub(super) struct Watch {
    pub(super) model: Model,
    limits: Limits,
    /// The shard's count of the last record that was looked at.
    seen: u64,
    /// The journal has refused: the shard decides nothing any more.
    is_dead: bool,
    /// How many batches each call has closed that was not told yet.
    closing: VecDeque<u32>,
    /// Whether there was a reversal for each operator who takes one over and was not told yet.
    taking_over: VecDeque<(Xid, bool)>,
}

/// A table that is put in force, as typed.
pub(super) enum NewTable {
    Rules(RuleTable),
    Routes(RouteTable),
}

/// What a shard wrote in answer to one input: every record, oldest first.
struct Written {
    versions: Vec<(Kind, Transaction, Vec<u8>)>,
    batches: Vec<Batch>,
}

impl Written {
    fn has_begun(&self, command: &Command) -> bool {
        let creates = command.verb().is_some_and(Verb::creates);
        self.versions.iter().any(|(kind, version, _)| match creates {
            true => version.id == command.id,
            false => version.id == command.target && *kind == Kind::StepIntent,
        })
    }

    /// Whether a version of this kind was written of a transaction.
    fn has(&self, wanted: Kind, id: Xid) -> bool {
        self.versions.iter().any(|(kind, version, _)| *kind == wanted && version.id == id)
    }
}

impl Watch {
    pub(super) fn of(desk: &Desk, model: Model, limits: Limits) -> Watch {
        let seen = desk.shard().records_waiting().map(sequence_of_last).max().unwrap_or(0);
        let (closing, taking_over) = (VecDeque::new(), VecDeque::new());
        Watch { model, limits, seen, is_dead: false, closing, taking_over }
    }

    pub(super) fn begin(&mut self, desk: &mut Desk, now: Micros) -> u64 {
        desk.begin(now);
        self.model.recovery_done(now);
        let written = self.written(desk);
        self.compare(desk, &written)
    }

    pub(super) fn tick(&mut self, desk: &mut Desk, now: Micros) -> u64 {
        desk.tick(now);
        if self.is_dead {
            return 0;
        }
        self.model.tick(now);
        let written = self.written(desk);
        self.compare(desk, &written)
    }

    pub(super) fn take_command(&mut self, desk: &mut Desk, now: Micros, message: CommandMessage) -> (Awaited, u64) {
        let (command, tail) = (message.command, message.tail.clone());
        let tail = Tail::trusted(&tail);
        desk.take_command(now, message);
        if self.is_dead {
            return (Awaited::Silence, 0);
        }
        self.model.tick(now);
        let expect = self.model.expect(&command, tail);
        let written = self.written(desk);
        let awaited = match expect {
            Expect::Begins(begun) if written.has_begun(&command) => {
                Awaited::Answer(self.model.begin(&command, tail, begun), false)
            }
            Expect::Replays(operation) if !written.has_begun(&command) => Awaited::Answer(operation, true),
            Expect::Begins(_) | Expect::Refused(_) if !written.has_begun(&command) => Awaited::Nothing(expect),
            Expect::Begins(_) | Expect::Replays(_) | Expect::Refused(_) => wrongly_begun(&command, expect),
        };
        (awaited, self.compare(desk, &written))
    }

    /// `table` is what the return puts in force, if it is a table.
    pub(super) fn take_return(&mut self, desk: &mut Desk, now: Micros, returned: Return, table: Option<NewTable>) -> u64 {
        if self.is_dead {
            desk.take_return(now, returned);
            return 0;
        }
        let before = Before::of(&returned);
        desk.take_return(now, returned);
        // A group that comes back is no input unless a request of it found its link's queue full.
        match before {
            Before::Durable => self.model.tick(desk.shard().now()),
            Before::NoInput | Before::Refused => {}
            _ => self.model.tick(now),
        }
        let written = self.written(desk);
        self.follow(before, &written);
        if let Some(table) = table {
            self.put_in_force(table);
        }
        self.compare(desk, &written)
    }

    /// The model takes what the desk took.
    fn follow(&mut self, before: Before, written: &Written) {
        match before {
            Before::NoInput => {}
            Before::Tick => {}
            Before::Durable => written.versions.iter().for_each(|written| self.not_taken(written)),
            Before::Refused => self.is_dead = true,
            Before::Answer(answer) => self.model.heard(&answer),
            Before::NotSent(sent, why) => self.model.not_sent(sent, why, self.has_room_for_a_batch()),
            Before::Lost(sent) => self.model.lost(sent),
            Before::Merchant(terms) => drop(self.model.terms.merchants.insert(terms.id, terms)),
            Before::Processor(terms) => drop(self.model.terms.processors.insert(terms.index, terms)),
            Before::LinkUp(processor) => self.model.link_up(processor),
            Before::LinkDown(processor) => self.model.link_down(processor),
            Before::CloseBatches(processor, before) => {
                let count = self.model.close_batches(processor, before);
                self.closing.push_back(count);
            }
            Before::SettleMembers(members) => members.into_iter().for_each(|member| self.settle(member, written)),
            Before::CompleteBatch(batch) => self.model.complete(batch),
            Before::TakeOver(id) => {
                let is_queued = self.model.take_over(id);
                self.taking_over.push_back((id, is_queued));
            }
            Before::FromBank(id, kind) => self.heard_from_bank(id, kind, written),
        }
    }

    /// A notice whose entry found no room in memory is brought again; one that was brought before changes nothing.
    fn heard_from_bank(&mut self, id: Xid, kind: Kind, written: &Written) {
        if !written.has(kind, id) {
            return;
        }
        match kind {
            Kind::Returned if !self.model.may_return(id) => {
                broken(Invariant::MoneyCloses, format_args!("{id} was returned where it can't be, or twice"));
            }
            Kind::Returned => self.model.returned(id),
            _ => self.model.change_notified(id),
        }
    }

    /// What whoever brings a notice is told of it for good.
    pub(super) fn bank_told(&self, id: Xid, told: &Told) {
        if let Told::Refused(refusal) = told
            && !is_passing(*refusal)
            && self.model.may_return(id)
        {
            broken(Invariant::MoneyCloses, format_args!("the return of {id} is refused for good: {refusal}"));
        }
    }

    /// A later table follows an earlier one, never the other way.
    fn put_in_force(&mut self, table: NewTable) {
        let (before, version) = match &table {
            NewTable::Rules(rules) => (self.model.rules.version, rules.version),
            NewTable::Routes(routes) => (self.model.routes.version, routes.version),
        };
        if version <= before {
            broken(Invariant::OutcomeFirst, format_args!("version {version} of a table is put in force after version {before}"));
        }
        match table {
            NewTable::Rules(rules) => self.model.rules = rules,
            NewTable::Routes(routes) => self.model.routes = routes,
        }
    }

    fn has_room_for_a_batch(&self) -> bool {
        self.model.batches.len() < self.limits.batches_max as usize
    }

    /// A version that says that its request found its link's queue full: it ends there, or is offered to another processor.
    fn not_taken(&mut self, (kind, version, _): &(Kind, Transaction, Vec<u8>)) {
        let in_flight =
            self.model.payments.get(&version.id).and_then(|payment| payment.flight.as_ref()).map(|flight| flight.stan);
        let (leg, stan) = match kind {
            Kind::Outcome if version.original.state() == ExchangeState::NotSent => (Leg::Original, version.original.stan.get()),
            Kind::StepOutcome if version.step.state() == ExchangeState::NotSent => (Leg::Step, version.step.stan.get()),
            Kind::Intent if version.version.get() > 1 => (Leg::Original, in_flight.unwrap_or(0)),
            _ => return,
        };
        self.model.not_sent(Sent { id: version.id, leg, stan }, Outcome::NotTaken, self.has_room_for_a_batch());
    }

    /// Whoever takes a reversal over is told what the transaction is then, or that there is none.
    pub(super) fn taken_over(&mut self, told: &Told) {
        let is_so = match (self.taking_over.pop_front(), told) {
            (Some((id, true)), Told::Version { version, .. }) => {
                let transaction = version.transaction();
                transaction.id == id && transaction.reversal.state() == ReversalState::TakenOver
            }
            (Some((id, false)), Told::Absent(absent)) => id == *absent,
            (_, Told::Refused(Refusal::Busy)) => true,
            _ => false,
        };
        if !is_so {
            broken(Invariant::NoOrphan, format_args!("who takes a reversal over is told {told:?}"));
        }
    }

    /// A member that found no room in memory is given again later.
    fn settle(&mut self, member: Xid, written: &Written) {
        if !written.has(Kind::Settled, member) {
            return;
        }
        if !self.model.may_settle(member) {
            broken(Invariant::MoneyCloses, format_args!("{member} was settled outside an accepted batch, or twice"));
        }
        self.model.settle(member);
    }

    pub(super) fn closed(&mut self, count: u32) {
        match self.closing.pop_front() {
            Some(expected) if expected == count => {}
            expected => {
                broken(Invariant::MoneyCloses, format_args!("{count} batches were closed where the model has {expected:?}"));
            }
        }
    }

    /// Records that the shard has written since this was last asked.
    fn written(&mut self, desk: &Desk) -> Written {
        let mut written = Written { versions: Vec::new(), batches: Vec::new() };
        for record in desk.shard().records_waiting().flat_map(super::records::split) {
            if sequence(record) <= self.seen {
                continue;
            }
            self.seen = sequence(record);
            let record = parsed(record);
            match record.body {
                Body::Transaction(transaction, tail) => {
                    written.versions.push((record.kind, *transaction, tail.bytes().to_vec()));
                }
                Body::Batch(batch) => written.batches.push(*batch),
                Body::Change(..) => {}
            }
        }
        written
    }

    /// Says how many versions were compared.
    fn compare(&mut self, desk: &Desk, written: &Written) -> u64 {
        let newest = written.versions.iter().map(|(_, version, tail)| (version.id, (version, Tail::trusted(tail))));
        let newest: BTreeMap<Xid, (&Transaction, Tail<'_>)> = newest.collect();
        let batches: BTreeMap<Xid, &Batch> = written.batches.iter().map(|batch| (batch.id, batch)).collect();
        newest.values().for_each(|(version, _)| self.model.observe(version));
        batches.values().for_each(|batch| self.model.observe_batch(batch));
        let touched = self.model.take_touched();
        self.all_were_written(&touched, &newest);
        let differences = newest.values().flat_map(|(version, tail)| self.model.differences(version, *tail));
        let mut differences = differences.chain(batches.values().flat_map(|batch| self.model.batch_differences(batch)));
        if let Some(difference) = differences.next() {
            panic!("{difference}");
        }
        drop(differences);
        self.check_bounds(desk.shard());
        newest.len() as u64
    }

    fn all_were_written(&self, touched: &BTreeSet<Xid>, newest: &BTreeMap<Xid, (&Transaction, Tail<'_>)>) {
        if let Some(id) = touched.iter().find(|id| !newest.contains_key(id)) {
            let expected = &self.model.payments[id];
            broken(
                Invariant::UnknownIsAState,
                format_args!("no record was written of {id}, for which the model has {expected:?}"),
            );
        }
    }

    /// I8, and that nothing under way is forgotten.
    fn check_bounds(&self, shard: &Shard) {
        let (held, held_max) = (shard.transactions_in_memory(), self.limits.transactions_max);
        if held > held_max {
            broken(Invariant::Bounded, format_args!("{held} transactions in memory, of {held_max}"));
        }
        if shard.in_flight() as usize != self.model.in_flight() {
            let (ours, theirs) = (shard.in_flight(), self.model.in_flight());
            broken(Invariant::UnknownIsAState, format_args!("{ours} requests in flight where the model has {theirs}"));
        }
        if shard.reversals_queued() as usize != self.model.reversals_queued() {
            let (ours, theirs) = (shard.reversals_queued(), self.model.reversals_queued());
            broken(Invariant::NoOrphan, format_args!("{ours} reversals queued where the model has {theirs}"));
        }
    }

    /// In the end nothing is under way, every batch is done, and the model is what lasts.
    pub(super) fn finish(&self, desk: &Desk, fold: &Fold) {
        if self.model.in_flight() > 0 || self.model.reversals_queued() > 0 || desk.shard().has_effects() {
            let (in_flight, queued) = (self.model.in_flight(), self.model.reversals_queued());
            broken(Invariant::NoOrphan, format_args!("in the end {in_flight} requests are in flight, {queued} reversals queued"));
        }
        let undone = self.model.batches.iter().find(|(_, batch)| batch.state != BatchState::Open || !batch.undecided.is_empty());
        if let Some((id, batch)) = undone {
            broken(Invariant::MoneyCloses, format_args!("in the end batch {id} is {:?}", batch.state));
        }
        let ours = fold.versions().filter(|(transaction, _)| self.model.payments.contains_key(&transaction.id));
        let differences = ours.flat_map(|(transaction, tail)| self.model.differences(transaction, Tail::trusted(tail)));
        if let Some(difference) = differences.into_iter().next() {
            panic!("in the end: {difference}");
        }
    }
}

/// What the model must know of a return after the desk has taken it.
enum Before {
    /// It is none of the shard's inputs.
    NoInput,
    /// It says nothing that the model knows, but time.
    Tick,
    Durable,
    Refused,
    Answer(Answer),
    NotSent(Sent, Outcome),
    Lost(Sent),
    Merchant(switch_core::input::MerchantTerms),
    Processor(switch_core::input::ProcessorTerms),
    LinkUp(u16),
    LinkDown(u16),
    CloseBatches(u16, Micros),
    SettleMembers(Vec<Xid>),
    CompleteBatch(Xid),
    TakeOver(Xid),
    FromBank(Xid, Kind),
}

impl Before {
    fn of(returned: &Return) -> Before {
        match returned {
            Return::Durable(..) => Before::Durable,
            Return::Refused => Before::Refused,
            Return::Answer { answer, .. } => Before::Answer(*answer),
            Return::NotSent(sent) => Before::NotSent(*sent, Outcome::NotSent),
            Return::NotTaken(sent) => Before::NotSent(*sent, Outcome::NotTaken),
            Return::Lost(sent) => Before::Lost(*sent),
            Return::LinkUp { processor } => Before::LinkUp(*processor),
            Return::LinkDown { processor } => Before::LinkDown(*processor),
            // Tables are put in force behind the others' inputs, and a question changes nothing.
            Return::Configure { .. } | Return::Rules(_) | Return::Routes(_) | Return::FindKey { .. } => Before::Tick,
            Return::Merchant(terms) => Before::Merchant(*terms),
            Return::Processor(terms) => Before::Processor(*terms),
            Return::CloseBatches { processor, before, .. } => Before::CloseBatches(*processor, *before),
            Return::SettleMembers { members, .. } => {
                Before::SettleMembers(members.iter().map(|member| member.transaction().id).collect())
            }
            Return::CompleteBatch { batch } => Before::CompleteBatch(*batch),
            Return::TakeOver { transaction, .. } => Before::TakeOver(*transaction),
            Return::Returned { news, .. } => Before::FromBank(news.transaction, Kind::Returned),
            Return::ChangeNotified(news) => Before::FromBank(news.transaction, Kind::ChangeNotified),
            Return::Drain(_) | Return::Stop | Return::Report { .. } | Return::Outbox { .. } => Before::NoInput,
        }
    }
}

#[track_caller]
fn wrongly_begun(command: &Command, expect: Expect) -> ! {
    let invariant = match expect {
        Expect::Replays(_) | Expect::Refused(Refusal::KeyReused) => Invariant::OneEffectPerKey,
        Expect::Refused(Refusal::AmountTooLarge { .. } | Refusal::AmountZero | Refusal::BatchClosing) => Invariant::MoneyCloses,
        Expect::Begins(Begun::Payment(_) | Begun::Refund(_) | Begun::Capture(_) | Begun::Void) | Expect::Refused(_) => {
            Invariant::UnknownIsAState
        }
    };
    let (verb, id, target) = (command.verb(), command.id, command.target);
    broken(invariant, format_args!("{verb:?} {id} of {target} was begun where the model has {expect:?}"))
}

fn sequence_of_last(records: &[u8]) -> u64 {
    super::records::split(records).map(sequence).max().unwrap_or(0)
}
