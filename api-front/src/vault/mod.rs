//! The vault: customers of merchants, where they live and what they pay with; and tokens that stand for a card once.
//!
//! Lives here: what is kept and in which form, what a payment by customer or token is made with, sealing anew under another key.
//! Must not live here: HTTP and JSON (`rest/{customers,card_token}.rs`), SQL (`persistence::stores`), and the opening of a card for
//! anything but sealing it anew, or an account's correction: payments take it as it is sealed.

mod belongings;
mod corrections;
mod customers;
mod limits;
mod resolve;
mod rotation;
mod tokens;
mod wishes;

pub use belongings::{AccountWords, MethodAsked, MethodChange, NewMethod};
pub use customers::{CustomerChange, NewCustomer};
pub use tokens::MadeToken;

use crate::switch::handle::Switch;
use persistence::PersistenceError;
use persistence::stores::Filed;
use protocol::id::Xid;
use protocol::tail::ADDRESS_FIELDS;
use std::sync::Arc;
use tokens::Values;

/// An address as it is asked for, checked, in the order of [`ADDRESS_FIELDS`].
pub type AddressFields = [String; ADDRESS_FIELDS.len()];

/// Why something of the vault is not done.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Not there, or another merchant's.
    #[error("look up: not there")]
    NotFound,
    /// Something that a request names is not the customer's.
    #[error("look up: {field} is not the customer's")]
    NotIts {
        /// The field that names it.
        field: &'static str,
    },
    /// A customer may have no more of these.
    #[error("add: there are {max} already")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// The token is none, or another merchant's, was used or has expired.
    #[error("use a token: it is no good")]
    Token,
    /// A seal, the store, or the system's randomness failed.
    #[error(transparent)]
    Failed(#[from] PersistenceError),
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    switch: Switch,
    values: Values,
}

impl Vault {
    /// The room over a switch's stores and sealer.
    pub fn new(switch: Switch) -> Vault {
        Vault(Arc::new(Inner { switch, values: Values::default() }))
    }

    /// A merchant's customer with its default things.
    pub async fn customer(&self, merchant: &Xid, id: &Xid) -> Result<Filed, VaultError> {
        self.0.switch.stores().customer(merchant, id).await?.ok_or(VaultError::NotFound)
    }
}
