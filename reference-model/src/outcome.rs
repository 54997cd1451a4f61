//! What becomes of a request: only an explicit answer approves or declines (I6).

use crate::model::{Flight, Model, Operation, Payment, Reversing};
use protocol::command::flag;
use protocol::id::Xid;
use protocol::limits::AMOUNT_MAX_MINOR;
use protocol::response_code::ResponseCode;
use protocol::words::{ExchangeState, ReversalReason, ReversalState, Status, Verb};
use switch_core::input::{Leg, Sent, Verdict};

impl Model {
    /// A processor has answered.
    pub fn heard(&mut self, sent: Sent, verdict: Verdict) {
        match sent.leg {
            Leg::Original | Leg::Step if self.awaits(sent) => self.decided(sent.id, verdict),
            // Too late, or nobody's: it changes nothing.
            Leg::Original | Leg::Step => {}
            Leg::Reversal if verdict != Verdict::TryLater && self.awaits_receipt(sent) => {
                self.reversal_over(sent.id, ReversalState::Done);
            }
            Leg::Reversal => {}
            Leg::Totals => self.totals_heard(sent, verdict),
        }
    }

    /// A request was provably never written.
    pub fn not_sent(&mut self, sent: Sent) {
        if !self.awaits(sent) {
            return;
        }
        let code = ResponseCode::COMMUNICATION_ERROR;
        match sent.leg {
            Leg::Step => self.fail_step(sent.id, ExchangeState::NotSent),
            Leg::Original | Leg::Reversal | Leg::Totals => self.decline(sent.id, code, ExchangeState::NotSent),
        }
    }

    /// No answer can come any more.
    pub fn lost(&mut self, sent: Sent) {
        if self.awaits(sent) {
            self.unknown(sent.id, ReversalReason::Lost);
        }
    }

    /// True when this very request is in flight.
    pub fn awaits(&self, sent: Sent) -> bool {
        let flight = self.payments.get(&sent.id).and_then(|payment| payment.flight.as_ref());
        flight.is_some_and(|flight| match sent.leg {
            Leg::Original => flight.step.is_none() && flight.stan == sent.stan,
            Leg::Step => flight.step.is_some() && flight.stan == sent.stan,
            Leg::Reversal | Leg::Totals => false,
        })
    }

    fn awaits_receipt(&self, sent: Sent) -> bool {
        let payment = self.payments.get(&sent.id);
        payment.is_some_and(|payment| payment.is_reversing() && payment.reversal.stan == sent.stan)
    }

    fn decided(&mut self, id: Xid, verdict: Verdict) {
        let Flight { step, amount, .. } = self.of(id).flight.clone().expect("it is in flight");
        let Payment { amount: asked, flags, .. } = *self.of(id);
        let allows_part = flags & flag::ALLOW_PARTIAL != 0;
        match (step, verdict) {
            (None, Verdict::AwaitsCustomer) => self.approve(id, asked, ResponseCode::APPROVED_PENDING_CUSTOMER),
            (None, Verdict::Approved) => self.approve(id, asked, ResponseCode::APPROVED),
            (None, Verdict::Partial { approved }) if approved == asked => self.approve(id, asked, ResponseCode::APPROVED),
            (None, Verdict::Partial { approved }) if allows_part && 0 < approved && approved < asked => {
                self.approve(id, approved, ResponseCode::PARTIAL_APPROVAL);
            }
            (None, Verdict::Partial { .. }) => self.refuse_part(id),
            (None, Verdict::Declined(code)) => self.decline(id, code, ExchangeState::Declined),
            (Some(Verb::Capture), Verdict::Approved) => self.capture(id, amount),
            (Some(_), Verdict::Approved) => self.void(id),
            (Some(_), Verdict::Declined(_)) => self.fail_step(id, ExchangeState::Declined),
            (None, Verdict::WithTip { tip }) => self.tipped(id, tip),
            (_, Verdict::Receipt | Verdict::TryLater)
            | (Some(_), Verdict::Partial { .. } | Verdict::AwaitsCustomer | Verdict::WithTip { .. }) => {
                self.unknown(id, ReversalReason::Lost);
            }
        }
    }

    /// The tip is part of the payment from here on.
    fn tipped(&mut self, id: Xid, tip: u64) {
        let payment = self.of(id);
        let total = payment.amount.saturating_add(tip);
        if !matches!(payment.verb, Verb::Sale | Verb::Authorize) || total > AMOUNT_MAX_MINOR {
            return self.unknown(id, ReversalReason::Lost);
        }
        payment.amount = total;
        self.approve(id, total, ResponseCode::APPROVED);
    }

    fn approve(&mut self, id: Xid, amount: u64, code: ResponseCode) {
        let payment = self.of(id);
        (payment.authorized, payment.response_code) = (amount, code.0);
        if matches!(payment.verb, Verb::Authorize | Verb::Verification) {
            payment.status = Status::Authorized;
        } else {
            (payment.captured, payment.status) = (amount, Status::PendingSettlement);
            self.join_batch(id);
        }
        self.conclude(id, ExchangeState::Approved);
        self.refund_decided(id, amount);
    }

