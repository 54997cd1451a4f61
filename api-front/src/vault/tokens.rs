//! Tokens: a browser gives us the card and the merchant the token, which pays once.
//!
//! The card is stored sealed; its verification value is not stored at all, it waits in memory.

use super::belongings::shown_card;
use super::limits::{TOKEN_RANDOM_BYTES, TOKEN_TTL_S, USED_TOKEN_TTL_S, VALUES_MAX};
use super::{Vault, VaultError};
use crate::sandbox_home::random_bytes;
use dashmap::DashMap;
use persistence::PersistenceError;
use persistence::sealing::SEALED_CARD_MAX_BYTES;
use persistence::stores::{ApiKey, CardToken};
use protocol::calendar::Micros;
use protocol::card::Expiry;
use protocol::id::Xid;
use protocol::secret::{Cvv, Pan};
use std::fmt::Write;

/// A token that was just made: the only time that its text is known.
pub struct MadeToken {
    /// What `payment_method.token` must say.
    pub text: String,
    /// From when on it is good no more.
    pub expires_at: Micros,
}

/// Verification values by their token's hash, until the token is used or expires.
#[derive(Default)]
pub(super) struct Values(DashMap<[u8; 32], (Cvv, Micros)>);

impl Values {
    fn put(&self, hash: [u8; 32], value: Cvv, now: Micros, expires_at: Micros) {
        if self.0.len() >= VALUES_MAX {
            self.0.retain(|_, (_, expires_at)| *expires_at > now);
        }
        if self.0.len() < VALUES_MAX {
            self.0.insert(hash, (value, expires_at));
        }
    }

    fn take(&self, hash: &[u8; 32], now: Micros) -> Option<Cvv> {
        let (_, (value, expires_at)) = self.0.remove(hash)?;
        (expires_at > now).then_some(value)
    }
}

impl Vault {
    /// Makes a token for a card.
    pub async fn make_token(
        &self,
        merchant: Xid,
        pan: &Pan,
        expiry: Expiry,
        value: Option<Cvv>,
    ) -> Result<MadeToken, VaultError> {
        let (switch, now) = (&self.0.switch, self.now());
        let text = draw()?;
        let (hash, expires_at) = (ApiKey::hash_of(&text), now.plus_s(TOKEN_TTL_S));
        let fingerprint = switch.sealer().fingerprint(pan);
        let mut sealed = Vec::with_capacity(SEALED_CARD_MAX_BYTES);
        switch.sealer().seal(pan, &merchant, &fingerprint, &mut sealed)?;
        let token = CardToken { hash, merchant, sealed, fingerprint, card: shown_card(pan, expiry), expires_at };
        switch.stores().put_card_token(&token, now).await?;
        if let Some(value) = value {
            self.0.values.put(hash, value, now, expires_at);
        }
        Ok(MadeToken { text, expires_at })
    }

    /// Uses a token up. A request that comes again under the same idempotency key finds it again.
    pub(super) async fn use_token(
        &self,
        merchant: &Xid,
        text: &str,
        key: Option<&str>,
        now: Micros,
    ) -> Result<(CardToken, Option<Cvv>), VaultError> {
        let (switch, hash) = (&self.0.switch, ApiKey::hash_of(text));
        let (used_by, keep_until) = match key {
            Some(key) => (switch.sealer().key_hash(merchant, key).to_vec(), now.plus_s(USED_TOKEN_TTL_S)),
            // Drawn for this once: nobody comes again under it.
            None => (switch.draw_id().0.to_vec(), now),
        };
        let token = switch.stores().use_card_token(&hash, merchant, &used_by, now, keep_until).await?;
        let token = token.ok_or(VaultError::Token)?;
        Ok((token, self.0.values.take(&hash, now)))
    }
}

fn draw() -> Result<String, VaultError> {
    let random = random_bytes(TOKEN_RANDOM_BYTES).map_err(|_| PersistenceError::Cryptography { operation: "draw a token" })?;
    let mut text = "tok_".to_owned();
    for byte in random {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bounded_taken_once_and_not_after_their_time() {
        let values = Values::default();
        let hash = |number: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_le_bytes());
            hash
        };
        let put = |number, now, expires_at| values.put(hash(number), Cvv::new("999").unwrap(), Micros(now), Micros(expires_at));
        (0..VALUES_MAX + 5).for_each(|number| put(number, 1, 10));
        assert_eq!(values.0.len(), VALUES_MAX);
        assert!(values.take(&hash(0), Micros(9)).is_some() && values.take(&hash(0), Micros(9)).is_none());
        assert!(values.take(&hash(1), Micros(10)).is_none());
        (0..3).for_each(|number| put(VALUES_MAX + number, 10, 20));
        assert_eq!(values.0.len(), 3, "those whose time is over make room");
    }
}
