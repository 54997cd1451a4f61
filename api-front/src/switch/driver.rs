//! The thread around a shard: takes what waits, tells the shard the time, has the journal make its records durable, and only
//! then lets its outputs out.
//!
//! The order is fixed by types: outputs come out of [`Effects::release`] only, which wants the journal's word. At most
//! [`SHARD_GROUPS_MAX`] groups are with the journal at once; while they are, the shard goes on deciding, so that the next
//! group is as large as the load makes it. When nothing waits the thread sleeps until the shard's next deadline.

use crate::limits::{CALLERS_MAX, SHARD_GROUPS_MAX, SHARD_TURN_INPUTS};
use crate::links::order::Outboxes;
use crate::switch::clock::Clock;
use crate::switch::door::{Closed, CommandMessage, Hydration, Inside, Return, Told};
use crate::switch::group::Group;
use crate::switch::sensitive_table::SensitiveTable;
use crate::switch::version::Version;
use crate::switch::waiting::Waiting;
use crossbeam_channel::{RecvTimeoutError, never, select};
use persistence::journal::{SubmitRefusal, Submitter};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::command::{Command, flag};
use protocol::frame::Durable;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use switch_core::Shard;
use switch_core::input::{Input, Sent, Token};
use switch_core::output::{Effects, Output, Reply};
use tokio::sync::{mpsc, oneshot};

/// Longest sleep while the shard has no deadline.
const IDLE_SLEEP: Duration = Duration::from_secs(3600);

/// What a shard's thread works with.
pub struct Surroundings {
    /// From 0.
    pub index: u16,
    /// The switch's clock.
    pub clock: Clock,
    /// The inside of the shard's door.
    pub inside: Inside,
    /// The way into the journal.
    pub journal: Submitter<Group>,
    /// The links' queues.
    pub outboxes: Outboxes,
    /// Card verification values on their way to a link.
    pub sensitive: Arc<SensitiveTable>,
    /// Where batches that moved are told. Unbounded: a shard has at most `batches_max` of them, and each moves twice.
    pub moved: mpsc::UnboundedSender<Batch>,
    /// Set to false, for all to see, when the journal refuses.
    pub journal_writable: Arc<AtomicBool>,
}

/// Who waits under a token.
enum Caller {
    Command { reply: oneshot::Sender<Told>, sensitive: Option<Xid> },
    Closing { reply: oneshot::Sender<Closed>, at: Micros },
}

