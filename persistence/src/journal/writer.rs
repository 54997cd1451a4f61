//! The journal's threads: one merges what waits into a frame and, when frames are large, a second writes while the first
//! fills the next. A third pre-writes segments.
//!
//! Who may write is a value, the [`Lane`]: whoever holds it writes, and only one write is ever in flight. With a small frame
//! or nothing waiting the filler writes itself, for a hop to another thread costs more than it saves. With a large frame and
//! more waiting, it hands lane and frame to the disk thread and goes on filling and hashing until the lane comes back.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError, bounded, select_biased};
use protocol::frame::Durable;

use super::disk::Disk;
use super::draft::Draft;
use super::error::AppendError;
use super::framer::{Framer, Placed};
use super::log::{Log, assert_records};
use super::recent::Recent;
use super::sleeper::{Alarm, Sleeper};
use super::supply::{Supply, SupplyFault};
use super::tail::Tail;
use super::watch::{DurableWatch, SpaceGauge};
use crate::precedence::come_at_once;

/// Batches in one group at most: bounds what waits for one sync when batches are empty or tiny.
const GROUP_BATCHES_MAX: usize = 8192;
/// How often free space is looked at when nothing else happens.
const SPACE_CHECK_PERIOD: Duration = Duration::from_secs(2);

/// What an owner submits: records to make durable, and whatever it wants back when they are.
pub trait Batch: Send + 'static {
    /// Whole records, one after the other; see [`protocol::frame::records`].
    fn records(&self) -> &[u8];
    /// How many they are; may be zero.
    fn record_count(&self) -> u32;
}

/// The batch was not written, no byte of it, and took no LSN: the disk is full. It is final: every later batch with records
/// is refused as well, so that the journal has no hole, until the journal is opened again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("journal: the disk is full; the batch was not written")]
pub struct Refused;

/// How the threads work.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Batches that may wait in the queue before a submitter must wait too.
    pub queue_batches: usize,
    /// Payload of one group in bytes, at most; a larger batch goes alone. Above 1 MiB a group costs more latency than it
    /// gains.
    pub group_bytes: usize,
    /// From this payload on, in bytes, a frame is written by the disk thread while the next is filled, if more is waiting.
    pub handoff_bytes: usize,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { queue_batches: 4096, group_bytes: 1024 * 1024, handoff_bytes: 128 * 1024 }
    }
}

enum Message<B> {
    Batch(B),
    Stop,
}

/// A running journal.
pub struct Journal<B> {
    submitter: Submitter<B>,
    watch: DurableWatch,
    recent: Recent,
    space: SpaceGauge,
    filler: JoinHandle<()>,
    preparer: JoinHandle<()>,
    stop_preparer: Sender<()>,
}

impl<B: Batch> Journal<B> {
    /// Starts the threads over an opened log. `sink` gets every batch back, in the order of submission, once it is durable or
    /// refused. It runs on the journal's threads between two writes: it must be short, and must not submit.
    pub fn start<D: Disk>(
        log: Log<D>,
        options: WriterOptions,
        sink: impl FnMut(B, Result<Durable, Refused>) + Send + 'static,
    ) -> io::Result<Self> {
        let (watch, recent, space) = (DurableWatch::at(log.last_lsn()), Recent::new(), log.space());
        let supply = log.tail.supply().clone();
        let (input, queue) = bounded(options.queue_batches.max(1));
        let (stop_preparer, stopped) = bounded(0);
        let disk = log.tail.disk().clone();
        let preparer = spawn("journal-prepare", move || prepare(&*disk, &supply, &stopped))?;
        let sleeper = Sleeper::default();
        let submitter = Submitter { input, alarm: sleeper.alarm(), batch_bytes_max: log.batch_bytes_max };
        let lane = Lane {
            tail: log.tail,
            sink: Box::new(sink),
            watch: watch.clone(),
            recent: recent.clone(),
            durable_lsn: watch.durable_lsn(),
            refusing: false,
        };
        let (framer, lock) = (log.framer, log.lock);
        let disk_thread = DiskThread::start()?;
        // A group must fit in one segment, however small the segments are.
        let group_bytes = options.group_bytes.min(log.batch_bytes_max);
        let queue = Queue { messages: queue, sleeper };
        let mut filler = Filler::new(queue, framer, lane, disk_thread, group_bytes, options.handoff_bytes);
        let filler = spawn("journal", move || {
            come_at_once();
            filler.run();
            // Another process may write only after this one's last frame.
            drop(lock);
        })?;
        Ok(Self { submitter, watch, recent, space, filler, preparer, stop_preparer })
    }

