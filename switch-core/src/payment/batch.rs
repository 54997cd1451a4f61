//! Closing a batch: totals to the processor, its answer, and the settling of the members.

use crate::input::{Answer, Leg, Sent, Token, Verdict};
use crate::settlement::BatchAt;
use crate::shard::{Shard, Timer};
use crate::wheel::Alarm;
use protocol::batch::BatchState;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::record::Kind;
use protocol::response_code::ResponseCode;
use protocol::words::Status;

impl Shard {
    /// Closes a processor's open batches and takes up those that were rejected. Their totals go once nothing in them is undecided.
    pub(crate) fn close_batches(&mut self, token: Token, processor: u16, before: Micros) {
        let is_meant = |at: &BatchAt| self.is_closable(*at, processor) && self.batches[*at].batch.opened_or_closed_at() < before;
        let mut closable: Vec<BatchAt> = self.batches.places().filter(is_meant).collect();
        // Oldest first, for those that were rejected draw new numbers: their places say nothing, they are used again.
        closable.sort_unstable_by_key(|at| self.batches[*at].batch.id);
        for &at in &closable {
            self.close_batch(at);
            self.close_large_turn();
        }
        self.effects.reply_batches_closed(token, closable.len() as u32);
    }

    fn is_closable(&self, at: BatchAt, processor: u16) -> bool {
        let slot = &self.batches[at];
        let has_members = slot.batch.member_count() > 0 || slot.undecided > 0;
        let may_close = match slot.batch.state() {
            BatchState::Open => has_members,
            // One that was rejected and whose members were then all voided is closed, too, and so complete: it would stay for ever.
            BatchState::Rejected => true,
            BatchState::Closing | BatchState::Accepted | BatchState::Complete => false,
        };
        slot.batch.processor.get() == processor && may_close
    }

    fn close_batch(&mut self, at: BatchAt) {
        if self.batches[at].batch.state() == BatchState::Rejected {
            let (merchant, processor) = (self.batches[at].batch.merchant, self.batches[at].batch.processor.get());
            let number = self.batches.next_number(merchant, processor);
            self.batches[at].batch.number = number.into();
        }
        self.batches.close(at);
        self.batches[at].sends = 0;
        self.batches[at].batch.stan = 0.into();
        self.batches[at].batch.closed_at = self.now.0.into();
        self.commit_batch(at, Kind::BatchClosed);
        self.send_totals_if_ready(at);
    }

    /// Sends a closed batch's totals once they are final: made durable first, with their trace number (I1).
    pub(crate) fn send_totals_if_ready(&mut self, at: BatchAt) {
        if !self.batches[at].is_ready() {
            return;
        }
        if self.batches[at].batch.member_count() == 0 {
            return self.complete(at);
        }
        let index = self.batches[at].batch.processor.get();
        if !self.processor(index).is_some_and(|processor| processor.stans.has_room()) {
            let wait = self.now.plus_s(1);
            return self.set_totals_alarm(at, wait);
        }
        let stan = self.processor_mut(index).stans.draw();
        self.batches[at].batch.stan = stan.into();
        self.commit_batch(at, Kind::BatchClosed);
        self.send_totals(at, false);
    }

    fn send_totals(&mut self, at: BatchAt, repeat: bool) {
        self.batches[at].sends = self.batches[at].sends.saturating_add(1);
        let batch = self.batches[at].batch;
        let sent = Sent { id: batch.id, leg: Leg::Totals, stan: batch.stan.get() };
        self.effects.send_totals(sent, repeat, &batch);
        let timeout_ms = self.processor(batch.processor.get()).map_or(0, |processor| processor.terms.timeout_ms);
        self.set_totals_alarm(at, self.now.plus_ms(timeout_ms));
    }

    fn set_totals_alarm(&mut self, at: BatchAt, when: Micros) {
        self.wheel.cancel(self.batches[at].alarm);
        self.batches[at].alarm = self.wheel.set(when, Timer::Totals(at));
    }

    pub(crate) fn repeat_totals(&mut self, at: BatchAt) {
        self.batches[at].alarm = Alarm::NONE;
        match self.batches[at].batch.stan.get() {
            0 => self.send_totals_if_ready(at),
            _ if self.batches[at].batch.state() == BatchState::Closing => self.send_totals(at, true),
            _ => {}
        }
    }

    /// The link says that nothing of the totals was ever written.
    pub(crate) fn totals_not_sent(&mut self, sent: Sent) {
        if let Some(at) = self.batches.find(sent.id).filter(|at| self.awaits_answer(*at, sent.stan)) {
            self.batches[at].sends = self.batches[at].sends.saturating_sub(1);
        }
        self.totals_lost(sent);
    }

    /// The connection is gone on which the totals' answer could have come.
    pub(crate) fn totals_lost(&mut self, sent: Sent) {
        if let Some(at) = self.batches.find(sent.id).filter(|at| self.awaits_answer(*at, sent.stan)) {
            let index = self.batches[at].batch.processor.get();
            let wait_ms = self.processor(index).map_or(0, |processor| processor.terms.reversal_retry_ms);
            self.set_totals_alarm(at, self.now.plus_ms(wait_ms));
        }
    }

