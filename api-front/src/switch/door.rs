//! The two ways into a shard.
//!
//! Callers come through a bounded queue and are refused at once when it is full (I8). What answers something that the shard
//! let out before (a durable group, a processor's answer, a chunk of a settlement) comes by a second way, so that commands
//! can never crowd it out. That one needs no bound of its own: what it holds is bounded by what the shard has let out,
//! which is [`crate::limits::SHARD_GROUPS_MAX`] groups, a link's queue and trace numbers, and one chunk per batch.

use crate::limits::{SHARD_QUEUE_SHORT_COMMANDS, SHARD_QUEUE_STANDING_MAX_MS};
use crate::links::order::Order;
use crate::switch::mailbox::{Cut, Heard, Ticket};
use crate::switch::version::Version;
use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use protocol::calendar::Micros;
use protocol::change::Change;
use protocol::command::Command;
use protocol::frame::Durable;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::Verb;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use switch_core::input::{Answer, MerchantTerms, ProcessorTerms, Sent};
use switch_core::output::Effects;
use switch_core::{ProcessorReport, routing, rules};
use tokio::sync::{Notify, mpsc, oneshot};

/// One command on its way to a shard.
#[derive(Debug)]
pub struct CommandMessage {
    /// What is asked.
    pub command: Command,
    /// What travels along.
    pub tail: Bytes,
    /// The transaction acted upon, when it had left memory: one hand-off, so that nothing comes between.
    pub hydration: Option<Hydration>,
    /// Where the answer goes. Dropped unanswered when the shard can't answer any more.
    pub reply: ReplyTo,
    /// When it was handed over: where its way through the shard is measured from. None when nobody measures.
    pub at: Micros,
}

/// Where the answer to a command goes. Dropped, it tells that none will come.
#[derive(Debug)]
pub enum ReplyTo {
    /// Somebody who waits for this one answer.
    Caller(oneshot::Sender<Told>),
    /// A front that takes answers out of a mailbox.
    Mailbox(Ticket),
}

impl From<oneshot::Sender<Told>> for ReplyTo {
    fn from(caller: oneshot::Sender<Told>) -> ReplyTo {
        ReplyTo::Caller(caller)
    }
}

impl ReplyTo {
    /// Tells it. A caller that has gone away hears nothing: the payment stands, and its key will tell.
    pub fn tell(self, told: Told) {
        match self {
            ReplyTo::Caller(caller) => drop(caller.send(told)),
            ReplyTo::Mailbox(ticket) => ticket.tell(Heard::Told(told)),
        }
    }

    /// Tells that the answer is a version.
    pub fn tell_version(self, transaction: &Transaction, tail: Tail<'_>, verb: Verb, replayed: bool) {
        match self {
            ReplyTo::Caller(caller) => {
                let version = Version::copy_of(transaction, tail);
                drop(caller.send(Told::Version { version, verb, replayed }));
            }
            ReplyTo::Mailbox(ticket) => ticket.tell(Heard::Version(Cut::of(transaction, verb, replayed))),
        }
    }
}

/// A transaction read back from the history.
#[derive(Debug, Clone)]
pub struct Hydration {
    /// Its newest version.
    pub version: Version,
    /// When the reading began.
    pub read_at: Micros,
}

/// What a shard tells the caller of a command.
#[derive(Debug)]
pub enum Told {
    /// The answer is this version.
    Version {
        /// The version.
        version: Version,
        /// What was asked.
        verb: Verb,
        /// True when the key was answered before.
        replayed: bool,
    },
    /// The answer is a version that has left memory.
    Stored {
        /// The transaction.
        id: Xid,
        /// The version that answered.
        version: u32,
        /// What was asked.
        verb: Verb,
    },
    /// Nothing was done.
    Refused(Refusal),
    /// Read this transaction back and ask again.
    Absent(Xid),
}

/// The batches that a call has closed: those of its shard with exactly this `closed_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// How many.
    pub count: u32,
    /// The moment of closing.
    pub at: Micros,
}

/// What a bank says of an ACH entry, long after its answer.
#[derive(Debug)]
pub struct FromBank {
    /// The transaction.
    pub transaction: Xid,
    /// It and, of a refund, its sale, read back in case they have left memory.
    pub hydrations: Vec<Hydration>,
    /// What it says beside code and date, as a tail.
    pub facts: Vec<u8>,
    /// Told, once it is durable, the transaction as it stands then; or why it can't be taken: [`Refusal::BatchClosing`] and
    /// [`Refusal::StepInFlight`] pass, and [`Told::Absent`] wants another reading.
    pub reply: oneshot::Sender<Told>,
}

