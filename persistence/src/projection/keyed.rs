//! What the command with an idempotency key came to.

use super::queries::{Queries, StoredTransaction};
use crate::error::PersistenceError;
use crate::sql::{Fields, unsigned};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::Verb;

/// A use of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// What was asked under it.
    pub verb: Verb,
    /// The version that answered, or the newest one while none has.
    pub version: StoredTransaction,
}

impl Queries {
    /// The latest use of a merchant's key that still holds at `now`. Reads the uses that hold: their table is ordered by when they
    /// end.
    pub async fn keyed(&self, merchant: &Xid, key_hash: &[u8; 16], now: Micros) -> Result<Option<Keyed>, PersistenceError> {
        let select = sqlx::query(
            "SELECT transaction_id, verb, answer_version FROM idempotency WHERE expires_at > $1 AND key_hash = $2 \
             ORDER BY expires_at DESC LIMIT 1",
        );
        let row = select.bind(now.0).bind(&key_hash[..]).fetch_optional(&self.database.pool).await;
        let Some(row) = row.map_err(PersistenceError::sql("look an idempotency key up"))? else { return Ok(None) };
        let fields = Fields::of(&row, "idempotency");
        let (id, answer_version) = (fields.id("transaction_id")?, unsigned(fields.integer("answer_version")?));
        let fault = PersistenceError::StoredRow { table: "idempotency", fault: "the verb is unknown" };
        let verb = u8::try_from(fields.integer("verb")?).ok().and_then(Verb::from_number).ok_or(fault)?;
        let version = match u32::try_from(answer_version) {
            Ok(version @ 1..) => self.version(&id, version).await?,
            Ok(0) | Err(_) => self.transaction(merchant, &id).await?,
        };
        let version = version.filter(|version| version.transaction().merchant == *merchant);
        Ok(version.map(|version| Keyed { verb, version }))
    }
}
