//! Follows the journal in a thread of its own. Payments never wait for it: when the database is away it says so, tries
//! again, and catches up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use protocol::calendar::Micros;
use protocol::frame::JournalId;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::applied::{AppliedWatch, Demand};
use super::pace::Pace;
use super::source::RecordFeed;
use super::{BATCH_RECORDS_MAX, PURGE_KEYS_MAX, Projection};
use crate::error::PersistenceError;
use crate::precedence::{give_way, set_far_behind};
use crate::sql::DatabaseUrl;

/// Wait after the first failure; doubled at each further one. Milliseconds.
const RETRY_MIN_MS: u64 = 100;
/// Bound of that doubling, milliseconds.
const RETRY_MAX_MS: u64 = 5_000;
/// From so many records behind payments on, the projection keeps its turns: it would not keep up on cores that are never idle.
const FAR_BEHIND_RECORDS: u64 = 4 * BATCH_RECORDS_MAX as u64;
/// How soon a request to stop is noticed when nothing is written, milliseconds.
const IDLE_MS: u64 = 200;
/// Expired keys are purged when the journal's time has moved on by this much. Microseconds.
const PURGE_EVERY_MICROS: i64 = 10_000_000;
/// After a request to stop, how long it goes on applying what is durable. Milliseconds. The rest is applied at the next start.
const STOP_MS: u64 = 5_000;

/// Where the follower stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not connected yet.
    Connecting,
    /// Connected, applies what comes.
    Following,
    /// The database can't be used now; it is tried again and again.
    Degraded {
        /// What the last attempt said.
        error: String,
    },
    /// Going on would do harm: another journal, another writer, a record that can't be read. A person must act.
    Refused {
        /// Why.
        error: String,
    },
    /// Asked to stop, and has stopped.
    Stopped,
}

/// What a follower needs.
#[derive(Debug, Clone)]
pub struct FollowerOptions {
    url: DatabaseUrl,
    journal: JournalId,
}

impl FollowerOptions {
    /// Follows `journal` into the database at `url`.
    pub fn new(url: DatabaseUrl, journal: JournalId) -> FollowerOptions {
        FollowerOptions { url, journal }
    }
}

/// A thread that applies records as they become durable. Dropping it stops it.
#[derive(Debug)]
pub struct Follower {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    applied: AppliedWatch,
    state: watch::Receiver<State>,
}

