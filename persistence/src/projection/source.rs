//! Where records come from: the journal, or anything that gives them in order.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::PersistenceError;
use crate::journal::{Disk, DurableWatch, OsDisk, Reader, Recent, RecentFirst};

/// Records in the order of their LSNs, without gaps.
pub trait RecordSource {
    /// The next record with its LSN, if that is at most `until`; `None` when there is none yet.
    fn next(&mut self, until: u64) -> Result<Option<(u64, &[u8])>, PersistenceError>;
}

impl<D: Disk> RecordSource for Reader<D> {
    fn next(&mut self, until: u64) -> Result<Option<(u64, &[u8])>, PersistenceError> {
        Reader::next(self, until).map_err(|error| PersistenceError::Source(Box::new(error)))
    }
}

/// A journal that is being written: gives sources, and says how far they may be read.
pub trait RecordFeed: Send + 'static {
    /// What it gives.
    type Source: RecordSource;

    /// A source whose first record is `from_lsn`.
    fn open(&mut self, from_lsn: u64) -> Result<Self::Source, PersistenceError>;

    /// Waits until something after `lsn` is durable, or for `timeout`; the newest durable LSN either way.
    fn wait_past(&self, lsn: u64, timeout: Duration) -> u64;
}

/// The feed of a real journal.
pub struct JournalFeed {
    folder: PathBuf,
    watch: DurableWatch,
    recent: Recent,
    /// What is journaled from here on is written by this process.
    own_from: u64,
}

impl JournalFeed {
    /// `folder` is the journal's, `watch` and `recent` are its writer's.
    pub fn new(folder: impl Into<PathBuf>, watch: DurableWatch, recent: Recent) -> JournalFeed {
        let own_from = watch.durable_lsn() + 1;
        JournalFeed { folder: folder.into(), watch, recent, own_from }
    }
}

impl RecordFeed for JournalFeed {
    type Source = Reader<RecentFirst<OsDisk>>;

    fn open(&mut self, from_lsn: u64) -> Result<Self::Source, PersistenceError> {
        let disk = RecentFirst::new(OsDisk::open_to_read(&self.folder), self.recent.clone());
        let opened = Reader::on(disk, from_lsn).map_err(|error| PersistenceError::Source(Box::new(error)));
        opened.map(|reader| reader.beside_writer_from(self.own_from))
    }

    fn wait_past(&self, lsn: u64, timeout: Duration) -> u64 {
        self.watch.wait_past(lsn, timeout)
    }
}