    /// A way in, for one more thread.
    pub fn submitter(&self) -> Submitter<B> {
        self.submitter.clone()
    }

    /// How far the journal is durable.
    pub fn watch(&self) -> DurableWatch {
        self.watch.clone()
    }

    /// Its newest frames, for whoever follows it.
    pub fn recent(&self) -> Recent {
        self.recent.clone()
    }

    /// How much room is left.
    pub fn space(&self) -> SpaceGauge {
        self.space.clone()
    }

    /// Writes what was submitted before this call, hands it back, and ends the threads. Submitting fails from then on.
    pub fn stop(self) {
        // Fails only if the filler has ended already.
        let _ = self.submitter.send(Message::Stop);
        drop(self.stop_preparer);
        for thread in [self.filler, self.preparer] {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// One owner's way into the journal.
pub struct Submitter<B> {
    input: Sender<Message<B>>,
    /// Behind the queue's end: dropped after it, it tells that there is one submitter less.
    alarm: Alarm,
    batch_bytes_max: usize,
}

impl<B> Clone for Submitter<B> {
    fn clone(&self) -> Self {
        Self { input: self.input.clone(), alarm: self.alarm.clone(), batch_bytes_max: self.batch_bytes_max }
    }
}

/// A batch that was not taken, and why.
#[derive(Debug)]
pub struct SubmitError<B> {
    /// The batch, untouched.
    pub batch: B,
    /// Why.
    pub why: SubmitRefusal,
}

/// Why a batch was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SubmitRefusal {
    /// The journal was stopped.
    #[error("journal: stopped")]
    Closed,
    /// More than [`Submitter::batch_bytes_max`].
    #[error("journal: batch too large")]
    TooLarge,
    /// The queue is full (only from [`Submitter::try_submit`]).
    #[error("journal: queue full")]
    Busy,
}

impl<B: Batch> Submitter<B> {
    /// Hands a batch in; waits while the queue is full. Batches of one submitter keep their order. Panics if the batch is not
    /// exactly its count of records: that is the caller's bug and must not reach the disk.
    pub fn submit(&self, batch: B) -> Result<(), SubmitError<B>> {
        let message = self.checked(batch)?;
        self.send(message).map_err(|back| refused(back.0, SubmitRefusal::Closed))
    }

    fn send(&self, message: Message<B>) -> Result<(), SendError<Message<B>>> {
        self.input.send(message)?;
        self.alarm.ring();
        Ok(())
    }

    /// The same, but does not wait.
    pub fn try_submit(&self, batch: B) -> Result<(), SubmitError<B>> {
        let message = self.checked(batch)?;
        self.input.try_send(message).map_err(|error| match error {
            TrySendError::Full(back) => refused(back, SubmitRefusal::Busy),
            TrySendError::Disconnected(back) => refused(back, SubmitRefusal::Closed),
        })?;
        self.alarm.ring();
        Ok(())
    }

    /// Largest batch in bytes.
    pub fn batch_bytes_max(&self) -> usize {
        self.batch_bytes_max
    }

    fn checked(&self, batch: B) -> Result<Message<B>, SubmitError<B>> {
        if batch.records().len() > self.batch_bytes_max {
            return Err(SubmitError { batch, why: SubmitRefusal::TooLarge });
        }
        assert_records(batch.records(), batch.record_count());
        Ok(Message::Batch(batch))
    }
}

fn refused<B>(message: Message<B>, why: SubmitRefusal) -> SubmitError<B> {
    match message {
        Message::Batch(batch) => SubmitError { batch, why },
        Message::Stop => unreachable!("only batches are submitted"),
    }
}

/// Batches that share one frame and one sync.
struct Group<B> {
    draft: Draft,
    batches: Vec<B>,
}

impl<B: Batch> Group<B> {
    fn new(room: usize) -> Self {
        Self { draft: Draft::with_room_for(room), batches: Vec::new() }
    }

    fn has_room_for(&self, batch: &B, group_bytes: usize) -> bool {
        let bytes = self.draft.payload_bytes() + batch.records().len();
        self.batches.len() < GROUP_BATCHES_MAX && (self.draft.is_empty() || bytes <= group_bytes)
    }
}

/// The right to write, and all that goes with it.
struct Lane<B, D: Disk> {
    tail: Tail<D>,
    sink: Box<dyn FnMut(B, Result<Durable, Refused>) + Send>,
    watch: DurableWatch,
    recent: Recent,
    durable_lsn: u64,
    refusing: bool,
}

impl<B: Batch, D: Disk> Lane<B, D> {
    /// Writes a closed group and hands its batches back.
    fn commit(&mut self, placed: &Placed, group: &mut Group<B>) {
        if !self.refusing {
            self.write(placed, group);
        }
        self.hand_back(group);
    }

    fn write(&mut self, placed: &Placed, group: &Group<B>) {
        match self.tail.commit(placed, group.draft.blocks()) {
            Ok(()) => {
                self.recent.push(self.tail.segment(), placed.offset, group.draft.blocks());
                self.watch.publish(placed.first_lsn + u64::from(group.draft.record_count()) - 1);
            }
            Err(AppendError::Full) => {
                tracing::error!(lsn = placed.first_lsn, "the disk is full: the journal refuses from here on");
                self.refusing = true;
                self.tail.supply().refuse_for_good();
            }
            // What is on disk now only the next start can tell, and a second sync might lie.
            Err(error @ (AppendError::Disk(_) | AppendError::Failed | AppendError::TooLarge { .. })) => {
                self.tail.disk().abort(&format!("{error}; LSN {} on is not durable, the process ends", placed.first_lsn));
            }
        }
    }

    /// Gives every batch of a written (or refused, or empty) group back in order.
    fn hand_back(&mut self, group: &mut Group<B>) {
        for batch in group.batches.drain(..) {
            let count = u64::from(batch.record_count());
            if self.refusing && count > 0 {
                (self.sink)(batch, Err(Refused));
                continue;
            }
            let first_lsn = self.durable_lsn + 1;
            self.durable_lsn += count;
            (self.sink)(batch, Ok(Durable::after_sync(first_lsn, self.durable_lsn)));
        }
        group.draft.clear();
    }
}

/// A frame on its way to the disk, or its empty group on the way back.
struct Work<B, D: Disk> {
    lane: Lane<B, D>,
    group: Group<B>,
    placed: Option<Placed>,
}

/// The thread that writes large frames.
struct DiskThread<B, D: Disk> {
    to_disk: Option<Sender<Work<B, D>>>,
    from_disk: Receiver<Work<B, D>>,
    thread: Option<JoinHandle<()>>,
}

impl<B: Batch, D: Disk> DiskThread<B, D> {
    fn start() -> io::Result<Self> {
        let (to_disk, works) = bounded::<Work<B, D>>(1);
        let (back, from_disk) = bounded(1);
        let thread = spawn("journal-disk", move || {
            come_at_once();
            for mut work in works {
                if let Some(placed) = work.placed.take() {
                    work.lane.commit(&placed, &mut work.group);
                }
                if back.send(work).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { to_disk: Some(to_disk), from_disk, thread: Some(thread) })
    }
}

/// What waits to be written.
struct Queue<B> {
    messages: Receiver<Message<B>>,
    sleeper: Sleeper,
}

impl<B> Queue<B> {
    /// Waits for a message. Fails when nobody is left who could send one.
    fn recv(&self) -> Result<Message<B>, RecvError> {
        self.sleeper.wait_for(|| match self.messages.try_recv() {
            Ok(message) => Some(Ok(message)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(RecvError)),
        })
    }
}

/// Where the lane is.
enum Holder<B, D: Disk> {
    Filler(Lane<B, D>),
    DiskThread,
}

/// The thread that fills and closes frames.
struct Filler<B, D: Disk> {
    queue: Queue<B>,
    framer: Framer,
    holder: Holder<B, D>,
    disk: DiskThread<B, D>,
    group: Group<B>,
    /// The other group while it is not with the disk thread.
    spare: Option<Group<B>>,
    /// Taken from the queue, but without room in the present group.
    held: Option<B>,
    stopping: bool,
    group_bytes: usize,
    handoff_bytes: usize,
}

impl<B: Batch, D: Disk> Filler<B, D> {
    fn new(
        queue: Queue<B>,
        framer: Framer,
        lane: Lane<B, D>,
        disk: DiskThread<B, D>,
        group_bytes: usize,
        handoff_bytes: usize,
    ) -> Self {
        Self {
            queue,
            framer,
            holder: Holder::Filler(lane),
            disk,
            group: Group::new(group_bytes),
            spare: Some(Group::new(group_bytes)),
            held: None,
            stopping: false,
            group_bytes,
            handoff_bytes,
        }
    }

    fn run(&mut self) {
        while self.fill() {
            self.commit();
        }
        self.bring_lane_home();
        self.disk.to_disk = None;
        if let Some(thread) = self.disk.thread.take()
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    }

    /// Gathers a group: waits for its first batch, then takes what is there, and more for as long as another frame is being
    /// written. False when there is nothing left to do.
    fn fill(&mut self) -> bool {
        if let Some(batch) = self.held.take() {
            self.take(batch);
        }
        if self.group.batches.is_empty() && !self.stopping {
            match self.queue.recv() {
                Ok(message) => self.receive(message),
                Err(_) => self.stopping = true,
            }
        }
        loop {
            self.take_waiting();
            if matches!(self.holder, Holder::Filler(_)) {
                return !self.group.batches.is_empty();
            }
            self.await_lane_or_batch();
        }
    }

    /// Takes what waits in the queue, as far as the group has room.
    fn take_waiting(&mut self) {
        while self.held.is_none() && !self.stopping {
            match self.queue.messages.try_recv() {
                Ok(message) => self.receive(message),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => self.stopping = true,
            }
        }
    }

    fn receive(&mut self, message: Message<B>) {
        match message {
            Message::Stop => self.stopping = true,
            Message::Batch(batch) if self.group.has_room_for(&batch, self.group_bytes) => self.take(batch),
            Message::Batch(batch) => self.held = Some(batch),
        }
    }

    fn take(&mut self, batch: B) {
        if batch.record_count() > 0 {
            self.framer.push(&mut self.group.draft, batch.records(), batch.record_count());
        }
        self.group.batches.push(batch);
    }

    /// Sleeps until the lane is back or, if the group has room, a batch comes.
    fn await_lane_or_batch(&mut self) {
        if self.held.is_some() || self.stopping {
            return self.bring_lane_home();
        }
        let message = select_biased! {
            recv(self.disk.from_disk) -> work => return self.welcome(work),
            recv(self.queue.messages) -> message => message,
        };
        match message {
            Ok(message) => self.receive(message),
            Err(_) => self.stopping = true,
        }
    }

    fn bring_lane_home(&mut self) {
        if matches!(self.holder, Holder::DiskThread) {
            let work = self.disk.from_disk.recv();
            self.welcome(work);
        }
    }

    fn welcome(&mut self, work: Result<Work<B, D>, RecvError>) {
        // The disk thread ends before us only by a panic, which its owner must not survive.
        let work = work.expect("the journal's disk thread is gone");
        self.holder = Holder::Filler(work.lane);
        self.spare = Some(work.group);
    }

    /// Closes the group and gets it written, here or on the disk thread.
    fn commit(&mut self) {
        let Holder::Filler(lane) = &mut self.holder else {
            unreachable!("a group is closed only when the lane is here");
        };
        if self.group.draft.is_empty() {
            return lane.hand_back(&mut self.group);
        }
        let placed = self.framer.close(&mut self.group.draft);
        let more = self.held.is_some() || !self.queue.messages.is_empty();
        if more && self.group.draft.payload_bytes() >= self.handoff_bytes {
            self.hand_off(placed);
        } else {
            lane.commit(&placed, &mut self.group);
        }
    }

    fn hand_off(&mut self, placed: Placed) {
        let next = self.spare.take().expect("the spare group came home with the lane");
        let group = std::mem::replace(&mut self.group, next);
        let Holder::Filler(lane) = std::mem::replace(&mut self.holder, Holder::DiskThread) else {
            unreachable!("a frame is handed off only with the lane");
        };
        let to_disk = self.disk.to_disk.as_ref().expect("the disk thread runs as long as we do");
        to_disk.send(Work { lane, group, placed: Some(placed) }).expect("the journal's disk thread is gone");
    }
}

/// Keeps segments written ahead until told to stop.
fn prepare<D: Disk>(disk: &D, supply: &Supply<D>, stopped: &Receiver<()>) {
    loop {
        if let Err(SupplyFault::Disk(fault)) = supply.replenish(true) {
            disk.abort(&format!("{fault}; the process ends"));
        }
        select_biased! {
            recv(stopped) -> _ => return,
            recv(supply.taken()) -> _ => {}
            default(SPACE_CHECK_PERIOD) => {}
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(run)
}
