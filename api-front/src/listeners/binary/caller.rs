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
    /// Id of the key, as the APIs show it.
    pub(super) user_id: Xid,
    /// Name of the key.
    pub(super) user_name: String,
    /// What the key may do.
    pub(super) kind: KeyKind,
    /// The account.
    pub(super) merchant: Xid,
}

/// What a look at the key's row came to.
pub(super) type LookedUp = Result<Option<Caller>, PersistenceError>;

impl Caller {
    /// Looks a key up.
    pub(super) async fn look_up(switch: &Switch, key_hash: KeyHash) -> LookedUp {
        let found = switch.stores().api_key_by_hash(&key_hash).await?;
        Ok(found.map(|key| Caller::of(key_hash, key)))
    }

    fn of(key_hash: KeyHash, key: ApiKey) -> Caller {
        Caller { key_hash, user_id: key.id, user_name: key.name, kind: key.kind, merchant: key.merchant }
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