/// What comes back to a shard, or drives it.
#[derive(Debug)]
pub enum Return {
    /// A group's records are durable: its outputs may leave.
    Durable(Effects, Durable),
    /// The disk is full: a group was not written, and none will be.
    Refused,
    /// A processor has answered.
    Answer {
        /// What it says.
        answer: Answer,
        /// What else it says, as a tail; empty for cards.
        facts: Vec<u8>,
    },
    /// A request was provably never written: the processor can't be reached.
    NotSent(Sent),
    /// A request was provably never written, for a reason of our own.
    NotTaken(Sent),
    /// A request's connection is gone.
    Lost(Sent),
    /// A processor's link is signed on.
    LinkUp {
        /// Index of the processor.
        processor: u16,
    },
    /// No connection of a processor's link is signed on any more.
    LinkDown {
        /// Index of the processor.
        processor: u16,
    },
    /// An operator takes a queued reversal over.
    TakeOver {
        /// The transaction.
        transaction: Xid,
        /// Told the transaction as it is then, or that it has no such reversal.
        reply: oneshot::Sender<Told>,
    },
    /// Journal a change of the configuration, in these parts.
    Configure {
        /// The parts.
        parts: Vec<(Change, Vec<u8>)>,
        /// Told once it is durable; dropped when it never will be.
        reply: oneshot::Sender<()>,
    },
    /// A merchant's terms have changed.
    Merchant(MerchantTerms),
    /// A processor's terms have changed.
    Processor(ProcessorTerms),
    /// A processor has a link now; requests for it go into this queue.
    Outbox {
        /// Index of the processor.
        processor: u16,
        /// The link's queue.
        queue: mpsc::Sender<Order>,
    },
    /// The table of rules that holds from here on.
    Rules(Arc<rules::Table>),
    /// The table of routes that holds from here on.
    Routes(Arc<routing::Table>),
    /// Close a processor's batches.
    CloseBatches {
        /// Index of the processor.
        processor: u16,
        /// Only those opened, or closed and rejected, before this moment.
        before: Micros,
        /// Where the count goes.
        reply: oneshot::Sender<Closed>,
    },
    /// Members of an accepted batch, read back, to be marked settled.
    SettleMembers {
        /// Their newest versions.
        members: Vec<Version>,
        /// When the reading began.
        read_at: Micros,
        /// Answered once the shard has taken all: the next chunk may come.
        reply: oneshot::Sender<()>,
    },
    /// A bank has sent an ACH entry back.
    Returned {
        /// Of which entry.
        news: FromBank,
        /// Why: `R01` to `R85`.
        code: [u8; 3],
        /// When, as the processor says.
        returned_at: Micros,
    },
    /// A bank says that the data of an account have changed.
    ChangeNotified(FromBank),
    /// All members of a batch have been given.
    CompleteBatch {
        /// The batch.
        batch: Xid,
    },
    /// Say what came of the command with an idempotency key. Changes nothing.
    FindKey {
        /// Hash of merchant and key.
        hash: [u8; 16],
        /// Told a version, or where it is stored; [`Refusal::NotFound`] when no such key holds, [`Refusal::Busy`] when too many wait.
        reply: oneshot::Sender<Told>,
    },
    /// Say how a processor stands. Changes nothing.
    Report {
        /// Index of the processor.
        processor: u16,
        /// Told at once; `None` when the shard has none of that index.
        reply: oneshot::Sender<Option<ProcessorReport>>,
    },
    /// Answer once no request to a processor is undecided.
    Drain(oneshot::Sender<()>),
    /// Let out what is under way in the journal, then end.
    Stop,
}

impl Return {
    /// The request that a processor has answered.
    pub fn answered(&self) -> Option<&Sent> {
        if let Return::Answer { answer, .. } = self { Some(&answer.sent) } else { None }
    }
}

/// The way into a shard. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Door {
    commands: Sender<CommandMessage>,
    returns: Sender<Return>,
    bell: Arc<Notify>,
    /// When few were last seen to wait.
    short_at: Arc<AtomicI64>,
}

/// The shard's end of its door.
#[derive(Debug)]
pub struct Inside {
    /// Commands that wait.
    pub commands: Receiver<CommandMessage>,
    /// What came back.
    pub returns: Receiver<Return>,
    /// Rung after each of them; several may be one ring.
    pub bell: Arc<Notify>,
}

impl Door {
    /// A door with room for `commands_max` commands, and its inside.
    pub fn new(commands_max: usize) -> (Door, Inside) {
        let (commands, commands_inside) = bounded(commands_max);
        let (returns, returns_inside) = unbounded();
        let (short_at, bell) = (Arc::new(AtomicI64::new(0)), Arc::new(Notify::new()));
        let inside = Inside { commands: commands_inside, returns: returns_inside, bell: Arc::clone(&bell) };
        (Door { commands, returns, bell, short_at }, inside)
    }

    /// True when commands have stood here for too long: the shard, or the journal behind it, takes fewer than come. A long queue
    /// that moves is none; one that never gets short makes everybody wait for nothing, so that new commands are better refused
    /// until it has. Whoever asks looks how long it is, so the answer is never older than the last request.
    pub fn is_standing(&self, now: Micros) -> bool {
        if self.commands.len() <= SHARD_QUEUE_SHORT_COMMANDS {
            self.short_at.store(now.0, Ordering::Relaxed);
            return false;
        }
        let short_at = Micros(self.short_at.load(Ordering::Relaxed));
        short_at.plus_ms(SHARD_QUEUE_STANDING_MAX_MS) < now
    }

    /// Commands that wait here.
    pub fn waiting(&self) -> usize {
        self.commands.len()
    }

    /// Hands a command over. False when the queue is full or the shard has stopped: nothing was done.
    #[must_use]
    pub fn try_command(&self, message: CommandMessage) -> bool {
        let is_taken = self.commands.try_send(message).is_ok();
        if is_taken {
            self.bell.notify_one();
        }
        is_taken
    }

    /// Gives something back to the shard. False when the shard has stopped: it needs it no more.
    pub fn give(&self, returned: Return) -> bool {
        let is_taken = self.returns.send(returned).is_ok();
        if is_taken {
            self.bell.notify_one();
        }
        is_taken
    }
}
