//! What outlasts the switch: the journal's disk and the SQL home. And the projection, which takes one into the other, behind by
//! as much as the set-up says.

use super::{Scene, Switch, Task};
use crate::simulator::faults::CommitFate;
use api_front::limits::HISTORY_WAIT;
use api_front::switch::version::Version;
use persistence::journal::Reader;
use persistence::journal::simulated::SimulatedDisk;
use persistence::projection::{Projection, Queries, StoredTransaction};
use persistence::sql::{Database, DatabaseUrl};
use protocol::calendar::Micros;
use protocol::frame::JournalId;
use protocol::id::Xid;
use protocol::words::Verb;
use std::cell::Cell;
use std::collections::VecDeque;
use std::path::Path;
use switch_core::ids_of_rrn;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// A folder in memory, where there is one: commits of a simulated switch need no real disk.
const MEMORY_FOLDER: &str = "/dev/shm";
/// How often expired keys are purged, microseconds of the journal's time.
const PURGE_EVERY_US: i64 = 60_000_000;

/// The disk and the database.
pub struct Home {
    /// The journal's disk.
    pub disk: SimulatedDisk,
    /// Where segments go that nobody will read again.
    pub archive: SimulatedDisk,
    /// Runs what is async. No timer of it ever fires for the world.
    pub runtime: Runtime,
    /// The SQL home.
    pub database: Database,
    /// The SQL home can't be reached.
    pub sql_is_away: Cell<bool>,
    pub(super) url: DatabaseUrl,
    /// Held until the world ends.
    folder: TempDir,
}

impl Home {
    /// An empty disk and an empty database.
    pub fn new() -> Home {
        let memory = Path::new(MEMORY_FOLDER);
        let builder = |builder: &mut tempfile::Builder<'_, '_>| {
            if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() }
        };
        let folder = builder(tempfile::Builder::new().prefix("switchyard-simulation-")).expect("a temporary folder");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let url = DatabaseUrl::sqlite_in(folder.path());
        let database = runtime.block_on(Database::open(&url)).expect("a fresh database opens");
        let (disk, archive) = (SimulatedDisk::default(), SimulatedDisk::default());
        Home { disk, archive, runtime, database, sql_is_away: Cell::new(false), url, folder }
    }

    /// Reads of what the projection holds.
    pub fn queries(&self) -> Queries {
        self.database.queries()
    }

    /// The place that a collector of returned entries has kept; the feed's beginning when none.
    pub fn kept_place(&self, key: &str) -> u64 {
        let kept = self.runtime.block_on(self.database.stores().meta(key)).expect("the SQL home can be read");
        kept.map_or(0, |text| text.parse().expect("a place that was kept is a number"))
    }

    /// Keeps it.
    pub fn keep_place(&self, key: &str, place: u64) {
        let kept = self.runtime.block_on(self.database.stores().put_meta(key, &place.to_string()));
        kept.expect("the SQL home can be written");
    }

    /// Every file of the journal and of its archive.
    pub fn journal_files(&self) -> Vec<(String, Vec<u8>)> {
        let files = |disk: &SimulatedDisk| {
            let named = disk.names().into_iter();
            named.filter_map(|name| Some((name.clone(), disk.read(&name)?))).collect::<Vec<_>>()
        };
        [files(&self.disk), files(&self.archive)].concat()
    }

    /// Every file of the database.
    pub fn database_files(&self) -> Vec<(String, Vec<u8>)> {
        let listed = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        let read = listed.filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_string_lossy().into_owned(), std::fs::read(&path).ok()?))
        });
        read.collect()
    }

    /// Lets the disk meet this fate during what follows.
    pub(super) fn arm(&self, fate: CommitFate) {
        match fate {
            CommitFate::PowerGoes { operation } => self.disk.crash_after(operation),
            CommitFate::Fails { operation } => self.disk.fail_after(operation),
            CommitFate::Lives | CommitFate::DiesBefore | CommitFate::DiesAfterSync | CommitFate::DiesAfterTold => {}
        }
    }

    pub(super) fn disarm(&self) {
        self.disk.disarm();
    }
}

impl Default for Home {
    fn default() -> Home {
        Home::new()
    }
}

/// The projection and those who wait for it.
pub(super) struct Past {
    /// Nothing before the SQL home was there.
    open: Option<(Projection, Reader<SimulatedDisk>)>,
    /// Of which journal, and with which LSN it ended when this life began.
    journal: (JournalId, u64),
    readings: VecDeque<(Micros, Reading)>,
    is_following: bool,
    purged_at: Micros,
}

/// A reading of the past.
#[derive(Debug)]
pub struct Reading {
    /// It must see the record with this LSN.
    pub wants_lsn: u64,
    /// When it began, by the switch's clock.
    pub read_at: Micros,
    /// What is wanted.
    pub(super) wanted: Wanted,
}

