//! What becomes of a request: only an explicit answer approves or declines (I6).

use crate::model::{Flight, Model, Operation, Payment, Reversing};
use protocol::command::flag;
use protocol::id::Xid;
use protocol::limits::AMOUNT_MAX_MINOR;
use protocol::response_code::ResponseCode;
use protocol::words::{ExchangeState, ReversalReason, ReversalState, Status, Verb};
use switch_core::input::{Answer, Leg, Sent, Verdict};
use switch_core::routing::Outcome;

impl Model {
    /// A processor has answered.
    pub fn heard(&mut self, answer: &Answer) {
        let Answer { sent, verdict, .. } = *answer;
        match sent.leg {
            Leg::Original | Leg::Step if self.awaits(sent) => {
                self.note_health(sent.id, health_of(verdict));
                let letters = (answer.avs, answer.cvv);
                self.decided(sent.id, verdict, letters);
            }
            // Too late, or nobody's: it changes nothing.
            Leg::Original | Leg::Step => {}
            Leg::Reversal if verdict != Verdict::TryLater && self.awaits_receipt(sent) => {
                self.reversal_over(sent.id, ReversalState::Done);
            }
            Leg::Reversal => {}
            Leg::Totals => self.totals_heard(sent, verdict),
        }
    }

    /// A request was provably never written: the processor can't be reached, or it was not taken for a reason of our own. Whether one more
    /// batch could be opened is not the model's to know.
    pub fn not_sent(&mut self, sent: Sent, why: Outcome, has_room: bool) {
        if !self.awaits(sent) {
            return;
        }
        self.note_health(sent.id, why);
        let code = ResponseCode::COMMUNICATION_ERROR;
        match sent.leg {
            Leg::Original if self.fails_over(sent.id, has_room) => {}
            Leg::Step => self.fail_step(sent.id, ExchangeState::NotSent),
            Leg::Original | Leg::Reversal | Leg::Totals => self.decline(sent.id, code, ExchangeState::NotSent),
        }
    }

    /// No answer can come any more.
    pub fn lost(&mut self, sent: Sent) {
        if self.awaits(sent) {
            self.note_health(sent.id, Outcome::TimedOut);
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

    fn decided(&mut self, id: Xid, verdict: Verdict, letters: (u8, u8)) {
        let Flight { step, amount, .. } = self.of(id).flight.clone().expect("it is in flight");
        let Payment { amount: asked, flags, .. } = *self.of(id);
        let allows_part = flags & flag::ALLOW_PARTIAL != 0;
        match (step, verdict) {
            (None, Verdict::Approved) => self.approved(id, asked, ResponseCode::APPROVED, letters),
            (None, Verdict::AwaitsCustomer) => self.approved(id, asked, ResponseCode::APPROVED_PENDING_CUSTOMER, letters),
            (None, Verdict::Partial { approved }) if approved == asked => {
                self.approved(id, asked, ResponseCode::APPROVED, letters)
            }
            (None, Verdict::Partial { approved }) if allows_part && 0 < approved && approved < asked => {
                self.approved(id, approved, ResponseCode::PARTIAL_APPROVAL, letters);
            }
            (None, Verdict::Partial { .. }) => {
                self.refuse_approval(id, ResponseCode::INSUFFICIENT_FUNDS, ReversalReason::PartialNotAllowed);
            }
            (None, Verdict::Declined(code)) => {
                // There is nothing left to deny, but rules may speak of it.
                self.judge_after(id, code, letters);
                self.decline(id, code, ExchangeState::Declined);
            }
            (Some(Verb::Capture), Verdict::Approved) => self.capture(id, amount),
            (Some(_), Verdict::Approved) => self.void(id),
            (Some(_), Verdict::Declined(_)) => self.fail_step(id, ExchangeState::Declined),
            (None, Verdict::WithTip { tip }) => self.tipped(id, tip, letters),
            (_, Verdict::Receipt | Verdict::TryLater)
            | (Some(_), Verdict::Partial { .. } | Verdict::AwaitsCustomer | Verdict::WithTip { .. }) => {
                self.unknown(id, ReversalReason::Lost);
            }
        }
    }

    /// The tip is part of the payment from here on.
    fn tipped(&mut self, id: Xid, tip: u64, letters: (u8, u8)) {
        let payment = self.of(id);
        let total = payment.amount.saturating_add(tip);
        if !matches!(payment.verb, Verb::Sale | Verb::Authorize) || total > AMOUNT_MAX_MINOR {
            return self.unknown(id, ReversalReason::Lost);
        }
        payment.amount = total;
        self.approved(id, total, ResponseCode::APPROVED, letters);
    }

    /// A rule may deny what the processor has approved; then what was approved is taken back.
    fn approved(&mut self, id: Xid, amount: u64, code: ResponseCode, letters: (u8, u8)) {
        match self.judge_after(id, code, letters) {
            Some(denial) => self.refuse_approval(id, denial, ReversalReason::DeniedByRule),
            None => self.approve(id, amount, code),
        }
    }

    /// What the rules say of an answer. A refund gives back what was let through: no rule is asked about it.
    fn judge_after(&mut self, id: Xid, code: ResponseCode, (avs, cvv): (u8, u8)) -> Option<ResponseCode> {
        self.of(id).facts.answer = (avs, cvv, code.0);
        let mut payment = self.payments[&id].clone();
        if payment.verb == Verb::Refund {
            return None;
        }
        let judgement = self.judge("post", &self.payments[&id].facts, payment.flags, true)?;
        judgement.note(&mut payment, true);
        let denial = judgement.denial();
        self.payments.insert(id, payment);
        denial
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

    /// Approved in part where that was not asked for, or denied by a rule: declined, and what was approved is taken back.
    fn refuse_approval(&mut self, id: Xid, code: ResponseCode, reason: ReversalReason) {
        let payment = self.of(id);
        (payment.status, payment.response_code) = (Status::Declined, code.0);
        self.forget_recent(id);
        self.queue_reversal(id, reason);
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
        sale.status = after_refunds(sale);
        self.of(id).stands_for = 0;
    }

    /// Of what was paid back of a sale, so much has come back.
    pub(crate) fn take_back_refund(&mut self, sale: Xid, amount: u64) {
        let sale = self.touch(sale);
        sale.refunded -= amount;
        sale.version += 1;
        sale.status = after_refunds(sale);
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
    pub(crate) fn forget_recent(&mut self, id: Xid) {
        let likeness = self.payments[&id].likeness();
        if self.recent.get(&likeness).is_some_and(|recent| recent.id == id) {
            self.recent.remove(&likeness);
        }
    }
}

/// Where a settled sale stands by what was paid back of it; one that was returned stays so.
fn after_refunds(sale: &Payment) -> Status {
    match sale.refunded {
        _ if sale.status == Status::Returned => Status::Returned,
        0 => Status::Settled,
        all if all == sale.settled => Status::Refunded,
        _ => Status::PartiallyRefunded,
    }
}

/// What an answer says of how its processor fares: a decline is as good an answer as an approval.
fn health_of(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Declined(ResponseCode::PROCESSOR_ERROR | ResponseCode::COMMUNICATION_ERROR) => Outcome::Failed,
        Verdict::Approved
        | Verdict::AwaitsCustomer
        | Verdict::WithTip { .. }
        | Verdict::Partial { .. }
        | Verdict::Declined(_) => Outcome::Answered,
        Verdict::Receipt | Verdict::TryLater => Outcome::Failed,
    }
}
