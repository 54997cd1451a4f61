//! Who is at the other end of a connection.

use crate::switch::directory::Merchant;
use crate::switch::handle::Switch;
use persistence::PersistenceError;
use persistence::stores::{ApiKey, KeyKind};
use protocol::binary::GoAwayCode;
use protocol::id::Xid;
use std::sync::Arc;

/// SHA-256 of an API key: its text is dropped as soon as it is hashed.
pub(super) type KeyHash = [u8; 32];

/// A client that has shown a good key.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// By which its key is looked up again.
    pub(super) key_hash: KeyHash,
    /// Id of the user who made the key, or of a key that is the account's own, as the APIs show it.
    pub(super) user_id: Xid,
    /// The user's name, or the key's.
    pub(super) user_name: String,
    /// What the key may do.
    pub(super) kind: KeyKind,
    /// The account.
    pub(super) merchant: Xid,
}

/// What a look at the key's row came to.
pub(super) type LookedUp = Result<Option<Caller>, PersistenceError>;

impl Caller {
    /// Looks a key up. One that a user has made has that user's rights, and none once the user has none.
    pub(super) async fn look_up(switch: &Switch, key_hash: KeyHash) -> LookedUp {
        let stores = switch.stores();
        let Some(ApiKey { id, name, kind, merchant, user, .. }) = stores.api_key_by_hash(&key_hash).await? else {
            return Ok(None);
        };
        if user.is_none() {
            return Ok(Some(Caller { key_hash, user_id: id, user_name: name, kind, merchant }));
        }
        let user = stores.user(&user).await?.filter(|user| user.active && user.merchant == merchant);
        Ok(user.map(|user| Caller { key_hash, user_id: user.id, user_name: user.username, kind, merchant }))
    }

    /// Its account, if that is active.
    pub(super) fn account(&self, switch: &Switch) -> Option<Arc<Merchant>> {
        switch.merchant(&self.merchant).filter(|merchant| merchant.active)
    }
}

/// The caller that a look-up found, or why there is none.
pub(super) fn judge(looked_up: LookedUp, switch: &Switch) -> Result<Caller, (GoAwayCode, &'static str)> {
    match looked_up {
        Ok(Some(caller)) if caller.account(switch).is_some() => Ok(caller),
        Ok(Some(_)) => Err((GoAwayCode::NotActive, "this merchant account is not active")),
        Ok(None) => Err((GoAwayCode::Unauthorized, "the API key is not known")),
        Err(error) => {
            tracing::warn!(%error, "an API key could not be looked up");
            Err((GoAwayCode::Unavailable, "the accounts can't be read at the moment"))
        }
    }
}
