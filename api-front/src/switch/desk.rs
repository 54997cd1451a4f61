//! What stands around a shard, without thread, clock or socket: who waits for which answer, which groups are with the
//! journal, what leaves when one is durable.
//!
//! [`driver`](super::driver) runs a desk as a task, a simulator runs the same desk on its own clock. The order is fixed by
//! types: outputs come out of [`Effects::release`] only, which wants the journal's word. At most [`SHARD_GROUPS_MAX`]
//! groups are with the journal at once; while they are, the shard goes on deciding, so that the next group is as large as
//! the load makes it.

use crate::limits::{CALLERS_MAX, SHARD_GROUPS_MAX, SHARD_TURN_INPUTS};
use crate::links::order::Outboxes;
use crate::metrics::{Stage, Tally};
use crate::switch::door::{Closed, CommandMessage, FromBank, Hydration, ReplyTo, Return, Told};
use crate::switch::group::Group;
use crate::switch::sensitive_table::SensitiveTable;
use crate::switch::version::Version;
use crate::switch::waiting::Waiting;
use crate::trace;
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::change::Change;
use protocol::command::{Command, flag};
use protocol::frame::Durable;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use switch_core::Shard;
use switch_core::input::{Answer, Input, Sent, Token};
use switch_core::output::{Effects, Output, Reply};
use tokio::sync::{mpsc, oneshot};

/// What a desk hands things to.
pub struct Around {
    /// The shard's index, from 0.
    pub index: u16,
    /// The links' queues.
    pub outboxes: Outboxes,
    /// Card verification values on their way to a link.
    pub sensitive: Arc<SensitiveTable>,
    /// Where batches that moved are told. Unbounded: a shard has at most `batches_max` of them, and each moves twice.
    pub moved: mpsc::UnboundedSender<Batch>,
    /// Set to false, for all to see, when the journal refuses.
    pub journal_writable: Arc<AtomicBool>,
    /// What is counted here, for whoever looks.
    pub tally: Arc<Tally>,
}

/// Who waits under a token.
enum Caller {
    Command { reply: ReplyTo, sensitive: Option<Xid>, at: Micros },
    Closing { reply: oneshot::Sender<Closed>, at: Micros },
    Configuring { reply: oneshot::Sender<()> },
}

/// A shard, and all who wait for it.
pub struct Desk {
    shard: Shard,
    around: Around,
    waiting: Waiting<Caller>,
    draining: Option<oneshot::Sender<()>>,
    /// Inputs since effects were last taken: commands wait when they are too many.
    inputs: usize,
    submitted: u64,
    returned: u64,
    stopping: bool,
    /// The journal has refused: what the shard holds is ahead of what lasts, and nothing of it may be told.
    failed: bool,
}

impl Desk {
    /// The desk of a shard that has been given all that lasted.
    pub fn new(shard: Shard, around: Around) -> Desk {
        Desk {
            shard,
            around,
            waiting: Waiting::new(CALLERS_MAX),
            draining: None,
            inputs: 0,
            submitted: 0,
            returned: 0,
            stopping: false,
            failed: false,
        }
    }

    /// The shard.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// Recovery is over: what was in flight is decided now.
    pub fn begin(&mut self, now: Micros) {
        self.accept(now, Input::RecoveryDone);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Micros) {
        self.accept(now, Input::Tick);
    }

