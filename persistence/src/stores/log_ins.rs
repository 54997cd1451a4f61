//! What stands between a stranger and an account: wrong passwords, revoked tokens, codes to reset a password.

use protocol::calendar::Micros;
use protocol::id::Xid;

use super::Stores;
use crate::error::PersistenceError;
use crate::sql::Fields;

/// Attempts to log in under one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// How many, the one that was just noted among them.
    pub count: u32,
    /// When the first of them was.
    pub since: Micros,
}

impl Stores {
    /// Notes an attempt before its password is looked at, so that attempts side by side are all counted. Those that began before
    /// `forgotten` count no more. Names that nobody has are counted like others.
    pub async fn note_attempt(
        &self,
        log_in_hash: &[u8; 32],
        now: Micros,
        forgotten: Micros,
    ) -> Result<Attempts, PersistenceError> {
        let upsert = "INSERT INTO log_in_attempts (log_in_hash, wrong, since) VALUES ($1, 1, $2) \
                      ON CONFLICT (log_in_hash) DO UPDATE SET \
                      wrong = CASE WHEN log_in_attempts.since < $3 THEN 1 ELSE log_in_attempts.wrong + 1 END, \
                      since = CASE WHEN log_in_attempts.since < $3 THEN excluded.since ELSE log_in_attempts.since END \
                      RETURNING wrong, since";
        let note = sqlx::query(upsert).bind(&log_in_hash[..]).bind(now.0).bind(forgotten.0);
        let row = note.fetch_one(&self.database.pool).await.map_err(PersistenceError::sql("note an attempt to log in"))?;
        let fields = Fields::of(&row, "log_in_attempts");
        Ok(Attempts { count: fields.narrow("wrong")?, since: fields.time("since")? })
    }

    /// Forgets the attempts under a name: one was right.
    pub async fn forget_attempts(&self, log_in_hash: &[u8; 32]) -> Result<(), PersistenceError> {
        let delete = sqlx::query("DELETE FROM log_in_attempts WHERE log_in_hash = $1").bind(&log_in_hash[..]);
        let deleted = delete.execute(&self.database.pool).await;
        deleted.map(drop).map_err(PersistenceError::sql("forget attempts to log in"))
    }

    /// Makes a token count no more. It may be forgotten once it has expired by itself.
    pub async fn revoke_token(&self, id: &Xid, expires_at: Micros) -> Result<(), PersistenceError> {
        let insert = "INSERT INTO revoked_tokens (id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let insert = sqlx::query(insert).bind(&id.0[..]).bind(expires_at.0).execute(&self.database.pool).await;
        insert.map(drop).map_err(PersistenceError::sql("revoke a token"))
    }

    /// Whether a token was revoked.
    pub async fn is_token_revoked(&self, id: &Xid) -> Result<bool, PersistenceError> {
        let select = sqlx::query("SELECT expires_at FROM revoked_tokens WHERE id = $1").bind(&id.0[..]);
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("look a token up"))?;
        Ok(row.is_some())
    }

    /// Keeps the hash of a code that resets a user's password, in place of the one before.
    pub async fn put_reset_code(&self, user: &Xid, hash: &[u8; 32], expires_at: Micros) -> Result<(), PersistenceError> {
        let upsert = "INSERT INTO reset_codes (user_id, hash, expires_at) VALUES ($1, $2, $3) \
                      ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at";
        let put = sqlx::query(upsert).bind(&user.0[..]).bind(&hash[..]).bind(expires_at.0).execute(&self.database.pool).await;
        put.map(drop).map_err(PersistenceError::sql("keep a reset code"))
    }

    /// Uses a code up. True when it was the user's and good still.
    pub async fn take_reset_code(&self, user: &Xid, hash: &[u8; 32], now: Micros) -> Result<bool, PersistenceError> {
        let delete = "DELETE FROM reset_codes WHERE user_id = $1 AND hash = $2 AND expires_at > $3";
        let taken = sqlx::query(delete).bind(&user.0[..]).bind(&hash[..]).bind(now.0).execute(&self.database.pool).await;
        Ok(taken.map_err(PersistenceError::sql("use a reset code"))?.rows_affected() == 1)
    }

    /// Removes what means nothing any more: attempts from before `forgotten`, and tokens and codes that have expired.
    pub async fn purge_log_ins(&self, now: Micros, forgotten: Micros) -> Result<(), PersistenceError> {
        let purges = [
            ("DELETE FROM log_in_attempts WHERE since < $1", forgotten),
            ("DELETE FROM revoked_tokens WHERE expires_at < $1", now),
            ("DELETE FROM reset_codes WHERE expires_at < $1", now),
        ];
        for (statement, before) in purges {
            let purged = sqlx::query(statement).bind(before.0).execute(&self.database.pool).await;
            purged.map_err(PersistenceError::sql("purge log-ins"))?;
        }
        Ok(())
    }
}
