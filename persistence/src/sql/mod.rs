//! The two SQL homes, SQLite and PostgreSQL, behind one set of statements.
//!
//! Lives here: addresses, connections and their settings, the schema, and the writing of many rows at once. Must not live
//! here: what the rows mean (the projection's and the stores' business).
//!
//! Statements are written once, with `$1` parameters, and run on both through sqlx's `Any` driver. Where the two differ
//! `Dialect` says how, and nothing else may.

mod bulk;
mod row;
mod schema;
mod turns;
mod url;

#[cfg(test)]
pub(crate) mod tests;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Executor};
use std::io::ErrorKind;
use std::str::FromStr;
use std::time::{Duration, Instant};
use tracing::log::LevelFilter;

pub(crate) use bulk::{BulkStatement, BulkWriter};
pub(crate) use row::{Fields, id_or_null, signed, text_or_null, time_or_null, unsigned};
#[cfg(test)]
pub(crate) use schema::digest_step;
pub use url::DatabaseUrl;

use crate::error::{PersistenceError, is_locked};
use crate::projection::Queries;
use crate::projection::search::HourCounts;
use crate::stores::Stores;

/// Connections that queries and stores share at most.
const POOL_CONNECTIONS_MAX: u32 = 8;
/// How long a query waits for a free connection, and a connection for its database, milliseconds.
const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// How long until a lock that SQLite does not wait for is asked for again.
const LOCK_ASKED_AGAIN_AFTER: Duration = Duration::from_millis(10);
/// How long a connection to a server may be idle and is still taken for one that is there, milliseconds.
const TRUSTED_IDLE_MS: u64 = 500;
/// Page of a SQLite database, bytes; taken when the file is made. A page of the write-ahead log costs two writes of the
/// system, whatever its size, and rows of the projection come in hundreds, side by side: larger pages cost less. A commit
/// of one payment writes as many pages as one of hundreds, so they should not be too large either.
const SQLITE_PAGE_BYTES: u32 = 8_192;
/// Size of SQLite's write-ahead log from which on it is copied into the database, pages. A copy syncs log and database on the disk
/// that the journal waits for, and the journal's next write waits behind all that is synced: copies should be rare, but small. A search
/// that reads from the log holds its copy back, and the next one is the larger.
const SQLITE_CHECKPOINT_PAGES: u32 = 256;
/// Page cache of a SQLite connection that writes much, KiB.
const SQLITE_WRITER_CACHE_KIB: u32 = 65_536;

/// What differs between the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Embedded, one file.
    Sqlite,
    /// A server.
    Postgres,
}

/// What a connection is for: how hard its commits must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Rows whose only home is here: a commit must survive a power cut.
    Stores,
    /// Rows that the journal can give again: a commit must be whole, but the last ones may be lost together with the
    /// applied LSN that they moved.
    Projection,
}

impl Dialect {
    /// How a transaction begins that will write. SQLite must take its write lock at once: a reader that turns writer in
    /// the middle is refused without waiting.
    pub(crate) const fn begin_write(self) -> &'static str {
        match self {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        }
    }

    /// How a transaction begins whose reads must all see one moment.
    pub(crate) const fn begin_snapshot(self) -> &'static str {
        match self {
            Dialect::Sqlite => "BEGIN",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    fn settings(self, purpose: Purpose) -> Vec<String> {
        match (self, purpose) {
            (Dialect::Sqlite, Purpose::Stores) => vec![
                format!("PRAGMA page_size = {SQLITE_PAGE_BYTES}"),
                "PRAGMA journal_mode = WAL".into(),
                "PRAGMA synchronous = FULL".into(),
                // Sealed cards that are removed must not stay behind in free pages.
                "PRAGMA secure_delete = ON".into(),
            ],
            (Dialect::Sqlite, Purpose::Projection) => vec![
                format!("PRAGMA page_size = {SQLITE_PAGE_BYTES}"),
                "PRAGMA journal_mode = WAL".into(),
                "PRAGMA synchronous = NORMAL".into(),
                // A statement of many rows notes pages as they were, to be undone alone. Those notes need no file.
                "PRAGMA temp_store = MEMORY".into(),
                format!("PRAGMA wal_autocheckpoint = {SQLITE_CHECKPOINT_PAGES}"),
                format!("PRAGMA cache_size = -{SQLITE_WRITER_CACHE_KIB}"),
            ],
            (Dialect::Postgres, Purpose::Stores) => vec!["SET synchronous_commit = on".into()],
            (Dialect::Postgres, Purpose::Projection) => vec!["SET synchronous_commit = off".into()],
        }
    }
}

/// A database with its tables in place, and the connections to it. Clones share them.
#[derive(Debug, Clone)]
pub struct Database {
    pub(crate) pool: AnyPool,
    pub(crate) dialect: Dialect,
    /// What searches have counted and need not count again.
    pub(crate) hours: HourCounts,
}

