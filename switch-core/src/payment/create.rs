//! Sale, authorization, credit and verification: commands that make a transaction on a card.

use super::tables::batch_id;
use super::{Stop, account_of, window_end};
use crate::duplicates::Likeness;
use crate::input::{Leg, Token};
use crate::rrn::rrn_of;
use crate::shard::{Shard, Timer};
use crate::table::SlotAt;
use protocol::calendar::Micros;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::record::Kind;
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{Status, Verb};

impl Shard {
    pub(crate) fn create(&mut self, token: Token, command: &Command, tail: Tail<'_>, verb: Verb) -> Result<(), Stop> {
        let mut transaction = new_transaction(command, verb, self.now);
        let mut facts = self.facts_of(&transaction, tail);
        self.choose_processor(&mut transaction, command.processor.get(), &mut facts)?;
        let window_s = self.duplicate_window_s(command);
        let likeness = Likeness::of(&transaction);
        let repeated = if window_s > 0 { self.duplicates.first_like(&likeness) } else { None };
        let own_decline = if command.has(flag::EXPIRED_CARD) {
            Some(ResponseCode::EXPIRED_CARD)
        } else {
            repeated.map(|_| ResponseCode::DUPLICATE_TRANSACTION)
        };
        let denial = if own_decline.is_some() { None } else { self.is_denied_before(&mut transaction, &mut facts) };
        let tail = self.tail_with_rule(tail, &transaction, denial.is_some());
        transaction.tail_length = (tail.len() as u32).into();
        self.check_room(command, tail.len())?;
        let crowded = !self.make_room_to_count(command.merchant)
            || self.table.room() == 0
            || !self.batches.has_room(account_of(&transaction), command.id.sibling(Xid::BATCH))
            || (window_s > 0 && !self.duplicates.has_room())
            || self.table.find(command.id).is_some();
        if crowded {
            return Err(Refusal::Busy.into());
        }
        // From here the command can't fail.
        self.count_payment(&transaction, &facts);
        transaction.key = self.remember_key(command, transaction.id, verb);
        transaction.duplicate_of = repeated.unwrap_or(Xid::NONE);
        let kept = self.tails.keep(&tail);
        let at = self.table.insert(&transaction, kept, self.now);
        self.wait(at, token, false);
        self.stats.rule_denials += u64::from(denial.is_some());
        match own_decline.or(denial) {
            Some(code) => self.decline_at_gateway(at, code),
            None => {
                self.remember_recent(likeness, transaction.id, window_end(self.now, window_s));
                self.offer(at);
            }
        }
        Ok(())
    }

    /// The duplicate window that holds for a command; 0 none.
    fn duplicate_window_s(&self, command: &Command) -> u32 {
        // Before its answer nothing is known of a card at a terminal, by which two payments could be alike.
        if command.has(flag::ALLOW_DUPLICATE) || command.fingerprint == [0; 16] {
            return 0;
        }
        self.merchant(command.merchant).map_or(0, |terms| terms.duplicate_window_s)
    }

    pub(crate) fn remember_recent(&mut self, likeness: Likeness, id: Xid, until: Micros) {
        if until > self.now
            && let Some(recent) = self.duplicates.remember(likeness, id)
        {
            let alarm = self.wheel.set(until, Timer::Recent(recent));
            self.duplicates.set_alarm(recent, alarm);
        }
    }

    /// The payment came to nothing: it does not stand in the way of the next attempt.
    pub(crate) fn forget_recent(&mut self, at: SlotAt) {
        let transaction = &self.table[at].transaction;
        let (likeness, id) = (Likeness::of(transaction), transaction.id);
        if let Some(alarm) = self.duplicates.forget_failed(&likeness, id) {
            self.wheel.cancel(alarm);
        }
    }

    /// Declines without asking a processor: an outcome with no intent before it.
    fn decline_at_gateway(&mut self, at: SlotAt, code: ResponseCode) {
        let transaction = &mut self.table[at].transaction;
        transaction.status = Status::Declined.number();
        transaction.response_code = code.0.into();
        let verb = transaction.verb();
        let written = self.commit(at, Kind::Outcome, true);
        self.tell(at, verb, written);
    }

    /// Sends the request that makes the transaction to the processor that was chosen.
    pub(crate) fn offer(&mut self, at: SlotAt) {
        let transaction = &self.table[at].transaction;
        let (verb, amount) = (transaction.verb(), transaction.amount.get());
        if captures_at_once(verb) {
            let id = batch_id(transaction.id, &transaction.choice);
            self.enter_batch(at, id);
        }
        let (index, id, now) = (self.table[at].transaction.processor.get(), self.table[at].transaction.id, self.now);
        self.processor_mut(index).health.begin(id, now);
        let exchange = self.begin_exchange(at, verb, amount);
        let transaction = &mut self.table[at].transaction;
        transaction.original = exchange;
        transaction.status = Status::Pending.number();
        self.send_intent(at, Leg::Original);
    }
}

/// True when an approval of this verb is money to be settled, with no capture after it.
pub(crate) fn captures_at_once(verb: Verb) -> bool {
    match verb {
        Verb::Sale | Verb::Credit | Verb::Refund => true,
        Verb::Authorize | Verb::Verification | Verb::Capture | Verb::Void => false,
    }
}

/// The transaction that a command makes, before anything is decided about it.
pub(crate) fn new_transaction(command: &Command, verb: Verb, now: Micros) -> Transaction {
    Transaction {
        verb: verb.number(),
        status: Status::Pending.number(),
        id: command.id,
        merchant: command.merchant,
        parent: command.target,
        flags: (command.flags.get() & !flag::FLAGGED).into(),
        amount: command.amount,
        currency: command.currency,
        source: command.source,
        payment_method: command.payment_method,
        entry_type: command.entry_type,
        brand: command.brand,
        first_six: command.first_six,
        last_four: command.last_four,
        expiry: command.expiry,
        pan_digits: command.pan_digits,
        fingerprint: command.fingerprint,
        rrn: rrn_of(command.id),
        created_at: now.0.into(),
        ..Transaction::empty()
    }
}
