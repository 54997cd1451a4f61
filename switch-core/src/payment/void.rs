//! Void: cancels a transaction that is not settled.

use super::Stop;
use crate::input::{Leg, Token};
use crate::shard::Shard;
use crate::table::SlotAt;
use protocol::batch::BatchState;
use protocol::command::Command;
use protocol::record::Kind;
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use protocol::words::{ExchangeState, Status, Verb};

impl Shard {
    pub(crate) fn void(&mut self, token: Token, command: &Command, tail: Tail<'_>) -> Result<(), Stop> {
        let at = self.target(command)?;
        self.check_void(at)?;
        let transaction = &self.table[at].transaction;
        let (processor, parent, amount) = (transaction.processor.get(), transaction.parent, transaction.amount_captured.get());
        let parent = match transaction.verb() {
            Verb::Refund => Some(self.table.find(parent).ok_or(Stop::Absent(parent))?),
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification | Verb::Capture | Verb::Void => None,
        };
        self.check_room(command, self.merged_length(at, tail))?;
        self.check_processor_room(processor)?;
        // From here the command can't fail.
        let key = self.remember_key(command, command.target, Verb::Void);
        self.merge_tail(at, tail);
        self.withdraw_from_batch(at);
        if let Some(parent) = parent {
            self.reopen_refund(parent, amount);
        }
        let step = self.begin_exchange(at, Verb::Void, amount);
        let transaction = &mut self.table[at].transaction;
        (transaction.step, transaction.key) = (step, key);
        self.wait(at, token, false);
        self.send_intent(at, Leg::Step);
        Ok(())
    }

    fn check_void(&self, at: SlotAt) -> Result<(), Refusal> {
        let transaction = &self.table[at].transaction;
        if transaction.step.state() == ExchangeState::InFlight {
            return Err(Refusal::StepInFlight { status: transaction.status() });
        }
        match transaction.status() {
            Status::Authorized => Ok(()),
            Status::PendingSettlement if self.takes_voids(transaction.batch) => Ok(()),
            Status::PendingSettlement => Err(Refusal::BatchClosing),
            status @ (Status::Pending
            | Status::Unknown
            | Status::Settled
            | Status::Declined
            | Status::Voided
            | Status::Reversed
            | Status::PartiallyRefunded
            | Status::Refunded
            | Status::Returned) => Err(Refusal::IllegalStep { verb: transaction.verb(), status }),
        }
    }

    /// True while a batch's members may still leave it: it is open, or was rejected and waits for its next try.
    fn takes_voids(&self, batch: protocol::id::Xid) -> bool {
        let state = self.batches.find(batch).map(|at| self.batches[at].batch.state());
        matches!(state, Some(BatchState::Open | BatchState::Rejected))
    }

    /// While its void is under way a member's money does not count, and its batch waits.
    fn withdraw_from_batch(&mut self, at: SlotAt) {
        let transaction = &self.table[at].transaction;
        let (amount, pays_out) = (transaction.amount_captured.get(), transaction.verb().pays_out());
        if let Some(batch) = self.batches.find(transaction.batch) {
            self.batches[batch].subtract(amount, pays_out);
            self.batches[batch].undecided += 1;
        }
    }

    /// An approved refund is being voided: until that is decided its amount counts as pending, so that it is not paid twice and
    /// its sale stays in memory.
    fn reopen_refund(&mut self, parent: SlotAt, amount: u64) {
        let sale = &mut self.table[parent].transaction;
        let refunded = sale.amount_refunded.get().checked_sub(amount).expect("an approved refund counts in its sale");
        sale.amount_refunded = refunded.into();
        sale.amount_refund_pending = (sale.amount_refund_pending.get() + amount).into();
        self.commit(parent, Kind::RefundsChanged, false);
    }
}
