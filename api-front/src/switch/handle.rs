//! The switch, as a front sees it: commands in, versions out.
//!
//! Lives here: the one call that carries a command through its shard, readings of the past, and what a front must know of
//! merchants and processors. Must not live here: HTTP, JSON, sockets, decisions.

use crate::switch::clock::Clock;
use crate::switch::cvv_table::CvvTable;
use crate::switch::directory::{Merchant, MerchantTable, ProcessorTable};
use crate::switch::door::{CommandMessage, Door, Hydration, Told};
use crate::switch::ids::Ids;
use crate::switch::past::Past;
use crate::switch::version::Version;
use bytes::Bytes;
use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::secret::Cvv;
use protocol::words::Verb;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How often a command is handed over again because the transaction it acts upon had left memory. More than once only when
/// the reading was too slow for `HYDRATION_AGE_MAX_MS` of switch-core.
const HYDRATIONS_MAX: u32 = 3;

/// The answer to a command.
#[derive(Debug)]
pub enum Answered {
    /// The answer is this version of a transaction. The same key is answered by the same version for ever.
    Version {
        /// The version; render it with `verb` and nothing else, so that a replay gives the same bytes.
        version: Version,
        /// What was asked.
        verb: Verb,
        /// True when this idempotency key was answered before.
        replayed: bool,
    },
    /// Nothing was done, nothing journaled, nothing sent.
    Refused(Refusal),
    /// Whether anything was done is not known here; the same idempotency key will tell. HTTP 503.
    Unavailable(Unavailable),
}

/// Why the switch can't answer now. HTTP 503 with `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// It is being shut down and takes no more commands.
    Draining,
    /// The journal can't be written: the disk is full. An operator must make room and restart.
    JournalFull,
    /// The history can't be read: the database is down or far behind.
    History,
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unavailable::Draining => "the switch is shutting down",
            Unavailable::JournalFull => "the switch can't write its journal",
            Unavailable::History => "the history can't be read at the moment",
        })
    }
}

impl std::error::Error for Unavailable {}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Switch(Arc<Rooms>);

/// What the handle is made of.
pub(crate) struct Rooms {
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) doors: Vec<Door>,
    pub(crate) cvvs: Arc<CvvTable>,
    pub(crate) past: Box<dyn Past>,
    pub(crate) processors: ProcessorTable,
    pub(crate) merchants: MerchantTable,
}

impl Switch {
    pub(crate) fn new(rooms: Rooms) -> Switch {
        Switch(Arc::new(rooms))
    }

    /// Draws the id of a command: of the transaction that it makes, or of its step.
    pub fn draw_id(&self) -> Xid {
        self.0.ids.draw(self.now())
    }

    /// The front's clock.
    pub fn now(&self) -> Micros {
        self.0.clock.now()
    }

    /// All processors of this run.
    pub fn processors(&self) -> &ProcessorTable {
        &self.0.processors
    }

    /// A merchant's settings.
    pub fn merchant(&self, id: &Xid) -> Option<Arc<Merchant>> {
        self.0.merchants.get(id)
    }

    /// Carries a command through its shard and waits for the answer. `tail` is well-formed, its tags ascend; `cvv` is kept in
    /// memory until the link has sent it. Dropping the future does not stop the payment.
    pub async fn command(&self, command: &Command, tail: &[u8], cvv: Option<Cvv>) -> Answered {
        if cvv.is_some_and(|cvv| !self.0.cvvs.put(command.id, cvv)) {
            return Answered::Refused(Refusal::Busy);
        }
        let tail = Bytes::copy_from_slice(tail);
        let mut hydration = None;
        for _ in 0..=HYDRATIONS_MAX {
            let absent = match self.hand_over(command, &tail, hydration.take()).await {
                Ok(Told::Absent(id)) => id,
                Ok(told) => return self.answer(told).await,
                Err(refused) => return refused,
            };
            match self.hydrate(command, absent).await {
                Ok(Some(read)) => hydration = Some(read),
                Ok(None) => return Answered::Refused(Refusal::NotFound),
                Err(unavailable) => return Answered::Unavailable(unavailable),
            }
        }
        Answered::Unavailable(Unavailable::History)
    }

    async fn hand_over(&self, command: &Command, tail: &Bytes, hydration: Option<Hydration>) -> Result<Told, Answered> {
        let (reply, answer) = oneshot::channel();
        let message = CommandMessage { command: *command, tail: tail.clone(), hydration, reply };
        if self.door(command.merchant).try_send(message).is_err() {
            self.0.cvvs.take(&command.id);
            return Err(Answered::Refused(Refusal::Busy));
        }
        answer.await.map_err(|_| Answered::Unavailable(Unavailable::JournalFull))
    }

    async fn hydrate(&self, command: &Command, id: Xid) -> Result<Option<Hydration>, Unavailable> {
        let read_at = self.now();
        let read = self.0.past.newest(command.merchant, id).await?;
        Ok(read.map(|version| Hydration { version, read_at }))
    }

    async fn answer(&self, told: Told) -> Answered {
        match told {
            Told::Version { version, verb, replayed } => Answered::Version { version, verb, replayed },
            Told::Stored { id, version, verb } => match self.0.past.version(id, version).await {
                Ok(Some(version)) => Answered::Version { version, verb, replayed: true },
                Ok(None) => Answered::Unavailable(Unavailable::History),
                Err(unavailable) => Answered::Unavailable(unavailable),
            },
            Told::Refused(refusal) => Answered::Refused(refusal),
            Told::Absent(_) => Answered::Unavailable(Unavailable::History),
        }
    }

    /// The newest version of a merchant's transaction: all that was durable when this was called is seen. `None` also for
    /// another merchant's transaction.
    pub async fn transaction(&self, merchant: Xid, id: Xid) -> Result<Option<Version>, Unavailable> {
        self.0.past.newest(merchant, id).await
    }

    fn door(&self, merchant: Xid) -> &Door {
        &self.0.doors[merchant.hash64() as usize % self.0.doors.len()]
    }
}
