//! The follower's thread: what it applies, what it says of itself, and that it comes back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::journal::{Batch as Group, Journal, Log, LogOptions, OsDisk, WriterOptions};

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
        let feed = Memory(Arc::new(Mutex::new(sales(2_500))));
        let follower = Follower::start(FollowerOptions::new(home.url.clone(), JOURNAL), feed).unwrap();
        let applied = follower.applied();
        assert!(applied.wait_for(5_000, PATIENCE).await);
        assert_eq!(applied.lsn(), 5_000);
        assert!(!applied.wait_for(5_001, Duration::from_millis(1)).await);
        let states = follower.states();
        follower.stop();
        assert_eq!(*states.borrow(), State::Stopped);
        assert!(!applied.wait_for(5_001, PATIENCE).await, "a stopped follower keeps nobody waiting");
        let expected = dump_all(&Database::open(&home.url).await.unwrap()).await;
        assert_eq!(expected[1].len(), 5_000);
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
    assert!(follower.applied().wait_for(20, PATIENCE).await);
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
        let follower = Follower::start(options, JournalFeed::new(&folder, journal.watch())).unwrap();
        let submitter = journal.submitter();
        for round in 1..=5 {
            assert!(submitter.submit(Records(sales(20)).submitted()).is_ok());
            // The rounds bring the same sales again: newest wins, every version is kept.
            assert!(follower.applied().wait_for(round * 40, PATIENCE).await);
        }
        follower.stop();
        journal.stop();
        let database = Database::open(&home.url).await.unwrap();
        assert_eq!(dump(&database, "versions").await.len(), 200);
        assert_eq!(dump(&database, "transactions").await.len(), 20);
    }
}
