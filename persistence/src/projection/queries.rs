//! Reads of what the projection holds. Whoever must see a certain record waits for it first: see [`super::AppliedWatch`].

use std::ops::RangeInclusive;

use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use sqlx::any::AnyRow;
use zerocopy::{FromBytes, IntoBytes};

use crate::error::PersistenceError;
use crate::sql::{Database, Fields, unsigned};

/// A version of a transaction as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTransaction {
    /// LSN of its record.
    pub lsn: u64,
    /// The fixed part and the tail; checked when it was read.
    body: Vec<u8>,
}

impl StoredTransaction {
    pub(super) fn read(row: &AnyRow, table: &'static str) -> Result<StoredTransaction, PersistenceError> {
        let fields = Fields::of(row, table);
        StoredTransaction::checked(unsigned(fields.integer("lsn")?), fields.bytes("body")?, table)
    }

    /// From a body that a table has.
    pub(crate) fn checked(lsn: u64, body: Vec<u8>, table: &'static str) -> Result<StoredTransaction, PersistenceError> {
        let stored = StoredTransaction { lsn, body };
        match Transaction::parse(&stored.body) {
            Some(_) => Ok(stored),
            None => Err(PersistenceError::StoredRow { table, fault: "the body is not a transaction" }),
        }
    }

    /// A version as its record has it.
    pub(super) fn of(lsn: u64, transaction: &Transaction, tail: Tail<'_>) -> StoredTransaction {
        StoredTransaction { lsn, body: [transaction.as_bytes(), tail.bytes()].concat() }
    }

    /// The fixed part.
    pub fn transaction(&self) -> &Transaction {
        self.parts().0
    }

    /// The fixed part and the tail.
    pub fn parts(&self) -> (&Transaction, Tail<'_>) {
        Transaction::parse(&self.body).expect("the body was checked when it was read")
    }

    /// The bytes of both, as the record carried them.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Reads of the projection. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Queries {
    pub(super) database: Database,
}

impl Queries {
    pub(crate) fn new(database: Database) -> Queries {
        Queries { database }
    }

    /// LSN of the last record whose effects are in the tables; 0 when nothing was ever applied.
    pub async fn applied_lsn(&self) -> Result<u64, PersistenceError> {
        let select = sqlx::query("SELECT applied_lsn FROM projection WHERE one = 1");
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read the applied LSN"))?;
        row.map_or(Ok(0), |row| Fields::of(&row, "projection").integer("applied_lsn").map(unsigned))
    }

    /// The latest moment at which an applied record, of whatever kind, was decided; `None` in a new switch. A switch that starts
    /// must not live that second again.
    pub async fn newest_record_at(&self) -> Result<Option<Micros>, PersistenceError> {
        let select = sqlx::query("SELECT newest_at FROM projection WHERE one = 1 AND applied_lsn > 0");
        let row =
            select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read the newest record's time"))?;
        row.map(|row| Fields::of(&row, "projection").time("newest_at")).transpose()
    }

    /// The newest version of a merchant's transaction. Another merchant's is as if it were not there.
    pub async fn transaction(&self, merchant: &Xid, id: &Xid) -> Result<Option<StoredTransaction>, PersistenceError> {
        let found = self.transaction_by_id(id).await?;
        Ok(found.filter(|stored| stored.transaction().merchant == *merchant))
    }

    /// The newest version of a transaction, whosever it is. For operators and the switch itself, not for merchants.
    pub async fn transaction_by_id(&self, id: &Xid) -> Result<Option<StoredTransaction>, PersistenceError> {
        let select = sqlx::query("SELECT lsn, body FROM transactions WHERE id = $1").bind(&id.0[..]);
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read a transaction"))?;
        row.map(|row| StoredTransaction::read(&row, "transactions")).transpose()
    }

