//! News of payables: what the journal has said of their transactions since somebody looked, whoever made them change. The projection
//! writes them in the SQL transaction that applies the record.

use protocol::id::Xid;
use sqlx::any::AnyRow;

use crate::error::PersistenceError;
use crate::sql::{Fields, signed};
use crate::stores::Stores;

/// A new version of a payable's transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayableNews {
    /// LSN of the version.
    pub lsn: u64,
    /// The transaction.
    pub transaction: Xid,
    /// What it says that it pays. It is another's word until an attempt with both ids is found.
    pub payable: Xid,
}

impl PayableNews {
    fn read(row: &AnyRow) -> Result<PayableNews, PersistenceError> {
        let fields = Fields::of(row, "payable_news");
        Ok(PayableNews { lsn: fields.narrow("lsn")?, transaction: fields.id("transaction_id")?, payable: fields.id("payable")? })
    }
}

impl Stores {
    /// The oldest news, `limit` at most.
    pub async fn payable_news(&self, limit: u32) -> Result<Vec<PayableNews>, PersistenceError> {
        let select = format!("SELECT lsn, transaction_id, payable FROM payable_news ORDER BY lsn LIMIT {limit}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("read news of payables"))?.iter().map(PayableNews::read).collect()
    }

    /// Forgets one that was taken in.
    pub async fn forget_payable_news(&self, lsn: u64) -> Result<(), PersistenceError> {
        let delete = sqlx::query("DELETE FROM payable_news WHERE lsn = $1").bind(signed(lsn));
        let deleted = delete.execute(&self.database.pool).await;
        deleted.map(drop).map_err(PersistenceError::sql("forget news of a payable"))
    }
}