    /// When [`Desk::tick`] must come at the latest; `None` while nothing waits.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.shard.next_deadline().filter(|_| !self.failed)
    }

    /// True while commands are taken. Returns always are.
    pub fn has_room_for_commands(&self) -> bool {
        self.inputs < 2 * SHARD_TURN_INPUTS
    }

    /// True once it was told to stop and everything that it had given to the journal has come back.
    pub fn is_over(&self) -> bool {
        self.stopping && (self.failed || (self.groups_out() == 0 && !self.shard.has_effects()))
    }

    /// Nobody can tell it anything any more.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// What goes to the journal next; `None` when there is nothing, or when the journal has enough of this shard. It comes back
    /// as [`Return::Durable`] or [`Return::Refused`].
    pub fn next_group(&mut self) -> Option<Group> {
        if self.failed || self.groups_out() >= SHARD_GROUPS_MAX {
            return None;
        }
        let effects = self.shard.take_effects();
        // Also when they had nothing to say, as the ticks of a shard that idles: else commands would be shut out for good.
        self.inputs = 0;
        let effects = effects?;
        self.submitted += 1;
        Some(Group { shard: self.around.index, effects })
    }

    fn groups_out(&self) -> usize {
        (self.submitted - self.returned) as usize
    }

    fn accept(&mut self, now: Micros, input: Input<'_>) {
        if !self.failed {
            self.inputs += 1;
            self.shard.accept(now, input);
        }
    }

    /// A command has come.
    pub fn take_command(&mut self, now: Micros, message: CommandMessage) {
        let CommandMessage { command, tail, hydration, reply, at } = message;
        let sensitive = command.has(flag::HAS_SENSITIVE_DATA).then_some(command.id);
        if self.failed {
            return self.forget_sensitive(sensitive);
        }
        match self.waiting.enter(Caller::Command { reply, sensitive, at }) {
            Ok(token) => self.give_command(now, token, &command, &tail, hydration),
            Err(caller) => self.answer(caller, Told::Refused(Refusal::Busy)),
        }
    }

    fn give_command(&mut self, now: Micros, token: Token, command: &Command, tail: &[u8], hydration: Option<Hydration>) {
        if let Some(Hydration { version, read_at }) = &hydration {
            self.accept(now, Input::Hydrate { transaction: version.transaction(), tail: version.tail(), read_at: *read_at });
        }
        self.accept(now, Input::Command { token, command, tail: Tail::trusted(tail) });
    }

    /// Something has come back.
    pub fn take_return(&mut self, now: Micros, returned: Return) {
        match returned {
            Return::Durable(effects, durable) => self.release(now, effects, durable),
            Return::Refused => self.fail(),
            Return::Answer { answer, facts } => self.take_answer(now, answer, &facts),
            Return::NotSent(sent) => self.accept(now, Input::NotSent(sent)),
            Return::NotTaken(sent) => self.accept(now, Input::NotTaken(sent)),
            Return::Lost(sent) => self.accept(now, Input::Lost(sent)),
            Return::LinkUp { processor } => self.accept(now, Input::LinkUp { processor }),
            Return::LinkDown { processor } => self.accept(now, Input::LinkDown { processor }),
            Return::TakeOver { transaction, reply } => self.ask(now, reply, |token| Input::TakeOver { token, transaction }),
            Return::FindKey { hash, reply } => self.ask(now, reply, |token| Input::FindKey { token, hash: &hash }),
            Return::Configure { parts, reply } => self.configure(now, &parts, reply),
            Return::Merchant(terms) => self.accept(now, Input::Merchant(terms)),
            Return::Processor(terms) => self.accept(now, Input::Processor(terms)),
            Return::Outbox { processor, queue } => self.around.outboxes.put(processor, queue),
            Return::Rules(table) => self.accept(now, Input::Rules(table)),
            Return::Routes(table) => self.accept(now, Input::Routes(table)),
            Return::CloseBatches { processor, before, reply } => self.close_batches(now, processor, before, reply),
            Return::SettleMembers { members, read_at, reply } => self.settle_members(now, &members, read_at, reply),
            Return::Returned { news, code, returned_at } => self.take_from_bank(now, news, |token, transaction, facts| {
                Input::Returned { token, transaction, code, returned_at, facts }
            }),
            Return::ChangeNotified(news) => {
                self.take_from_bank(now, news, |token, transaction, facts| Input::ChangeNotified { token, transaction, facts })
            }
            Return::CompleteBatch { batch } => self.accept(now, Input::CompleteBatch { batch }),
            // Nobody listens any more when the operator has gone away.
            Return::Report { processor, reply } => drop(reply.send(self.shard.processor_report(processor, now))),
            Return::Drain(reply) => self.draining = Some(reply),
            Return::Stop => self.stop(),
        }
    }

    fn take_answer(&mut self, now: Micros, answer: Answer, facts: &[u8]) {
        let facts = facts_of(&answer.sent.id, facts);
        self.accept(now, Input::Answer { answer, facts });
    }

    fn take_from_bank(&mut self, now: Micros, news: FromBank, input: impl for<'a> FnOnce(Token, Xid, Tail<'a>) -> Input<'a>) {
        let FromBank { transaction, hydrations, facts, reply } = news;
        if self.failed {
            return;
        }
        // Where too many wait already, it is told by its reply being dropped: whoever brings it comes again.
        let Ok(token) = self.waiting.enter(Caller::Command { reply: reply.into(), sensitive: None, at: Micros::NONE }) else {
            return;
        };
        for Hydration { version, read_at } in &hydrations {
            self.accept(now, Input::Hydrate { transaction: version.transaction(), tail: version.tail(), read_at: *read_at });
        }
        self.accept(now, input(token, transaction, facts_of(&transaction, &facts)));
    }

    fn ask<'a>(&mut self, now: Micros, reply: oneshot::Sender<Told>, input: impl FnOnce(Token) -> Input<'a>) {
        if self.failed {
            return;
        }
        match self.waiting.enter(Caller::Command { reply: reply.into(), sensitive: None, at: Micros::NONE }) {
            Ok(token) => self.accept(now, input(token)),
            Err(caller) => self.answer(caller, Told::Refused(Refusal::Busy)),
        }
    }

    fn configure(&mut self, now: Micros, parts: &[(Change, Vec<u8>)], reply: oneshot::Sender<()>) {
        if self.failed {
            return;
        }
        if let Ok(token) = self.waiting.enter(Caller::Configuring { reply }) {
            self.accept(now, Input::Configure { token, parts });
        }
    }

    fn close_batches(&mut self, now: Micros, processor: u16, before: Micros, reply: oneshot::Sender<Closed>) {
        if self.failed {
            return;
        }
        // The very moment that the shard writes into the batches: the caller knows its own by it.
        if let Ok(token) = self.waiting.enter(Caller::Closing { reply, at: now }) {
            self.accept(now, Input::CloseBatches { token, processor, before });
        }
    }

    fn settle_members(&mut self, now: Micros, members: &[Version], read_at: Micros, reply: oneshot::Sender<()>) {
        for member in members {
            let (transaction, tail) = (member.transaction(), member.tail());
            self.accept(now, Input::Hydrate { transaction, tail, read_at });
            self.accept(now, Input::SettleMember { transaction: transaction.id });
        }
        let _ = reply.send(());
    }

    /// The journal has made a group durable: its outputs leave, in the order in which they were decided.
    fn release(&mut self, now: Micros, effects: Effects, durable: Durable) {
        self.returned += 1;
        let released = effects.release(durable);
        let mut not_taken: Vec<Sent> = Vec::new();
        for output in released.outputs() {
            match output {
                Output::Reply(token, reply) => self.reply(now, token, reply),
                Output::Send(request) => {
                    trace::to_link(self.around.index, request.processor, &request.sent);
                    if !self.around.outboxes.hand(self.around.index, &request) {
                        not_taken.push(request.sent);
                    }
                }
                // Nobody listens any more only when the switch is stopping; the next start resumes the batch.
                Output::BatchMoved(batch) => {
                    let _ = self.around.moved.send(*batch);
                }
            }
        }
        self.shard.recycle(released);
        for sent in not_taken {
            self.accept(now, Input::NotTaken(sent));
        }
    }

    fn reply(&mut self, now: Micros, token: Token, reply: Reply<'_>) {
        let Some(caller) = self.waiting.leave(token) else { return };
        match reply {
            Reply::Version { transaction, tail, verb, replayed } => {
                if let Caller::Command { reply, sensitive, at } = caller {
                    trace::told(self.around.index, transaction, replayed);
                    self.count_answer(at, now, transaction, replayed);
                    self.forget_sensitive(sensitive);
                    reply.tell_version(transaction, tail, verb, replayed);
                }
            }
            Reply::Stored { id, version, verb } => self.answer(caller, Told::Stored { id, version, verb }),
            Reply::Refused(refusal) => self.answer(caller, Told::Refused(refusal)),
            Reply::Absent(id) => self.answer(caller, Told::Absent(id)),
            Reply::Configured => {
                if let Caller::Configuring { reply } = caller {
                    let _ = reply.send(());
                }
            }
            Reply::BatchesClosed { count } => {
                if let Caller::Closing { reply, at } = caller {
                    let _ = reply.send(Closed { count, at });
                }
            }
        }
    }

    /// A replay is no payment, and what nobody has handed over is none of a caller's.
    fn count_answer(&self, at: Micros, now: Micros, transaction: &Transaction, replayed: bool) {
        if !replayed && !at.is_none() {
            self.around.tally.passed(Stage::Total, at, now, 1);
            self.around.tally.answered(transaction);
        }
    }

    fn answer(&self, caller: Caller, told: Told) {
        if let Caller::Command { reply, sensitive, at: _ } = caller {
            self.forget_sensitive(sensitive);
            reply.tell(told);
        }
    }

    fn forget_sensitive(&self, sensitive: Option<Xid>) {
        drop(sensitive.and_then(|id| self.around.sensitive.take(&id)));
    }

    /// Tells whoever asked for it that nothing is undecided any more. Called between turns.
    pub fn tell_drained(&mut self) {
        let quiet = self.failed || (self.shard.in_flight() == 0 && self.groups_out() == 0);
        if quiet && let Some(reply) = self.draining.take() {
            let _ = reply.send(());
        }
    }

    /// From here on nothing is decided or told: whoever waits, or comes, hears that the journal can't be written.
    pub fn fail(&mut self) {
        if !self.failed {
            tracing::error!(shard = self.around.index, "the journal refuses records: the shard stops; make room and restart");
        }
        self.failed = true;
        self.around.journal_writable.store(false, Ordering::Release);
        for caller in self.waiting.leave_all() {
            if let Caller::Command { sensitive, .. } = caller {
                drop(sensitive.and_then(|id| self.around.sensitive.take(&id)));
            }
        }
    }
}

/// Facts are views' only: were a connector to make a tail that is none, its answer counts without them.
fn facts_of<'a>(id: &Xid, facts: &'a [u8]) -> Tail<'a> {
    Tail::parse(facts).unwrap_or_else(|error| {
        tracing::error!(%id, %error, "facts are left out");
        Tail::trusted(&[])
    })
}
