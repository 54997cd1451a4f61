//! Accounts: who takes part, who may log in, and what is asked of them first.
//!
//! Lives here: merchants and processors as configured, users and their passwords, API keys, tokens, lock-outs, the mails that help
//! somebody back in. Must not live here: HTTP and JSON (`rest/{token,users,api_keys}.rs`), and SQL (`persistence::stores`).
//!
//! A room of the slow side is made like this one: statements in a store, meaning here, a thin face in `rest`.

pub mod keys;
pub mod limits;
pub mod log_in;
pub mod mail;
mod participants;
pub(crate) mod passwords;
mod rate;
pub mod recovery;
mod tokens;
pub mod users;

#[cfg(test)]
mod tests;

pub use participants::{
    Enrolled, enroll_added, enroll_merchants, enroll_processors, merchant_id_of, merchant_terms, new_merchant, processor_id_of,
    processor_terms, terms_of,
};

use crate::switch::handle::Switch;
use mail::Outbox;
use passwords::Hashing;
use persistence::PersistenceError;
use rate::Rates;
use std::sync::Arc;
use tokens::TokenKey;

/// Why something about an account is not done.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// No such user, or another password. Which of the two is not said.
    #[error("log in: wrong name or password")]
    Credentials,
    /// Too many wrong passwords under this name, or too many requests from this address.
    #[error("log in: too many attempts")]
    TooMany {
        /// When it may be tried again, seconds from now.
        retry_after_s: u32,
    },
    /// Somebody has this name already.
    #[error("add a user: the name is taken")]
    NameTaken,
    /// Nobody would be left who may manage users and keys.
    #[error("change a user: it is the account's last active admin")]
    LastAdmin,
    /// Not there, or another merchant's.
    #[error("look up: not there")]
    NotFound,
    /// The system gives no random bytes, or hashing failed.
    #[error("{operation}: the cryptographic library refused")]
    Cryptography {
        /// What was tried.
        operation: &'static str,
    },
    /// The SQL home could not be asked.
    #[error(transparent)]
    Store(#[from] PersistenceError),
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    switch: Switch,
    hashing: Hashing,
    token_key: TokenKey,
    rates: Rates,
    outbox: Outbox,
}

impl Accounts {
    /// The room over a switch's stores. Mails go to `outbox`.
    pub fn new(switch: Switch, outbox: Outbox) -> Accounts {
        let token_key = TokenKey::new(&switch.sealer().derive_key("switchyard tokens of users"));
        Accounts(Arc::new(Inner { hashing: Hashing::new(), token_key, rates: Rates::default(), outbox, switch }))
    }
}
