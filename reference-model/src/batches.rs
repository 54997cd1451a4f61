//! Batches: what enters, what stays, what their totals are, and when they are done.

use crate::model::{Collected, Model, Payment};
use protocol::batch::BatchState;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::response_code::ResponseCode;
use protocol::words::{PaymentMethod, Status, Verb};
use std::collections::BTreeSet;
use switch_core::input::{Sent, Verdict};

/// Counts and sums of a batch's members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) debits: u32,
    pub(crate) debited: u64,
    pub(crate) credits: u32,
    pub(crate) credited: u64,
}

impl Model {
    /// Closes what is open at a processor and has something in it, and what was rejected. Says how many.
    /// Those that were opened, or last closed, at `before` or later are not meant.
    pub fn close_batches(&mut self, processor: u16, before: Micros) -> u32 {
        let is_closable = |batch: &Collected| match batch.state {
            BatchState::Open => !batch.members.is_empty() || !batch.undecided.is_empty(),
            BatchState::Rejected => true,
            BatchState::Closing | BatchState::Accepted | BatchState::Complete => false,
        };
        let is_meant = |batch: &Collected| batch.processor == processor && batch.moved_at < before && is_closable(batch);
        let closable = self.batches.iter().filter(|(_, batch)| is_meant(batch));
        let closable: Vec<Xid> = closable.map(|(id, _)| *id).collect();
        for id in &closable {
            self.close(*id);
        }
        closable.len() as u32
    }

    fn close(&mut self, id: Xid) {
        let Collected { merchant, processor, state, .. } = *self.batch(id);
        if state == BatchState::Rejected {
            self.batch(id).number = self.next_number(merchant, processor);
        }
        let now = self.now;
        let batch = self.batch(id);
        (batch.state, batch.sent, batch.stan, batch.moved_at) = (BatchState::Closing, false, 0, now);
        self.send_totals_if_ready(id);
    }

    pub(crate) fn totals_heard(&mut self, sent: Sent, verdict: Verdict) {
        let Some(batch) = self.batches.get_mut(&sent.id) else { return };
        let awaited = batch.state == BatchState::Closing && batch.sent && batch.stan == sent.stan;
        match verdict {
            Verdict::Approved if awaited => batch.state = BatchState::Accepted,
            Verdict::Declined(ResponseCode::DUPLICATE_AT_PROCESSOR) if awaited => batch.number_used = true,
            Verdict::Declined(_) if awaited => batch.state = BatchState::Rejected,
            Verdict::Approved | Verdict::Declined(_) => {}
            // Neither accepted nor rejected: the totals are repeated.
            Verdict::Partial { .. }
            | Verdict::AwaitsCustomer
            | Verdict::WithTip { .. }
            | Verdict::Receipt
            | Verdict::TryLater => {}
        }
    }

    /// True when a member of an accepted batch waits to be settled.
    pub fn may_settle(&self, id: Xid) -> bool {
        self.payments.get(&id).is_some_and(|payment| {
            let batch = payment.batch.and_then(|batch| self.batches.get(&batch));
            payment.status == Status::PendingSettlement && batch.is_some_and(|batch| batch.state == BatchState::Accepted)
        })
    }

    /// One member of an accepted batch is settled.
    pub fn settle(&mut self, id: Xid) {
        let payment = self.touch(id);
        payment.status = Status::Settled;
        payment.settled = payment.captured;
        payment.version += 1;
    }

    /// Whoever drives settlement has given every member.
    pub fn complete(&mut self, id: Xid) {
        let Some(batch) = self.batches.get(&id) else { return };
        let waits = |member: &Xid| self.payments[member].status == Status::PendingSettlement;
        if batch.state == BatchState::Accepted && !batch.members.iter().any(waits) {
            self.batches.remove(&id);
        }
    }

    /// True when a bank may send an entry back: its money is settled, or in a batch whose totals are not under way.
    pub fn may_return(&self, id: Xid) -> bool {
        let Some(payment) = self.payments.get(&id).filter(|payment| payment.facts.method() == PaymentMethod::Ach) else {
            return false;
        };
        let batch = payment.batch.and_then(|batch| self.batches.get(&batch));
        match payment.status {
            _ if payment.flight.is_some() => false,
            Status::Settled | Status::PartiallyRefunded | Status::Refunded => true,
            Status::PendingSettlement => batch.is_some_and(|batch| match batch.state {
                BatchState::Open | BatchState::Rejected => true,
                BatchState::Closing => !batch.sent,
                BatchState::Accepted | BatchState::Complete => false,
            }),
            _ => false,
        }
    }

