//! Passwords as Argon2id hashes, RFC 9106 with OWASP's least costs (19 MiB, two passes), never on an async thread.

use super::AccountError;
use super::limits::{HASHING_WAITERS_MAX, HASHINGS_MAX};
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

/// Bounds how many are hashed at a time, and how many wait for it.
pub(super) struct Hashing {
    turns: Semaphore,
    waiting: AtomicUsize,
}

impl Hashing {
    pub(super) fn new() -> Hashing {
        Hashing { turns: Semaphore::new(HASHINGS_MAX), waiting: AtomicUsize::new(0) }
    }

    /// The hash of a password, in PHC form, with a salt of its own.
    pub(super) async fn hash(&self, password: &str) -> Result<String, AccountError> {
        let password = Zeroizing::new(password.to_owned());
        self.in_turn(move || hash(&password)).await?
    }

    /// Whether a password is the one of this hash. Without a hash it takes as long, and is not.
    pub(super) async fn is_right(&self, password: &str, hash: Option<&str>) -> Result<bool, AccountError> {
        let password = Zeroizing::new(password.to_owned());
        let hash = hash.map(str::to_owned);
        self.in_turn(move || is_right(&password, hash.as_deref())).await
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccountError> {
        let _waiter = Waiter::enter(&self.waiting)?;
        let refused = AccountError::Cryptography { operation: "hash a password" };
        let Ok(_turn) = self.turns.acquire().await else { return Err(refused) };
        spawn_blocking(work).await.map_err(|_| refused)
    }
}

/// Counts while it lives, so that a caller who goes away is counted no more.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn enter(waiting: &'a AtomicUsize) -> Result<Waiter<'a>, AccountError> {
        let waiter = Waiter(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= HASHING_WAITERS_MAX {
            return Err(AccountError::TooMany { retry_after_s: 1 });
        }
        Ok(waiter)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// True for a hash that a password can be compared with.
pub(crate) fn is_hash(text: &str) -> bool {
    PasswordHash::new(text).is_ok()
}

/// The hash of a password; takes tens of milliseconds.
pub(crate) fn hash(password: &str) -> Result<String, AccountError> {
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(|_| AccountError::Cryptography { operation: "hash a password" })
}

/// Whether a password is the one of this hash; takes as long when there is none.
pub(crate) fn is_right(password: &str, hash: Option<&str>) -> bool {
    let known = hash.and_then(|hash| PasswordHash::new(hash).ok());
    let compared = known.clone().or_else(|| PasswordHash::new(nobodys_hash()).ok());
    let is_equal = compared.is_some_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
    is_equal && known.is_some()
}

/// What the passwords of names that nobody has are compared with.
fn nobodys_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash("nobody").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_by_its_hash_and_nobody_has_one() {
        let (one, other) = (hash("T@est12345678").unwrap(), hash("T@est12345678").unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "each has a salt of its own");
        assert!(is_right("T@est12345678", Some(&one)) && !is_right("T@est12345679", Some(&one)));
        assert!(!is_right("nobody", None) && !is_right("", Some("")) && !is_right("x", Some("not a hash")));
    }
}