/// What a reading is for.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// A transaction that has left memory.
    Hydration { call: u64, merchant: Xid, id: Xid },
    /// The version that answered a key.
    Answer { call: u64, id: Xid, version: u32, verb: Verb },
    /// A transaction, to be shown.
    Shown { call: u64, merchant: Xid, id: Xid },
    /// The next members of a batch.
    Members { batch: Xid, after: Xid },
    /// The transaction that a bank's notice is about, if this processor had it.
    Entry { collector: usize, processor: u16, rrn: [u8; 12] },
}

/// What was read.
#[derive(Debug)]
pub enum Found {
    /// A transaction that has left memory, when there is one.
    Hydration {
        /// For this call.
        call: u64,
        /// Its newest version.
        version: Option<Version>,
        /// When the reading began.
        read_at: Micros,
    },
    /// The version that answered a key.
    Answer {
        /// For this call.
        call: u64,
        /// The version.
        version: Version,
        /// What was asked.
        verb: Verb,
    },
    /// A transaction, when there is one.
    Shown {
        /// For this call.
        call: u64,
        /// Its newest version.
        version: Option<Version>,
    },
    /// Members of a batch.
    Members {
        /// The batch.
        batch: Xid,
        /// Their newest versions, by id.
        members: Vec<Version>,
        /// When the reading began.
        read_at: Micros,
    },
    /// What a bank's notice is about.
    Entry {
        /// For this collector.
        collector: usize,
        /// The entry, when there is one.
        entry: Option<Version>,
        /// Of a refund its sale.
        sale: Option<Version>,
        /// When the reading began.
        read_at: Micros,
    },
}

impl Past {
    /// Of an SQL home that is not there yet.
    pub(super) fn later(journal: JournalId, last_lsn: u64) -> Past {
        let (readings, purged_at) = (VecDeque::new(), Micros::NONE);
        Past { open: None, journal: (journal, last_lsn), readings, is_following: false, purged_at }
    }

    /// Opens the projection, when it is not open yet: the SQL home is there.
    pub(super) fn open(&mut self, home: &Home) -> (&mut Projection, &mut Reader<SimulatedDisk>) {
        let (journal, last_lsn) = self.journal;
        let (projection, reader) = self.open.get_or_insert_with(|| {
            let opened = home.runtime.block_on(Projection::open(&home.url, journal, last_lsn));
            let projection = opened.unwrap_or_else(|error| panic!("the SQL home fails without a fault: {error}"));
            let reader = Reader::on(home.disk.clone(), projection.applied_lsn() + 1);
            (projection, reader.expect("I2 outcome first: what the SQL home does not hold is in the journal"))
        });
        (projection, reader)
    }

    /// LSN of the last record that the SQL home is known to hold.
    pub(super) fn applied_lsn(&self) -> u64 {
        self.open.as_ref().map_or(0, |(projection, _)| projection.applied_lsn())
    }
}

impl Switch {
    /// Records that the SQL home does not hold yet.
    pub fn projection_behind(&self) -> u64 {
        self.scribe.durable_lsn - self.past.applied_lsn()
    }

    pub(super) fn read(&mut self, scene: &mut Scene<'_>, reading: Reading) {
        if reading.wants_lsn <= self.past.applied_lsn() {
            return self.read_now(scene, reading);
        }
        let wait_us = HISTORY_WAIT.as_micros() as u64;
        let gives_up_at = Micros(scene.stage.now().0.saturating_add_unsigned(wait_us));
        self.past.readings.push_back((gives_up_at, reading));
        self.plan(scene.stage, wait_us, Task::ReadingEnds);
        self.plan_following(scene);
    }

    fn read_now(&mut self, scene: &mut Scene<'_>, reading: Reading) {
        if scene.home.sql_is_away.get() {
            return self.give_up_reading(scene, reading);
        }
        let found = scene.home.look_up(&reading, self.setup.settle_chunk);
        let wait_us = scene.stage.step_us() + scene.stage.dice.between(50, 2_000);
        self.plan(scene.stage, wait_us, Task::Read(found));
    }

    pub(super) fn end_readings(&mut self, scene: &mut Scene<'_>) {
        let now = scene.stage.now();
        while let Some((_, reading)) = self.past.readings.pop_front_if(|(gives_up_at, _)| *gives_up_at <= now) {
            self.give_up_reading(scene, reading);
        }
    }

    /// Whoever waits for it is told that it can't be read now.
    fn give_up_reading(&mut self, scene: &mut Scene<'_>, reading: Reading) {
        match reading.wanted {
            Wanted::Hydration { call, .. } | Wanted::Answer { call, .. } | Wanted::Shown { call, .. } => {
                self.past_is_away(scene, call);
            }
            Wanted::Members { batch, .. } => self.settle_later(scene.stage, batch),
            Wanted::Entry { collector, .. } => self.collect_again(scene.stage, collector),
        }
    }

