//! What only an operator reads: the story of a transaction, and the reversals that wait.

use protocol::id::Xid;
use protocol::record::Kind;
use protocol::words::ReversalState;

use super::queries::{Queries, StoredTransaction};
use crate::error::PersistenceError;
use crate::sql::Fields;

/// Open transactions that are looked at for queued reversals at once.
const PAGE_ROWS: u32 = 512;

/// One version of a transaction, and what made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// What happened.
    pub kind: Kind,
    /// The transaction as of it.
    pub stored: StoredTransaction,
}

impl Queries {
    /// The versions of a transaction with what made them, oldest first. Of the intents only one that is still the newest: what they
    /// say stands in the outcomes behind them, and the journal has them all.
    pub async fn story(&self, id: &Xid) -> Result<Vec<Chapter>, PersistenceError> {
        let select = sqlx::query(
            "SELECT lsn, kind, body FROM versions WHERE transaction_id = $1 \
             UNION ALL SELECT lsn, kind, body FROM transactions WHERE id = $1 ORDER BY lsn",
        );
        let rows = select.bind(&id.0[..]).fetch_all(&self.database.pool).await;
        let rows = rows.map_err(PersistenceError::sql("read a transaction's story"))?;
        let chapter = |row| {
            let number = Fields::of(row, "versions").narrow("kind")?;
            let unknown = PersistenceError::StoredRow { table: "versions", fault: "a kind is not known to this version" };
            Ok(Chapter { kind: Kind::from_number(number).ok_or(unknown)?, stored: StoredTransaction::read(row, "versions")? })
        };
        rows.iter().map(chapter).collect()
    }

    /// Transactions whose reversal no processor has acknowledged, by id: at most `limit` behind `after`.
    pub async fn queued_reversals(&self, after: &Xid, limit: u32) -> Result<Vec<StoredTransaction>, PersistenceError> {
        let (mut after, mut queued) = (*after, Vec::new());
        loop {
            let select = sqlx::query("SELECT lsn, body FROM transactions WHERE is_open = 1 AND id > $1 ORDER BY id LIMIT $2");
            let rows = select.bind(&after.0[..]).bind(i64::from(PAGE_ROWS)).fetch_all(&self.database.pool).await;
            let rows = rows.map_err(PersistenceError::sql("read queued reversals"))?;
            for row in &rows {
                let stored = StoredTransaction::read(row, "transactions")?;
                after = stored.transaction().id;
                if stored.transaction().reversal.state() == ReversalState::Queued {
                    queued.push(stored);
                }
                if queued.len() == limit as usize {
                    return Ok(queued);
                }
            }
            if rows.len() < PAGE_ROWS as usize {
                return Ok(queued);
            }
        }
    }
}
