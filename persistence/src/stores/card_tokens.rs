//! Tokens that stand for a card, good for one payment: what a merchant's page gets for a card that it must not see.

use protocol::calendar::Micros;
use protocol::id::Xid;

use super::Stores;
use super::payment_methods::ShownCard;
use crate::error::PersistenceError;
use crate::sql::Fields;

/// A token as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct CardToken {
    /// SHA-256 of its text.
    pub hash: [u8; 32],
    /// Whose payments it is good for.
    pub merchant: Xid,
    /// What the sealer made of the card, for this merchant and fingerprint.
    pub sealed: Vec<u8>,
    /// The keyed hash of the card's number.
    pub fingerprint: [u8; 16],
    /// What of the card may be shown.
    pub card: ShownCard,
    /// From when on it is good no more.
    pub expires_at: Micros,
}

impl core::fmt::Debug for CardToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CardToken").field("merchant", &self.merchant).finish_non_exhaustive()
    }
}

impl Stores {
    /// Keeps a token, and forgets those that have expired.
    pub async fn put_card_token(&self, token: &CardToken, now: Micros) -> Result<(), PersistenceError> {
        let purge = sqlx::query("DELETE FROM card_tokens WHERE expires_at <= $1").bind(now.0);
        purge.execute(&self.database.pool).await.map_err(PersistenceError::sql("forget old tokens"))?;
        let insert = "INSERT INTO card_tokens (hash, merchant, sealed, fingerprint, first_six, last_four, digits, expiry, expires_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let put = sqlx::query(insert).bind(&token.hash[..]).bind(&token.merchant.0[..]).bind(&token.sealed[..]);
        let put = put.bind(&token.fingerprint[..]).bind(i64::from(token.card.first_six)).bind(i64::from(token.card.last_four));
        let put = put.bind(i64::from(token.card.digits)).bind(i64::from(token.card.expiry)).bind(token.expires_at.0);
        put.execute(&self.database.pool).await.map(drop).map_err(PersistenceError::sql("keep a token"))
    }

    /// Uses a token up: once, or again by the same user of it, until `keep_until`. `None` when it is no good for this.
    pub async fn use_card_token(
        &self,
        hash: &[u8; 32],
        merchant: &Xid,
        used_by: &[u8],
        now: Micros,
        keep_until: Micros,
    ) -> Result<Option<CardToken>, PersistenceError> {
        let update = "UPDATE card_tokens SET used_by = $3, expires_at = $5 \
                      WHERE hash = $1 AND merchant = $2 AND expires_at > $4 AND (used_by IS NULL OR used_by = $3) \
                      RETURNING hash, merchant, sealed, fingerprint, first_six, last_four, digits, expiry, expires_at";
        let used = sqlx::query(update).bind(&hash[..]).bind(&merchant.0[..]).bind(used_by).bind(now.0).bind(keep_until.0);
        let row = used.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("use a token"))?;
        let Some(row) = row else { return Ok(None) };
        let fields = Fields::of(&row, "card_tokens");
        Ok(Some(CardToken {
            hash: fields.array("hash")?,
            merchant: fields.id("merchant")?,
            sealed: fields.bytes("sealed")?,
            fingerprint: fields.array("fingerprint")?,
            card: ShownCard::read(&fields)?,
            expires_at: fields.time("expires_at")?,
        }))
    }
}
