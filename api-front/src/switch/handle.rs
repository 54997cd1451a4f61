//! The switch, as a front sees it: commands in, versions out.
//!
//! Lives here: the one call that carries a command through its shard, readings of the past, and what a front must know of
//! merchants and processors. Must not live here: HTTP, JSON, sockets, decisions.

use crate::calendar::Calendar;
mod begun;

use crate::limits::SETTLE_WAIT;
use crate::metrics::Tally;
use crate::operator::Operator;
use crate::settlement::board::Board;
use crate::settlement::closing::Closing;
use crate::switch::clock::Clock;
use crate::switch::directory::{Merchant, MerchantTable, ProcessorTable, TerminalTable};
use crate::switch::door::{CommandMessage, Door, Hydration, Return, Told};
pub use crate::switch::gate::Work;
use crate::switch::gate::{Gate, Place};
use crate::switch::history::History;
use crate::switch::ids::Ids;
use crate::switch::past::Past;
use crate::switch::readiness::Vitals;
pub use crate::switch::readiness::{LinkReadiness, ProjectionState, Readiness};
use crate::switch::sensitive_table::SensitiveTable;
use crate::switch::version::Version;
use crate::terminals::Kept;
use crate::trace;
use bytes::Bytes;
use persistence::journal::Space;
use persistence::sealing::Sealer;
use persistence::stores::{ApiKey, Stores};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use protocol::secret::SensitiveData;
use protocol::words::Verb;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use subtle::ConstantTimeEq;
use switch_core::{ProcessorReport, shard_of};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How often a transaction is read back for one command. More than once only when a reading was too slow for
/// [`switch_core::limits::HYDRATION_AGE_MAX_MS`], or the transaction lived on meanwhile.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// It is being shut down and takes no more commands.
    #[error("the switch is shutting down")]
    Draining,
    /// The journal can't be written: the disk is full. An operator must make room and restart.
    #[error("the switch can't write its journal")]
    JournalFull,
    /// The history can't be read: the database is down or far behind.
    #[error("the history can't be read at the moment")]
    History,
}

/// Why a command is not taken: nothing was done, nothing journaled, nothing sent, and its idempotency key is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TurnedAway {
    /// As many are under way as may be.
    #[error("the switch is at its limit: try again")]
    Busy,
    /// The switch takes none at the moment.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<TurnedAway> for Answered {
    fn from(turned_away: TurnedAway) -> Answered {
        match turned_away {
            TurnedAway::Busy => Answered::Refused(Refusal::Busy),
            TurnedAway::Unavailable(why) => Answered::Unavailable(why),
        }
    }
}

/// A command that its shard has. A caller that goes away leaves it behind with its place: it is under way until the shard has
/// answered, and until then it counts.
struct UnderWay(Option<(oneshot::Receiver<Told>, Place)>);

impl UnderWay {
    fn new(answer: oneshot::Receiver<Told>, place: Place) -> UnderWay {
        UnderWay(Some((answer, place)))
    }

    /// What the shard says; `None` when it can't answer any more.
    async fn told(mut self) -> Option<(Told, Place)> {
        let (answer, _) = self.0.as_mut()?;
        let told = answer.await.ok();
        let (_, place) = self.0.take()?;
        told.map(|told| (told, place))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Some((answer, place)) = self.0.take() else { return };
        // Without a runtime the switch is gone, and nothing is counted any more.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                drop(answer.await);
                drop(place);
            });
        }
    }
}

/// What became of a call that closes batches.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Batches that the call has closed.
    pub closed: u32,
    /// Of those, the ones that the processor has answered in time, as they stand now. A batch that is missing has not been
    /// answered yet; settlement goes on without the caller.
    pub batches: Vec<Batch>,
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Switch(Arc<Rooms>);

