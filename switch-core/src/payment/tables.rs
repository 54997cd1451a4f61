//! What the operator's tables say of a payment: which processor takes it and where else it may go, which rule speaks of it.
//!
//! Everything here that is asked before a payment is made changes nothing: a command that is refused leaves no count behind.

use super::{account_of, exchange};
use crate::conditions::Facts;
use crate::input::{Leg, ProcessorState};
use crate::limits::ROUTE_ATTEMPTS_MAX;
use crate::routing::{Outcome, Standing};
use crate::rules::{Match, Stage, Verdict};
use crate::shard::Shard;
use crate::table::SlotAt;
use protocol::choice::Choice;
use protocol::command::flag;
use protocol::id::Xid;
use protocol::limits::TAIL_MAX_BYTES;
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{Basis, PaymentMethod, SkipReason, Verb};
use std::borrow::Cow;

impl Shard {
    /// The facts of a payment; what its tail says is read only if a table asks for it.
    pub(super) fn facts_of(&self, transaction: &Transaction, tail: Tail<'_>) -> Facts {
        let mut facts = Facts::of(transaction);
        if self.rules.reads_tail(transaction.merchant) || self.routes.reads_tail(transaction.merchant) {
            facts.read_tail(tail);
        }
        facts
    }

    fn facts_at(&mut self, at: SlotAt) -> Facts {
        self.scratch.clear();
        self.tails.read(self.table[at].tail, &mut self.scratch);
        self.facts_of(&self.table[at].transaction, Tail::trusted(&self.scratch))
    }

    /// True when a payment of this merchant can be counted by all that count it.
    pub(super) fn make_room_to_count(&mut self, merchant: Xid) -> bool {
        let needed = self.rules.gauges(merchant).len() + self.routes.gauges(merchant).len();
        needed == 0 || self.velocity.make_room(needed, self.now)
    }

    /// Counts a payment that makes a transaction, whatever becomes of it.
    pub(crate) fn count_payment(&mut self, transaction: &Transaction, facts: &Facts) {
        self.velocity.count(transaction, self.rules.gauges(transaction.merchant), facts);
        self.velocity.count(transaction, self.routes.gauges(transaction.merchant), facts);
    }

    /// Chooses the processor: the one that the request names, else by the first route that matches, else the merchant's own.
    pub(super) fn choose_processor(&self, transaction: &mut Transaction, named: u16, facts: &mut Facts) -> Result<(), Refusal> {
        if named != 0 {
            return self.take_processor(transaction, named, Basis::Named);
        }
        let (merchant, method) = (transaction.merchant, transaction.payment_method());
        self.velocity.foresee(transaction, self.routes.gauges(merchant), facts);
        transaction.choice.routes_version = self.routes.version().into();
        let Some(route) = self.routes.first_match(merchant, facts) else {
            let own = self.merchant(merchant).map_or(0, |terms| terms.processors.of(method));
            if own == 0 {
                return Err(Refusal::MethodNotTaken { method });
            }
            return self.take_processor(transaction, own, Basis::Merchant);
        };
        let (processor, choice) = route.choose(transaction.id, &transaction.choice, |index| self.standing(index, method));
        transaction.processor = processor.ok_or_else(|| refusal_of_all(&choice, method))?.into();
        transaction.choice = Choice { routes_version: self.routes.version().into(), ..choice };
        Ok(())
    }

    /// A processor that nothing can take the place of: its circuit is not asked.
    fn take_processor(&self, transaction: &mut Transaction, index: u16, basis: Basis) -> Result<(), Refusal> {
        let method = transaction.payment_method();
        match self.standing(index, method) {
            Standing::Ready | Standing::Skip(SkipReason::CircuitOpen | SkipReason::NotSent) => {
                transaction.processor = index.into();
                transaction.choice.basis = basis.number();
                Ok(())
            }
            Standing::Skip(SkipReason::NotThere | SkipReason::Off) => Err(Refusal::ProcessorNotAvailable),
            Standing::Skip(SkipReason::AtItsLimit) => Err(Refusal::Busy),
            Standing::Skip(SkipReason::OtherMethod) => Err(Refusal::MethodNotTaken { method }),
        }
    }

