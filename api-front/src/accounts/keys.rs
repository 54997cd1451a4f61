//! API keys: drawn here, shown once, stored as a hash and a hint.

use super::limits::{KEY_RANDOM_BYTES, KEYS_PER_MERCHANT_MAX};
use super::{AccountError, Accounts};
use crate::sandbox_home::random_bytes;
use persistence::stores::{ApiKey, KeyKind};
use protocol::id::Xid;
use std::fmt::Write;

/// Characters of a key that its hint shows, at either end.
const HINT_HEAD_CHARS: usize = 8;
const HINT_TAIL_CHARS: usize = 4;
/// Keys shorter than this are not hinted at: too much of them would be shown.
const HINTED_KEY_MIN_CHARS: usize = 24;
const HIDDEN: &str = "********";

/// A key that was just made: the only time that its text is known.
pub struct MadeKey {
    /// As it is stored.
    pub key: ApiKey,
    /// What `Authorization` must say.
    pub text: String,
}

/// Why no key was made.
#[derive(Debug)]
pub enum NotMade {
    /// There are [`KEYS_PER_MERCHANT_MAX`] already.
    TooManyKeys,
    /// Something failed.
    Failed(AccountError),
}

impl<E: Into<AccountError>> From<E> for NotMade {
    fn from(error: E) -> NotMade {
        NotMade::Failed(error.into())
    }
}

impl Accounts {
    /// Draws a key for a user of a merchant, or with no user for the account itself.
    pub async fn make_key(&self, merchant: Xid, user: Xid, kind: KeyKind, name: String) -> Result<MadeKey, NotMade> {
        let switch = &self.0.switch;
        if switch.stores().api_keys(&merchant).await?.len() >= KEYS_PER_MERCHANT_MAX {
            return Err(NotMade::TooManyKeys);
        }
        let text = draw(kind)?;
        let (id, hash, hint) = (switch.draw_id(), ApiKey::hash_of(&text), hint(&text));
        let key = ApiKey { id, hash, kind, merchant, user, name, hint, created_at: switch.now() };
        switch.stores().put_api_key(&key).await?;
        Ok(MadeKey { key, text })
    }

    /// A merchant's keys, oldest first.
    pub async fn keys(&self, merchant: &Xid) -> Result<Vec<ApiKey>, AccountError> {
        Ok(self.0.switch.stores().api_keys(merchant).await?)
    }

    /// Removes the key that is named by its text, its id, or what a list shows of it. Gives the removed key.
    pub async fn delete_key(&self, merchant: &Xid, named: &str) -> Result<ApiKey, AccountError> {
        let keys = self.keys(merchant).await?;
        let (hash, id) = (ApiKey::hash_of(named), named.parse::<Xid>().ok());
        let exactly = keys.iter().find(|key| key.hash == hash || Some(key.id) == id);
        let found = exactly.or_else(|| only_one(keys.iter().filter(|key| !key.hint.is_empty() && key.hint == named)));
        let key = found.ok_or(AccountError::NotFound)?;
        let deleted = self.0.switch.stores().delete_api_key(&key.id).await?;
        if deleted { Ok(key.clone()) } else { Err(AccountError::NotFound) }
    }
}

fn only_one<'a>(mut keys: impl Iterator<Item = &'a ApiKey>) -> Option<&'a ApiKey> {
    let first = keys.next()?;
    keys.next().is_none().then_some(first)
}

fn draw(kind: KeyKind) -> Result<String, AccountError> {
    let prefix = match kind {
        KeyKind::Api => "api_",
        KeyKind::Public => "pub_",
    };
    hexadecimal(prefix, KEY_RANDOM_BYTES)
}

/// A prefix, and so many random bytes in hexadecimal digits.
pub(super) fn hexadecimal(prefix: &str, byte_count: usize) -> Result<String, AccountError> {
    let random = random_bytes(byte_count).map_err(|_| AccountError::Cryptography { operation: "draw random bytes" })?;
    let mut text = prefix.to_owned();
    for byte in random {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// What a list may show of a key.
pub(crate) fn hint(key: &str) -> String {
    match (key.get(..HINT_HEAD_CHARS), key.get(key.len().saturating_sub(HINT_TAIL_CHARS)..)) {
        (Some(head), Some(tail)) if key.is_ascii() && key.len() >= HINTED_KEY_MIN_CHARS => format!("{head}{HIDDEN}{tail}"),
        _ => HIDDEN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_keys_say_their_kind_and_differ_and_hints_hide_them() {
        let (one, other) = (draw(KeyKind::Api).unwrap(), draw(KeyKind::Public).unwrap());
        assert!(one.starts_with("api_") && other.starts_with("pub_") && one[4..] != other[4..]);
        assert_eq!(one.len(), 4 + 2 * KEY_RANDOM_BYTES);
        let shown = hint(&one);
        assert_eq!((&shown[..8], &shown[8..16], &shown[16..]), (&one[..8], HIDDEN, &one[one.len() - 4..]));
        for short in ["", "short", "ääääääääääää", "api_0123456789abcdef"] {
            assert_eq!(hint(short), HIDDEN, "{short}");
        }
    }
}