/// What the handle is made of.
pub(crate) struct Rooms {
    pub(crate) clock: Clock,
    pub(crate) calendar: Calendar,
    pub(crate) ids: Arc<Ids>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) doors: Vec<Door>,
    pub(crate) tallies: Vec<Arc<Tally>>,
    pub(crate) sensitive: Arc<SensitiveTable>,
    pub(crate) past: Box<dyn Past>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) stores: Stores,
    pub(crate) operator_key_hash: Option<[u8; 32]>,
    pub(crate) processors: ProcessorTable,
    pub(crate) merchants: MerchantTable,
    pub(crate) terminals: TerminalTable,
    pub(crate) board: Arc<Board>,
    pub(crate) vitals: Vitals,
    pub(crate) operator: Operator,
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

    /// The clock by which what is dated happens. Not for deadlines.
    pub fn calendar(&self) -> &Calendar {
        &self.0.calendar
    }

    /// What an operator changes while it runs.
    pub fn operator(&self) -> &Operator {
        &self.0.operator
    }

    /// All processors that transactions may name.
    pub fn processors(&self) -> &ProcessorTable {
        &self.0.processors
    }

    /// A merchant's settings.
    pub fn merchant(&self, id: &Xid) -> Option<Arc<Merchant>> {
        self.0.merchants.get(id)
    }

    /// Terminals as they are kept, with what proves them.
    pub fn kept_terminals(&self) -> Kept<'_> {
        Kept { stores: self.stores(), sealer: self.sealer() }
    }

    /// Terminals that payments may name.
    pub fn terminals(&self) -> &TerminalTable {
        &self.0.terminals
    }

    /// A terminal of a merchant's that takes payments.
    pub fn has_terminal(&self, merchant: &Xid, id: &Xid) -> bool {
        self.0.terminals.get(id).is_some_and(|terminal| terminal.merchant == *merchant && terminal.active)
    }

    /// All merchants of this run.
    pub fn merchants(&self) -> &MerchantTable {
        &self.0.merchants
    }

    /// Readings of the SQL home, for an operator.
    pub fn history(&self) -> &History {
        &self.0.vitals.history
    }

    /// Seals cards, and hashes what must not be stored in clear.
    pub fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// Merchants' API keys and what else the slow side stores.
    pub fn stores(&self) -> &Stores {
        &self.0.stores
    }

    /// True when this is the operator's key. Takes as long for a wrong one as for a nearly right one.
    pub fn is_operator(&self, presented: &str) -> bool {
        let presented = ApiKey::hash_of(presented);
        self.0.operator_key_hash.is_some_and(|expected| presented.ct_eq(&expected).into())
    }

    /// Whether the switch should be given traffic, and why not.
    pub fn readiness(&self) -> Readiness {
        self.0.vitals.readiness()
    }

    /// Room on the journal's disk, bytes; `None` where it can't be told.
    pub fn disk_free_bytes(&self) -> Option<u64> {
        self.0.vitals.disk_free_bytes()
    }

    /// From here on commands are refused as unavailable.
    pub(crate) fn begin_draining(&self) {
        self.0.vitals.draining.store(true, Ordering::Release);
    }

    /// Whether a command of this kind would be taken now. Asked as soon as it is known who asks, before a body is read: what is
    /// going to be refused must cost little. The place is taken by [`Switch::command`].
    pub fn would_take(&self, merchant: &Xid, work: Work) -> Result<(), TurnedAway> {
        self.admit()?;
        let takes = self.0.gate.has_room(merchant, work) && !self.door(*merchant).is_standing(self.now());
        if takes { Ok(()) } else { Err(self.busy()) }
    }

    /// Carries a command through its shard and waits for the answer. `tail` is well-formed, its tags ascend; `sensitive` is kept
    /// in memory until the link has sent it. Dropping the future does not stop the payment.
    pub async fn command(&self, command: &Command, tail: &[u8], sensitive: Option<SensitiveData>) -> Answered {
        let mut place = match self.enter(command) {
            Ok(place) => place,
            Err(turned_away) => return turned_away.into(),
        };
        if sensitive.is_some_and(|data| !self.0.sensitive.put(command.id, data)) {
            return self.busy().into();
        }
        let tail = Bytes::copy_from_slice(tail);
        let mut hydration = None;
        for _ in 0..=HYDRATIONS_MAX {
            let told = match self.hand_over(command, &tail, hydration.take(), place).await {
                Ok((told, kept)) => {
                    place = kept;
                    told
                }
                Err(turned_away) => return turned_away.into(),
            };
            let Told::Absent(id) = told else { return self.answer(told).await };
            match self.hydrate(command, id).await {
                Ok(Some(read)) => hydration = Some(read),
                Ok(None) => return Answered::Refused(Refusal::NotFound),
                Err(unavailable) => return Answered::Unavailable(unavailable),
            }
        }
        Answered::Unavailable(Unavailable::History)
    }

    fn enter(&self, command: &Command) -> Result<Place, TurnedAway> {
        self.admit()?;
        let work = command.verb().map_or(Work::Begin, Work::of);
        let place = self.0.gate.enter(command.merchant, work);
        place.filter(|_| !self.door(command.merchant).is_standing(self.now())).ok_or_else(|| self.busy())
    }

    fn busy(&self) -> TurnedAway {
        self.0.gate.note_refused(self.now());
        TurnedAway::Busy
    }

    /// New commands are taken only while there is room for their outcomes and reversals as well.
    fn admit(&self) -> Result<(), TurnedAway> {
        let vitals = &self.0.vitals;
        if vitals.draining.load(Ordering::Acquire) {
            return Err(TurnedAway::Unavailable(Unavailable::Draining));
        }
        if !vitals.journal_writable.load(Ordering::Acquire) {
            return Err(TurnedAway::Unavailable(Unavailable::JournalFull));
        }
        match vitals.space.get() {
            Space::Ample => Ok(()),
            Space::NearlyFull | Space::Exhausted => Err(TurnedAway::Busy),
        }
    }

    /// Gives a command to its shard and waits for what it says. The place comes back with it: what is under way keeps it, whether
    /// or not somebody still waits.
    async fn hand_over(
        &self,
        command: &Command,
        tail: &Bytes,
        hydration: Option<Hydration>,
        place: Place,
    ) -> Result<(Told, Place), TurnedAway> {
        let (reply, answer) = oneshot::channel();
        let (reply, at) = (reply.into(), self.now());
        trace::handed_over(command);
        let message = CommandMessage { command: *command, tail: tail.clone(), hydration, reply, at };
        if !self.door(command.merchant).try_command(message) {
            drop(self.0.sensitive.take(&command.id));
            return Err(self.busy());
        }
        UnderWay::new(answer, place).told().await.ok_or(TurnedAway::Unavailable(Unavailable::JournalFull))
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

    /// Ends a queued reversal that an operator has seen to. `None` when there is none.
    pub async fn take_over_reversal(&self, merchant: Xid, transaction: Xid) -> Result<Option<Version>, TurnedAway> {
        let (reply, answer) = oneshot::channel();
        self.door(merchant).give(Return::TakeOver { transaction, reply });
        match answer.await {
            Ok(Told::Version { version, .. }) => Ok(Some(version)),
            Ok(Told::Refused(Refusal::Busy)) => Err(TurnedAway::Busy),
            Ok(Told::Absent(_) | Told::Refused(_) | Told::Stored { .. }) => Ok(None),
            Err(_) => Err(self.dropped()),
        }
    }

    /// What came of a merchant's command with a key of this hash, while the key holds: what was asked, and the version that answered
    /// it, or the newest one while none has. The shard's own table is asked, so that nobody waits for the history.
    pub async fn find_key(&self, merchant: Xid, hash: [u8; 16]) -> Result<Option<(Verb, Version)>, TurnedAway> {
        let (reply, told) = oneshot::channel();
        self.door(merchant).give(Return::FindKey { hash, reply });
        match self.answer(told.await.map_err(|_| self.dropped())?).await {
            Answered::Version { version, verb, .. } => Ok(Some((verb, version))),
            Answered::Refused(Refusal::Busy) => Err(TurnedAway::Busy),
            Answered::Refused(_) => Ok(None),
            Answered::Unavailable(why) => Err(TurnedAway::Unavailable(why)),
        }
    }

    /// How each shard has a processor. One that has stopped, or does not know it, says nothing.
    pub async fn processor_reports(&self, processor: u16) -> Vec<ProcessorReport> {
        let mut asked = Vec::with_capacity(self.0.doors.len());
        for door in &self.0.doors {
            let (reply, told) = oneshot::channel();
            door.give(Return::Report { processor, reply });
            asked.push(told);
        }
        let mut reports = Vec::with_capacity(asked.len());
        for told in asked {
            reports.extend(told.await.ok().flatten());
        }
        reports
    }

    /// What each shard has counted.
    pub fn tallies(&self) -> &[Arc<Tally>] {
        &self.0.tallies
    }

    /// Commands that wait in front of each shard.
    pub fn waiting(&self) -> Vec<usize> {
        self.0.doors.iter().map(Door::waiting).collect()
    }

    /// Where commands are let in.
    pub(crate) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// What has left memory, and searches of it.
    pub fn past(&self) -> &dyn Past {
        &*self.0.past
    }

    /// The newest version of a merchant's transaction: all that was durable when this was called is seen. `None` also for
    /// another merchant's transaction.
    pub async fn transaction(&self, merchant: Xid, id: Xid) -> Result<Option<Version>, Unavailable> {
        self.0.past.newest(merchant, id).await
    }

    /// Closes the open batches of a processor and waits, not for ever, until each is answered and its members are settled.
    pub async fn settle(&self, processor: u16) -> Result<Settlement, TurnedAway> {
        self.admit()?;
        let closing = Closing::ask(&self.0.doors, processor, Micros::NEVER).await;
        if !closing.is_whole() {
            return Err(self.dropped());
        }
        let batches = closing.decided(&self.0.board, SETTLE_WAIT).await;
        Ok(Settlement { closed: closing.count(), batches })
    }

    /// What it means when a shard drops a call unanswered: it had no room for it, unless its journal refuses.
    fn dropped(&self) -> TurnedAway {
        match self.0.vitals.journal_writable.load(Ordering::Acquire) {
            true => TurnedAway::Busy,
            false => TurnedAway::Unavailable(Unavailable::JournalFull),
        }
    }

    fn shard(&self, merchant: Xid) -> usize {
        usize::from(shard_of(merchant, self.0.doors.len() as u16))
    }

    fn door(&self, merchant: Xid) -> &Door {
        &self.0.doors[self.shard(merchant)]
    }
}