    fn standing(&self, index: u16, method: PaymentMethod) -> Standing {
        match self.processor(index) {
            None => Standing::Skip(SkipReason::NotThere),
            Some(processor) if processor.terms.method != method => Standing::Skip(SkipReason::OtherMethod),
            Some(processor) if processor.terms.state != ProcessorState::Enabled => Standing::Skip(SkipReason::Off),
            Some(processor) if !processor.stans.has_room() => Standing::Skip(SkipReason::AtItsLimit),
            Some(processor) if !processor.health.lets_through(self.now) => Standing::Skip(SkipReason::CircuitOpen),
            Some(_) => Standing::Ready,
        }
    }

    /// Asks the rules before the processor is asked, and notes which one spoke. The code of a denial, `None` when the payment
    /// goes on.
    pub(super) fn is_denied_before(&self, transaction: &mut Transaction, facts: &mut Facts) -> Option<ResponseCode> {
        let merchant = transaction.merchant;
        if transaction.has(flag::BYPASS_RULES) || !self.rules.asks(Stage::Pre, merchant) {
            return None;
        }
        self.velocity.foresee(transaction, self.rules.gauges(merchant), facts);
        let found = self.rules.first_match(Stage::Pre, merchant, facts);
        transaction.choice.rules_version = self.rules.version().into();
        transaction.choice.pre_rule = found.map_or(0, |found| found.position).into();
        note_verdict(transaction, found)
    }

    /// The tail of a payment, with the name of the rule that denies or flags it.
    pub(super) fn tail_with_rule<'a>(&self, tail: Tail<'a>, transaction: &Transaction, denied: bool) -> Cow<'a, [u8]> {
        if !denied && !transaction.has(flag::FLAGGED) {
            return Cow::Borrowed(tail.bytes());
        }
        Cow::Owned(named(tail, self.rules.name(transaction.choice.pre_rule.get())))
    }

    /// Asks the rules after the processor's answer, which stands in the transaction, and notes which one spoke. The code of a
    /// denial, `None` when the payment stands. A refund gives back what was let through; no rule is asked about it.
    pub(super) fn is_denied_after(&mut self, at: SlotAt) -> Option<ResponseCode> {
        let transaction = &self.table[at].transaction;
        let merchant = transaction.merchant;
        let is_asked = transaction.verb() != Verb::Refund && !transaction.has(flag::BYPASS_RULES);
        if !is_asked || !self.rules.asks(Stage::Post, merchant) {
            return None;
        }
        let mut facts = self.facts_at(at);
        self.velocity.read(&self.table[at].transaction, self.rules.gauges(merchant), &mut facts, self.now);
        let found = self.rules.first_match(Stage::Post, merchant, &facts);
        let transaction = &mut self.table[at].transaction;
        transaction.post_rules_version = self.rules.version().into();
        transaction.choice.post_rule = found.map_or(0, |found| found.position).into();
        let denied = note_verdict(transaction, found);
        match found.map(|found| (found.verdict, found.position)) {
            Some((Verdict::Deny(_) | Verdict::Flag, position)) => self.note_rule_name(at, position),
            Some((Verdict::Accept, _)) | None => {}
        }
        denied
    }

    /// Writes a rule's name into a tail that is kept. Where there is no room the name is left out, because an answer can't be refused:
    /// the record has the rule's place and the table's version in any case.
    fn note_rule_name(&mut self, at: SlotAt, position: u16) {
        self.scratch.clear();
        self.tails.read(self.table[at].tail, &mut self.scratch);
        let tail = named(Tail::trusted(&self.scratch), self.rules.name(position));
        if tail.len() <= TAIL_MAX_BYTES && self.tails.has_room(tail.len()) {
            self.tails.forget(self.table[at].tail);
            self.table[at].tail = self.tails.keep(&tail);
            self.table[at].transaction.tail_length = (tail.len() as u32).into();
        }
    }

    /// The processor provably got nothing of a payment that came by a route: the next one of the route gets it, under a trace number of
    /// its own (I4). False when none is left.
    pub(super) fn fail_over(&mut self, at: SlotAt) -> bool {
        if self.table[at].transaction.choice.route.get() == 0 {
            return false;
        }
        let mut facts = self.facts_at(at);
        let transaction = &self.table[at].transaction;
        let (id, merchant, failed) = (transaction.id, transaction.merchant, transaction.processor.get());
        let method = transaction.payment_method();
        self.velocity.read(transaction, self.routes.gauges(merchant), &mut facts, self.now);
        let Some(route) = self.routes.first_match(merchant, &facts) else { return false };
        let (next, choice) = route.choose_next(id, &transaction.choice, failed, |index| self.standing(index, method));
        let choice = Choice { routes_version: self.routes.version().into(), ..choice };
        let moved = next.map(|processor| Transaction { processor: processor.into(), ..*transaction });
        let batch_id = batch_id(id, &choice);
        let has_room = moved.is_some_and(|moved| self.batches.has_room(account_of(&moved), batch_id));
        self.table[at].transaction.choice = choice;
        let Some(next) = next.filter(|_| has_room) else { return false };
        self.end_exchange(at, Leg::Original);
        self.leave_batch(at);
        let last_stan = self.table[at].transaction.original.stan.get();
        self.processor_mut(next).stans.pass(last_stan);
        self.table[at].transaction.processor = next.into();
        self.stats.fail_overs += 1;
        self.offer(at);
        true
    }

    /// Notes what became of one of a transaction's requests, for the health of its processor.
    pub(super) fn note_health(&mut self, at: SlotAt, leg: Leg, outcome: Outcome) {
        let transaction = &self.table[at].transaction;
        debug_assert_ne!(exchange(transaction, leg).stan.get(), 0);
        let (index, id, now, breaker) = (transaction.processor.get(), transaction.id, self.now, *self.routes.breaker());
        self.processor_mut(index).health.note(id, outcome, now, &breaker);
    }
}

