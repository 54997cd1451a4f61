//! Opening what lasts: the SQL home, the journal behind its lock, and the projection brought up to the journal's end.

use super::archiving::{Archived, Archiving};
use super::error::StartError;
use super::phases::{Phase, Phases};
use super::standby;
use crate::config::{JournalSettings, Settings, WINDOW_BOUND_S};
use crate::data_folder::DataFolder;
use crate::limits::DATABASE_RETRY;
use crate::operator::changes::load_changes;
use crate::switch::clock::Clock;
use crate::switch::door::Door;
use crate::switch::group::{Group, hand_back};
use crate::switch::history::History;
use crate::switch::recovery;
use persistence::PersistenceError;
use persistence::journal::{Journal, JournalError, Log, LogOptions, OsDisk, Reader, Recovered, WriterOptions};
use persistence::projection::{Fold, Follower, FollowerOptions, JournalFeed, Projection, RecoveryScope, StoredChange};
use persistence::sealing::Sealer;
use persistence::sql::{Database, DatabaseUrl};
use persistence::stores::Stores;
use protocol::calendar::Micros;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use switch_core::limits::VELOCITY_WINDOW_MAX_S;
use tokio::task::spawn_blocking;

/// All that lasts, open.
pub(super) struct Storage {
    pub(super) sealer: Arc<Sealer>,
    pub(super) database: Database,
    /// Of the SQL home; while that is away, the copy.
    pub(super) stores: Stores,
    /// What the journal says, folded, while the SQL home is away.
    pub(super) fold: Option<Fold>,
    pub(super) log: Log<OsDisk>,
    pub(super) recovered: Recovered,
}

impl Storage {
    /// Opens it. After this the projection holds every record of the journal, or the fold does.
    pub(super) async fn open(settings: &Settings, data: &DataFolder, phases: &mut Phases) -> Result<Storage, StartError> {
        let sealer = open_keys(data)?;
        loop {
            let error = match open_by_the_office(settings.database.clone()).await {
                Ok(database) => return Storage::with(database, sealer, settings, data, phases).await,
                Err(error) if error.is_transient() => error,
                Err(error) => return Err(error.into()),
            };
            tracing::warn!(database = %settings.database, %error, "the database is away");
            // Whoever has moved from a server to a file may still have the server's copy, which nobody keeps any more.
            if settings.database.is_server()
                && let Some(storage) = Storage::alone(Arc::clone(&sealer), settings, data, phases).await?
            {
                return Ok(storage);
            }
            tokio::time::sleep(DATABASE_RETRY).await;
        }
    }

    async fn with(
        database: Database,
        sealer: Arc<Sealer>,
        settings: &Settings,
        data: &DataFolder,
        phases: &mut Phases,
    ) -> Result<Storage, StartError> {
        let applied_lsn = database.queries().applied_lsn().await?;
        phases.over(Phase::Database);
        let (log, recovered) = open_journal(data.journal(), settings.journal, applied_lsn, |_, _| {})?;
        phases.over(Phase::Journal);
        catch_up(&settings.database, &data.journal(), &recovered).await?;
        phases.over(Phase::CatchUp);
        Ok(Storage { sealer, stores: database.stores(), database, fold: None, log, recovered })
    }

    /// Without the SQL home: the journal is folded when it is all there, and the stores are as of the last start that had them. The
    /// follower takes the journal into the SQL home when that is back; what must be read from it is refused until then.
    async fn alone(
        sealer: Arc<Sealer>,
        settings: &Settings,
        data: &DataFolder,
        phases: &mut Phases,
    ) -> Result<Option<Storage>, StartError> {
        let Some(stores) = standby::open(data).await? else {
            tracing::warn!("waiting for the database: no start has reached it yet");
            return Ok(None);
        };
        phases.over(Phase::Database);
        let mut fold = Fold::new(scope_of_any_merchant());
        let mut folded = Ok(());
        let opened = open_journal(data.journal(), settings.journal, 0, |lsn, record| {
            if folded.is_ok() {
                folded = fold.take(lsn, record);
            }
        });
        let (log, recovered) = match opened {
            Err(StartError::Journal(JournalError::Archived { first_lsn, .. })) => {
                tracing::warn!(first_lsn, "waiting for the database: the beginning of the journal is archived");
                return Ok(None);
            }
            opened => opened?,
        };
        folded?;
        phases.over(Phase::Journal);
        tracing::warn!(records = recovered.last_lsn, "starting from the journal alone: what is cold waits for the database");
        let database = Database::later(&settings.database)?;
        Ok(Some(Storage { sealer, database, stores, fold: Some(fold), log, recovered }))
    }

    /// When the newest record was decided.
    pub(super) async fn newest_record_at(&self) -> Result<Micros, PersistenceError> {
        let newest = match &self.fold {
            Some(fold) => fold.newest_record_at(),
            None => self.database.queries().newest_record_at().await?,
        };
        Ok(newest.unwrap_or(Micros::NONE))
    }

    /// All changes of the configuration, oldest first.
    pub(super) async fn changes(&self) -> Result<Vec<StoredChange>, PersistenceError> {
        match &self.fold {
            Some(fold) => Ok(fold.changes().to_vec()),
            None => load_changes(&self.database.queries()).await,
        }
    }
}

/// Opens a database on the office's threads, from which SQLite's take how late they may be.
pub(super) async fn open_by_the_office(url: DatabaseUrl) -> Result<Database, PersistenceError> {
    let opened = tokio::spawn(async move { Database::open(&url).await });
    opened.await.unwrap_or_else(|failed| resume_unwind(failed.into_panic()))
}

/// Whatever a merchant's terms turn out to be: its shard leaves out what its own window does not reach.
fn scope_of_any_merchant() -> RecoveryScope {
    let now = Clock::start_after(Micros::NONE).now();
    recovery::scope(now, (*WINDOW_BOUND_S.end()).max(VELOCITY_WINDOW_MAX_S))
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
        let feed = JournalFeed::new(data.journal(), journal.watch(), journal.recent());
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

fn open_journal(
    folder: PathBuf,
    settings: JournalSettings,
    replay_after: u64,
    replay: impl FnMut(u64, &[u8]),
) -> Result<(Log<OsDisk>, Recovered), StartError> {
    let disk = OsDisk::open(&folder).map_err(|source| StartError::File { what: "open the journal in", path: folder, source })?;
    let JournalSettings { segment_bytes, segments_ahead, free_bytes_min } = settings;
    let options = LogOptions { segment_bytes, segments_ahead, free_bytes_min, replay_after, ..LogOptions::default() };
    let (log, recovered) = Log::open(disk, options, replay)?;
    if let Some(cut) = &recovered.cut {
        let (file, offset, bytes, lsn) = (&cut.name, cut.offset, cut.bytes, cut.lsn);
        tracing::warn!(file, offset, bytes, lsn, "a torn tail was cut: {}", cut.found);
    }
    Ok((log, recovered))
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
