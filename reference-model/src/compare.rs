//! The model beside what a shard has written: which field of which transaction differs, and what breaks by it.

use crate::batches::Totals;
use crate::invariant::Invariant;
use crate::model::{Model, Payment};
use crate::tables::Choice;
use core::fmt;
use protocol::batch::{Batch, BatchState};
use protocol::choice::SKIPS_NAMED_MAX;
use protocol::command::flag;
use protocol::id::Xid;
use protocol::tail::{Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::ReversalState;
use std::collections::BTreeMap;

/// A version of a transaction, and its tail.
pub type Version = (Transaction, Vec<u8>);

/// A field in which a shard and the model differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What breaks by it.
    pub invariant: Invariant,
    /// The transaction or batch.
    pub id: Xid,
    /// The field.
    pub field: &'static str,
    /// What the shard wrote.
    pub written: String,
    /// What the model has.
    pub expected: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { invariant, id, field, written, expected } = self;
        write!(f, "{invariant}: {field} of {id} is {written} where the model has {expected}")
    }
}

/// Differences of one thing.
struct Comparison {
    id: Xid,
    found: Vec<Difference>,
}

impl Comparison {
    fn field<T: PartialEq + fmt::Debug>(&mut self, invariant: Invariant, field: &'static str, written: T, expected: T) {
        if written != expected {
            let (written, expected) = (format!("{written:?}"), format!("{expected:?}"));
            self.found.push(Difference { invariant, id: self.id, field, written, expected });
        }
    }
}

impl Model {
    /// Takes from a shard's record what the model can't know: the trace number of a request in flight.
    pub fn observe(&mut self, transaction: &Transaction) {
        let Some(payment) = self.payments.get_mut(&transaction.id) else { return };
        if let Some(flight) = payment.flight.as_mut().filter(|flight| flight.stan == 0) {
            let exchange = if flight.step.is_some() { &transaction.step } else { &transaction.original };
            flight.stan = exchange.stan.get();
        }
    }

    /// The same of a batch: the trace number of its totals, and by whom a number was used that its processor has found used.
    pub fn observe_batch(&mut self, written: &Batch) {
        let Some(batch) = self.batches.get_mut(&written.id) else { return };
        if batch.sent && batch.stan == 0 {
            batch.stan = written.stan.get();
        }
        if batch.number_used && matches!(written.state(), BatchState::Accepted | BatchState::Rejected) {
            (batch.number_used, batch.state) = (false, written.state());
        }
    }

    /// Where a transaction's newest version is not what the model has.
    pub fn differences(&self, written: &Transaction, tail: Tail<'_>) -> Vec<Difference> {
        let mut comparison = Comparison { id: written.id, found: Vec::new() };
        match self.payments.get(&written.id) {
            Some(payment) => {
                compare_rules(&mut comparison, written, tail, payment);
                compare_standing(&mut comparison, written, payment);
                compare_money(&mut comparison, written, payment);
                compare_requests(&mut comparison, written, payment);
                compare_choice(&mut comparison, written, payment);
            }
            None => comparison.field(Invariant::OneEffectPerKey, "existence", true, false),
        }
        comparison.found
    }

    /// Where a batch's newest version is not what the model has.
    pub fn batch_differences(&self, written: &Batch) -> Vec<Difference> {
        let mut comparison = Comparison { id: written.id, found: Vec::new() };
        let money = Invariant::MoneyCloses;
        let Some(batch) = self.batches.get(&written.id) else {
            comparison.field(money, "state of the batch", written.state(), BatchState::Complete);
            return comparison.found;
        };
        comparison.field(money, "state of the batch", written.state(), batch.state);
        comparison.field(money, "number of the batch", written.number.get(), batch.number);
        comparison.field(money, "members' number of the batch", written.members_number.get(), batch.members_number);
        if batch.state == BatchState::Closing && batch.sent {
            comparison.field(money, "totals of the batch", totals_of(written), self.totals(batch));
        }
        comparison.found
    }

    /// Where the newest versions of all transactions and batches are not what the model has.
    pub fn all_differences(&self, latest: &BTreeMap<Xid, Version>, batches: &BTreeMap<Xid, Batch>) -> Vec<Difference> {
        let of = |(written, tail): &Version| self.differences(written, Tail::trusted(tail));
        let mut found: Vec<Difference> = latest.values().flat_map(of).collect();
        found.extend(batches.values().flat_map(|written| self.batch_differences(written)));
        found.extend(self.payments.keys().filter(|id| !latest.contains_key(id)).map(|id| missing(*id)));
        found.extend(self.batches.keys().filter(|id| !batches.contains_key(id)).map(|id| missing(*id)));
        found
    }
}

