//! Payments: what each verb does, and what becomes of it. One file a verb; what verbs share is here.
//!
//! Every command runs in the same order: idempotency, then all checks, then one line from which on it can't fail.

mod answer;
mod batch;
mod capture;
mod create;
mod keyed;
mod recovery;
mod refund;
mod returned;
mod reversal;
mod tables;
mod void;

use crate::input::{Leg, ProcessorState, Token};
use crate::routing::Outcome;
use crate::settlement::{Account, BatchAt};
use crate::shard::{Shard, Timer};
use crate::table::SlotAt;
use crate::wheel::Alarm;
use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::exchange::Exchange;
use protocol::id::Xid;
use protocol::limits::TAIL_MAX_BYTES;
use protocol::record::Kind;
use protocol::refusal::Refusal;
use protocol::tail::{self, Tail};
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, Verb};

/// Why a command went no further; nothing was changed.
pub(crate) enum Stop {
    Refused(Refusal),
    /// A transaction that it needs is not in memory.
    Absent(Xid),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

impl Shard {
    pub(crate) fn command(&mut self, token: Token, command: &Command, tail: Tail<'_>) {
        if let Err(stop) = self.try_command(token, command, tail) {
            self.stop(token, stop);
        }
    }

    /// Tells why nothing was done.
    fn stop(&mut self, token: Token, stop: Stop) {
        match stop {
            Stop::Refused(refusal) => {
                self.stats.busy += u64::from(refusal == Refusal::Busy);
                self.effects.refuse(token, refusal);
            }
            Stop::Absent(id) => self.effects.reply_absent(token, id),
        }
    }

    fn try_command(&mut self, token: Token, command: &Command, tail: Tail<'_>) -> Result<(), Stop> {
        let verb = command.verb().expect("a command's verb is checked where it is parsed or built");
        if !self.merchant(command.merchant).is_some_and(|terms| terms.active) {
            return Err(Refusal::MerchantNotActive.into());
        }
        if command.has_key()
            && let Some(key) = self.keys.find(&command.key_hash)
        {
            return self.ask_again(token, command, verb, key);
        }
        match verb {
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => self.create(token, command, tail, verb),
            Verb::Refund => self.refund(token, command, tail),
            Verb::Capture => self.capture(token, command, tail),
            Verb::Void => self.void(token, command, tail),
        }
    }

