//! Who asks: API keys, hashed, looked up once and remembered; and tokens of users who have logged in, looked up now and then.
//!
//! A key is compared by its SHA-256 only; its text is dropped as soon as it is hashed and never logged.

use crate::accounts::limits::{SESSION_MEMORY, SESSIONS_MAX};
use crate::accounts::log_in::looks_like_token;
use crate::rest::limits::{KEY_LOOKUPS_MAX, UNKNOWN_KEY_TTL, UNKNOWN_KEYS_MAX};
use crate::rest::problem::Problem;
use axum::http::{HeaderMap, header};
use dashmap::DashMap;
use persistence::stores::{ApiKey, KeyKind, Role, User};
use protocol::id::Xid;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// SHA-256 of a key.
type KeyHash = [u8; 32];

/// What a call does, as far as callers of different kinds may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Make a payment, or a token for one: a browser's key may.
    Pay,
    /// Read or change anything else but who may do what.
    Manage,
    /// Read or change users and keys.
    Administer,
}

/// Who asks: a key, or a user who has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Of the user, or of a key that is the account's own: what transactions show as `user_id`.
    pub(crate) id: Xid,
    /// The user's name to log in with, or the key's.
    pub(crate) name: String,
    /// Whose payments it makes.
    pub(crate) merchant: Xid,
    /// What its credentials are for.
    pub(crate) kind: KeyKind,
    /// What its user may do; the account's own keys may do everything.
    pub(crate) role: Role,
    /// The user; none for an account's own key.
    pub(crate) user: Xid,
}

impl Identity {
    /// A user, who came with credentials of this kind.
    pub(crate) fn of(user: User, kind: KeyKind) -> Identity {
        let User { id, username, merchant, role, .. } = user;
        Identity { id, name: username, merchant, kind, role, user: id }
    }
}

/// Credentials that were looked up before.
pub(crate) struct Keyring {
    known: DashMap<KeyHash, Arc<Identity>>,
    sessions: DashMap<KeyHash, (Arc<Identity>, Instant)>,
    unknown: DashMap<KeyHash, Instant>,
    lookups: Semaphore,
}

impl Keyring {
    pub(crate) fn new() -> Keyring {
        let (known, sessions, unknown) = (DashMap::new(), DashMap::new(), DashMap::new());
        Keyring { known, sessions, unknown, lookups: Semaphore::new(KEY_LOOKUPS_MAX) }
    }

    /// Who presents these credentials, if they are good and may do this. `key` and `token` look them up.
    pub(crate) async fn identity(
        &self,
        presented: Option<&str>,
        right: Right,
        key: impl AsyncFnOnce(&KeyHash) -> Result<Option<Identity>, Problem>,
        token: impl AsyncFnOnce(&str) -> Result<Option<Identity>, Problem>,
    ) -> Result<Arc<Identity>, Problem> {
        let text = presented.ok_or(Problem::Unauthorized)?;
        let hash = ApiKey::hash_of(text);
        let identity = if looks_like_token(text) {
            self.session(hash, async || token(text).await).await?
        } else if let Some(identity) = self.known.get(&hash) {
            Some(Arc::clone(&identity))
        } else {
            self.look_up(hash, key).await?
        };
        let identity = identity.ok_or(Problem::Unauthorized)?;
        permit(identity.kind, right)?;
        permit_role(identity.role, right)?;
        Ok(identity)
    }

    /// Forgets a key, or a token, that may not count any more.
    pub(crate) fn forget(&self, hash: &KeyHash) {
        self.known.remove(hash);
        self.sessions.remove(hash);
    }

    /// Forgets all credentials of a user whose rights have changed.
    pub(crate) fn forget_user(&self, user: &Xid) {
        self.known.retain(|_, identity| identity.user != *user);
        self.sessions.retain(|_, (identity, _)| identity.user != *user);
    }

    /// Users change, in other processes too, so a token is looked up anew after a while.
    async fn session(
        &self,
        hash: KeyHash,
        lookup: impl AsyncFnOnce() -> Result<Option<Identity>, Problem>,
    ) -> Result<Option<Arc<Identity>>, Problem> {
        if let Some(session) = self.sessions.get(&hash).filter(|session| session.1.elapsed() < SESSION_MEMORY) {
            return Ok(Some(Arc::clone(&session.0)));
        }
        let _turn = self.lookups.acquire().await.map_err(|_| Problem::Internal)?;
        let found = lookup().await?.map(Arc::new);
        if self.sessions.len() >= SESSIONS_MAX {
            self.sessions.retain(|_, (_, since)| since.elapsed() < SESSION_MEMORY);
        }
        match &found {
            Some(identity) if self.sessions.len() < SESSIONS_MAX => {
                self.sessions.insert(hash, (Arc::clone(identity), Instant::now()));
            }
            Some(_) | None => {
                self.sessions.remove(&hash);
            }
        }
        Ok(found)
    }

    async fn look_up(
        &self,
        hash: KeyHash,
        lookup: impl AsyncFnOnce(&KeyHash) -> Result<Option<Identity>, Problem>,
    ) -> Result<Option<Arc<Identity>>, Problem> {
        if self.is_known_as_unknown(&hash) {
            return Ok(None);
        }
        let _turn = self.lookups.acquire().await.map_err(|_| Problem::Internal)?;
        let found = lookup(&hash).await?.map(Arc::new);
        match &found {
            Some(identity) => drop(self.known.insert(hash, Arc::clone(identity))),
            None => self.remember_unknown(hash),
        }
        Ok(found)
    }

    fn is_known_as_unknown(&self, hash: &KeyHash) -> bool {
        self.unknown.get(hash).is_some_and(|since| since.elapsed() < UNKNOWN_KEY_TTL)
    }

