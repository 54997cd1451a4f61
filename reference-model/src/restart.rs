//! After a crash: a model made of what lasted, and of nothing else.

use crate::facts::Facts;
use crate::fold::Fold;
use crate::model::{Collected, Flight, KeyUse, Model, Operation, Payment, Recent, Reversing, Terms};
use crate::tables::{Choice, RouteTable, RuleTable};
use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::command::flag;
use protocol::exchange::Exchange;
use protocol::id::Xid;
use protocol::tail::{Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalReason, ReversalState, Status, Verb};
use std::collections::BTreeSet;

/// What holds after a crash, besides what the journal says of payments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lasting {
    /// Merchants and processors.
    pub terms: Terms,
    /// The rules in force.
    pub rules: RuleTable,
    /// The routes in force.
    pub routes: RouteTable,
    /// Payments that were made before are counted no more.
    pub counted_since: Micros,
}

impl Model {
    /// The model of a shard that begins again with what its journal says. What was in flight still is, until
    /// [`Model::recovery_done`].
    pub fn restarted(fold: &Fold, is_ours: impl Fn(Xid) -> bool, lasting: Lasting, now: Micros) -> Model {
        let Lasting { terms, rules, routes, counted_since } = lasting;
        let mut model = Model { now, answers: fold.answers().clone(), rules, routes, ..Model::new(terms) };
        for transaction in fold.transactions().filter(|transaction| is_ours(transaction.merchant)) {
            let tail = fold.newest(transaction.id).map_or(&[][..], |(_, tail)| tail);
            model.take_back(transaction, Tail::trusted(tail), fold.began(transaction.id));
        }
        for batch in fold.batches().filter(|batch| is_ours(batch.merchant)) {
            model.take_back_batch(batch);
        }
        model.take_back_keys(fold);
        model.take_back_recent(fold);
        model.count_again(counted_since);
        model
    }

    /// Everything that lasted is back: nobody can say how far the requests in flight went.
    pub fn recovery_done(&mut self, now: Micros) {
        self.tick_windows(now);
        let in_flight: Vec<Xid> = self.flying.iter().map(|(_, id)| *id).collect();
        in_flight.into_iter().for_each(|id| self.unknown(id, ReversalReason::Lost));
    }

    /// Time passes, but no deadline does: those of before the crash are nobody's.
    fn tick_windows(&mut self, now: Micros) {
        let flying = core::mem::take(&mut self.flying);
        self.tick(now);
        self.flying = flying;
    }

    /// Whatever became of a payment, it counts.
    fn count_again(&mut self, since: Micros) {
        let counted = self.payments.values().filter(|payment| payment.verb != Verb::Refund && payment.facts.made_at >= since);
        let counted: Vec<Facts> = counted.map(|payment| payment.facts.clone()).collect();
        counted.iter().for_each(|facts| self.count(facts));
    }

    fn take_back(&mut self, transaction: &Transaction, tail: Tail<'_>, began: u32) {
        let operation = Operation { transaction: transaction.id, began };
        let payment = payment(transaction, tail, operation);
        if let Some(flight) = &payment.flight {
            self.flying.insert((flight.deadline, transaction.id));
        }
        if payment.is_reversing() {
            self.reversing.insert(transaction.id);
        }
        self.payments.insert(transaction.id, payment);
    }

    fn take_back_batch(&mut self, batch: &Batch) {
        let number = self.numbers.entry((batch.merchant, batch.processor.get())).or_default();
        *number = (*number).max(batch.number.get()).max(batch.members_number.get());
        if batch.state() == BatchState::Complete {
            return;
        }
        let named = self.payments.iter().filter(|(_, payment)| payment.batch == Some(batch.id));
        let (undecided, members): (BTreeSet<_>, BTreeSet<_>) =
            named.map(|(id, payment)| (*id, payment.flight.is_some() || payment.is_reversing())).partition(|(_, open)| *open);
        let stan = batch.stan.get();
        let collected = Collected {
            merchant: batch.merchant,
            processor: batch.processor.get(),
            currency: batch.currency.get(),
            number: batch.number.get(),
            members_number: batch.members_number.get(),
            state: batch.state(),
            sent: batch.state() == BatchState::Closing && stan != 0,
            number_used: false,
            stan,
            moved_at: batch.opened_or_closed_at(),
            members: members.into_iter().map(|(id, _)| id).collect(),
            undecided: undecided.into_iter().map(|(id, _)| id).collect(),
        };
        self.batches.insert(batch.id, collected);
    }

