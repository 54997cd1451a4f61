//! What becomes of a request: approved, declined, unknown, or provably not sent. Only an explicit answer approves or declines (I6).

use super::create::captures_at_once;
use super::{exchange, exchange_mut};
use crate::input::{Answer, Leg, Sent, Verdict};
use crate::output::Written;
use crate::routing::Outcome;
use crate::shard::Shard;
use crate::table::SlotAt;
use protocol::command::flag;
use protocol::exchange::Exchange;
use protocol::id::Xid;
use protocol::limits::{AMOUNT_MAX_MINOR, TAIL_MAX_BYTES};
use protocol::record::Kind;
use protocol::response_code::ResponseCode;
use protocol::tail::{self, Tail, tag};
use protocol::words::{Brand, ExchangeState, ReversalReason, ReversalState, Status, Verb};

impl Shard {
    pub(crate) fn answered(&mut self, answer: &Answer, facts: Tail<'_>) {
        let Sent { id, leg, stan } = answer.sent;
        if leg == Leg::Totals {
            return self.totals_answered(answer);
        }
        let Some(at) = self.table.find(id) else {
            self.stats.unmatched_answers += 1;
            return;
        };
        match leg {
            Leg::Reversal => self.reversal_answered(at, answer),
            Leg::Original | Leg::Step if self.awaits(at, leg, stan) => {
                self.note_health(at, leg, health_of(&answer.verdict));
                self.take_facts(at, facts);
                match leg {
                    Leg::Step => self.step_answered(at, answer),
                    Leg::Original | Leg::Reversal | Leg::Totals => self.original_answered(at, answer),
                }
            }
            Leg::Original | Leg::Step | Leg::Totals => self.note_late(at, answer),
        }
    }

    fn awaits(&self, at: SlotAt, leg: Leg, stan: u32) -> bool {
        let exchange = exchange(&self.table[at].transaction, leg);
        exchange.state() == ExchangeState::InFlight && exchange.stan.get() == stan
    }

    /// Money never waits for facts: where there is no room for them they are left out, and that is counted.
    pub(super) fn lay_facts(&mut self, at: SlotAt, facts: Tail<'_>) {
        let length = self.merged_length(at, facts);
        if length > TAIL_MAX_BYTES || !self.tails.has_room(length) {
            self.stats.facts_left_out += 1;
            return;
        }
        self.merge_tail(at, facts);
    }

    /// What an answer says beside the money. Cards' say nothing.
    fn take_facts(&mut self, at: SlotAt, facts: Tail<'_>) {
        if !facts.bytes().is_empty() {
            self.lay_facts(at, facts);
            self.note_card(at, facts);
        }
    }

    /// A terminal says which card it has read.
    fn note_card(&mut self, at: SlotAt, facts: Tail<'_>) {
        let transaction = &mut self.table[at].transaction;
        if let Some(brand) = Brand::from_word(facts.text(tag::CARD_TYPE)) {
            transaction.brand = brand.number();
        }
        let last_four = facts.text(tag::LAST_FOUR);
        if last_four.len() == 4
            && let Ok(number) = last_four.parse::<u16>()
        {
            transaction.last_four = number.into();
        }
    }

    /// An answer after its deadline changes nothing: the reversal that was queued then covers it (I3, I6).
    fn note_late(&mut self, at: SlotAt, answer: &Answer) {
        self.stats.late_answers += 1;
        self.counts_mut(at).late_answers += 1;
        self.stats.late_approvals += u64::from(answer.verdict.is_approval());
    }