    /// The newest version of the transaction with this retrieval reference number, among these ids.
    pub async fn transaction_by_rrn(
        &self,
        ids: RangeInclusive<Xid>,
        rrn: &str,
    ) -> Result<Option<StoredTransaction>, PersistenceError> {
        let select = sqlx::query("SELECT lsn, body FROM transactions WHERE id >= $1 AND id <= $2 AND rrn = $3 LIMIT 1");
        let select = select.bind(ids.start().0.to_vec()).bind(ids.end().0.to_vec()).bind(rrn.to_owned());
        let row = select
            .fetch_optional(&self.database.pool)
            .await
            .map_err(PersistenceError::sql("read a transaction by its number"))?;
        row.map(|row| StoredTransaction::read(&row, "transactions")).transpose()
    }

    /// One version of a transaction, exactly as it was: a repeated answer is rendered from it. Intents are found only while
    /// they are the newest: they never answered anybody.
    pub async fn version(&self, id: &Xid, version: u32) -> Result<Option<StoredTransaction>, PersistenceError> {
        let select = sqlx::query(
            "SELECT lsn, body FROM transactions WHERE id = $1 AND version = $2 \
             UNION ALL SELECT lsn, body FROM versions WHERE transaction_id = $1 AND version = $2",
        );
        let select = select.bind(&id.0[..]).bind(i64::from(version));
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read a version"))?;
        row.map(|row| StoredTransaction::read(&row, "versions")).transpose()
    }

    /// Every version of a transaction, oldest first: its story. Of the intents only one that is still the newest.
    pub async fn versions(&self, id: &Xid) -> Result<Vec<StoredTransaction>, PersistenceError> {
        let select = sqlx::query(
            "SELECT lsn, body FROM versions WHERE transaction_id = $1 \
             UNION ALL SELECT lsn, body FROM transactions WHERE id = $1 ORDER BY lsn",
        );
        let select = select.bind(&id.0[..]);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("read a transaction's versions"))?;
        rows.iter().map(|row| StoredTransaction::read(row, "versions")).collect()
    }

    /// The refunds of a transaction, oldest first.
    pub async fn children(&self, parent: &Xid) -> Result<Vec<StoredTransaction>, PersistenceError> {
        let select = sqlx::query("SELECT lsn, body FROM transactions WHERE parent = $1 ORDER BY id").bind(&parent.0[..]);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("read a transaction's refunds"))?;
        rows.iter().map(|row| StoredTransaction::read(row, "transactions")).collect()
    }

    /// Members of a batch in pages by id: at most `limit` after `after`; begin with [`Xid::NONE`]. Settled ones and those
    /// that dropped out (declined, voided) but carried its number are among them: the caller looks at the status.
    pub async fn batch_members(&self, batch: &Xid, after: &Xid, limit: u32) -> Result<Vec<StoredTransaction>, PersistenceError> {
        let select = sqlx::query("SELECT lsn, body FROM transactions WHERE batch = $1 AND id > $2 ORDER BY id LIMIT $3");
        let select = select.bind(&batch.0[..]).bind(&after.0[..]).bind(i64::from(limit));
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("read a batch's members"))?;
        rows.iter().map(|row| StoredTransaction::read(row, "transactions")).collect()
    }

    /// The newest version of a batch.
    pub async fn batch(&self, id: &Xid) -> Result<Option<Batch>, PersistenceError> {
        let select = sqlx::query("SELECT body FROM batches WHERE id = $1").bind(&id.0[..]);
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read a batch"))?;
        row.map(|row| read_batch(&row)).transpose()
    }

    /// Batches that are not complete, oldest first, as journaled: an open one's totals are zero there.
    /// [`Queries::recover`] gives them with the totals of their members.
    pub async fn unfinished_batches(&self) -> Result<Vec<Batch>, PersistenceError> {
        let select = sqlx::query(UNFINISHED_BATCHES);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("read unfinished batches"))?;
        rows.iter().map(read_batch).collect()
    }
}

/// The number is [`protocol::batch::BatchState::Complete`], as in the partial index that answers this.
pub(super) const UNFINISHED_BATCHES: &str = "SELECT id, body FROM batches WHERE state <> 5 ORDER BY id";

pub(super) fn read_batch(row: &AnyRow) -> Result<Batch, PersistenceError> {
    let body = Fields::of(row, "batches").bytes("body")?;
    Batch::read_from_bytes(&body).map_err(|_| PersistenceError::StoredRow { table: "batches", fault: "the body is not a batch" })
}
