//! Merchant accounts.

use protocol::id::Xid;
use sqlx::any::AnyRow;

use super::Stores;
use crate::error::PersistenceError;
use crate::sql::Fields;

/// A merchant account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merchant {
    /// Its id.
    pub id: Xid,
    /// As people call it.
    pub name: String,
    /// Its settings, a JSON text that only the front reads.
    pub settings: String,
    /// False refuses every command.
    pub active: bool,
}

impl Merchant {
    fn read(row: &AnyRow) -> Result<Merchant, PersistenceError> {
        let fields = Fields::of(row, "merchants");
        Ok(Merchant {
            id: fields.id("id")?,
            name: fields.text("name")?,
            settings: fields.text("settings")?,
            active: fields.integer("active")? != 0,
        })
    }
}

impl Stores {
    /// Adds a merchant, or replaces all of it but its id.
    pub async fn put_merchant(&self, merchant: &Merchant) -> Result<(), PersistenceError> {
        let upsert = "INSERT INTO merchants (id, name, settings, active) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE \
                      SET name = excluded.name, settings = excluded.settings, active = excluded.active";
        let put = sqlx::query(upsert).bind(&merchant.id.0[..]).bind(&merchant.name[..]).bind(&merchant.settings[..]);
        let put = put.bind(i64::from(merchant.active)).execute(&self.database.pool).await;
        put.map(drop).map_err(PersistenceError::sql("store a merchant"))
    }

    /// A merchant by id.
    pub async fn merchant(&self, id: &Xid) -> Result<Option<Merchant>, PersistenceError> {
        let select = sqlx::query("SELECT id, name, settings, active FROM merchants WHERE id = $1").bind(&id.0[..]);
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read a merchant"))?;
        row.as_ref().map(Merchant::read).transpose()
    }

    /// All merchants, oldest first.
    pub async fn merchants(&self) -> Result<Vec<Merchant>, PersistenceError> {
        let select = sqlx::query("SELECT id, name, settings, active FROM merchants ORDER BY id");
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list merchants"))?;
        rows.iter().map(Merchant::read).collect()
    }
}