    /// Invented keys must not fill the memory: past the bound the stale ones go, and if none is stale, nothing is remembered.
    fn remember_unknown(&self, hash: KeyHash) {
        if self.unknown.len() >= UNKNOWN_KEYS_MAX {
            self.unknown.retain(|_, since| since.elapsed() < UNKNOWN_KEY_TTL);
        }
        if self.unknown.len() < UNKNOWN_KEYS_MAX {
            self.unknown.insert(hash, Instant::now());
        }
    }
}

pub(crate) fn permit(kind: KeyKind, right: Right) -> Result<(), Problem> {
    match (kind, right) {
        (KeyKind::Api, Right::Pay | Right::Manage | Right::Administer) | (KeyKind::Public, Right::Pay) => Ok(()),
        (KeyKind::Public, Right::Manage | Right::Administer) => Err(Problem::Forbidden("a public key may only create payments")),
    }
}

fn permit_role(role: Role, right: Right) -> Result<(), Problem> {
    match (role, right) {
        (Role::Admin, _) | (Role::Standard, Right::Pay | Right::Manage) => Ok(()),
        (Role::Standard, Right::Administer) => Err(Problem::Forbidden("only an admin may see and change users and keys")),
    }
}

/// The credentials of a request: `Authorization: <key>`, or with the word `Bearer` before it.
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    let text = match text.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => text,
    };
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    fn identity(kind: KeyKind, role: Role) -> Identity {
        let id = Xid::from_parts(1, [0; 5], 4);
        Identity { id, name: "test".into(), merchant: id, kind, role, user: id }
    }

    fn key(kind: KeyKind) -> Identity {
        identity(kind, Role::Admin)
    }

    const TOKEN: &str = "eyJ.eyJ.x";

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn both_forms_of_the_header_present_the_same_key() {
        for value in ["api_x", "Bearer api_x", "bearer  api_x", "  api_x "] {
            assert_eq!(presented(&headers(value)), Some("api_x"), "{value:?}");
        }
        for value in ["", "Bearer ", "   "] {
            assert_eq!(presented(&headers(value)).filter(|key| *key != "Bearer"), None, "{value:?}");
        }
        assert_eq!(presented(&HeaderMap::new()), None);
    }

    #[test]
    fn a_known_key_is_looked_up_once() {
        let (ring, lookups) = (Keyring::new(), Cell::new(0));
        for _ in 0..3 {
            let found = run(ring.identity(
                Some("api_x"),
                Right::Manage,
                async |hash: &KeyHash| {
                    lookups.set(lookups.get() + 1);
                    assert_eq!(*hash, ApiKey::hash_of("api_x"));
                    Ok(Some(key(KeyKind::Api)))
                },
                async |_: &str| panic!("no token"),
            ));
            assert_eq!(found.unwrap().name, "test");
        }
        assert_eq!(lookups.get(), 1);
    }

    #[test]
    fn an_unknown_key_is_remembered_as_unknown_for_a_while() {
        let (ring, lookups) = (Keyring::new(), Cell::new(0));
        for _ in 0..3 {
            let refused = run(ring.identity(
                Some("nobody"),
                Right::Pay,
                async |_: &KeyHash| {
                    lookups.set(lookups.get() + 1);
                    Ok(None)
                },
                async |_: &str| panic!("no token"),
            ));
            assert_eq!(refused.unwrap_err(), Problem::Unauthorized);
        }
        assert_eq!(lookups.get(), 1);
    }

    #[test]
    fn invented_keys_are_remembered_up_to_a_bound() {
        let ring = Keyring::new();
        for number in 0..UNKNOWN_KEYS_MAX as u64 + 10 {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            ring.remember_unknown(hash);
        }
        assert_eq!(ring.unknown.len(), UNKNOWN_KEYS_MAX);
    }

    #[test]
    fn a_public_key_pays_and_does_nothing_else() {
        let ring = Keyring::new();
        let ask = |right| {
            run(ring.identity(
                Some("pub_x"),
                right,
                async |_: &KeyHash| Ok(Some(key(KeyKind::Public))),
                async |_: &str| panic!("no token"),
            ))
        };
        assert!(ask(Right::Pay).is_ok());
        for right in [Right::Manage, Right::Administer] {
            assert_eq!(ask(right).unwrap_err().status().as_u16(), 403);
        }
    }

    #[test]
    fn a_request_without_a_key_asks_nobody() {
        let refused = run(Keyring::new().identity(
            None,
            Right::Pay,
            async |_: &KeyHash| panic!("looked up"),
            async |_: &str| panic!("looked up"),
        ));
        assert_eq!(refused.unwrap_err(), Problem::Unauthorized);
    }

    #[test]
    fn a_token_is_looked_up_now_and_then_and_forgotten_with_its_user() {
        let (ring, lookups) = (Keyring::new(), Cell::new(0));
        let ask = |right, role| {
            run(ring.identity(
                Some(TOKEN),
                right,
                async |_: &KeyHash| panic!("no key"),
                async |text: &str| {
                    lookups.set(lookups.get() + 1);
                    assert_eq!(text, TOKEN);
                    Ok(Some(identity(KeyKind::Api, role)))
                },
            ))
        };
        for _ in 0..3 {
            assert!(ask(Right::Manage, Role::Standard).is_ok());
        }
        assert_eq!(lookups.get(), 1);
        assert_eq!(ask(Right::Administer, Role::Standard).unwrap_err().status().as_u16(), 403);
        ring.forget_user(&identity(KeyKind::Api, Role::Admin).user);
        assert!(ask(Right::Administer, Role::Admin).is_ok());
        ring.forget(&ApiKey::hash_of(TOKEN));
        assert!(ask(Right::Pay, Role::Standard).is_ok());
        assert_eq!(lookups.get(), 3);
    }
}
