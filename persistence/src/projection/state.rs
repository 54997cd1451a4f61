//! The digest of what is in the tables. It moves with the applied LSN in one SQL transaction, so it proves that each record
//! was taken in exactly once.

use core::fmt;

use protocol::digest::StateDigest;

use super::queries::Queries;
use crate::error::PersistenceError;
use crate::sql::{Fields, unsigned};

/// What the tables hold, in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppliedState {
    /// Of the records from `from_lsn` to `lsn`.
    pub digest: StateDigest,
    /// 1, unless the tables were filled by a version of this program that did not count yet.
    pub from_lsn: u64,
    /// LSN of the last record that is in the tables.
    pub lsn: u64,
}

/// `6f0c… as of LSN 420`, and from which LSN on if that is not the first.
impl fmt::Display for AppliedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as of LSN {}", self.digest, self.lsn)?;
        if self.from_lsn > 1 { write!(f, ", counted from LSN {}", self.from_lsn) } else { Ok(()) }
    }
}

impl Queries {
    /// The digest of what is in the tables. That of an empty journal when nothing was ever applied.
    pub async fn applied_state(&self) -> Result<AppliedState, PersistenceError> {
        let select = sqlx::query("SELECT applied_lsn, digest, digest_from FROM projection WHERE one = 1");
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read the state digest"))?;
        let Some(row) = row else {
            return Ok(AppliedState { digest: StateDigest::ZERO, from_lsn: 1, lsn: 0 });
        };
        let fields = Fields::of(&row, "projection");
        let from_lsn = unsigned(fields.integer("digest_from")?);
        Ok(AppliedState { digest: read_digest(&fields)?, from_lsn, lsn: unsigned(fields.integer("applied_lsn")?) })
    }
}

/// Where the LSN is kept that [`Queries::secure_applied_lsn`] has secured.
const SECURED: &str =
    "INSERT INTO meta (key, value) VALUES ('applied_lsn_secured', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

impl Queries {
    /// The applied LSN, from which no power cut takes the tables back any more: their own commits are not synced, but the one
    /// made here is, and a synced commit takes all before it along. Up to this LSN the journal is not needed for a start.
    pub async fn secure_applied_lsn(&self) -> Result<u64, PersistenceError> {
        const OPERATION: &str = "secure the applied LSN";
        let fault = || PersistenceError::sql(OPERATION);
        let begun = self.database.pool.begin_with(self.database.dialect.begin_write()).await;
        let mut transaction = begun.map_err(fault())?;
        let select = sqlx::query("SELECT applied_lsn FROM projection WHERE one = 1");
        let row = select.fetch_optional(&mut *transaction).await.map_err(fault())?;
        let Some(row) = row else { return Ok(0) };
        let lsn = unsigned(Fields::of(&row, "projection").integer("applied_lsn")?);
        sqlx::query(SECURED).bind(lsn.to_string()).execute(&mut *transaction).await.map_err(fault())?;
        transaction.commit().await.map_err(fault())?;
        Ok(lsn)
    }
}

pub(super) fn read_digest(fields: &Fields<'_>) -> Result<StateDigest, PersistenceError> {
    let fault = |_| PersistenceError::StoredRow { table: "projection", fault: "the digest is not 32 hexadecimal digits" };
    fields.text("digest")?.parse().map_err(fault)
}