    fn original_answered(&mut self, at: SlotAt, answer: &Answer) {
        let transaction = &mut self.table[at].transaction;
        note_answer(&mut transaction.original, answer);
        let requested = transaction.amount.get();
        let partial_allowed = transaction.has(flag::ALLOW_PARTIAL);
        match answer.verdict {
            Verdict::Approved => self.approve_original(at, requested, ResponseCode::APPROVED),
            Verdict::AwaitsCustomer => self.approve_original(at, requested, ResponseCode::APPROVED_PENDING_CUSTOMER),
            Verdict::WithTip { tip } => self.approve_with_tip(at, tip),
            Verdict::Partial { approved } if approved == requested => {
                self.approve_original(at, requested, ResponseCode::APPROVED)
            }
            Verdict::Partial { approved } if partial_allowed && (1..requested).contains(&approved) => {
                self.approve_original(at, approved, ResponseCode::PARTIAL_APPROVAL);
            }
            Verdict::Partial { .. } => {
                self.refuse_approval(at, ResponseCode::INSUFFICIENT_FUNDS, ReversalReason::PartialNotAllowed);
            }
            Verdict::Declined(code) => {
                transaction.original.response_code = code.0.into();
                // A rule may mark what was declined; there is nothing left to deny.
                self.is_denied_after(at);
                self.decline_original(at, code, ExchangeState::Declined);
            }
            Verdict::Receipt | Verdict::TryLater => self.become_unknown(at, Leg::Original, ReversalReason::Lost),
        }
    }

    /// The shopper's tip is part of the payment from here on. An amount that no payment can have is no answer.
    fn approve_with_tip(&mut self, at: SlotAt, tip: u64) {
        let transaction = &self.table[at].transaction;
        let takes_tips = matches!(transaction.verb(), Verb::Sale | Verb::Authorize);
        let total = transaction.amount.get().checked_add(tip).filter(|total| takes_tips && *total <= AMOUNT_MAX_MINOR);
        let Some(total) = total else { return self.become_unknown(at, Leg::Original, ReversalReason::Lost) };
        self.table[at].transaction.amount = total.into();
        self.note_tip(at, tip);
        self.approve_original(at, total, ResponseCode::APPROVED);
    }

    /// The tip in the tail is the request's and the terminal's together.
    fn note_tip(&mut self, at: SlotAt, tip: u64) {
        self.scratch.clear();
        self.tails.read(self.table[at].tail, &mut self.scratch);
        let before = Tail::trusted(&self.scratch).number(tag::TIP_AMOUNT).unwrap_or(0);
        let mut patch = Vec::with_capacity(12);
        tail::push(&mut patch, tag::TIP_AMOUNT, &before.saturating_add(tip).to_le_bytes());
        self.lay_facts(at, Tail::trusted(&patch));
    }

    fn approve_original(&mut self, at: SlotAt, amount: u64, code: ResponseCode) {
        self.table[at].transaction.original.response_code = code.0.into();
        if let Some(denial) = self.is_denied_after(at) {
            self.stats.rule_denials += 1;
            return self.refuse_approval(at, denial, ReversalReason::DeniedByRule);
        }
        self.end_exchange(at, Leg::Original);
        let now = self.now.0;
        let transaction = &mut self.table[at].transaction;
        let (verb, requested) = (transaction.verb(), transaction.amount.get());
        transaction.original.state = ExchangeState::Approved.number();
        transaction.response_code = code.0.into();
        transaction.amount_authorized = amount.into();
        if captures_at_once(verb) {
            transaction.amount_captured = amount.into();
            transaction.captured_at = now.into();
            transaction.status = Status::PendingSettlement.number();
            self.join_batch(at);
        } else {
            transaction.status = Status::Authorized.number();
        }
        self.conclude_original(at, verb);
        self.refund_decided(at, requested, amount);
    }

    fn decline_original(&mut self, at: SlotAt, code: ResponseCode, state: ExchangeState) {
        self.end_exchange(at, Leg::Original);
        self.forget_recent(at);
        let transaction = &mut self.table[at].transaction;
        let (verb, amount) = (transaction.verb(), transaction.amount.get());
        transaction.original.state = state.number();
        transaction.original.response_code = code.0.into();
        transaction.response_code = code.0.into();
        transaction.status = Status::Declined.number();
        self.leave_batch(at);
        self.conclude_original(at, verb);
        self.refund_decided(at, amount, 0);
    }

    /// Approved in part where that was not asked for, or denied by a rule: declined, and what was approved is taken back.
    fn refuse_approval(&mut self, at: SlotAt, code: ResponseCode, reason: ReversalReason) {
        self.lands(at);
        self.forget_recent(at);
        let transaction = &mut self.table[at].transaction;
        let verb = transaction.verb();
        transaction.original.state = ExchangeState::Declined.number();
        transaction.original.response_code = code.0.into();
        transaction.response_code = code.0.into();
        transaction.status = Status::Declined.number();
        self.queue_reversal(at, Leg::Original, reason);
        let written = self.commit(at, Kind::Outcome, true);
        self.tell(at, verb, written);
        self.send_reversal(at, written);
    }

