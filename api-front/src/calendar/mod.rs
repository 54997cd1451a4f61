//! The calendar clock: the time of day by which what is dated happens.
//!
//! Lives here: the calendar's now, its moves (in a sandbox a test moves it, forward only), and who is told of a move. Must not live
//! here: deadlines of requests, ids, and the times in records, which are the real clock's ([`crate::switch::clock`]) and never jump.
//!
//! A room with work that is dated works like [`crate::settlement::schedule`] does: it asks [`Diligence::now`], does all that is due
//! by then, says so, and waits with [`Diligence::wait_until`] for the next moment, which returns early whenever the clock was moved. Work must
//! be due by what is stored, not by having been awake at its moment: the switch may have been down, or the clock moved past a year of
//! moments at once. Where a stored time of the real clock must be compared with a moment of the calendar, [`Calendar::real_of`] says
//! when that moment was, or will be.

mod hosts;
mod moves;

use crate::data_folder::replace_private;
use crate::switch::clock::Clock;
use moves::Moves;
use protocol::calendar::Micros;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// How far ahead of the real clock a test may move the calendar, years of 365 days.
pub const AHEAD_MAX_YEARS: u32 = 100;
const AHEAD_MAX_US: i64 = AHEAD_MAX_YEARS as i64 * 365 * 86_400 * 1_000_000;
/// Longest sleep; the calendar is looked at again then.
const SLEEP_MAX: Duration = Duration::from_secs(3600);
/// How long a move waits for the rooms that work by the calendar; one that is not through by then goes on by itself.
const CATCH_UP_MAX: Duration = Duration::from_secs(10);

/// The calendar clock. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Calendar(Arc<Rooms>);

#[derive(Debug)]
struct Rooms {
    clock: Clock,
    moves: watch::Sender<Moves>,
    /// What only a sandbox has.
    test: Option<TestClock>,
    /// Of each room that says so: up to which moment it has done what was due.
    diligence: Mutex<Vec<watch::Receiver<Micros>>>,
}

/// A room that works by the calendar. It says how far it has come with what is due, so that whoever moves the clock finds it done.
/// Dropped, nobody waits for it.
#[derive(Debug)]
pub struct Diligence {
    clock: Clock,
    moves: watch::Receiver<Moves>,
    come_to: watch::Sender<Micros>,
}

impl Diligence {
    /// Now, by the calendar. A move that follows ends the next wait at once.
    pub fn now(&mut self) -> Micros {
        self.moves.borrow_and_update().calendar_of(self.clock.now())
    }

    /// All that was due by this moment is done, or was tried.
    pub fn has_come_to(&self, moment: Micros) {
        self.come_to.send_replace(moment);
    }

    /// Returns when the calendar has reached a moment, or was moved since this room asked for the time, or after an hour: whoever waits
    /// looks at it again.
    pub async fn wait_until(&mut self, moment: Micros) {
        let until = self.clock.until(self.moves.borrow().real_of(moment));
        // Fails only when the calendar is gone, and with it the switch.
        drop(tokio::time::timeout(until.min(SLEEP_MAX), self.moves.changed()).await);
    }
}

#[derive(Debug)]
struct TestClock {
    file: PathBuf,
    /// Control addresses of the sandbox's hosts, which have a day of their own.
    hosts: Vec<SocketAddr>,
    /// One move at a time.
    moving: Mutex<()>,
}

/// Why the clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum NotMoved {
    /// Only a sandbox's clock is moved.
    #[error("this is no sandbox")]
    NoSandbox,
    /// Days that were lived can't be lived again: batches are settled, cycles are billed.
    #[error("must not be before the present, {now}")]
    Backwards {
        /// The calendar's now.
        now: Micros,
    },
    /// Further than any calendar is good for.
    #[error("must be at most {AHEAD_MAX_YEARS} years ahead")]
    TooFar,
    /// The move could not be kept for the next start, so it was not made.
    #[error("the move can't be kept: {0}")]
    Kept(#[source] io::Error),
}

impl Calendar {
    /// The real clock's calendar, which nobody moves.
    pub fn real(clock: Clock) -> Calendar {
        Calendar(Arc::new(Rooms { clock, moves: watch::Sender::new(Moves::default()), test: None, diligence: Mutex::default() }))
    }

    /// A sandbox's calendar: where it was left, and with the hosts whose day it takes along.
    pub async fn of_sandbox(clock: Clock, file: &Path, hosts: Vec<SocketAddr>) -> io::Result<Calendar> {
        let moves = match tokio::fs::read(file).await {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Moves::default(),
            Err(error) => return Err(error),
        };
        let test = TestClock { file: file.to_owned(), hosts, moving: Mutex::new(()) };
        let calendar =
            Calendar(Arc::new(Rooms { clock, moves: watch::Sender::new(moves), test: Some(test), diligence: Mutex::default() }));
        if calendar.ahead_us() != 0 {
            calendar.tell_hosts(calendar.now()).await;
        }
        Ok(calendar)
    }

    /// True where a test may move it.
    pub fn is_movable(&self) -> bool {
        self.0.test.is_some()
    }

    /// Now, by the calendar.
    pub fn now(&self) -> Micros {
        self.0.moves.borrow().calendar_of(self.0.clock.now())
    }

    /// When, by the real clock, a moment of the calendar came; for one that is yet to come, when it will if nobody moves the clock.
    pub fn real_of(&self, moment: Micros) -> Micros {
        self.0.moves.borrow().real_of(moment)
    }

    /// A room that does what is due by this calendar, and will say how far it has come.
    pub async fn worked_by(&self) -> Diligence {
        let (come_to, seen) = watch::channel(Micros::NONE);
        self.0.diligence.lock().await.push(seen);
        Diligence { clock: self.0.clock, moves: self.0.moves.subscribe(), come_to }
    }