/// The id of the batch that a payment opens when its account has none: another one after each fail-over, for the attempts before may
/// have opened theirs, at other processors. It follows from the attempt alone, so that an id never comes again at a second processor.
pub(super) fn batch_id(transaction: Xid, choice: &Choice) -> Xid {
    let failed = choice.skips().filter(|skip| skip.reason == Some(SkipReason::NotSent)).count();
    transaction.sibling(Xid::BATCH + failed.min(ROUTE_ATTEMPTS_MAX - 1) as u32)
}

// Each attempt's batch has a sibling of its own.
const _: () = assert!(Xid::BATCH + ROUTE_ATTEMPTS_MAX as u32 <= Xid::STRIDE);

/// Why none of a route's processors takes a payment.
fn refusal_of_all(choice: &Choice, method: PaymentMethod) -> Refusal {
    let mut reasons = choice.skips().map(|skip| skip.reason);
    if choice.skips().any(|skip| skip.reason == Some(SkipReason::AtItsLimit)) {
        Refusal::Busy
    } else if reasons.all(|reason| reason == Some(SkipReason::OtherMethod)) {
        Refusal::MethodNotTaken { method }
    } else {
        Refusal::ProcessorNotAvailable
    }
}

/// Marks a flagged payment. The code of a denied one.
fn note_verdict(transaction: &mut Transaction, found: Option<Match>) -> Option<ResponseCode> {
    match found?.verdict {
        Verdict::Deny(code) => Some(code),
        Verdict::Flag => {
            transaction.flags = (transaction.flags.get() | flag::FLAGGED).into();
            None
        }
        Verdict::Accept => None,
    }
}

/// A tail with a rule's name in it.
fn named(tail: Tail<'_>, name: &str) -> Vec<u8> {
    let mut patch = Vec::with_capacity(name.len() + 4);
    tail::push(&mut patch, tag::RULE_NAME, name.as_bytes());
    let mut merged = Vec::with_capacity(tail.bytes().len() + patch.len());
    tail::merge(tail, Tail::trusted(&patch), &mut merged);
    merged
}
