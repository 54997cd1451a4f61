//! What a bank sends back of an entry, days later: the entry itself, or a word about data that have changed.
//!
//! A return before the settlement takes the entry's money out of its batch, as the processor does on its side. From the moment at
//! which the totals are on their way until they are answered a member stays where it is, and the return waits: it is refused, and
//! whoever brings it tries again. After the settlement the batch is untouched, and the transaction says that it was returned.

use super::Stop;
use super::refund::status_after_refunds;
use crate::input::Token;
use crate::output::Written;
use crate::settlement::BatchAt;
use crate::shard::Shard;
use crate::table::SlotAt;
use protocol::batch::BatchState;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::limits::TAIL_MAX_BYTES;
use protocol::record::Kind;
use protocol::refusal::Refusal;
use protocol::tail::{self, Tail, tag};
use protocol::words::{ExchangeState, PaymentMethod, Status, Verb};

/// Where the money of a returned entry is.
enum Place {
    /// In a batch whose totals are not under way: it leaves it.
    Batch(BatchAt),
    /// Settled: the batch stays as it was.
    Settled,
}

impl Shard {
    /// An entry came back. A second time changes nothing: whoever brings returns may start over.
    pub(crate) fn returned(&mut self, token: Token, id: Xid, code: [u8; 3], returned_at: Micros, facts: Tail<'_>) {
        match self.try_return(id, code, returned_at, facts) {
            Ok((at, Some(written))) => {
                let verb = self.table[at].transaction.verb();
                self.effects.reply_written(token, written, verb, false);
            }
            Ok((at, None)) => self.reply_standing(token, at),
            Err(stop) => self.stop(token, stop),
        }
    }

    fn try_return(
        &mut self,
        id: Xid,
        code: [u8; 3],
        returned_at: Micros,
        facts: Tail<'_>,
    ) -> Result<(SlotAt, Option<Written>), Stop> {
        let at = self.table.find(id).ok_or(Stop::Absent(id))?;
        let transaction = &self.table[at].transaction;
        if transaction.status() == Status::Returned {
            return Ok((at, None));
        }
        let place = self.place_of_entry(at)?;
        let sale = match transaction.verb() {
            Verb::Refund => Some(self.table.find(transaction.parent).ok_or(Stop::Absent(transaction.parent))?),
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification | Verb::Capture | Verb::Void => None,
        };
        // From here the return can't fail.
        self.stats.returns += 1;
        self.forget_recent(at);
        let amount = self.table[at].transaction.amount_captured.get();
        if let Place::Batch(batch) = place {
            self.take_out_of_batch(at, batch);
        }
        self.table[at].transaction.status = Status::Returned.number();
        self.lay_return(at, code, returned_at, facts);
        let written = self.commit(at, Kind::Returned, false);
        if let Some(sale) = sale {
            self.reopen_sale(sale, amount);
        }
        if let Place::Batch(batch) = place {
            self.send_totals_if_ready(batch);
        }
        Ok((at, Some(written)))
    }

    /// Where the entry's money is, if the entry stands where it can be returned.
    fn place_of_entry(&self, at: SlotAt) -> Result<Place, Refusal> {
        let transaction = &self.table[at].transaction;
        let (verb, status) = (transaction.verb(), transaction.status());
        if transaction.payment_method() != PaymentMethod::Ach {
            return Err(Refusal::IllegalStep { verb, status });
        }
        if transaction.step.state() == ExchangeState::InFlight {
            return Err(Refusal::StepInFlight { status });
        }
        match status {
            Status::Settled | Status::PartiallyRefunded | Status::Refunded => Ok(Place::Settled),
            Status::PendingSettlement => self
                .batches
                .find(transaction.batch)
                .filter(|at| self.lets_members_go(*at))
                .map(Place::Batch)
                .ok_or(Refusal::BatchClosing),
            Status::Pending
            | Status::Unknown
            | Status::Authorized
            | Status::Declined
            | Status::Voided
            | Status::Reversed
            | Status::Returned => Err(Refusal::IllegalStep { verb, status }),
        }
    }

    /// True while a batch's totals are not with the processor, and not accepted.
    fn lets_members_go(&self, at: BatchAt) -> bool {
        let batch = &self.batches[at].batch;
        match batch.state() {
            BatchState::Open | BatchState::Rejected => true,
            BatchState::Closing => batch.stan.get() == 0,
            BatchState::Accepted | BatchState::Complete => false,
        }
    }

    fn take_out_of_batch(&mut self, at: SlotAt, batch: BatchAt) {
        let transaction = &mut self.table[at].transaction;
        let (amount, pays_out) = (transaction.amount_captured.get(), transaction.verb().pays_out());
        (transaction.batch, transaction.batch_number) = (Xid::NONE, 0.into());
        transaction.amount_captured = 0.into();
        self.batches[batch].subtract(amount, pays_out);
    }

    /// A refund that its bank has sent back was not paid: its sale may be refunded again.
    fn reopen_sale(&mut self, at: SlotAt, amount: u64) {
        let sale = &mut self.table[at].transaction;
        let refunded = sale.amount_refunded.get().checked_sub(amount).expect("an approved refund counts in its sale");
        sale.amount_refunded = refunded.into();
        sale.status = status_after_refunds(sale).number();
        self.commit(at, Kind::RefundsChanged, false);
    }

    /// Lays the return over the tail: its code and date in any case where a tail can take them, the rest where there is room.
    fn lay_return(&mut self, at: SlotAt, code: [u8; 3], returned_at: Micros, facts: Tail<'_>) {
        let mut own = Vec::with_capacity(32);
        tail::push(&mut own, tag::RETURN_CODE, &code);
        tail::push(&mut own, tag::RETURNED_AT, &(returned_at.0 as u64).to_le_bytes());
        let mut whole = Vec::with_capacity(own.len() + facts.bytes().len());
        tail::merge(facts, Tail::trusted(&own), &mut whole);
        let length = self.merged_length(at, Tail::trusted(&whole));
        let patch = if length <= TAIL_MAX_BYTES && self.tails.has_room(length) { &whole } else { &own };
        self.lay_facts(at, Tail::trusted(patch));
    }

    /// A bank says that an account's data have changed: noted beside the transaction, whose money stands. A second time, with the same
    /// code, changes nothing.
    pub(crate) fn change_notified(&mut self, token: Token, id: Xid, facts: Tail<'_>) {
        let Some(at) = self.table.find(id) else { return self.stop(token, Stop::Absent(id)) };
        let (verb, status) = (self.table[at].transaction.verb(), self.table[at].transaction.status());
        if self.table[at].transaction.payment_method() != PaymentMethod::Ach {
            return self.stop(token, Refusal::IllegalStep { verb, status }.into());
        }
        self.scratch.clear();
        self.tails.read(self.table[at].tail, &mut self.scratch);
        if Tail::trusted(&self.scratch).get(tag::CHANGE_CODE) == facts.get(tag::CHANGE_CODE) {
            return self.reply_standing(token, at);
        }
        self.lay_facts(at, facts);
        let written = self.commit(at, Kind::ChangeNotified, false);
        self.effects.reply_written(token, written, verb, false);
    }

    /// Shows a transaction as it stands.
    fn reply_standing(&mut self, token: Token, at: SlotAt) {
        self.scratch.clear();
        self.tails.read(self.table[at].tail, &mut self.scratch);
        let transaction = &self.table[at].transaction;
        self.effects.reply_version(token, transaction, &self.scratch, transaction.verb(), false);
    }
}
