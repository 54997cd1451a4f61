//! Logging in and out: names and passwords in, tokens out; and who it is that a token stands for.

use super::limits::{LOCK_OUT_WINDOW_S, TOKEN_TTL_S, WRONG_PASSWORDS_MAX};
use super::tokens::Token;
pub use super::tokens::looks_like_token;
use super::{AccountError, Accounts};
use persistence::stores::{ApiKey, User};
use protocol::calendar::Micros;

impl Accounts {
    /// A token for whoever knows this name's password. Takes as long, and says the same, for a name that nobody has.
    pub async fn log_in(&self, username: &str, password: &str) -> Result<String, AccountError> {
        let user = self.prove_password(username, password).await?;
        let now = self.0.switch.now();
        self.0.token_key.issue(self.0.switch.draw_id(), user.id, now)
    }

    /// The active user of this name, if the password is right. Every attempt is counted before it is looked at.
    pub(super) async fn prove_password(&self, username: &str, password: &str) -> Result<User, AccountError> {
        let (stores, now) = (self.0.switch.stores(), self.0.switch.now());
        let log_in_hash = ApiKey::hash_of(&User::log_in_of(username));
        let attempts = stores.note_attempt(&log_in_hash, now, forgotten(now)).await?;
        if attempts.count > WRONG_PASSWORDS_MAX {
            let until = attempts.since.plus_s(LOCK_OUT_WINDOW_S);
            let retry_after_s = u32::try_from(until.seconds() - now.seconds()).unwrap_or(0).max(1);
            return Err(AccountError::TooMany { retry_after_s });
        }
        let user = stores.user_by_name(username).await?;
        let hash = user.as_ref().map(|user| user.password.as_str()).filter(|hash| !hash.is_empty());
        let is_right = self.0.hashing.is_right(password, hash).await?;
        let user = user.filter(|user| is_right && user.active).ok_or(AccountError::Credentials)?;
        stores.forget_attempts(&log_in_hash).await?;
        Ok(user)
    }

    /// The user whom a token stands for, while it counts.
    pub async fn user_of_token(&self, text: &str) -> Result<Option<User>, AccountError> {
        Ok(self.proved(text).await?.map(|(_, user)| user))
    }

    /// Revokes a token. False when it did not count any more.
    pub async fn log_out(&self, text: &str) -> Result<bool, AccountError> {
        let Some((token, _)) = self.proved(text).await? else { return Ok(false) };
        let (stores, now) = (self.0.switch.stores(), self.0.switch.now());
        stores.revoke_token(&token.id, token.expires_at).await?;
        // Now is as good a time as any: a token that has expired need not be known as revoked.
        stores.purge_log_ins(now, forgotten(now)).await?;
        Ok(true)
    }

    async fn proved(&self, text: &str) -> Result<Option<(Token, User)>, AccountError> {
        let (stores, now) = (self.0.switch.stores(), self.0.switch.now());
        let Some(token) = self.0.token_key.prove(text, now) else { return Ok(None) };
        if stores.is_token_revoked(&token.id).await? {
            return Ok(None);
        }
        let user = stores.user(&token.user).await?;
        Ok(user.filter(|user| user.active && user.tokens_from <= token.issued_at).map(|user| (token, user)))
    }
}

/// Attempts from before this count no more.
fn forgotten(now: Micros) -> Micros {
    Micros(now.0 - i64::from(LOCK_OUT_WINDOW_S) * 1_000_000)
}

const _: () = assert!(LOCK_OUT_WINDOW_S <= TOKEN_TTL_S);
