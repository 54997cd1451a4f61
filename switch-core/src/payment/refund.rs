//! Refund: pays back all or part of a settled transaction. A transaction of its own that names its sale.

use super::Stop;
use super::create::new_transaction;
use crate::input::Token;
use crate::settlement::Account;
use crate::shard::Shard;
use crate::table::SlotAt;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::record::Kind;
use protocol::refusal::Refusal;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{Status, Verb};

impl Shard {
    pub(crate) fn refund(&mut self, token: Token, command: &Command, tail: Tail<'_>) -> Result<(), Stop> {
        let parent = self.target(command)?;
        let amount = self.check_refund(parent, command)?;
        let sale = &self.table[parent].transaction;
        let (processor, currency) = (sale.processor.get(), sale.currency.get());
        self.check_room(command, self.merged_length(parent, tail))?;
        self.check_processor_room(processor)?;
        let account = Account { merchant: command.merchant, processor, currency };
        let has_room = self.table.room() > 0
            && self.batches.has_room(account, command.id.sibling(Xid::BATCH))
            && self.table.find(command.id).is_none();
        if !has_room {
            return Err(Refusal::Busy.into());
        }
        // From here the command can't fail.
        let mut refund = refund_of(&self.table[parent].transaction, command, amount, self.now);
        refund.key = self.remember_key(command, refund.id, Verb::Refund);
        let tail = self.refund_tail(parent, tail);
        refund.tail_length = (tail.len() as u32).into();
        let kept = self.tails.keep(&tail);
        let at = self.table.insert(&refund, kept, self.now);
        let sale = &mut self.table[parent].transaction;
        sale.amount_refund_pending = (sale.amount_refund_pending.get() + amount).into();
        self.commit(parent, Kind::RefundsChanged, false);
        self.wait(at, token, false);
        self.offer(at);
        Ok(())
    }

    /// The amount to pay back, if the transaction stands where that is possible (I5).
    fn check_refund(&self, at: SlotAt, command: &Command) -> Result<u64, Refusal> {
        let sale = &self.table[at].transaction;
        let (verb, status) = (sale.verb(), sale.status());
        let is_debit = matches!(verb, Verb::Sale | Verb::Authorize);
        if !is_debit || !matches!(status, Status::Settled | Status::PartiallyRefunded) {
            return Err(Refusal::IllegalStep { verb, status });
        }
        let max = sale.refundable();
        let amount = if command.has(flag::AMOUNT_GIVEN) { command.amount.get() } else { max };
        match amount {
            _ if amount > max || max == 0 => Err(Refusal::AmountTooLarge { status, max }),
            0 => Err(Refusal::AmountZero),
            _ => Ok(amount),
        }
    }

    /// The refund's tail: its sale's card and addresses, with its own fields over them. What was said of the sale's
    /// idempotency key, by a rule, or by its processor and its bank, is not said again.
    fn refund_tail(&mut self, parent: SlotAt, own: Tail<'_>) -> Vec<u8> {
        self.scratch.clear();
        self.tails.read(self.table[parent].tail, &mut self.scratch);
        let mut inherited = Vec::with_capacity(self.scratch.len());
        let own_to_sale = [tag::IDEMPOTENCY_KEY, tag::IDEMPOTENCY_TIME, tag::RULE_NAME];
        let is_inherited = |tag: &u16| *tag < tag::FACTS && !own_to_sale.contains(tag);
        for (tag, value) in Tail::trusted(&self.scratch).fields().filter(|(tag, _)| is_inherited(tag)) {
            tail::push(&mut inherited, tag, value);
        }
        let mut merged = Vec::with_capacity(inherited.len() + own.bytes().len());
        tail::merge(Tail::trusted(&inherited), own, &mut merged);
        merged
    }

    /// A refund is decided: of what was pending in its sale, `paid` is paid and the rest is free again.
    pub(crate) fn refund_decided(&mut self, at: SlotAt, pending: u64, paid: u64) {
        let refund = &self.table[at].transaction;
        if refund.verb() != Verb::Refund {
            return;
        }
        let parent = self.table.find(refund.parent).expect("a sale with an undecided refund stays in memory");
        let sale = &mut self.table[parent].transaction;
        let left = sale.amount_refund_pending.get().checked_sub(pending).expect("an undecided refund counts in its sale");
        sale.amount_refund_pending = left.into();
        sale.amount_refunded = (sale.amount_refunded.get() + paid).into();
        sale.status = status_after_refunds(sale).number();
        self.commit(parent, Kind::RefundsChanged, false);
    }
}

/// Where a settled transaction stands by what was paid back of it. One that its bank has sent back stays so.
pub(super) fn status_after_refunds(sale: &Transaction) -> Status {
    match sale.amount_refunded.get() {
        _ if sale.status() == Status::Returned => Status::Returned,
        0 => Status::Settled,
        refunded if refunded == sale.amount_settled.get() => Status::Refunded,
        _ => Status::PartiallyRefunded,
    }
}

/// The refund that a command makes of a sale: the card and the currency are the sale's.
fn refund_of(sale: &Transaction, command: &Command, amount: u64, now: protocol::calendar::Micros) -> Transaction {
    Transaction {
        amount: amount.into(),
        processor: sale.processor,
        currency: sale.currency,
        payment_method: sale.payment_method,
        entry_type: sale.entry_type,
        brand: sale.brand,
        first_six: sale.first_six,
        last_four: sale.last_four,
        expiry: sale.expiry,
        pan_digits: sale.pan_digits,
        fingerprint: sale.fingerprint,
        ..new_transaction(command, Verb::Refund, now)
    }
}