/// A shard and its surroundings.
pub struct Driver {
    shard: Shard,
    around: Surroundings,
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

impl Driver {
    /// A driver for a shard that has been given all that lasted.
    pub fn new(shard: Shard, around: Surroundings) -> Driver {
        Driver {
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

    /// Runs until [`Return::Stop`].
    pub fn run(mut self) {
        self.accept(Input::RecoveryDone);
        while !self.is_over() {
            self.submit();
            self.tell_drained();
            if !self.take_waiting() {
                self.sleep();
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stopping && (self.failed || (self.groups_out() == 0 && !self.shard.has_effects()))
    }

    fn groups_out(&self) -> usize {
        (self.submitted - self.returned) as usize
    }

    fn accept(&mut self, input: Input<'_>) {
        if !self.failed {
            self.inputs += 1;
            self.shard.accept(self.around.clock.now(), input);
        }
    }

    /// Gives the journal what the shard has decided, as long as the journal has few groups of it.
    fn submit(&mut self) {
        while self.groups_out() < SHARD_GROUPS_MAX && !self.failed {
            let Some(effects) = self.shard.take_effects() else { return };
            self.inputs = 0;
            self.submitted += 1;
            let group = Group { shard: self.around.index, effects };
            if let Err(error) = self.around.journal.submit(group) {
                match error.why {
                    SubmitRefusal::Closed | SubmitRefusal::Busy => self.fail(),
                    SubmitRefusal::TooLarge => panic!("a turn's records fit one frame: the shard bounds them"),
                }
            }
        }
    }

    /// Takes what waits, returns first, up to one turn. False when nothing did.
    fn take_waiting(&mut self) -> bool {
        let mut taken = 0;
        while taken < SHARD_TURN_INPUTS {
            if let Ok(returned) = self.around.inside.returns.try_recv() {
                self.take_return(returned);
            } else if let Some(message) = self.next_command() {
                self.take_command(message);
            } else {
                break;
            }
            taken += 1;
        }
        taken > 0
    }

    fn has_room_for_commands(&self) -> bool {
        self.inputs < 2 * SHARD_TURN_INPUTS
    }

    fn next_command(&self) -> Option<CommandMessage> {
        if self.has_room_for_commands() { self.around.inside.commands.try_recv().ok() } else { None }
    }

    /// Sleeps until something comes or the shard's next deadline, and takes it.
    fn sleep(&mut self) {
        let until = self.shard.next_deadline().filter(|_| !self.failed).map(|deadline| self.around.clock.until(deadline));
        let timeout = until.unwrap_or(IDLE_SLEEP).min(IDLE_SLEEP);
        if !self.has_room_for_commands() {
            match self.around.inside.returns.recv_timeout(timeout) {
                Ok(returned) => self.take_return(returned),
                Err(RecvTimeoutError::Timeout) => self.accept(Input::Tick),
                Err(RecvTimeoutError::Disconnected) => self.stopping = true,
            }
            return;
        }
        let inside = &self.around.inside;
        select! {
            recv(inside.returns) -> returned => match returned {
                Ok(returned) => self.take_return(returned),
                Err(_) => self.stopping = true,
            },
            recv(inside.commands) -> message => match message {
                Ok(message) => self.take_command(message),
                Err(_) => self.around.inside.commands = never(),
            },
            default(timeout) => self.accept(Input::Tick),
        }
    }

    fn take_command(&mut self, message: CommandMessage) {
        let CommandMessage { command, tail, hydration, reply } = message;
        let sensitive = command.has(flag::HAS_SENSITIVE_DATA).then_some(command.id);
        if self.failed {
            return self.forget_sensitive(sensitive);
        }
        match self.waiting.enter(Caller::Command { reply, sensitive }) {
            Ok(token) => self.give_command(token, &command, &tail, hydration),
            Err(caller) => self.answer(caller, Told::Refused(Refusal::Busy)),
        }
    }

    fn give_command(&mut self, token: Token, command: &Command, tail: &[u8], hydration: Option<Hydration>) {
        if let Some(Hydration { version, read_at }) = &hydration {
            self.accept(Input::Hydrate { transaction: version.transaction(), tail: version.tail(), read_at: *read_at });
        }
        self.accept(Input::Command { token, command, tail: Tail::trusted(tail) });
    }

    fn take_return(&mut self, returned: Return) {
        match returned {
            Return::Durable(effects, durable) => self.release(effects, durable),
            Return::Refused => self.fail(),
            Return::Answer(answer) => self.accept(Input::Answer(answer)),
            Return::NotSent(sent) => self.accept(Input::NotSent(sent)),
            Return::Lost(sent) => self.accept(Input::Lost(sent)),
            Return::LinkUp { processor } => self.accept(Input::LinkUp { processor }),
            Return::CloseBatches { processor, reply } => self.close_batches(processor, reply),
            Return::SettleMembers { members, read_at, reply } => self.settle_members(&members, read_at, reply),
            Return::CompleteBatch { batch } => self.accept(Input::CompleteBatch { batch }),
            Return::Drain(reply) => self.draining = Some(reply),
            Return::Stop => self.stopping = true,
        }
    }

    fn close_batches(&mut self, processor: u16, reply: oneshot::Sender<Closed>) {
        if self.failed {
            return;
        }
        // The very moment that the shard writes into the batches: the caller knows its own by it.
        let at = self.around.clock.now();
        if let Ok(token) = self.waiting.enter(Caller::Closing { reply, at }) {
            self.inputs += 1;
            self.shard.accept(at, Input::CloseBatches { token, processor });
        }
    }

    fn settle_members(&mut self, members: &[Version], read_at: Micros, reply: oneshot::Sender<()>) {
        for member in members {
            let (transaction, tail) = (member.transaction(), member.tail());
            self.accept(Input::Hydrate { transaction, tail, read_at });
            self.accept(Input::SettleMember { transaction: transaction.id });
        }
        let _ = reply.send(());
    }

    /// The journal has made a group durable: its outputs leave, in the order in which they were decided.
    fn release(&mut self, effects: Effects, durable: Durable) {
        self.returned += 1;
        let released = effects.release(durable);
        let mut not_sent: Vec<Sent> = Vec::new();
        for output in released.outputs() {
            match output {
                Output::Reply(token, reply) => self.reply(token, reply),
                Output::Send(request) => {
                    if !self.around.outboxes.hand(self.around.index, &request) {
                        not_sent.push(request.sent);
                    }
                }
                // Nobody listens any more only when the switch is stopping; the next start resumes the batch.
                Output::BatchMoved(batch) => {
                    let _ = self.around.moved.send(*batch);
                }
            }
        }
        self.shard.recycle(released);
        for sent in not_sent {
            self.accept(Input::NotSent(sent));
        }
    }

    fn reply(&mut self, token: Token, reply: Reply<'_>) {
        let Some(caller) = self.waiting.leave(token) else { return };
        match reply {
            Reply::Version { transaction, tail, verb, replayed } => {
                let version = Version::copy_of(transaction, tail);
                self.answer(caller, Told::Version { version, verb, replayed });
            }
            Reply::Stored { id, version, verb } => self.answer(caller, Told::Stored { id, version, verb }),
            Reply::Refused(refusal) => self.answer(caller, Told::Refused(refusal)),
            Reply::Absent(id) => self.answer(caller, Told::Absent(id)),
            Reply::BatchesClosed { count } => {
                if let Caller::Closing { reply, at } = caller {
                    let _ = reply.send(Closed { count, at });
                }
            }
        }
    }

    /// Tells a caller. One that has gone away hears nothing: the payment stands, and its key will tell.
    fn answer(&self, caller: Caller, told: Told) {
        if let Caller::Command { reply, sensitive } = caller {
            self.forget_sensitive(sensitive);
            let _ = reply.send(told);
        }
    }

    fn forget_sensitive(&self, sensitive: Option<Xid>) {
        drop(sensitive.and_then(|id| self.around.sensitive.take(&id)));
    }

    fn tell_drained(&mut self) {
        let quiet = self.failed || (self.shard.in_flight() == 0 && self.groups_out() == 0);
        if quiet && let Some(reply) = self.draining.take() {
            let _ = reply.send(());
        }
    }

    /// From here on nothing is decided or told: whoever waits, or comes, hears that the journal can't be written.
    fn fail(&mut self) {
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
