//! Ways back in for somebody who has forgotten a name or a password.
//!
//! What is answered, and when, is the same whether or not there is such a user: the store is asked after the answer.

use super::keys::hexadecimal;
use super::limits::{NAMES_IN_MAIL_MAX, RESET_CODE_RANDOM_BYTES, RESET_CODE_TTL_S};
use super::mail::Mail;
use super::{AccountError, Accounts};
use persistence::stores::{ApiKey, User};
use protocol::id::Xid;
use std::time::Instant;

impl Accounts {
    /// Mails the names of all users who have this address. `client` is the address that asks.
    pub fn forgot_username(&self, client: &str, email: String) -> Result<(), AccountError> {
        self.rate(client, &email)?;
        let accounts = self.clone();
        tokio::spawn(async move { said(accounts.mail_names(&email).await) });
        Ok(())
    }

    /// Mails a code that resets this user's password.
    pub fn forgot_password(&self, client: &str, username: String) -> Result<(), AccountError> {
        self.rate(client, &username)?;
        let accounts = self.clone();
        tokio::spawn(async move { said(accounts.mail_code(&username).await) });
        Ok(())
    }

    /// Sets another password for whoever knows the code. The code is used up, a lock-out ends, tokens from before count no more.
    pub async fn reset_password(&self, client: &str, username: &str, code: &str, password: &str) -> Result<User, AccountError> {
        self.rate(client, username)?;
        let (stores, now) = (self.0.switch.stores(), self.0.switch.now());
        let user = stores.user_by_name(username).await?.filter(|user| user.active);
        let id = user.as_ref().map_or(Xid::NONE, |user| user.id);
        let is_right = stores.take_reset_code(&id, &ApiKey::hash_of(code), now).await?;
        let user = user.filter(|_| is_right).ok_or(AccountError::Credentials)?;
        let hash = self.0.hashing.hash(password).await?;
        stores.set_password(&user.id, &hash, self.0.switch.now()).await?;
        stores.forget_attempts(&ApiKey::hash_of(&User::log_in_of(username))).await?;
        Ok(user)
    }

    /// Counts a request against the client, and against whom it concerns: neither one client nor many may flood a mailbox.
    fn rate(&self, client: &str, concerned: &str) -> Result<(), AccountError> {
        let now = Instant::now();
        self.0.rates.take(&format!("client {client}"), now)?;
        self.0.rates.take(&format!("concerned {}", concerned.to_lowercase()), now)
    }

    async fn mail_names(&self, email: &str) -> Result<(), AccountError> {
        let users = self.0.switch.stores().users_by_email(email, NAMES_IN_MAIL_MAX).await?;
        if users.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = users.iter().map(|user| user.username.as_str()).collect();
        let text = format!(
            "You can log in under these names:\n\n{}\n\nIf you have not asked for this, nothing need be done.\n",
            names.join("\n")
        );
        self.0.outbox.post(Mail { to: email.to_owned(), subject: "Your user names".to_owned(), text });
        Ok(())
    }

    async fn mail_code(&self, username: &str) -> Result<(), AccountError> {
        let (stores, now) = (self.0.switch.stores(), self.0.switch.now());
        let Some(user) = stores.user_by_name(username).await?.filter(|user| user.active && !user.email.is_empty()) else {
            return Ok(());
        };
        let code = hexadecimal("", RESET_CODE_RANDOM_BYTES)?;
        stores.put_reset_code(&user.id, &ApiKey::hash_of(&code), now.plus_s(RESET_CODE_TTL_S)).await?;
        let minutes = RESET_CODE_TTL_S / 60;
        let text = format!(
            "This code sets a new password for {}. It is good for {minutes} minutes.\n\n{code}\n\n\
             If you have not asked for this, nothing need be done.\n",
            user.username
        );
        self.0.outbox.post(Mail { to: user.email, subject: "Your reset code".to_owned(), text });
        Ok(())
    }
}

/// Nobody waits any more; the log hears of a failure.
fn said(outcome: Result<(), AccountError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "a mail that helps a user back in was not sent");
    }
}
