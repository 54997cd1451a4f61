//! Capture: takes all or part of what an authorization holds, once.

use super::{Stop, account_of};
use crate::input::{Leg, Token};
use crate::shard::Shard;
use crate::table::SlotAt;
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use protocol::words::{ExchangeState, Status, Verb};

impl Shard {
    pub(crate) fn capture(&mut self, token: Token, command: &Command, tail: Tail<'_>) -> Result<(), Stop> {
        let at = self.target(command)?;
        let amount = self.check_capture(at, command)?;
        let transaction = &self.table[at].transaction;
        let (processor, account) = (transaction.processor.get(), account_of(transaction));
        self.check_room(command, self.merged_length(at, tail))?;
        self.check_processor_room(processor)?;
        // A batch that this opens is named after the command: another capture of the same authorization may have opened one.
        let batch = command.id.sibling(Xid::BATCH);
        if !self.batches.has_room(account, batch) {
            return Err(Refusal::Busy.into());
        }
        // From here the command can't fail.
        let key = self.remember_key(command, command.target, Verb::Capture);
        self.merge_tail(at, tail);
        self.enter_batch(at, batch);
        let step = self.begin_exchange(at, Verb::Capture, amount);
        let transaction = &mut self.table[at].transaction;
        (transaction.step, transaction.key) = (step, key);
        self.wait(at, token, false);
        self.send_intent(at, Leg::Step);
        Ok(())
    }

    /// The amount to capture, if the transaction stands where that is possible (I5).
    fn check_capture(&self, at: SlotAt, command: &Command) -> Result<u64, Refusal> {
        let transaction = &self.table[at].transaction;
        if transaction.step.state() == ExchangeState::InFlight {
            return Err(Refusal::StepInFlight { status: transaction.status() });
        }
        let (verb, status) = (transaction.verb(), transaction.status());
        if status != Status::Authorized || verb != Verb::Authorize {
            return Err(Refusal::IllegalStep { verb, status });
        }
        let max = transaction.amount_authorized.get();
        let amount = if command.has(flag::AMOUNT_GIVEN) { command.amount.get() } else { max };
        match amount {
            0 => Err(Refusal::AmountZero),
            _ if amount > max => Err(Refusal::AmountTooLarge { status, max }),
            _ => Ok(amount),
        }
    }
}