    fn take_back_keys(&mut self, fold: &Fold) {
        let now = self.now;
        for (hash, used) in fold.keys().filter(|(_, used)| used.expires_at > now) {
            if self.payments.contains_key(&used.operation.transaction) {
                let (request, verb, operation) = (used.request, used.verb, used.operation);
                self.remember_key(*hash, KeyUse { request, verb, operation, until: used.expires_at });
            }
        }
    }

    /// Only a payment that stands, or may stand yet, is in the way of one like it. Of several that are alike the newest is.
    fn take_back_recent(&mut self, fold: &Fold) {
        let ours = fold.transactions().filter(|transaction| self.payments.contains_key(&transaction.id));
        let mut standing: Vec<&Transaction> = ours.filter(|transaction| is_in_the_way(transaction)).collect();
        standing.sort_by_key(|transaction| core::cmp::Reverse((transaction.created_at.get(), transaction.id)));
        for transaction in standing {
            let window_s = self.terms.merchants.get(&transaction.merchant).map_or(0, |terms| terms.duplicate_window_s);
            let until = Micros(transaction.created_at.get()).plus_s(window_s);
            let likeness = self.payments[&transaction.id].likeness();
            self.remember_recent(likeness, Recent { id: transaction.id, until });
        }
    }
}

fn is_in_the_way(transaction: &Transaction) -> bool {
    let came_to_nothing =
        matches!(transaction.status(), Status::Declined | Status::Voided | Status::Reversed | Status::Unknown | Status::Returned);
    let is_known = transaction.fingerprint != [0; 16];
    !came_to_nothing && is_known && !transaction.has(flag::ALLOW_DUPLICATE) && transaction.verb() != Verb::Refund
}

fn payment(transaction: &Transaction, tail: Tail<'_>, operation: Operation) -> Payment {
    let flight = flight(transaction, operation);
    let reversal = &transaction.reversal;
    let reversing = Reversing {
        state: reversal.state(),
        reason: reversal.reason(),
        stan: reversal.stan.get(),
        queued_at: reversal.queued_at(),
    };
    let undecided = flight.is_some() || reversing.state == ReversalState::Queued;
    let captured = transaction.amount_captured.get();
    Payment {
        verb: transaction.verb(),
        merchant: transaction.merchant,
        processor: transaction.processor.get(),
        currency: transaction.currency.get(),
        status: transaction.status(),
        version: transaction.version.get(),
        amount: transaction.amount.get(),
        authorized: transaction.amount_authorized.get(),
        captured,
        settled: transaction.amount_settled.get(),
        refunded: transaction.amount_refunded.get(),
        refund_pending: transaction.amount_refund_pending.get(),
        parent: transaction.parent,
        batch: Some(transaction.batch).filter(|batch| !batch.is_none()),
        flight,
        original: transaction.original.state(),
        step: transaction.step.verb().map(|verb| (verb, transaction.step.state())),
        reversal: reversing,
        response_code: transaction.response_code.get(),
        choice: Choice::of(transaction),
        rule_name: Some(tail.text(tag::RULE_NAME).to_owned()).filter(|name| !name.is_empty()),
        stands_for: match transaction.verb() {
            Verb::Refund if undecided && captured == 0 => transaction.amount.get(),
            Verb::Refund if undecided => captured,
            _ => 0,
        },
        flags: transaction.flags.get(),
        fingerprint: transaction.fingerprint,
        facts: Facts::made(transaction, tail),
    }
}

fn flight(transaction: &Transaction, operation: Operation) -> Option<Flight> {
    let in_flight = |exchange: &Exchange| exchange.state() == ExchangeState::InFlight;
    let (exchange, step) = match () {
        () if in_flight(&transaction.original) => (&transaction.original, None),
        () if in_flight(&transaction.step) => (&transaction.step, transaction.step.verb()),
        () => return None,
    };
    let (amount, deadline, stan) = (exchange.amount.get(), Micros(exchange.deadline.get()), exchange.stan.get());
    Some(Flight { step, amount, deadline, operation, stan })
}
