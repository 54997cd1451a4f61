//! What a link keeps beside its payable: its terms as they were when it was made, and who has got what of its payment.

use super::LinkError;
use persistence::stores::Payable;
use protocol::id::Xid;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The payable's `body` of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The merchant's words to the shopper.
    pub note: String,
    /// Where the merchant wants to be told; empty: nowhere.
    pub payment_endpoint: String,
    /// Where the shopper goes afterwards; empty: it stays.
    pub callback_url: String,
    /// What is kept of the payment, hundredths of a percent.
    pub service_fee_bp: u32,
    /// Of a split link.
    pub recipients: Option<Vec<Recipient>>,
    /// Once it is paid.
    pub shares: Vec<Share>,
}

/// Who gets a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// What may be shown of the token: the token itself is a key.
    pub token_hint: String,
    /// Whose it is.
    #[serde(with = "as_text")]
    pub merchant: Xid,
    /// Hundredths of a percent.
    pub share_bp: u32,
}

/// What of a payment is whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Whose.
    #[serde(with = "as_text")]
    pub merchant: Xid,
    /// Minor units.
    pub amount: u64,
    /// What of it was given back, minor units.
    pub refunded: u64,
}

impl Body {
    /// Of a link's payable.
    pub fn of(payable: &Payable) -> Result<Body, LinkError> {
        serde_json::from_str(&payable.body).map_err(|_| LinkError::Unreadable)
    }

    /// As it is stored.
    pub(super) fn text(&self) -> Result<String, LinkError> {
        serde_json::to_string(self).map_err(|_| LinkError::Unreadable)
    }
}

/// Ids in their twenty characters.
mod as_text {
    use super::{Deserialize, Deserializer, Serializer, Xid};
    use serde::de::Error;

    pub(super) fn serialize<S: Serializer>(id: &Xid, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Xid, D::Error> {
        String::deserialize(from)?.parse().map_err(|_| D::Error::custom("must be an id"))
    }
}