    pub(super) fn found(&mut self, scene: &mut Scene<'_>, found: Found) {
        match found {
            Found::Members { batch, members, read_at } => self.settle_members(scene, batch, members, read_at),
            Found::Entry { collector, entry, sale, read_at } => self.entry_found(scene, collector, (entry, sale), read_at),
            for_call => self.found_for_call(scene, for_call),
        }
    }

    pub(super) fn plan_following(&mut self, scene: &mut Scene<'_>) {
        if !self.past.is_following && self.projection_behind() > 0 {
            self.past.is_following = true;
            let [shortest, longest] = self.setup.follow_us;
            let wait_us = scene.stage.dice.between(shortest, longest);
            self.plan(scene.stage, wait_us, Task::Follow);
        }
    }

    /// Takes some of what is durable into the SQL home; mostly all of it.
    pub(super) fn follow(&mut self, scene: &mut Scene<'_>) {
        self.past.is_following = false;
        if scene.home.sql_is_away.get() {
            return self.plan_following(scene);
        }
        self.past.open(scene.home);
        let behind = self.projection_behind();
        let some = if scene.stage.dice.hits(250_000) { scene.stage.dice.between(0, behind) } else { behind };
        let until = self.past.applied_lsn() + some;
        let (projection, reader) = self.past.open(scene.home);
        let applied = scene.home.runtime.block_on(projection.catch_up(reader, until));
        let applied =
            applied.unwrap_or_else(|error| panic!("I2 outcome first: the projection can't take in what is durable: {error}"));
        scene.stage.tell(format_args!("the projection stands at LSN {applied}"));
        self.purge(scene);
        let readable = self.past.readings.iter().filter(|(_, reading)| reading.wants_lsn <= applied).count();
        // Readings that came later want at least as much.
        for (_, reading) in self.past.readings.drain(..readable).collect::<Vec<_>>() {
            self.read_now(scene, reading);
        }
        self.plan_following(scene);
    }

    fn purge(&mut self, scene: &mut Scene<'_>) {
        let now = scene.stage.now();
        if now.0 - self.past.purged_at.0 >= PURGE_EVERY_US {
            self.past.purged_at = now;
            let purged = scene.home.runtime.block_on(self.past.open(scene.home).0.purge_expired_keys());
            purged.unwrap_or_else(|error| panic!("expired keys can't be purged: {error}"));
        }
    }
}

impl Home {
    fn look_up(&self, reading: &Reading, settle_chunk: u32) -> Found {
        let queries = self.queries();
        let read_at = reading.read_at;
        let found = self.runtime.block_on(async {
            Ok(match reading.wanted.clone() {
                Wanted::Hydration { call, merchant, id } => {
                    Found::Hydration { call, version: newest(queries.transaction(&merchant, &id).await?), read_at }
                }
                Wanted::Shown { call, merchant, id } => {
                    Found::Shown { call, version: newest(queries.transaction(&merchant, &id).await?) }
                }
                Wanted::Answer { call, id, version, verb } => {
                    let stored = newest(queries.version(&id, version).await?);
                    let version = stored.unwrap_or_else(|| panic!("I2: version {version} of {id} has answered and is gone"));
                    Found::Answer { call, version, verb }
                }
                Wanted::Members { batch, after } => {
                    let members = queries.batch_members(&batch, &after, settle_chunk).await?;
                    Found::Members { batch, members: members.iter().map(version_of).collect(), read_at }
                }
                Wanted::Entry { collector, processor, rrn } => {
                    let entry = match ids_of_rrn(&rrn, read_at) {
                        Some(ids) => queries.transaction_by_rrn(ids, &String::from_utf8_lossy(&rrn)).await?,
                        None => None,
                    };
                    let entry = newest(entry.filter(|stored| stored.transaction().processor.get() == processor));
                    let parent = entry.as_ref().map_or(Xid::NONE, |entry| entry.transaction().parent);
                    let sale = if parent.is_none() { None } else { newest(queries.transaction_by_id(&parent).await?) };
                    Found::Entry { collector, entry, sale, read_at }
                }
            })
        });
        found.unwrap_or_else(|error: persistence::PersistenceError| panic!("the SQL home can't be read: {error}"))
    }
}

fn newest(stored: Option<StoredTransaction>) -> Option<Version> {
    stored.as_ref().map(version_of)
}

fn version_of(stored: &StoredTransaction) -> Version {
    let (transaction, tail) = stored.parts();
    Version::copy_of(transaction, tail)
}