fn missing(id: Xid) -> Difference {
    let (written, expected) = ("false".to_owned(), "true".to_owned());
    Difference { invariant: Invariant::OutcomeFirst, id, field: "existence", written, expected }
}

/// What rules say of a payment follows from them and from what lasts: a change that was made is not lost, nor is a count.
fn compare_rules(comparison: &mut Comparison, written: &Transaction, tail: Tail<'_>, payment: &Payment) {
    let lasts = Invariant::OutcomeFirst;
    let said = |choice: &Choice| (choice.rules_version, choice.pre_rule, choice.post_rules_version, choice.post_rule);
    comparison.field(lasts, "rules asked", said(&Choice::of(written)), said(&payment.choice));
    let is_flagged = payment.flags & flag::FLAGGED != 0;
    comparison.field(lasts, "flag of a rule", written.has(flag::FLAGGED), is_flagged);
    comparison.field(lasts, "name of a rule", tail.text(tag::RULE_NAME), payment.rule_name.as_deref().unwrap_or(""));
}

/// The same of routes.
fn compare_choice(comparison: &mut Comparison, written: &Transaction, payment: &Payment) {
    let mut expected = payment.choice.clone();
    expected.skips.truncate(SKIPS_NAMED_MAX);
    comparison.field(Invariant::OutcomeFirst, "choice", Choice::of(written), expected);
}

fn compare_standing(comparison: &mut Comparison, written: &Transaction, payment: &Payment) {
    comparison.field(Invariant::UnknownIsAState, "status", written.status(), payment.status);
    comparison.field(Invariant::OutcomeFirst, "version", written.version.get(), payment.version);
    comparison.field(Invariant::OutcomeFirst, "response code", written.response_code.get(), payment.response_code);
    comparison.field(Invariant::OutcomeFirst, "merchant", written.merchant, payment.merchant);
    comparison.field(Invariant::OutcomeFirst, "processor", written.processor.get(), payment.processor);
}

fn compare_money(comparison: &mut Comparison, written: &Transaction, payment: &Payment) {
    let money = Invariant::MoneyCloses;
    comparison.field(money, "amount", written.amount.get(), payment.amount);
    comparison.field(money, "amount authorized", written.amount_authorized.get(), payment.authorized);
    comparison.field(money, "amount captured", written.amount_captured.get(), payment.captured);
    comparison.field(money, "amount settled", written.amount_settled.get(), payment.settled);
    comparison.field(money, "amount refunded", written.amount_refunded.get(), payment.refunded);
    comparison.field(money, "amount of pending refunds", written.amount_refund_pending.get(), payment.refund_pending);
    comparison.field(money, "currency", written.currency.get(), payment.currency);
    comparison.field(money, "batch", written.batch, payment.batch.unwrap_or(Xid::NONE));
}

fn compare_requests(comparison: &mut Comparison, written: &Transaction, payment: &Payment) {
    let unknown = Invariant::UnknownIsAState;
    comparison.field(unknown, "state of the original", written.original.state(), payment.original);
    let step = written.step.verb().map(|verb| (verb, written.step.state()));
    comparison.field(unknown, "state of the step", step, payment.step);
    if let Some(flight) = &payment.flight {
        let exchange = if flight.step.is_some() { &written.step } else { &written.original };
        comparison.field(unknown, "deadline", exchange.deadline.get(), flight.deadline.0);
        comparison.field(Invariant::MoneyCloses, "amount requested", exchange.amount.get(), flight.amount);
        comparison.field(Invariant::IntentFirst, "trace number", exchange.stan.get(), flight.stan);
    }
    let (reversal, expected) = (&written.reversal, &payment.reversal);
    comparison.field(Invariant::NoOrphan, "state of the reversal", reversal.state(), expected.state);
    if expected.state != ReversalState::None {
        comparison.field(Invariant::NoOrphan, "reason of the reversal", reversal.reason(), expected.reason);
        comparison.field(Invariant::NoOrphan, "trace number of the reversal", reversal.stan.get(), expected.stan);
        comparison.field(Invariant::NoOrphan, "moment of the reversal", reversal.queued_at(), expected.queued_at);
    }
}

fn totals_of(batch: &Batch) -> Totals {
    Totals {
        debits: batch.capture_count.get(),
        debited: batch.captured.get(),
        credits: batch.credit_count.get(),
        credited: batch.credited.get(),
    }
}