impl Database {
    /// Connects and brings the tables up to date; a SQLite file is made when it is not there.
    ///
    /// A SQLite connection is a thread that takes its precedence from the one that opens it, and is used by whoever comes later. All are opened
    /// here, once the tables are there, so that they are as late as the caller's thread, and not one of them goes before payments because a
    /// payment was the first to need it. (The pool's own least number of connections would be kept by a task that outlives a failed call.)
    pub async fn open(url: &DatabaseUrl) -> Result<Database, PersistenceError> {
        let dialect = url.dialect();
        // By itself, for the pool tells no cause but that its patience has ended.
        let first = connect(url, Purpose::Stores).await?;
        let pool = pool_options(dialect).connect_lazy_with(options(url)?);
        if dialect == Dialect::Sqlite {
            let mut all = Vec::new();
            while pool.size() < POOL_CONNECTIONS_MAX {
                all.push(pool.acquire().await.map_err(PersistenceError::connect(url))?);
            }
        }
        first.close().await.map_err(PersistenceError::connect(url))?;
        Ok(Database { pool, dialect, hours: HourCounts::default() })
    }

    /// Connects when it is first used: for a database that is away. Whoever writes to it, the follower, brings its tables up to
    /// date; until then reads fail.
    pub fn later(url: &DatabaseUrl) -> Result<Database, PersistenceError> {
        let dialect = url.dialect();
        let pool = pool_options(dialect).connect_lazy_with(options(url)?);
        Ok(Database { pool, dialect, hours: HourCounts::default() })
    }

    /// Reads of what the projection holds.
    pub fn queries(&self) -> Queries {
        Queries::new(self.clone())
    }

    /// The slow side's own tables.
    pub fn stores(&self) -> Stores {
        Stores::new(self.clone())
    }

    /// Closes every connection; clones can't be used any more.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn pool_options(dialect: Dialect) -> AnyPoolOptions {
    // A connection to a file does not age.
    let options = match dialect {
        Dialect::Sqlite => AnyPoolOptions::new().idle_timeout(None).max_lifetime(None),
        Dialect::Postgres => AnyPoolOptions::new(),
    };
    options
        .max_connections(POOL_CONNECTIONS_MAX)
        .acquire_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS))
        // A question before each use would cost as much as the use: only a server can have gone, and only while nobody asked it.
        .test_before_acquire(false)
        .before_acquire(move |connection, used| {
            let may_be_gone = dialect == Dialect::Postgres && used.idle_for > Duration::from_millis(TRUSTED_IDLE_MS);
            Box::pin(async move { if may_be_gone { connection.ping().await.map(|()| true) } else { Ok(true) } })
        })
        .after_connect(move |connection, _| Box::pin(apply_settings(connection, dialect, Purpose::Stores)))
}

/// One connection of its own, tables up to date.
pub(crate) async fn connect(url: &DatabaseUrl, purpose: Purpose) -> Result<AnyConnection, PersistenceError> {
    let options = options(url)?;
    let attempt = tokio::time::timeout(Duration::from_millis(CONNECT_TIMEOUT_MS), options.connect());
    let failed = || PersistenceError::connect(url);
    let connected = attempt.await.map_err(|_| failed()(sqlx::Error::Io(ErrorKind::TimedOut.into())))?;
    let mut connection = connected.map_err(failed())?;
    apply_settings(&mut connection, url.dialect(), purpose).await.map_err(failed())?;
    schema::migrate(&mut connection, url.dialect()).await?;
    Ok(connection)
}

fn options(url: &DatabaseUrl) -> Result<AnyConnectOptions, PersistenceError> {
    sqlx::any::install_default_drivers();
    turns::let_others_in_between();
    let options = AnyConnectOptions::from_str(&url.driver_address());
    // Statements of many rows are hundreds of kilobytes of text: they have no place in a log.
    let quiet = |options: AnyConnectOptions| {
        options.log_statements(LevelFilter::Off).log_slow_statements(LevelFilter::Off, Duration::MAX)
    };
    options.map(quiet).map_err(|_| PersistenceError::DatabaseUrl { fault: "it can't be read as a URL" })
}

/// SQLite waits for a lock by itself, but not for the one under which a new file gets its write-ahead log: of two that open it at once, one is
/// refused on the spot.
async fn apply_settings(connection: &mut AnyConnection, dialect: Dialect, purpose: Purpose) -> Result<(), sqlx::Error> {
    let patience = Instant::now() + Duration::from_millis(CONNECT_TIMEOUT_MS);
    for setting in dialect.settings(purpose) {
        while let Err(error) = connection.execute(sqlx::AssertSqlSafe(setting.clone())).await {
            if !is_locked(&error) || Instant::now() > patience {
                return Err(error);
            }
            tokio::time::sleep(LOCK_ASKED_AGAIN_AFTER).await;
        }
    }
    Ok(())
}
