//! After a restart: what lasted comes back in, and what was in flight is unknown, for nobody can say how far it went.

use super::window_end;
use crate::duplicates::Likeness;
use crate::idempotency::Key;
use crate::input::{Leg, Recovered, RecoveredKey};
use crate::limits::HYDRATION_AGE_MAX_MS;
use crate::shard::Shard;
use crate::table::SlotAt;
use crate::wheel::Alarm;
use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::command::flag;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalReason, ReversalState, Status, Verb};

impl Shard {
    /// Takes a transaction back into memory for the input that follows. One that is in memory is newer than any reading;
    /// a reading that is too old may be older than a version that has lived and left since.
    pub(crate) fn hydrate(&mut self, transaction: &Transaction, tail: Tail<'_>, read_at: Micros) {
        let fresh = read_at.plus_ms(HYDRATION_AGE_MAX_MS) >= self.now;
        let fits = self.table.room() > 0 && self.tails.has_room(tail.bytes().len());
        // What is open never leaves memory, so a reading that says "open" is not the newest version.
        if fresh && fits && !transaction.is_open() && self.table.find(transaction.id).is_none() {
            self.take_in(transaction, tail);
        }
    }

    fn take_in(&mut self, transaction: &Transaction, tail: Tail<'_>) -> SlotAt {
        let kept = self.tails.keep(tail.bytes());
        self.table.insert(transaction, kept, self.now)
    }

    /// Batches come before transactions: these say what is undecided in them.
    pub(crate) fn recover(&mut self, recovered: Recovered<'_>) {
        match recovered {
            Recovered::Transaction(transaction, tail) => self.recover_transaction(transaction, tail),
            Recovered::Key(key) => self.recover_key(key),
            Recovered::Recent(transaction) => self.recover_recent(transaction),
            Recovered::Counted(transaction, tail) => self.recover_count(transaction, tail),
            Recovered::Batch(batch) => self.recover_batch(batch),
            Recovered::BatchNumber { merchant, processor, number } => self.batches.note_number(merchant, processor, number),
        }
    }

    /// # Panics
    /// When what lasted does not fit: the limits were lowered below what is open; better not to start than to lose it.
    fn recover_transaction(&mut self, transaction: &Transaction, tail: Tail<'_>) {
        assert!(self.table.room() > 0 && self.tails.has_room(tail.bytes().len()), "limits are below what is open in the journal");
        let at = self.take_in(transaction, tail);
        if !transaction.is_open() {
            return;
        }
        let stans = &mut self.processor_mut(transaction.processor.get()).stans;
        for exchange in [&transaction.original, &transaction.step] {
            if exchange.state() == ExchangeState::InFlight {
                stans.reserve(exchange.stan.get());
            }
        }
        if transaction.reversal.state() == ReversalState::Queued {
            stans.reserve(transaction.reversal.stan.get());
        }
        self.recover_membership(at);
    }

    /// An open transaction that names a batch is undecided in it. The totals that were handed over do not count it, even where its
    /// status says that it waits for settlement: that one is being voided.
    fn recover_membership(&mut self, at: SlotAt) {
        let transaction = &self.table[at].transaction;
        let undecided = transaction.original.state() == ExchangeState::InFlight
            || transaction.step.state() == ExchangeState::InFlight
            || transaction.reversal.state() == ReversalState::Queued;
        if undecided && let Some(batch) = self.batches.find(transaction.batch) {
            self.batches[batch].undecided += 1;
        }
    }

    /// # Panics
    /// When the keys that lasted do not fit: a key that is forgotten could be charged twice (I4); better not to start.
    fn recover_key(&mut self, key: RecoveredKey) {
        let RecoveredKey { hash, request, transaction, verb, answer_version, expires_at } = key;
        if self.keys.find(&hash).is_none() {
            assert!(self.keys.has_room(), "limits are below the idempotency keys in the journal");
            self.keep_key(Key { hash, request, transaction, verb, answer_version, expires_at, alarm: Alarm::NONE });
        }
    }

    /// Only a payment that stands, or may stand yet, is in the way of one like it, and only if the window held for it.
    fn recover_recent(&mut self, transaction: &Transaction) {
        let came_to_nothing = match transaction.status() {
            Status::Declined | Status::Voided | Status::Reversed | Status::Unknown | Status::Returned => true,
            Status::Pending
            | Status::Authorized
            | Status::PendingSettlement
            | Status::Settled
            | Status::PartiallyRefunded
            | Status::Refunded => false,
        };
        let unlike = transaction.has(flag::ALLOW_DUPLICATE) || transaction.fingerprint == [0; 16];
        if came_to_nothing || unlike || transaction.verb() == Verb::Refund {
            return;
        }
        let window_s = self.merchant(transaction.merchant).map_or(0, |terms| terms.duplicate_window_s);
        let until = window_end(Micros(transaction.created_at.get()), window_s);
        self.remember_recent(Likeness::of(transaction), transaction.id, until);
    }

    /// A payment that finds no room is left out: while there is none, nobody can pay who would need a new counter.
    fn recover_count(&mut self, transaction: &Transaction, tail: Tail<'_>) {
        if transaction.verb() != Verb::Refund && self.make_room_to_count(transaction.merchant) {
            let facts = self.facts_of(transaction, tail);
            self.count_payment(transaction, &facts);
        }
    }

    fn recover_batch(&mut self, batch: &Batch) {
        let at = self.batches.insert(batch);
        let (processor, stan) = (batch.processor.get(), batch.stan.get());
        match (self.batches[at].batch.state(), stan) {
            // Its totals will get a trace number of this run, so their DE7 must be of this run, too: in a second of the run before,
            // another batch's totals may have gone under that number, and the host would answer these as a repeat of those (I5).
            (BatchState::Closing, 0) => self.batches[at].batch.closed_at = self.now.0.into(),
            (BatchState::Closing, _) => self.processor_mut(processor).stans.reserve(stan),
            (BatchState::Open | BatchState::Accepted | BatchState::Rejected | BatchState::Complete, _) => {}
        }
        self.batches.note_number(batch.merchant, processor, batch.number.get().max(batch.members_number.get()));
    }

    /// Everything is in: requests that were in flight become unknown, reversals wait for their link, batches go on.
    pub(crate) fn recovery_done(&mut self) {
        for at in self.table.places() {
            if self.table.is_occupied(at) {
                self.resume(at);
                self.close_large_turn();
            }
        }
        let places: Vec<_> = self.batches.places().collect();
        for at in places {
            self.resume_batch(at);
            self.close_large_turn();
        }
    }

    fn resume(&mut self, at: SlotAt) {
        let transaction = &self.table[at].transaction;
        if transaction.original.state() == ExchangeState::InFlight {
            self.takes_off(at);
            self.become_unknown(at, Leg::Original, ReversalReason::Lost);
        } else if transaction.step.state() == ExchangeState::InFlight {
            debug_assert!(matches!(transaction.step.verb(), Some(Verb::Capture | Verb::Void)));
            self.takes_off(at);
            self.become_unknown(at, Leg::Step, ReversalReason::Lost);
        } else if transaction.reversal.state() == ReversalState::Queued {
            self.enqueue(at);
            self.repeat_reversal(at);
        }
    }
}