    fn decline(&mut self, id: Xid, code: ResponseCode, state: ExchangeState) {
        let payment = self.of(id);
        (payment.status, payment.response_code) = (Status::Declined, code.0);
        self.forget_recent(id);
        self.leave_batch(id);
        self.conclude(id, state);
        self.refund_decided(id, 0);
    }

    /// Approved in part where that was not asked for: declined, and what was approved is taken back.
    fn refuse_part(&mut self, id: Xid) {
        let payment = self.of(id);
        (payment.status, payment.response_code) = (Status::Declined, ResponseCode::INSUFFICIENT_FUNDS.0);
        self.forget_recent(id);
        self.queue_reversal(id, ReversalReason::PartialNotAllowed);
        self.conclude(id, ExchangeState::Declined);
    }

    fn capture(&mut self, id: Xid, amount: u64) {
        let payment = self.of(id);
        (payment.captured, payment.status) = (amount, Status::PendingSettlement);
        self.join_batch(id);
        self.conclude(id, ExchangeState::Approved);
    }

    fn void(&mut self, id: Xid) {
        let payment = self.of(id);
        (payment.captured, payment.status) = (0, Status::Voided);
        self.forget_recent(id);
        self.leave_batch(id);
        self.conclude(id, ExchangeState::Approved);
        self.refund_decided(id, 0);
    }

    /// The transaction stands where it stood.
    fn fail_step(&mut self, id: Xid, state: ExchangeState) {
        let flight = self.of(id).flight.clone().expect("a step is in flight");
        if flight.step == Some(Verb::Capture) {
            self.leave_batch(id);
        } else {
            self.join_batch(id);
        }
        self.conclude(id, state);
        if flight.step == Some(Verb::Void) {
            self.refund_decided(id, flight.amount);
        }
    }

    /// The request in flight will not be answered: what it did at the processor, if anything, is taken back (I3).
    pub(crate) fn unknown(&mut self, id: Xid, reason: ReversalReason) {
        let payment = self.of(id);
        (payment.status, payment.response_code) = (Status::Unknown, ResponseCode::COMMUNICATION_ERROR.0);
        self.forget_recent(id);
        self.queue_reversal(id, reason);
        self.conclude(id, ExchangeState::Unknown);
    }

    /// A reversal repeats the trace number of the request that set it off.
    fn queue_reversal(&mut self, id: Xid, reason: ReversalReason) {
        let queued_at = self.now;
        let payment = self.of(id);
        let stan = payment.flight.as_ref().expect("what sets it off is in flight").stan;
        payment.reversal = Reversing { state: ReversalState::Queued, reason, stan, queued_at };
        self.reversing.insert(id);
    }

    /// An operator has seen to it that the processor holds nothing of a transaction. False when no reversal of it is queued.
    pub fn take_over(&mut self, id: Xid) -> bool {
        let is_queued = self.reversing.contains(&id);
        if is_queued {
            self.reversal_over(id, ReversalState::TakenOver);
        }
        is_queued
    }

    /// Nothing of it stands at the processor.
    fn reversal_over(&mut self, id: Xid, state: ReversalState) {
        self.reversing.remove(&id);
        let payment = self.touch(id);
        payment.reversal.state = state;
        payment.captured = 0;
        payment.version += 1;
        if payment.status == Status::Unknown {
            payment.status = Status::Reversed;
        }
        self.leave_batch(id);
        self.refund_decided(id, 0);
    }

    /// A refund is decided: of what it stood for, `paid` is paid and the rest is free again.
    fn refund_decided(&mut self, id: Xid, paid: u64) {
        let Payment { verb, parent, stands_for, .. } = *self.of(id);
        if verb != Verb::Refund {
            return;
        }
        let sale = self.touch(parent);
        sale.refund_pending -= stands_for;
        sale.refunded += paid;
        sale.version += 1;
        sale.status = match sale.refunded {
            0 => Status::Settled,
            all if all == sale.settled => Status::Refunded,
            _ => Status::PartiallyRefunded,
        };
        self.of(id).stands_for = 0;
    }

    fn conclude(&mut self, id: Xid, state: ExchangeState) {
        let payment = self.touch(id);
        let flight = payment.flight.take().expect("what is concluded was in flight");
        match flight.step {
            None => payment.original = state,
            Some(verb) => payment.step = Some((verb, state)),
        }
        self.flying.remove(&(flight.deadline, id));
        self.answered(flight.operation);
    }

    pub(crate) fn answered(&mut self, operation: Operation) {
        let payment = self.touch(operation.transaction);
        payment.version += 1;
        let version = payment.version;
        self.answers.insert(operation, version);
    }

    /// What came to nothing does not stand in the way of the next attempt.
    fn forget_recent(&mut self, id: Xid) {
        let likeness = self.payments[&id].likeness();
        if self.recent.get(&likeness).is_some_and(|recent| recent.id == id) {
            self.recent.remove(&likeness);
        }
    }
}
