//! The follower's thread: what it applies, what it says of itself, and that it comes back.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::journal::{Batch as Group, Journal, Log, LogOptions, OsDisk, WriterOptions};
use crate::projection::applied::Demand;

const PATIENCE: Duration = Duration::from_secs(20);

/// A journal in memory that can be added to while it is followed.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Tape>>);

impl RecordFeed for Memory {
    type Source = Tape;

    fn open(&mut self, from_lsn: u64) -> Result<Tape, PersistenceError> {
        Ok(self.0.lock().unwrap().from(from_lsn))
    }

    fn wait_past(&self, _lsn: u64, _timeout: Duration) -> u64 {
        // The tape was whole before it was given away.
        self.0.lock().unwrap().last_lsn()
    }
}

async fn wait_for_state(follower: &Follower, wanted: impl Fn(&State) -> bool) -> State {
    let mut states = follower.states();
    tokio::time::timeout(PATIENCE, states.wait_for(|state| wanted(state))).await.unwrap().unwrap().clone()
}

#[tokio::test]
async fn a_follower_applies_the_journal_and_says_how_far_it_is() {
    for home in homes("a_follower").await {
        let tape = sales(2_500);
        let last = tape.last_lsn();
        let feed = Memory(Arc::new(Mutex::new(tape)));
        let follower = Follower::start(FollowerOptions::new(home.url.clone(), JOURNAL), feed).unwrap();
        let applied = follower.applied();
        assert!(applied.wait_for(last, PATIENCE).await);
        assert_eq!(applied.lsn(), last);
        assert!(!applied.wait_for(last + 1, Duration::from_millis(1)).await);
        let states = follower.states();
        follower.stop();
        assert_eq!(*states.borrow(), State::Stopped);
        assert!(!applied.wait_for(last + 1, PATIENCE).await, "a stopped follower keeps nobody waiting");
        let found = dump_all(&Database::open(&home.url).await.unwrap()).await;
        assert_eq!((found[0].len(), found[1].len()), (2_500, 500));
    }
}

#[tokio::test]
async fn a_database_that_is_away_degrades_and_is_caught_up_with_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let later = folder.path().join("mounted later");
    let url = DatabaseUrl::sqlite_in(&later);
    let feed = Memory(Arc::new(Mutex::new(sales(10))));
    let follower = Follower::start(FollowerOptions::new(url, JOURNAL), feed).unwrap();
    let state = wait_for_state(&follower, |state| matches!(state, State::Degraded { .. })).await;
    assert!(format!("{state:?}").contains("connect"), "{state:?}");
    std::fs::create_dir(&later).unwrap();
    assert!(follower.applied().wait_for(22, PATIENCE).await);
    assert_eq!(follower.state(), State::Following);
}

#[tokio::test]
async fn a_follower_refuses_the_projection_of_another_journal() {
    for home in homes("a_follower_refuses").await {
        apply_all(&home.url, &sales(2)).await;
        let feed = Memory(Arc::new(Mutex::new(sales(3))));
        let options = FollowerOptions::new(home.url.clone(), JournalId([1; 16]));
        let follower = Follower::start(options, feed).unwrap();
        wait_for_state(&follower, |state| matches!(state, State::Refused { .. })).await;
        assert!(!follower.applied().wait_for(1, PATIENCE).await);
    }
}

#[tokio::test]
async fn records_are_gathered_for_a_while_unless_one_of_them_is_waited_for() {
    const WHILE: Duration = Duration::from_millis(30);
    let demand = Demand::default();
    // Who waited for a record that is applied by now must not cut the gathering of the next ones short.
    demand.raise(5);
    let begun = Instant::now();
    demand.linger(5, WHILE).await;
    assert!(begun.elapsed() >= WHILE);
    demand.raise(6);
    demand.linger(5, PATIENCE).await;
    tokio::join!(demand.linger(6, PATIENCE), async { demand.raise(7) });
    assert!(begun.elapsed() < PATIENCE);
}

struct Records(Tape);

/// The records of a tape as the journal takes them.
struct Submitted {
    bytes: Vec<u8>,
    count: u32,
}

impl Group for Submitted {
    fn records(&self) -> &[u8] {
        &self.bytes
    }

    fn record_count(&self) -> u32 {
        self.count
    }
}

impl Records {
    fn submitted(&self) -> Submitted {
        Submitted { bytes: self.0.records.concat(), count: self.0.records.len() as u32 }
    }
}

#[tokio::test]
async fn a_real_journal_is_followed_while_it_is_written() {
    for home in homes("a_real_journal").await {
        let folder = home.folder.path().join("journal");
        std::fs::create_dir(&folder).unwrap();
        let (log, recovered) = Log::open(OsDisk::open(&folder).unwrap(), LogOptions::default(), |_, _| ()).unwrap();
        let journal = Journal::start(log, WriterOptions::default(), |_: Submitted, _| ()).unwrap();
        let options = FollowerOptions::new(home.url.clone(), recovered.journal_id);
        let follower = Follower::start(options, JournalFeed::new(&folder, journal.watch(), journal.recent())).unwrap();
        let submitter = journal.submitter();
        for round in 1..=5 {
            let sales = Records(sales_of(round * 20 - 19..=round * 20));
            assert!(submitter.submit(sales.submitted()).is_ok());
            assert!(follower.applied().wait_for(u64::from(round) * 44, PATIENCE).await);
        }
        follower.stop();
        journal.stop();
        let database = Database::open(&home.url).await.unwrap();
        assert_eq!(dump(&database, "versions").await.len(), 20);
        assert_eq!(dump(&database, "transactions").await.len(), 100);
    }
}