    /// A bank sends an entry back: what was not settled leaves its batch, and a refund that came back was not paid.
    pub fn returned(&mut self, id: Xid) {
        self.forget_recent(id);
        let payment = self.touch(id);
        let Payment { verb, parent, captured, .. } = *payment;
        let was = core::mem::replace(&mut payment.status, Status::Returned);
        payment.version += 1;
        if verb == Verb::Refund {
            self.take_back_refund(parent, captured);
        }
        if was == Status::PendingSettlement {
            let payment = self.of(id);
            payment.captured = 0;
            if let Some(at) = payment.batch.take() {
                self.batch(at).members.remove(&id);
                self.send_totals_if_ready(at);
            }
        }
    }

    /// A bank says that an account's data have changed: the money stands.
    pub fn change_notified(&mut self, id: Xid) {
        self.touch(id).version += 1;
    }

    fn send_totals_if_ready(&mut self, id: Xid) {
        let batch = self.batch(id);
        if batch.state != BatchState::Closing || batch.sent || !batch.undecided.is_empty() {
            return;
        }
        batch.sent = true;
        // Nothing is left in it: it is complete.
        if batch.members.is_empty() {
            self.batches.remove(&id);
        }
    }

    /// Puts money that is undecided into its account's open batch, or opens one with this id.
    pub(crate) fn enter_batch(&mut self, id: Xid, new_batch: Xid) {
        let payment = &self.payments[&id];
        let account = (payment.merchant, payment.processor, payment.currency);
        let at = self.open_batch_of(payment).unwrap_or_else(|| self.open_batch(account, new_batch));
        self.batch(at).undecided.insert(id);
        self.of(id).batch = Some(at);
    }

    /// The open batch of a payment's account.
    pub(crate) fn open_batch_of(&self, payment: &Payment) -> Option<Xid> {
        let account = (payment.merchant, payment.processor, payment.currency);
        let is_it =
            |batch: &Collected| batch.state == BatchState::Open && (batch.merchant, batch.processor, batch.currency) == account;
        self.batches.iter().find(|(_, batch)| is_it(batch)).map(|(id, _)| *id)
    }

    fn open_batch(&mut self, (merchant, processor, currency): (Xid, u16, u16), id: Xid) -> Xid {
        let number = self.next_number(merchant, processor);
        let (members, undecided) = (BTreeSet::new(), BTreeSet::new());
        let (state, stan, members_number, moved_at) = (BatchState::Open, 0, number, self.now);
        let batch = Collected {
            merchant,
            processor,
            currency,
            number,
            members_number,
            state,
            sent: false,
            number_used: false,
            stan,
            moved_at,
            members,
            undecided,
        };
        assert!(self.batches.insert(id, batch).is_none(), "a batch's id is its own");
        id
    }

    pub(crate) fn join_batch(&mut self, id: Xid) {
        if let Some(at) = self.of(id).batch {
            let batch = self.batch(at);
            batch.undecided.remove(&id);
            batch.members.insert(id);
            self.send_totals_if_ready(at);
        }
    }

    pub(crate) fn leave_batch(&mut self, id: Xid) {
        if let Some(at) = self.of(id).batch.take() {
            self.batch(at).undecided.remove(&id);
            self.send_totals_if_ready(at);
        }
    }

    fn next_number(&mut self, merchant: Xid, processor: u16) -> u32 {
        let number = self.numbers.entry((merchant, processor)).or_default();
        *number += 1;
        *number
    }

    pub(crate) fn totals(&self, batch: &Collected) -> Totals {
        let members = batch.members.iter().map(|member| &self.payments[member]);
        members.fold(Totals::default(), |totals, member| {
            let (debits, debited, credits, credited) = match member.verb.pays_out() {
                false => (1, member.captured, 0, 0),
                true => (0, 0, 1, member.captured),
            };
            Totals {
                debits: totals.debits + debits,
                debited: totals.debited + debited,
                credits: totals.credits + credits,
                credited: totals.credited + credited,
            }
        })
    }
}