    /// Room for what every operation needs (I8): a waiter, a key if it came with one, and its tail.
    fn check_room(&self, command: &Command, tail_length: usize) -> Result<(), Refusal> {
        if tail_length > TAIL_MAX_BYTES {
            return Err(Refusal::TailTooLong);
        }
        let has_room =
            self.waiters.has_room() && self.tails.has_room(tail_length) && (!command.has_key() || self.keys.has_room());
        if has_room { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// Room for a step of a transaction at its processor: it takes steps, and has a trace number.
    fn check_processor_room(&self, processor: u16) -> Result<(), Refusal> {
        let processor = self.processor(processor).ok_or(Refusal::ProcessorNotAvailable)?;
        if processor.terms.state == ProcessorState::Disabled {
            return Err(Refusal::ProcessorNotAvailable);
        }
        if processor.stans.has_room() { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// The transaction that a step is about.
    fn target(&self, command: &Command) -> Result<SlotAt, Stop> {
        let at = self.table.find(command.target).ok_or(Stop::Absent(command.target))?;
        let owner = self.table[at].transaction.merchant;
        // Another merchant's transaction is as good as not there: existence is never revealed.
        if owner == command.merchant { Ok(at) } else { Err(Refusal::NotFound.into()) }
    }

    /// A new request to the transaction's processor: trace number and deadline.
    fn begin_exchange(&mut self, at: SlotAt, verb: Verb, amount: u64) -> Exchange {
        let index = self.table[at].transaction.processor.get();
        let now = self.now;
        let processor = self.processor_mut(index);
        let deadline = now.plus_ms(processor.terms.timeout_ms);
        let stan = processor.stans.draw();
        self.takes_off(at);
        self.set_alarm(at, deadline, Timer::Deadline(at));
        Exchange::in_flight(verb, stan, amount, now, deadline)
    }

    /// A request is decided: its deadline and its trace number are free again.
    fn end_exchange(&mut self, at: SlotAt, leg: Leg) {
        self.lands(at);
        self.cancel_alarm(at);
        let transaction = &self.table[at].transaction;
        let (index, stan) = (transaction.processor.get(), exchange(transaction, leg).stan.get());
        self.processor_mut(index).stans.release(stan);
    }

    /// Makes an operation's intent durable and hands it to the link (I1).
    fn send_intent(&mut self, at: SlotAt, leg: Leg) {
        let kind = if leg == Leg::Original { Kind::Intent } else { Kind::StepIntent };
        let written = self.commit(at, kind, false);
        let stan = exchange(&self.table[at].transaction, leg).stan.get();
        self.send(at, leg, stan, false, written);
    }

    /// Lays a step's fields over the transaction's tail.
    fn merge_tail(&mut self, at: SlotAt, patch: Tail<'_>) {
        if patch.bytes().is_empty() {
            return;
        }
        self.scratch.clear();
        self.tails.read(self.table[at].tail, &mut self.scratch);
        let mut merged = Vec::with_capacity(self.scratch.len() + patch.bytes().len());
        tail::merge(Tail::trusted(&self.scratch), patch, &mut merged);
        self.tails.forget(self.table[at].tail);
        self.table[at].tail = self.tails.keep(&merged);
        self.table[at].transaction.tail_length = (merged.len() as u32).into();
    }

    /// Length that the tail can have at most once a step's fields are laid over it.
    fn merged_length(&self, at: SlotAt, patch: Tail<'_>) -> usize {
        self.table[at].transaction.tail_length.get() as usize + patch.bytes().len()
    }

    /// Puts the transaction's money, undecided for now, into its account's open batch; `new_id` is the id of the one that is opened
    /// when there is none.
    fn enter_batch(&mut self, at: SlotAt, new_id: Xid) {
        let account = account_of(&self.table[at].transaction);
        let batch = self.batches.open_of(account).unwrap_or_else(|| self.open_batch(account, new_id));
        self.batches[batch].undecided += 1;
        let (id, number) = (self.batches[batch].batch.id, self.batches[batch].batch.members_number);
        let transaction = &mut self.table[at].transaction;
        (transaction.batch, transaction.batch_number) = (id, number);
    }

    fn open_batch(&mut self, account: Account, id: Xid) -> BatchAt {
        let batch = self.batches.open(account, id, self.now);
        self.commit_batch(batch, Kind::BatchOpened);
        batch
    }

    /// The transaction's money is decided and belongs to its batch.
    fn join_batch(&mut self, at: SlotAt) {
        let transaction = &self.table[at].transaction;
        let (amount, pays_out) = (transaction.amount_captured.get(), transaction.verb().pays_out());
        if let Some(batch) = self.batches.find(transaction.batch) {
            self.batches[batch].add(amount, pays_out);
            self.decided_in_batch(batch);
        }
    }

    /// The transaction's money is decided and belongs to no batch.
    fn leave_batch(&mut self, at: SlotAt) {
        let transaction = &mut self.table[at].transaction;
        let id = core::mem::replace(&mut transaction.batch, Xid::NONE);
        transaction.batch_number = 0.into();
        if let Some(batch) = self.batches.find(id) {
            self.decided_in_batch(batch);
        }
    }

    fn decided_in_batch(&mut self, batch: BatchAt) {
        let undecided = &mut self.batches[batch].undecided;
        *undecided = undecided.checked_sub(1).expect("what is decided in a batch was undecided in it");
        self.send_totals_if_ready(batch);
    }

    pub(crate) fn deadline_passed(&mut self, at: SlotAt) {
        self.table[at].alarm = Alarm::NONE;
        let transaction = &self.table[at].transaction;
        if transaction.original.state() == ExchangeState::InFlight {
            self.note_health(at, Leg::Original, Outcome::TimedOut);
            self.become_unknown(at, Leg::Original, protocol::words::ReversalReason::Timeout);
        } else if transaction.step.state() == ExchangeState::InFlight {
            self.note_health(at, Leg::Step, Outcome::TimedOut);
            self.become_unknown(at, Leg::Step, protocol::words::ReversalReason::Timeout);
        }
    }
}

/// The batch account of a transaction.
fn account_of(transaction: &Transaction) -> Account {
    Account { merchant: transaction.merchant, processor: transaction.processor.get(), currency: transaction.currency.get() }
}

/// One of a transaction's two requests; a reversal repeats the numbers of the one that it covers.
fn exchange(transaction: &Transaction, leg: Leg) -> &Exchange {
    match leg {
        Leg::Original | Leg::Reversal | Leg::Totals => &transaction.original,
        Leg::Step => &transaction.step,
    }
}

/// The same, to change.
fn exchange_mut(transaction: &mut Transaction, leg: Leg) -> &mut Exchange {
    match leg {
        Leg::Original | Leg::Reversal | Leg::Totals => &mut transaction.original,
        Leg::Step => &mut transaction.step,
    }
}

/// The moment of a duplicate window's end.
fn window_end(created_at: Micros, window_s: u32) -> Micros {
    created_at.plus_s(window_s)
}