    pub(crate) fn totals_link_up(&mut self, processor: u16) {
        let waiting: Vec<BatchAt> = self.batches.places().filter(|at| self.awaits_totals(*at, processor)).collect();
        for at in waiting {
            self.send_totals(at, true);
        }
    }

    fn awaits_totals(&self, at: BatchAt, processor: u16) -> bool {
        let batch = &self.batches[at].batch;
        batch.processor.get() == processor && batch.state() == BatchState::Closing && batch.stan.get() != 0
    }

    /// True when an answer to the totals that carried this trace number is waited for.
    fn awaits_answer(&self, at: BatchAt, stan: u32) -> bool {
        let batch = &self.batches[at].batch;
        batch.state() == BatchState::Closing && stan != 0 && batch.stan.get() == stan
    }

    /// After a restart: totals that were sent are sent again, those that were ready go, and accepted batches are told anew.
    pub(crate) fn resume_batch(&mut self, at: BatchAt) {
        let batch = self.batches[at].batch;
        match batch.state() {
            BatchState::Closing if batch.stan.get() != 0 => {
                // How far they went before the restart nobody can say.
                self.batches[at].sends = 1;
                self.send_totals(at, true);
            }
            BatchState::Closing => self.send_totals_if_ready(at),
            BatchState::Accepted => self.effects.batch_moved(&batch),
            BatchState::Open | BatchState::Rejected | BatchState::Complete => {}
        }
    }

    pub(crate) fn totals_answered(&mut self, answer: &Answer) {
        let found = self.batches.find(answer.sent.id);
        let Some(at) = found.filter(|at| self.awaits_answer(*at, answer.sent.stan)) else {
            self.stats.unmatched_answers += 1;
            return;
        };
        let (state, code) = match answer.verdict {
            Verdict::Approved => (BatchState::Accepted, ResponseCode::APPROVED),
            Verdict::Declined(code) if self.is_answer_to_an_earlier_send(at, code) => (BatchState::Accepted, code),
            Verdict::Declined(code) => (BatchState::Rejected, code),
            // Neither accepted nor rejected: the totals are repeated until the host says which.
            Verdict::Partial { .. }
            | Verdict::AwaitsCustomer
            | Verdict::WithTip { .. }
            | Verdict::Receipt
            | Verdict::TryLater => return,
        };
        self.wheel.cancel(self.batches[at].alarm);
        let now = self.now.0;
        let slot = &mut self.batches[at];
        slot.alarm = Alarm::NONE;
        slot.batch.state = state as u8;
        slot.batch.response_code = code.0.into();
        slot.batch.text = answer.text;
        slot.batch.answered_at = now.into();
        let (index, stan) = (slot.batch.processor.get(), slot.batch.stan.get());
        self.processor_mut(index).stans.release(stan);
        self.commit_batch(at, Kind::BatchAnswered);
        let batch = self.batches[at].batch;
        self.effects.batch_moved(&batch);
    }

    /// "Number used" says of a number that we have sent before, and draw only once, that the host has accepted what we sent then:
    /// the answer to that was lost. Taken for a rejection, the same money would be presented a second time under a new number.
    /// Where no other send of ours can have arrived, somebody else has used the number, and the batch tries under its next one.
    fn is_answer_to_an_earlier_send(&self, at: BatchAt, code: ResponseCode) -> bool {
        code == ResponseCode::DUPLICATE_AT_PROCESSOR && self.batches[at].sends > 1
    }

    /// Settles one member of an accepted batch. A second time changes nothing: whoever drives this may start over.
    pub(crate) fn settle_member(&mut self, id: Xid) {
        let Some(at) = self.table.find(id) else { return };
        let transaction = &self.table[at].transaction;
        let Some(batch) = self.batches.find(transaction.batch) else { return };
        let accepted = self.batches[batch].batch.state() == BatchState::Accepted;
        if !accepted || transaction.status() != Status::PendingSettlement {
            return;
        }
        let settled_count = &mut self.batches[batch].batch.settled_count;
        settled_count.set(settled_count.get() + 1);
        let now = self.now.0;
        let transaction = &mut self.table[at].transaction;
        transaction.status = Status::Settled.number();
        transaction.amount_settled = transaction.amount_captured;
        transaction.settled_at = now.into();
        self.commit(at, Kind::Settled, false);
    }

    pub(crate) fn complete_batch(&mut self, id: Xid) {
        let Some(at) = self.batches.find(id) else { return };
        let batch = &self.batches[at].batch;
        if batch.state() == BatchState::Accepted && batch.settled_count.get() == batch.member_count() {
            self.complete(at);
        }
    }

    fn complete(&mut self, at: BatchAt) {
        self.wheel.cancel(self.batches[at].alarm);
        self.batches[at].batch.state = BatchState::Complete as u8;
        self.commit_batch(at, Kind::BatchComplete);
        let batch = self.batches[at].batch;
        self.effects.batch_moved(&batch);
        self.batches.remove(at);
    }
}
