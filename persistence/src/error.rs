//! What can go wrong with what lasts, the journal apart: which operation, on what, and the facts that help.
//!
//! No variant may carry card data, a key's bytes or a database password: these texts reach logs and operators.

use std::io;
use std::path::PathBuf;

use protocol::record::RecordError;

use crate::journal::JournalError;
use crate::sql::DatabaseUrl;

/// Why an operation on keys, SQL or the projection failed.
#[derive(Debug, thiserror::Error)]
pub enum PersistenceError {
    /// The file system refused.
    #[error("keys: {operation} {}: {source}", path.display())]
    KeyFolder {
        /// What was tried, as a verb.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody other than the owner may touch a key.
    #[error("keys: {} has mode {mode:04o}; only its owner may touch it: chmod {right:04o} it, and replace the key if it may have been read", path.display())]
    KeyExposed {
        /// The file or folder.
        path: PathBuf,
        /// Permission bits as found.
        mode: u32,
        /// Permission bits as they should be.
        right: u32,
    },
    /// A key that must be there is not.
    #[error("keys: {} is missing; put it back from a copy (a new key could not open what the old one sealed)", path.display())]
    KeyMissing {
        /// The file.
        path: PathBuf,
    },
    /// A key file with the wrong size or a wrong check value.
    #[error("keys: {} is damaged: {fault}; put it back from a copy", path.display())]
    KeyDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The system's randomness or the cipher refused to work.
    #[error("{operation}: the cryptographic library refused")]
    Cryptography {
        /// What was tried.
        operation: &'static str,
    },
    /// Bytes that are not a card that was sealed here, for this merchant and fingerprint.
    #[error("open sealed card: {0}")]
    SealedCard(SealedCardFault),
    /// A database address that is not one of ours.
    #[error("database url: {fault}; expected sqlite://PATH or postgres://…")]
    DatabaseUrl {
        /// What is wrong with it. Not the address itself: it may hold a password.
        fault: &'static str,
    },
    /// The database could not be reached, or it is none.
    #[error("connect to {database}: {source}")]
    Connect {
        /// Which one; what it prints has no password.
        database: DatabaseUrl,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The database refused.
    #[error("{operation}: {source}")]
    Sql {
        /// What was tried.
        operation: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The tables were made by a later version.
    #[error("database: its schema has version {found}, this program knows up to {known}; start the version that made it")]
    SchemaFromFuture {
        /// Version in the database.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// A row that can't have been written by us.
    #[error("database: table {table}: {fault}; rebuild the projection from the journal")]
    StoredRow {
        /// The table.
        table: &'static str,
        /// What is wrong with the row.
        fault: &'static str,
    },
    /// A journal record that this version can't read.
    #[error("projection: record {lsn}: {source}")]
    Record {
        /// Its LSN.
        lsn: u64,
        /// Why.
        source: RecordError,
    },
    /// The source of records skipped some.
    #[error("projection: expected record {expected}, got {found}; the journal has a gap or was archived too early")]
    Gap {
        /// The LSN that had to come.
        expected: u64,
        /// The LSN that came.
        found: u64,
    },
    /// The source of records failed.
    #[error("projection: read the journal: {0}")]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// The projection was filled from some other journal.
    #[error(
        "projection: it was filled from journal {stored}, but this is journal {given}; point to the right database, or rebuild it"
    )]
    OtherJournal {
        /// Journal id in the database.
        stored: String,
        /// Journal id at hand.
        given: String,
    },
    /// The projection holds records that the journal does not have.
    #[error(
        "projection: it has applied record {applied}, but the journal ends at {last}: \
         records were lost or this is another journal; put the journal back, or rebuild the projection"
    )]
    AheadOfJournal {
        /// Applied LSN.
        applied: u64,
        /// The journal's last LSN.
        last: u64,
    },
    /// Somebody else moved the applied LSN.
    #[error("projection: another process writes to the same database (applied record is not {expected} any more); stop it")]
    Contended {
        /// What the applied LSN was when this process last wrote it.
        expected: u64,
    },
}

/// What is wrong with a sealed card. Says nothing of what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedCardFault {
    /// Too short or too long to be one.
    #[error("{bytes} bytes can't be a sealed card")]
    Length {
        /// How many bytes.
        bytes: usize,
    },
    /// Its key is not in the key folder.
    #[error("key {0} is not in the key folder")]
    UnknownKey(u32),
    /// Altered, or sealed for another merchant or card.
    #[error("not authentic: altered, or sealed for another merchant or card")]
    NotAuthentic,
    /// Authentic, but not a layout that this version knows.
    #[error("its content has a layout that this version does not know")]
    Layout,
}

impl PersistenceError {
    /// Names the database that the driver failed to connect to.
    pub(crate) fn connect(database: &DatabaseUrl) -> impl FnOnce(sqlx::Error) -> PersistenceError {
        move |source| PersistenceError::Connect { database: database.clone(), source }
    }

    /// Names the operation that the driver failed in.
    pub(crate) fn sql(operation: &'static str) -> impl FnOnce(sqlx::Error) -> PersistenceError {
        move |source| PersistenceError::Sql { operation, source }
    }

    /// True when trying again later can help: the database is away or busy, or the process may have no more files open. Everything else
    /// needs a person.
    pub fn is_transient(&self) -> bool {
        match self {
            PersistenceError::Sql { source, .. } | PersistenceError::Connect { source, .. } => !is_damage(source),
            PersistenceError::Source(cause) => cause.downcast_ref().is_some_and(JournalError::lacks_a_descriptor),
            _ => false,
        }
    }
}

/// True when SQLite says that its file is damaged, or is no database.
fn is_damage(error: &sqlx::Error) -> bool {
    const CORRUPT: u32 = 11;
    const NOT_A_DATABASE: u32 = 26;
    matches!(sqlite_kind(error), Some(CORRUPT | NOT_A_DATABASE))
}

/// True when SQLite says that another connection has the file's lock.
pub(crate) fn is_locked(error: &sqlx::Error) -> bool {
    const BUSY: u32 = 5;
    sqlite_kind(error) == Some(BUSY)
}

/// The lowest byte of SQLite's result code, which is the kind. PostgreSQL's codes have five characters.
fn sqlite_kind(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error().and_then(|error| error.code()).filter(|code| code.len() < 5)?;
    code.parse::<u32>().ok().map(|code| code & 0xff)
}
