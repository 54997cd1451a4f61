//! Payments that are to leave a customer behind: noted before they are handed over, forgotten when the customer is kept or is not to be.

use super::Stores;
use crate::error::PersistenceError;
use crate::sql::Fields;
use protocol::calendar::Micros;
use protocol::id::Xid;

/// A payment that is to leave a customer behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultWish {
    /// The payment.
    pub transaction: Xid,
    /// Whose it is.
    pub merchant: Xid,
    /// When it was noted.
    pub made_at: Micros,
}

impl Stores {
    /// Notes a wish.
    pub async fn put_vault_wish(&self, wish: &VaultWish) -> Result<(), PersistenceError> {
        let insert = "INSERT INTO vault_wishes (transaction_id, merchant, made_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let put = sqlx::query(insert).bind(&wish.transaction.0[..]).bind(&wish.merchant.0[..]).bind(wish.made_at.0);
        put.execute(&self.database.pool).await.map(drop).map_err(PersistenceError::sql("note a customer to be kept"))
    }

    /// Forgets a wish.
    pub async fn delete_vault_wish(&self, transaction: &Xid) -> Result<(), PersistenceError> {
        let delete = sqlx::query("DELETE FROM vault_wishes WHERE transaction_id = $1").bind(&transaction.0[..]);
        delete.execute(&self.database.pool).await.map(drop).map_err(PersistenceError::sql("forget a customer to be kept"))
    }

    /// Wishes that were noted before a moment, oldest first, so many at most.
    pub async fn vault_wishes(&self, before: Micros, limit: u32) -> Result<Vec<VaultWish>, PersistenceError> {
        let select = "SELECT transaction_id, merchant, made_at FROM vault_wishes WHERE made_at < $1 \
                      ORDER BY made_at, transaction_id LIMIT $2";
        let rows = sqlx::query(select).bind(before.0).bind(i64::from(limit)).fetch_all(&self.database.pool).await;
        let rows = rows.map_err(PersistenceError::sql("read customers to be kept"))?;
        let read = |row| {
            let fields = Fields::of(row, "vault_wishes");
            Ok(VaultWish {
                transaction: fields.id("transaction_id")?,
                merchant: fields.id("merchant")?,
                made_at: fields.time("made_at")?,
            })
        };
        rows.iter().map(read).collect()
    }
}
