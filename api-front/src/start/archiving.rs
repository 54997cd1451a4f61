//! The slow hand that takes old segments out of the journal's folder, when the configuration asks for it.
//!
//! A segment leaves only when a synced commit of the SQL home holds all its records: without it the journal would be all there is.

use super::error::StartError;
use crate::config::RetentionSettings;
use crate::limits::{ARCHIVE_EVERY, ARCHIVE_RETRY};
use persistence::PersistenceError;
use persistence::journal::{Archivist, JournalError, Retired};
use persistence::projection::{AppliedWatch, Queries};
use protocol::frame::JournalId;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

/// The task, where there is one.
pub(super) struct Archiving {
    task: Option<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

/// What it works on.
pub(super) struct Archived {
    pub(super) folder: PathBuf,
    pub(super) journal_id: JournalId,
    pub(super) applied: AppliedWatch,
    pub(super) queries: Queries,
}

/// Why segments stay where they are for now.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Sql(#[from] PersistenceError),
    #[error("the thread that moves segments has panicked")]
    Thread(#[from] JoinError),
}

impl Archiving {
    pub(super) fn start(settings: Option<&RetentionSettings>, archived: Archived) -> Result<Archiving, StartError> {
        let (stop, stopped) = watch::channel(false);
        let Some(RetentionSettings { keep_segments, archive }) = settings else {
            return Ok(Archiving { task: None, stop });
        };
        // Journals that share an archive by mistake must not meet there.
        let archive = archive.as_ref().map(|folder| folder.join(archived.journal_id.to_string()));
        let fault = |source| {
            let path = archive.clone().unwrap_or_else(|| archived.folder.clone());
            StartError::File { what: "open the journal's archive", path, source }
        };
        let archivist = Archivist::open(&archived.folder, archive.as_deref()).map_err(fault)?;
        let worker = Worker { archivist: Arc::new(archivist), keep: *keep_segments, archived, stopped };
        Ok(Archiving { task: Some(tokio::spawn(worker.run())), stop })
    }

    /// Finishes the segment it is at. The journal stays locked until then.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task
            && task.await.is_err()
        {
            tracing::error!("the task that moves segments has panicked");
        }
    }
}

struct Worker {
    archivist: Arc<Archivist>,
    keep: u32,
    archived: Archived,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    async fn run(mut self) {
        let mut pause = ARCHIVE_EVERY;
        loop {
            // Stopped, or nobody is left who could ask for it.
            if tokio::time::timeout(pause, self.stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                return;
            }
            pause = match self.retire().await {
                Ok(()) => ARCHIVE_EVERY,
                Err(error) => {
                    tracing::warn!(%error, "old segments of the journal stay where they are");
                    ARCHIVE_RETRY
                }
            };
        }
    }

    async fn retire(&self) -> Result<(), Interrupted> {
        if self.could_retire(self.archived.applied.lsn()).await?.is_none() {
            return Ok(());
        }
        let secured = self.archived.queries.secure_applied_lsn().await?;
        while !*self.stopped.borrow()
            && let Some(Retired { name, last_lsn }) = self.retire_one(secured).await?
        {
            tracing::info!(name, last_lsn, "a segment has left the journal");
        }
        Ok(())
    }

    async fn could_retire(&self, lsn: u64) -> Result<Option<u64>, Interrupted> {
        let (archivist, keep) = (Arc::clone(&self.archivist), self.keep);
        Ok(spawn_blocking(move || archivist.could_retire(lsn, keep)).await??)
    }

    async fn retire_one(&self, lsn: u64) -> Result<Option<Retired>, Interrupted> {
        let (archivist, keep) = (Arc::clone(&self.archivist), self.keep);
        Ok(spawn_blocking(move || archivist.retire_one(lsn, keep)).await??)
    }
}