impl Follower {
    /// Starts the thread. The database need not be reachable yet.
    pub fn start(options: FollowerOptions, feed: impl RecordFeed) -> io::Result<Follower> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let stop = Arc::new(AtomicBool::new(false));
        let demand = Arc::new(Demand::default());
        let (applied, applied_seen) = watch::channel(0);
        let (state, state_seen) = watch::channel(State::Connecting);
        let mut worker = Worker { options, feed, stop: Arc::clone(&stop), demand: Arc::clone(&demand), applied, state };
        let thread = thread::Builder::new().name("projection".into()).spawn(move || {
            // SQLite's thread is started by this one.
            give_way();
            worker.run(&runtime);
        })?;
        Ok(Follower { thread: Some(thread), stop, applied: AppliedWatch::new(applied_seen, demand), state: state_seen })
    }

    /// The applied LSN as it moves; 0 until the database has been reached.
    pub fn applied(&self) -> AppliedWatch {
        self.applied.clone()
    }

    /// Where it stands now.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Where it stands, as it changes.
    pub fn states(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Applies what is durable by now, within a few seconds, and ends the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; the journal holds everything that it had to do.
            let _ = thread.join();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

struct Worker<Feed> {
    options: FollowerOptions,
    feed: Feed,
    stop: Arc<AtomicBool>,
    demand: Arc<Demand>,
    applied: watch::Sender<u64>,
    state: watch::Sender<State>,
}

/// What one connection saw.
struct Session<Source> {
    projection: Projection,
    source: Source,
    pace: Pace,
    purged_at: Micros,
}

impl<Feed: RecordFeed> Worker<Feed> {
    fn run(&mut self, runtime: &Runtime) {
        let mut retry_ms = RETRY_MIN_MS;
        while !self.is_stopping() {
            let followed = self.follow(runtime, &mut retry_ms);
            // What can't be done now is no reason for searches to keep their turns.
            set_far_behind(false);
            let Err(error) = followed else { break };
            if !error.is_transient() {
                tracing::error!(%error, "projection stopped; payments go on, searches see nothing newer");
                self.state.send_replace(State::Refused { error: error.to_string() });
                return;
            }
            tracing::warn!(%error, retry_ms, "projection can't reach its database; payments go on");
            self.state.send_replace(State::Degraded { error: error.to_string() });
            self.pause(Duration::from_millis(retry_ms));
            retry_ms = (retry_ms * 2).min(RETRY_MAX_MS);
        }
        self.state.send_replace(State::Stopped);
    }

    /// One connection's life. Ends well only when it was asked to stop.
    fn follow(&mut self, runtime: &Runtime, retry_ms: &mut u64) -> Result<(), PersistenceError> {
        let durable = self.feed.wait_past(0, Duration::ZERO);
        let projection = runtime.block_on(Projection::open(&self.options.url, self.options.journal, durable))?;
        let source = self.feed.open(projection.applied_lsn() + 1)?;
        self.applied.send_replace(projection.applied_lsn());
        self.state.send_replace(State::Following);
        let mut session = Session { projection, source, pace: Pace::new(Instant::now()), purged_at: Micros::NONE };
        while !self.is_stopping() {
            let durable = self.feed.wait_past(session.projection.applied_lsn(), Duration::from_millis(IDLE_MS));
            if durable > session.projection.applied_lsn() {
                self.apply(runtime, &mut session)?;
                *retry_ms = RETRY_MIN_MS;
            }
        }
        self.finish(runtime, session)
    }

    /// Commits one batch. The first record after a pause is committed at once, those behind it are gathered; a full batch
    /// waits for nobody.
    fn apply(&self, runtime: &Runtime, session: &mut Session<Feed::Source>) -> Result<(), PersistenceError> {
        let applied = session.projection.applied_lsn();
        let behind = self.feed.wait_past(applied, Duration::ZERO).saturating_sub(applied);
        set_far_behind(behind >= FAR_BEHIND_RECORDS);
        runtime.block_on(async {
            if behind < BATCH_RECORDS_MAX as u64 {
                self.wait_for_more(applied, &session.pace).await;
            }
            let durable = self.feed.wait_past(applied, Duration::ZERO);
            let count = session.projection.apply_next(&mut session.source, durable).await?;
            session.pace.has_committed(count, Instant::now());
            self.applied.send_replace(session.projection.applied_lsn());
            purge_when_due(session).await
        })
    }

    /// Waits as the pace says. A wait of no time is none: the clock of a runtime would make a millisecond of it.
    async fn wait_for_more(&self, applied: u64, pace: &Pace) {
        let rest = pace.rest(Instant::now());
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
        let gather = pace.gather(Instant::now());
        if !gather.is_zero() {
            self.demand.linger(applied, gather).await;
        }
    }

    fn finish(&self, runtime: &Runtime, mut session: Session<Feed::Source>) -> Result<(), PersistenceError> {
        let deadline = Instant::now() + Duration::from_millis(STOP_MS);
        let until = self.feed.wait_past(0, Duration::ZERO);
        while session.projection.applied_lsn() < until && Instant::now() < deadline {
            self.apply(runtime, &mut session)?;
        }
        runtime.block_on(session.projection.close())
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn pause(&self, longest: Duration) {
        let end = Instant::now() + longest;
        while !self.is_stopping() && Instant::now() < end {
            thread::sleep(Duration::from_millis(IDLE_MS).min(end.saturating_duration_since(Instant::now())));
        }
    }
}

async fn purge_when_due<Source>(session: &mut Session<Source>) -> Result<(), PersistenceError> {
    let newest = session.projection.newest_at();
    if newest.0.saturating_sub(session.purged_at.0) < PURGE_EVERY_MICROS {
        return Ok(());
    }
    // A purge that reached its bound goes on behind the next batch: it removes more keys than a batch can bring.
    if session.projection.purge_expired_keys().await? < PURGE_KEYS_MAX {
        session.purged_at = newest;
    }
    Ok(())
}