    /// Moves the clock to a moment, for good. Returns when the sandbox's hosts have been told, and the rooms that work by it have done
    /// what the move made due.
    pub async fn move_to(&self, moment: Micros) -> Result<Micros, NotMoved> {
        self.change(|_| moment).await
    }

    /// Moves the clock by so much.
    pub async fn advance_s(&self, seconds: u32) -> Result<Micros, NotMoved> {
        self.change(|now| now.plus_s(seconds)).await
    }

    async fn change(&self, target: impl FnOnce(Micros) -> Micros) -> Result<Micros, NotMoved> {
        let test = self.0.test.as_ref().ok_or(NotMoved::NoSandbox)?;
        let moving = test.moving.lock().await;
        let (real, now) = (self.0.clock.now(), self.now());
        let moment = target(now);
        if moment < now {
            return Err(NotMoved::Backwards { now });
        }
        let ahead_us = moment.0.saturating_sub(real.0);
        if ahead_us > AHEAD_MAX_US {
            return Err(NotMoved::TooFar);
        }
        let mut moved = self.0.moves.borrow().clone();
        moved.note(real, ahead_us);
        keep(&test.file, &moved).await.map_err(NotMoved::Kept)?;
        // First the hosts: a room that looks at one of them must find the new day there.
        self.tell_hosts(moved.calendar_of(self.0.clock.now())).await;
        self.0.moves.send_replace(moved);
        drop(moving);
        drop(tokio::time::timeout(CATCH_UP_MAX, self.all_have_come_to(moment)).await);
        Ok(self.now())
    }

    async fn all_have_come_to(&self, moment: Micros) {
        let rooms = self.0.diligence.lock().await.clone();
        for mut room in rooms {
            // Fails only for a room that is gone.
            drop(room.wait_for(|come_to| *come_to >= moment).await);
        }
    }

    fn ahead_us(&self) -> i64 {
        self.0.moves.borrow().ahead_us()
    }

    async fn tell_hosts(&self, now: Micros) {
        let hosts = self.0.test.as_ref().map_or(&[][..], |test| &test.hosts);
        hosts::tell(hosts, now).await;
    }
}

async fn keep(file: &Path, moves: &Moves) -> io::Result<()> {
    let (file, text) = (file.to_owned(), serde_json::to_vec(moves)?);
    tokio::task::spawn_blocking(move || replace_private(&file, &text)).await.unwrap_or_else(|died| Err(io::Error::other(died)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_moved_clock_wakes_who_waits_and_is_where_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock.json");
        let clock = Clock::start_after(Micros::NONE);
        let calendar = Calendar::of_sandbox(clock, &file, Vec::new()).await.unwrap();
        let in_a_year = calendar.now().plus_s(365 * 86_400);
        let (mut waiting, mover) = (calendar.worked_by().await, calendar.clone());
        let waits = async move {
            while waiting.now() < in_a_year {
                waiting.wait_until(in_a_year).await;
            }
        };
        let moves = async { mover.advance_s(366 * 86_400).await.unwrap() };
        let ((), now) = tokio::join!(waits, moves);
        assert!(now >= in_a_year.plus_s(86_400));
        assert!(matches!(calendar.move_to(in_a_year).await, Err(NotMoved::Backwards { .. })));
        assert!(matches!(calendar.move_to(Micros::NEVER).await, Err(NotMoved::TooFar)));
        let again = Calendar::of_sandbox(clock, &file, Vec::new()).await.unwrap();
        assert!(again.now() >= now);
        assert_eq!(again.real_of(in_a_year), calendar.real_of(in_a_year));
    }

    #[tokio::test]
    async fn a_move_returns_when_what_it_made_due_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::start_after(Micros::NONE);
        let calendar = Calendar::of_sandbox(clock, &folder.path().join("clock.json"), Vec::new()).await.unwrap();
        let (mut diligence, gone) = (calendar.worked_by().await, calendar.worked_by().await);
        drop(gone);
        let due = calendar.now().plus_s(86_400);
        let (done, is_done) = watch::channel(false);
        let work = async move {
            while diligence.now() < due {
                diligence.wait_until(due).await;
            }
            done.send_replace(true);
            let now = diligence.now();
            diligence.has_come_to(now);
            diligence
        };
        let moves = async { (calendar.advance_s(2 * 86_400).await.unwrap(), *is_done.borrow()) };
        let (_kept, (now, was_done)) = tokio::join!(work, moves);
        assert!(now >= due && was_done);
    }

    #[tokio::test]
    async fn a_move_between_work_and_wait_is_not_slept_through() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::start_after(Micros::NONE);
        let calendar = Calendar::of_sandbox(clock, &folder.path().join("clock.json"), Vec::new()).await.unwrap();
        let mut diligence = calendar.worked_by().await;
        let asked = diligence.now();
        let moved = async { calendar.advance_s(60).await.unwrap() };
        let noticed = async {
            diligence.has_come_to(asked);
            tokio::task::yield_now().await;
            // What comes next is far off, but the room has not looked since the move.
            diligence.wait_until(Micros::NEVER).await;
            let now = diligence.now();
            diligence.has_come_to(now);
        };
        let both = async { tokio::join!(moved, noticed) };
        assert!(tokio::time::timeout(Duration::from_secs(5), both).await.is_ok());
    }

    #[tokio::test]
    async fn only_a_sandbox_has_a_clock_that_moves() {
        let calendar = Calendar::real(Clock::start_after(Micros::NONE));
        assert!(!calendar.is_movable());
        assert!(matches!(calendar.advance_s(1).await, Err(NotMoved::NoSandbox)));
        let moment = calendar.now();
        assert_eq!(calendar.real_of(moment), moment);
    }
}
