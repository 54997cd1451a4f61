//! The projection: the journal's records as rows that can be searched, and the checkpoint that recovery starts from.
//!
//! Lives here: applying records exactly once, following the journal, reading back what was applied. Must not live here:
//! decisions, and anything that is not in the journal: these tables can be dropped and filled again at any time.
//!
//! The applied LSN is moved in the same SQL transaction as the rows, from the value that this process wrote last: a crash
//! leaves both or neither, and a second writer is noticed instead of obeyed.

mod applied;
mod changes;
mod configuration;
mod events;
mod fold;
mod follower;
mod lookup;
mod operations;
mod pace;
mod payables;
mod payments;
mod queries;
mod recovery;
pub mod search;
mod source;
mod state;
mod tables;

#[cfg(test)]
mod tests;

use protocol::calendar::Micros;
use protocol::digest::StateDigest;
use protocol::frame::JournalId;
use sqlx::{AnyConnection, Connection};

pub use applied::AppliedWatch;
pub use changes::IdempotencyKey;
pub use configuration::{Deeds, StoredChange};
pub use fold::Fold;
pub use follower::{Follower, FollowerOptions, State};
pub use lookup::{Sighting, Sum};
pub use operations::Chapter;
pub use payments::Place;
pub use queries::{Queries, StoredTransaction};
pub use recovery::{RecoveryItem, RecoveryScope};
pub use source::{JournalFeed, RecordFeed, RecordSource};
pub use state::AppliedState;

use crate::error::PersistenceError;
use crate::precedence::let_others_in;
use crate::sql::{BulkWriter, DatabaseUrl, Dialect, Fields, Purpose, connect, signed, unsigned};
use changes::Changes;

/// Records in one SQL transaction at most.
const BATCH_RECORDS_MAX: usize = 4_096;
/// Bytes of bodies in one SQL transaction, about: records can be 64 KiB each.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Records that are read from one look up to the next: some 50 µs.
const RECORDS_BETWEEN: usize = 32;
/// A key is kept this long after it has expired, microseconds of the journal's time: shards do not tick together.
const KEY_GRACE_MICROS: i64 = 60_000_000;
/// Keys that one purge removes at most: it must not hold the tables for long.
const PURGE_KEYS_MAX: u64 = 8_192;

// While records come, a purge must gain on them.
const _: () = assert!(PURGE_KEYS_MAX > BATCH_RECORDS_MAX as u64);
/// What a rebuild empties.
const EMPTIED_TABLES: [&str; 6] = ["transactions", "versions", "idempotency", "batches", "changes", "projection"];

/// The writing end: one connection, one applied LSN. After an error it is spent: drop it, open another.
#[derive(Debug)]
pub struct Projection {
    connection: AnyConnection,
    dialect: Dialect,
    writer: BulkWriter,
    position: Position,
}

/// How far the projection has come: its own row.
#[derive(Debug, Clone, Copy)]
struct Position {
    applied: u64,
    newest_at: Micros,
    digest: StateDigest,
    /// Up to this LSN events are written, however far the tables have come.
    told: u64,
}

impl Projection {
    /// Opens the projection of a journal whose newest record is `last_lsn`. A projection of another journal, or one that
    /// is ahead of its journal, is refused: see [`Projection::open_emptied`].
    pub async fn open(url: &DatabaseUrl, journal: JournalId, last_lsn: u64) -> Result<Projection, PersistenceError> {
        let projection = Projection::connect(url, journal, false).await?;
        if projection.applied_lsn() > last_lsn {
            return Err(PersistenceError::AheadOfJournal { applied: projection.applied_lsn(), last: last_lsn });
        }
        Ok(projection)
    }

    /// Opens the projection emptied, to be filled again from LSN 1; stores keep what they have.
    pub async fn open_emptied(url: &DatabaseUrl, journal: JournalId) -> Result<Projection, PersistenceError> {
        Projection::connect(url, journal, true).await
    }

    async fn connect(url: &DatabaseUrl, journal: JournalId, empty: bool) -> Result<Projection, PersistenceError> {
        let mut connection = connect(url, Purpose::Projection).await?;
        let dialect = url.dialect();
        let position = adopt(&mut connection, dialect, &journal.to_string(), empty).await?;
        Ok(Projection { connection, dialect, writer: BulkWriter::new(dialect), position })
    }

    /// LSN of the last record whose effects are in the tables.
    pub fn applied_lsn(&self) -> u64 {
        self.position.applied
    }

    /// Applies every record up to `until` that the source has, in SQL transactions of bounded size. Records that are
    /// applied already are passed over. Returns the applied LSN.
    pub async fn catch_up(&mut self, source: &mut impl RecordSource, until: u64) -> Result<u64, PersistenceError> {
        loop {
            let changes = self.collect(source, until)?;
            if changes.record_count == 0 {
                return Ok(self.applied_lsn());
            }
            self.apply(&changes).await?;
        }
    }

    /// One batch: applies at most as much as fits one SQL transaction. Returns how many records it was.
    pub(crate) async fn apply_next(&mut self, source: &mut impl RecordSource, until: u64) -> Result<usize, PersistenceError> {
        let changes = self.collect(source, until)?;
        if changes.record_count > 0 {
            self.apply(&changes).await?;
        }
        Ok(changes.record_count)
    }

