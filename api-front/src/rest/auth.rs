//! Who asks: API keys, hashed, looked up once and remembered.
//!
//! A key is compared by its SHA-256 only; its text is dropped as soon as it is hashed and never logged.

use crate::rest::limits::{KEY_LOOKUPS_MAX, UNKNOWN_KEY_TTL, UNKNOWN_KEYS_MAX};
use crate::rest::problem::Problem;
use axum::http::{HeaderMap, header};
use dashmap::DashMap;
use persistence::PersistenceError;
use persistence::stores::{ApiKey, KeyKind};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// SHA-256 of a key.
type KeyHash = [u8; 32];

/// What a call does, as far as keys of different kinds may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Make a payment: a browser's key may.
    Pay,
    /// Read or change anything else.
    Manage,
}

/// API keys that were looked up before.
pub(crate) struct Keyring {
    known: DashMap<KeyHash, Arc<ApiKey>>,
    unknown: DashMap<KeyHash, Instant>,
    lookups: Semaphore,
}

impl Keyring {
    pub(crate) fn new() -> Keyring {
        Keyring { known: DashMap::new(), unknown: DashMap::new(), lookups: Semaphore::new(KEY_LOOKUPS_MAX) }
    }

    /// The key that a request presents, if it is one of ours and may do this. `lookup` reads the store.
    pub(crate) async fn key(
        &self,
        headers: &HeaderMap,
        right: Right,
        lookup: impl AsyncFnOnce(&KeyHash) -> Result<Option<ApiKey>, PersistenceError>,
    ) -> Result<Arc<ApiKey>, Problem> {
        let hash = ApiKey::hash_of(presented(headers).ok_or(Problem::Unauthorized)?);
        let key = match self.known.get(&hash) {
            Some(key) => Arc::clone(&key),
            None => self.look_up(hash, lookup).await?.ok_or(Problem::Unauthorized)?,
        };
        permit(key.kind, right)?;
        Ok(key)
    }

    async fn look_up(
        &self,
        hash: KeyHash,
        lookup: impl AsyncFnOnce(&KeyHash) -> Result<Option<ApiKey>, PersistenceError>,
    ) -> Result<Option<Arc<ApiKey>>, Problem> {
        if self.is_known_as_unknown(&hash) {
            return Ok(None);
        }
        let _turn = self.lookups.acquire().await.map_err(|_| Problem::Internal)?;
        let found = lookup(&hash).await.map_err(|error| {
            tracing::warn!(%error, "an API key could not be looked up");
            Problem::StoreUnavailable
        })?;
        match found {
            None => self.remember_unknown(hash),
            Some(key) => {
                let key = Arc::new(key);
                self.known.insert(hash, Arc::clone(&key));
                return Ok(Some(key));
            }
        }
        Ok(None)
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
        (KeyKind::Api, Right::Pay | Right::Manage) | (KeyKind::Public, Right::Pay) => Ok(()),
        (KeyKind::Public, Right::Manage) => Err(Problem::Forbidden("a public key may only create payments")),
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
    use protocol::calendar::Micros;
    use protocol::id::Xid;
    use std::cell::Cell;

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    fn key(kind: KeyKind) -> ApiKey {
        let id = Xid::from_parts(1, [0; 5], 4);
        ApiKey { id, hash: ApiKey::hash_of("api_x"), kind, merchant: id, name: "test".into(), created_at: Micros(1) }
    }

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
            let found = run(ring.key(&headers("api_x"), Right::Manage, async |hash| {
                lookups.set(lookups.get() + 1);
                assert_eq!(*hash, ApiKey::hash_of("api_x"));
                Ok(Some(key(KeyKind::Api)))
            }));
            assert_eq!(found.unwrap().name, "test");
        }
        assert_eq!(lookups.get(), 1);
    }

    #[test]
    fn an_unknown_key_is_remembered_as_unknown_for_a_while() {
        let (ring, lookups) = (Keyring::new(), Cell::new(0));
        for _ in 0..3 {
            let refused = run(ring.key(&headers("nobody"), Right::Pay, async |_| {
                lookups.set(lookups.get() + 1);
                Ok(None)
            }));
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
        let ask = |right| run(ring.key(&headers("pub_x"), right, async |_| Ok(Some(key(KeyKind::Public)))));
        assert!(ask(Right::Pay).is_ok());
        assert_eq!(ask(Right::Manage).unwrap_err().status().as_u16(), 403);
    }

    #[test]
    fn a_request_without_a_key_asks_nobody() {
        let refused = run(Keyring::new().key(&HeaderMap::new(), Right::Pay, async |_| panic!("looked up")));
        assert_eq!(refused.unwrap_err(), Problem::Unauthorized);
    }
}
