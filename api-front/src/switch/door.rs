//! The way into a shard: a bounded queue of commands, past which the caller is refused at once (I8).

use crate::switch::version::Version;
use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::words::Verb;
use tokio::sync::oneshot;

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
    pub reply: oneshot::Sender<Told>,
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

/// The callers' end of a shard's queue.
#[derive(Debug, Clone)]
pub struct Door {
    commands: Sender<CommandMessage>,
}

impl Door {
    /// A queue of at most `commands_max`, and the shard's end of it.
    pub fn new(commands_max: usize) -> (Door, Receiver<CommandMessage>) {
        let (commands, shard_end) = bounded(commands_max);
        (Door { commands }, shard_end)
    }

    /// Hands a command over, or gives it back at once when the queue is full or the shard has stopped.
    pub fn try_send(&self, message: CommandMessage) -> Result<(), CommandMessage> {
        self.commands.try_send(message).map_err(|error| error.into_inner())
    }
}