    fn conclude_original(&mut self, at: SlotAt, verb: Verb) {
        let written = self.commit(at, Kind::Outcome, true);
        self.tell(at, verb, written);
    }

    fn step_answered(&mut self, at: SlotAt, answer: &Answer) {
        let step = &mut self.table[at].transaction.step;
        note_answer(step, answer);
        match (answer.verdict, step.verb()) {
            (Verdict::Approved, Some(Verb::Capture)) => self.approve_capture(at),
            (Verdict::Approved, Some(Verb::Void)) => self.approve_void(at),
            (Verdict::Declined(code), _) => self.fail_step(at, code, ExchangeState::Declined),
            // A step has no part: whatever the host did, it is not what was asked, and is taken back.
            (
                Verdict::Partial { .. }
                | Verdict::AwaitsCustomer
                | Verdict::WithTip { .. }
                | Verdict::Receipt
                | Verdict::TryLater
                | Verdict::Approved,
                _,
            ) => {
                self.become_unknown(at, Leg::Step, ReversalReason::Lost);
            }
        }
    }

    fn approve_capture(&mut self, at: SlotAt) {
        self.end_exchange(at, Leg::Step);
        let now = self.now.0;
        let transaction = &mut self.table[at].transaction;
        transaction.amount_captured = transaction.step.amount;
        transaction.captured_at = now.into();
        transaction.status = Status::PendingSettlement.number();
        self.join_batch(at);
        self.conclude_step(at, ResponseCode::APPROVED, ExchangeState::Approved);
    }

    fn approve_void(&mut self, at: SlotAt) {
        self.end_exchange(at, Leg::Step);
        let transaction = &mut self.table[at].transaction;
        let amount = transaction.step.amount.get();
        transaction.amount_captured = 0.into();
        transaction.status = Status::Voided.number();
        self.leave_batch(at);
        self.forget_recent(at);
        self.conclude_step(at, ResponseCode::APPROVED, ExchangeState::Approved);
        self.refund_decided(at, amount, 0);
    }

    /// The step did not happen: the transaction stands where it stood.
    fn fail_step(&mut self, at: SlotAt, code: ResponseCode, state: ExchangeState) {
        self.end_exchange(at, Leg::Step);
        let step = &self.table[at].transaction.step;
        let (verb, amount) = (step.verb(), step.amount.get());
        match verb {
            Some(Verb::Capture) => self.leave_batch(at),
            _ => self.join_batch(at),
        }
        self.conclude_step(at, code, state);
        if verb == Some(Verb::Void) {
            self.refund_decided(at, amount, amount);
        }
    }

    fn conclude_step(&mut self, at: SlotAt, code: ResponseCode, state: ExchangeState) {
        let step = &mut self.table[at].transaction.step;
        step.state = state.number();
        step.response_code = code.0.into();
        let verb = step.verb();
        let written = self.commit(at, Kind::StepOutcome, true);
        self.tell(at, verb.expect("a step in flight has its verb"), written);
    }

    /// No explicit answer will be waited for any longer: the outcome is unknown, the client is told so, and a reversal is queued (I3).
    pub(crate) fn become_unknown(&mut self, at: SlotAt, leg: Leg, reason: ReversalReason) {
        self.lands(at);
        self.stats.unknowns += 1;
        self.counts_mut(at).unknowns += 1;
        self.forget_recent(at);
        let transaction = &mut self.table[at].transaction;
        let code = ResponseCode::COMMUNICATION_ERROR.0;
        let exchange = exchange_mut(transaction, leg);
        exchange.state = ExchangeState::Unknown.number();
        exchange.response_code = code.into();
        let verb = exchange.verb().expect("a request in flight has its verb");
        transaction.response_code = code.into();
        transaction.status = Status::Unknown.number();
        self.queue_reversal(at, leg, reason);
        let written = self.commit(at, Kind::ReversalQueued, true);
        self.tell(at, verb, written);
        self.send_reversal(at, written);
    }

