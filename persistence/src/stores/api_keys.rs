//! API keys: their hashes, never the keys.

use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::any::AnyRow;

use super::Stores;
use crate::error::PersistenceError;
use crate::sql::{Fields, id_or_null};

/// What a key may do. Numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Everything of its merchant.
    Api = 1,
    /// Only what a shopper's browser may do.
    Public = 2,
}

/// An API key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, by which people speak of it.
    pub id: Xid,
    /// SHA-256 of the key: see [`ApiKey::hash_of`].
    pub hash: [u8; 32],
    /// What it may do.
    pub kind: KeyKind,
    /// Whose it is.
    pub merchant: Xid,
    /// The user who made it and whose rights it has; none: the account's own, with all rights.
    pub user: Xid,
    /// As people call it.
    pub name: String,
    /// What of the key itself may be shown in a list. Empty where only its hash was ever known.
    pub hint: String,
    /// When it was made.
    pub created_at: Micros,
}

impl core::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl ApiKey {
    /// The hash under which a key is stored and looked up. Plain SHA-256 is enough: keys are drawn at random and long, so
    /// there is nothing to guess that a slow hash would make slower.
    pub fn hash_of(key: &str) -> [u8; 32] {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.as_bytes());
        core::array::from_fn(|place| digest.as_ref()[place])
    }

    fn read(row: &AnyRow) -> Result<ApiKey, PersistenceError> {
        let fields = Fields::of(row, "api_keys");
        let kind = match fields.integer("kind")? {
            1 => KeyKind::Api,
            2 => KeyKind::Public,
            _ => return Err(PersistenceError::StoredRow { table: "api_keys", fault: "the kind is unknown" }),
        };
        Ok(ApiKey {
            id: fields.id("id")?,
            hash: fields.array("hash")?,
            kind,
            merchant: fields.id("merchant")?,
            user: fields.id_or_none("user_id")?,
            name: fields.text("name")?,
            hint: fields.text("hint")?,
            created_at: fields.time("created_at")?,
        })
    }
}

impl Stores {
    /// Adds a key, or replaces the one with the same id.
    pub async fn put_api_key(&self, key: &ApiKey) -> Result<(), PersistenceError> {
        let upsert = "INSERT INTO api_keys (id, hash, kind, merchant, name, created_at, user_id, hint) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, \
                      kind = excluded.kind, merchant = excluded.merchant, name = excluded.name, created_at = excluded.created_at, \
                      user_id = excluded.user_id, hint = excluded.hint";
        let put = sqlx::query(upsert).bind(&key.id.0[..]).bind(&key.hash[..]).bind(key.kind as i64);
        let put = put.bind(&key.merchant.0[..]).bind(&key.name[..]).bind(key.created_at.0);
        let put = put.bind(id_or_null(&key.user)).bind(&key.hint[..]);
        put.execute(&self.database.pool).await.map(drop).map_err(PersistenceError::sql("store an api key"))
    }

    /// The key with this hash.
    pub async fn api_key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, PersistenceError> {
        let select = "SELECT id, hash, kind, merchant, name, created_at, user_id, hint FROM api_keys WHERE hash = $1";
        for home in self.key_homes() {
            let row = sqlx::query(select).bind(&hash[..]).fetch_optional(&home.pool).await;
            if let Some(row) = row.map_err(PersistenceError::sql("look an api key up"))? {
                return ApiKey::read(&row).map(Some);
            }
        }
        Ok(None)
    }

    /// A merchant's keys, oldest first.
    pub async fn api_keys(&self, merchant: &Xid) -> Result<Vec<ApiKey>, PersistenceError> {
        let select =
            "SELECT id, hash, kind, merchant, name, created_at, user_id, hint FROM api_keys WHERE merchant = $1 ORDER BY id";
        let rows = sqlx::query(select).bind(&merchant.0[..]).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list api keys"))?.iter().map(ApiKey::read).collect()
    }

    /// All keys of all merchants: what a front fills its cache with.
    pub async fn all_api_keys(&self) -> Result<Vec<ApiKey>, PersistenceError> {
        let select = "SELECT id, hash, kind, merchant, name, created_at, user_id, hint FROM api_keys ORDER BY id";
        let rows = sqlx::query(select).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list api keys"))?.iter().map(ApiKey::read).collect()
    }

    /// Removes a key. False when there was none.
    pub async fn delete_api_key(&self, id: &Xid) -> Result<bool, PersistenceError> {
        let deleted = sqlx::query("DELETE FROM api_keys WHERE id = $1").bind(&id.0[..]).execute(&self.database.pool).await;
        Ok(deleted.map_err(PersistenceError::sql("remove an api key"))?.rows_affected() == 1)
    }
}