    fn collect(&self, source: &mut impl RecordSource, until: u64) -> Result<Changes, PersistenceError> {
        let mut changes = Changes { last_lsn: self.applied_lsn(), told_until: self.position.told, ..Changes::default() };
        let mut bytes = 0;
        while changes.record_count < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX {
            let Some((lsn, record)) = source.next(until)? else { break };
            if lsn <= self.applied_lsn() {
                continue;
            }
            let expected = changes.last_lsn + 1;
            if lsn != expected {
                return Err(PersistenceError::Gap { expected, found: lsn });
            }
            changes.take(lsn, record)?;
            bytes += record.len();
            if changes.record_count.is_multiple_of(RECORDS_BETWEEN) {
                let_others_in();
            }
        }
        Ok(changes)
    }

    async fn apply(&mut self, changes: &Changes) -> Result<(), PersistenceError> {
        let begun = self.connection.begin_with(self.dialect.begin_write()).await;
        let mut transaction = begun.map_err(PersistenceError::sql("begin to apply records"))?;
        let before = self.position;
        let after = Position {
            applied: changes.last_lsn,
            newest_at: before.newest_at.max(changes.newest_at),
            digest: before.digest.plus(changes.digest),
            told: before.told,
        };
        let update = "UPDATE projection SET applied_lsn = $1, newest_at = $2, digest = $3 WHERE one = 1 AND applied_lsn = $4";
        let moved = sqlx::query(update)
            .bind(signed(after.applied))
            .bind(after.newest_at.0)
            .bind(after.digest.to_string())
            .bind(signed(before.applied))
            .execute(&mut *transaction)
            .await
            .map_err(PersistenceError::sql("move the applied LSN"))?;
        if moved.rows_affected() != 1 {
            return Err(PersistenceError::Contended { expected: before.applied });
        }
        tables::write(&mut transaction, &mut self.writer, changes).await?;
        payables::write(&mut transaction, &mut self.writer, changes).await?;
        transaction.commit().await.map_err(PersistenceError::sql("commit applied records"))?;
        self.position = after;
        Ok(())
    }

    /// The latest moment that an applied record carries; the journal's own time, no clock.
    pub(crate) fn newest_at(&self) -> Micros {
        self.position.newest_at
    }

    /// Removes idempotency keys that expired well before the newest record, a bounded number of them. Returns how many.
    pub async fn purge_expired_keys(&mut self) -> Result<u64, PersistenceError> {
        let purge = sqlx::query(
            "DELETE FROM idempotency WHERE (expires_at, key_hash) IN (SELECT expires_at, key_hash FROM idempotency \
             WHERE expires_at < $1 ORDER BY expires_at, key_hash LIMIT $2)",
        );
        let purge = purge.bind(self.position.newest_at.0.saturating_sub(KEY_GRACE_MICROS)).bind(signed(PURGE_KEYS_MAX));
        let purged = purge.execute(&mut self.connection).await;
        Ok(purged.map_err(PersistenceError::sql("purge expired idempotency keys"))?.rows_affected())
    }

    /// Closes the connection in order.
    pub async fn close(self) -> Result<(), PersistenceError> {
        self.connection.close().await.map_err(PersistenceError::sql("close the projection"))
    }
}

/// Reads how far it has come, after making the row for this journal when there is none or
/// `empty` asks for a fresh start.
async fn adopt(
    connection: &mut AnyConnection,
    dialect: Dialect,
    journal: &str,
    empty: bool,
) -> Result<Position, PersistenceError> {
    const OPERATION: &str = "open the projection";
    let begun = connection.begin_with(dialect.begin_write()).await;
    let mut transaction = begun.map_err(PersistenceError::sql(OPERATION))?;
    if empty {
        for table in EMPTIED_TABLES {
            let statement = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
            sqlx::query(statement).execute(&mut *transaction).await.map_err(PersistenceError::sql("empty the projection"))?;
        }
    }
    let insert = sqlx::query(
        "INSERT INTO projection (one, applied_lsn, newest_at, journal_id) VALUES (1, 0, $1, $2) ON CONFLICT DO NOTHING",
    );
    insert.bind(Micros::NONE.0).bind(journal).execute(&mut *transaction).await.map_err(PersistenceError::sql(OPERATION))?;
    let select = sqlx::query("SELECT applied_lsn, newest_at, digest, journal_id FROM projection WHERE one = 1");
    let row = select.fetch_one(&mut *transaction).await.map_err(PersistenceError::sql(OPERATION))?;
    let fields = Fields::of(&row, "projection");
    let applied = unsigned(fields.integer("applied_lsn")?);
    let (newest_at, digest) = (fields.time("newest_at")?, state::read_digest(&fields)?);
    let stored = fields.text("journal_id")?;
    if stored != journal {
        return Err(PersistenceError::OtherJournal { stored, given: journal.to_owned() });
    }
    let told = events::told_until(&mut transaction, applied).await?;
    transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
    Ok(Position { applied, newest_at, digest, told })
}