    /// The link says that nothing of a request was ever written, and whether that says something of the processor.
    pub(crate) fn not_sent(&mut self, sent: Sent, outcome: Outcome) {
        match sent.leg {
            Leg::Totals => self.totals_not_sent(sent),
            Leg::Reversal => self.reversal_not_sent(sent),
            leg @ (Leg::Original | Leg::Step) => {
                let Some(at) = self.table.find(sent.id).filter(|at| self.awaits(*at, leg, sent.stan)) else { return };
                self.note_health(at, leg, outcome);
                let code = ResponseCode::COMMUNICATION_ERROR;
                match leg {
                    Leg::Original if self.fail_over(at) => {}
                    Leg::Step => self.fail_step(at, code, ExchangeState::NotSent),
                    Leg::Original | Leg::Reversal | Leg::Totals => self.decline_original(at, code, ExchangeState::NotSent),
                }
            }
        }
    }

    /// The connection is gone on which an answer could have come.
    pub(crate) fn lost(&mut self, sent: Sent) {
        match sent.leg {
            Leg::Totals => self.totals_lost(sent),
            Leg::Reversal => self.reversal_not_sent(sent),
            leg @ (Leg::Original | Leg::Step) => {
                if let Some(at) = self.table.find(sent.id).filter(|at| self.awaits(*at, leg, sent.stan)) {
                    self.note_health(at, leg, Outcome::TimedOut);
                    self.become_unknown(at, leg, ReversalReason::Lost);
                }
            }
        }
    }

    fn reversal_answered(&mut self, at: SlotAt, answer: &Answer) {
        let reversal = &self.table[at].transaction.reversal;
        if reversal.state() != ReversalState::Queued || reversal.stan.get() != answer.sent.stan {
            self.stats.unmatched_answers += 1;
            return;
        }
        match answer.verdict {
            Verdict::TryLater => {}
            Verdict::Approved
            | Verdict::AwaitsCustomer
            | Verdict::WithTip { .. }
            | Verdict::Partial { .. }
            | Verdict::Declined(_)
            | Verdict::Receipt => {
                self.stats.reversals_done += 1;
                self.counts_mut(at).reversals_done += 1;
                self.reversal_over(at, ReversalState::Done);
            }
        }
    }

    /// Nothing of the transaction stands at the processor's side any more: it has the reversal, or an operator has seen to it.
    pub(crate) fn reversal_over(&mut self, at: SlotAt, state: ReversalState) -> Written {
        self.cancel_alarm(at);
        self.forget_reversal(at);
        let now = self.now.0;
        let transaction = &mut self.table[at].transaction;
        transaction.reversal.state = state.number();
        transaction.reversal.done_at = now.into();
        let amount = undecided_amount(transaction);
        transaction.amount_captured = 0.into();
        // A partial approval that was refused stays declined: its client was told so.
        if transaction.status() == Status::Unknown {
            transaction.status = Status::Reversed.number();
        }
        if transaction.batch != Xid::NONE {
            self.leave_batch(at);
        }
        let written = self.commit(at, Kind::ReversalDone, false);
        self.refund_decided(at, amount, 0);
        written
    }
}

/// What an answer says of the processor's own health: a decline is as good an answer as an approval.
fn health_of(verdict: &Verdict) -> Outcome {
    match verdict {
        Verdict::Approved | Verdict::AwaitsCustomer | Verdict::WithTip { .. } | Verdict::Partial { .. } => Outcome::Answered,
        Verdict::Declined(ResponseCode::PROCESSOR_ERROR | ResponseCode::COMMUNICATION_ERROR) => Outcome::Failed,
        Verdict::Declined(_) => Outcome::Answered,
        Verdict::Receipt | Verdict::TryLater => Outcome::Failed,
    }
}

/// What a refund that is being reversed keeps pending in its sale: what was approved, or asked for when nothing was.
fn undecided_amount(transaction: &protocol::transaction::Transaction) -> u64 {
    match transaction.amount_captured.get() {
        0 => transaction.amount.get(),
        captured => captured,
    }
}

/// Copies what an answer says into the request that it answers.
fn note_answer(exchange: &mut Exchange, answer: &Answer) {
    exchange.processor_code = answer.processor_code;
    exchange.auth_code = answer.auth_code;
    exchange.text = answer.text;
    exchange.avs = answer.avs;
    exchange.cvv = answer.cvv;
}
