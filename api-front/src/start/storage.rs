//! Opening what lasts: the SQL home, the journal behind its lock, and the projection brought up to the journal's end.

use super::archiving::{Archived, Archiving};
use super::error::StartError;
use super::phases::{Phase, Phases};
use crate::config::{JournalSettings, Settings};
use crate::data_folder::DataFolder;
use crate::limits::DATABASE_RETRY;
use crate::switch::door::Door;
use crate::switch::group::{Group, hand_back};
use crate::switch::history::History;
use persistence::journal::{Journal, Log, LogOptions, OsDisk, Reader, Recovered, WriterOptions};
use persistence::projection::{Follower, FollowerOptions, JournalFeed, Projection};
use persistence::sealing::Sealer;
use persistence::sql::{Database, DatabaseUrl};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// All that lasts, open.
pub(super) struct Storage {
    pub(super) sealer: Arc<Sealer>,
    pub(super) database: Database,
    pub(super) log: Log<OsDisk>,
    pub(super) recovered: Recovered,
}

impl Storage {
    /// Opens it. After this the projection holds every record of the journal.
    pub(super) async fn open(settings: &Settings, data: &DataFolder, phases: &mut Phases) -> Result<Storage, StartError> {
        let sealer = open_keys(data)?;
        let database = reach(&settings.database).await?;
        let applied_lsn = database.queries().applied_lsn().await?;
        phases.over(Phase::Database);
        let (log, recovered) = open_journal(data.journal(), settings.journal, applied_lsn)?;
        if let Some(cut) = &recovered.cut {
            tracing::warn!(
                file = cut.name,
                offset = cut.offset,
                bytes = cut.bytes,
                lsn = cut.lsn,
                "a torn tail was cut: {}",
                cut.found
            );
        }
        phases.over(Phase::Journal);
        catch_up(&settings.database, &data.journal(), &recovered).await?;
        phases.over(Phase::CatchUp);
        Ok(Storage { sealer, database, log, recovered })
    }
}

/// What writes: the journal's threads, and the one that takes the journal into the SQL home.
pub(super) struct Recorders {
    pub(super) journal: Journal<Group>,
    pub(super) follower: Follower,
    pub(super) history: History,
    archiving: Archiving,
}

impl Recorders {
    /// Starts them. `doors` get back what becomes durable.
    pub(super) fn start(
        storage: Storage,
        settings: &Settings,
        data: &DataFolder,
        doors: Vec<Door>,
    ) -> Result<Recorders, StartError> {
        let Storage { database, log, recovered, .. } = storage;
        let journal = Journal::start(log, WriterOptions::default(), hand_back(doors)).map_err(StartError::Thread)?;
        let feed = JournalFeed::new(data.journal(), journal.watch());
        let options = FollowerOptions::new(settings.database.clone(), recovered.journal_id);
        let follower = Follower::start(options, feed).map_err(StartError::Thread)?;
        let history = History::new(database.queries(), journal.watch(), follower.applied());
        let (folder, journal_id) = (data.journal(), recovered.journal_id);
        let archived = Archived { folder, journal_id, applied: follower.applied(), queries: database.queries() };
        let archiving = Archiving::start(settings.retention.as_ref(), archived)?;
        Ok(Recorders { journal, follower, history, archiving })
    }

    /// Writes what was submitted, then takes it into the SQL home: what does not get there in time is taken in by the next
    /// start.
    pub(super) async fn stop(self) {
        let Recorders { journal, follower, archiving, history: _ } = self;
        archiving.stop().await;
        let stopped = spawn_blocking(move || {
            journal.stop();
            follower.stop();
        });
        if stopped.await.is_err() {
            tracing::error!("a thread of the journal has panicked");
        }
    }
}

/// Keys are drawn before there is a journal, never after: a new key could not open what an old one sealed.
fn open_keys(data: &DataFolder) -> Result<Arc<Sealer>, StartError> {
    let sealer = if data.journal().exists() { Sealer::open(&data.keys()) } else { Sealer::open_or_create(&data.keys()) };
    Ok(Arc::new(sealer?))
}

/// Waits for the SQL home as long as it takes, and says so.
async fn reach(url: &DatabaseUrl) -> Result<Database, StartError> {
    loop {
        match Database::open(url).await {
            Ok(database) => return Ok(database),
            Err(error) if error.is_transient() => {
                tracing::warn!(database = %url, %error, "waiting for the database");
                tokio::time::sleep(DATABASE_RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn open_journal(folder: PathBuf, settings: JournalSettings, applied_lsn: u64) -> Result<(Log<OsDisk>, Recovered), StartError> {
    let disk = OsDisk::open(&folder).map_err(|source| StartError::File { what: "open the journal in", path: folder, source })?;
    let JournalSettings { segment_bytes, segments_ahead, free_bytes_min } = settings;
    let options =
        LogOptions { segment_bytes, segments_ahead, free_bytes_min, replay_after: applied_lsn, ..LogOptions::default() };
    // Records are not replayed from here: the projection takes them in, and recovery reads them from it.
    Ok(Log::open(disk, options, |_, _| {})?)
}

async fn catch_up(url: &DatabaseUrl, journal: &Path, recovered: &Recovered) -> Result<(), StartError> {
    let mut projection = Projection::open(url, recovered.journal_id, recovered.last_lsn).await?;
    let behind = recovered.last_lsn - projection.applied_lsn();
    if behind > 0 {
        tracing::info!(behind, last_lsn = recovered.last_lsn, "the database takes in what the journal has more");
        let mut reader = Reader::open(journal, projection.applied_lsn() + 1)?;
        projection.catch_up(&mut reader, recovered.last_lsn).await?;
    }
    projection.close().await?;
    Ok(())
}
