//! Store and forward: reversals are repeated with the same numbers until the processor has them (I3).

use super::exchange;
use crate::input::{Leg, Sent, Token};
use crate::output::Written;
use crate::shard::{Shard, Timer};
use crate::table::SlotAt;
use crate::wheel::Alarm;
use protocol::calendar::Micros;
use protocol::exchange::Reversal;
use protocol::id::Xid;
use protocol::words::{ReversalReason, ReversalState};

/// Below `bound_ms`, different from transaction to transaction: what a full queue has refused at one moment must not come back at one.
fn spread_ms(id: Xid, bound_ms: u32) -> u32 {
    // Below a bound of 32 bits.
    (id.hash64() % u64::from(bound_ms).max(1)) as u32
}

impl Shard {
    /// Queues the reversal of a transaction whose request `leg` set it off. It repeats that request's trace number, which stays
    /// live until the reversal is acknowledged, and names the request that made the transaction as its original.
    pub(crate) fn queue_reversal(&mut self, at: SlotAt, leg: Leg, reason: ReversalReason) {
        self.cancel_alarm(at);
        let now = self.now;
        let transaction = &mut self.table[at].transaction;
        transaction.reversal = Reversal {
            stan: exchange(transaction, leg).stan,
            state: ReversalState::Queued.number(),
            reason: reason.number(),
            queued_at: now.0.into(),
            original_stan: transaction.original.stan,
            ..Reversal::none()
        };
        self.table[at].reversal_attempts = 0;
        self.enqueue(at);
    }

    /// Puts a reversal in its place in the processor's queue.
    pub(crate) fn enqueue(&mut self, at: SlotAt) {
        let transaction = &self.table[at].transaction;
        let place = (transaction.reversal.queued_at(), transaction.id);
        let index = transaction.processor.get();
        self.processor_mut(index).reversals.insert(place);
    }

    /// The first sending, with the record that made the reversal durable.
    pub(crate) fn send_reversal(&mut self, at: SlotAt, written: Written) {
        let stan = self.table[at].transaction.reversal.stan.get();
        self.send(at, Leg::Reversal, stan, false, written);
        self.await_receipt(at);
    }

    /// A reversal leaves the queue; its trace number is free again.
    pub(crate) fn forget_reversal(&mut self, at: SlotAt) {
        let transaction = &self.table[at].transaction;
        let place = (transaction.reversal.queued_at(), transaction.id);
        let (index, stan) = (transaction.processor.get(), transaction.reversal.stan.get());
        let processor = self.processor_mut(index);
        processor.reversals.remove(&place);
        processor.stans.release(stan);
    }

    /// An operator takes a reversal over. Whoever asks hears what the transaction is now, or that there is no such reversal.
    pub(crate) fn take_over_reversal(&mut self, token: Token, id: Xid) {
        let is_queued = |at: &SlotAt| self.table[*at].transaction.reversal.state() == ReversalState::Queued;
        let Some(at) = self.table.find(id).filter(is_queued) else {
            return self.effects.reply_absent(token, id);
        };
        let verb = self.table[at].transaction.verb();
        let written = self.reversal_over(at, ReversalState::TakenOver);
        self.effects.reply_written(token, written, verb, false);
    }

    /// No receipt came: the same numbers once more.
    pub(crate) fn repeat_reversal(&mut self, at: SlotAt) {
        self.table[at].alarm = Alarm::NONE;
        let transaction = &self.table[at].transaction;
        if transaction.reversal.state() != ReversalState::Queued {
            return;
        }
        let (processor, stan, id) = (transaction.processor.get(), transaction.reversal.stan.get(), transaction.id);
        let sent = Sent { id, leg: Leg::Reversal, stan };
        self.scratch.clear();
        self.tails.read(self.table[at].tail, &mut self.scratch);
        self.effects.send_version(processor, sent, true, &self.table[at].transaction, &self.scratch);
        self.await_receipt(at);
    }

    /// Counts a sending and sets the time of the next: the processor's time-out at least, twice as long at each repeat.
    fn await_receipt(&mut self, at: SlotAt) {
        self.stats.reversals_sent += 1;
        self.counts_mut(at).reversals_sent += 1;
        let attempts = self.table[at].reversal_attempts;
        self.table[at].reversal_attempts = attempts.saturating_add(1);
        let wait_ms = self.retry_wait_ms(at, attempts, true);
        self.set_alarm(at, self.now.plus_ms(wait_ms), Timer::Reversal(at));
    }

    fn retry_wait_ms(&self, at: SlotAt, attempts: u32, sent: bool) -> u32 {
        let index = self.table[at].transaction.processor.get();
        let Some(processor) = self.processor(index) else { return u32::MAX };
        let terms = &processor.terms;
        let doubled = terms.reversal_retry_ms.saturating_mul(1 << attempts.min(16)).min(terms.reversal_retry_max_ms);
        if sent { doubled.max(terms.timeout_ms) } else { doubled }
    }

    /// The link could not take a reversal, or lost the connection under it: again in a while, or when the link is up.
    pub(crate) fn reversal_not_sent(&mut self, sent: Sent) {
        let Some(at) = self.table.find(sent.id) else { return };
        let reversal = &self.table[at].transaction.reversal;
        if reversal.state() == ReversalState::Queued && reversal.stan.get() == sent.stan {
            let wait_ms = self.retry_wait_ms(at, self.table[at].reversal_attempts, false);
            let wait_ms = wait_ms - spread_ms(sent.id, wait_ms / 2);
            self.set_alarm(at, self.now.plus_ms(wait_ms), Timer::Reversal(at));
        }
    }

    /// The link is signed on: what waits goes, oldest first.
    pub(crate) fn link_up(&mut self, index: u16) {
        if self.processor(index).is_none() {
            return;
        }
        let processor = self.processor_mut(index);
        processor.health.link_up();
        let waiting: Vec<(Micros, Xid)> = processor.reversals.iter().copied().collect();
        for (_, id) in waiting {
            if let Some(at) = self.table.find(id) {
                self.table[at].reversal_attempts = 0;
                self.cancel_alarm(at);
                self.repeat_reversal(at);
                self.close_large_turn();
            }
        }
        self.totals_link_up(index);
    }
}
