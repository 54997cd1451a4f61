//! Payables: the one model under invoices, orders, payment requests and payment links. What is asked for, who has tried to pay it, and
//! what came of it.
//!
//! Lives here: the states of a payable and what may follow what, the attempts at paying one, refunds, expiry. Must not live here: how an
//! API calls these things (its own room and `rest`), the page ([`crate::pages`]), SQL (`persistence::stores`), decisions about payments.
//!
//! An attempt is a row before it is a payment: the transaction's id is drawn and kept first, and its idempotency key is that id. Whoever
//! finds the row later sends the same transaction or takes its outcome, so that a shopper pays once, whatever is clicked or crashes. See
//! [`attempt`]. What happens to the transaction later, by whichever API, comes as news: see [`follower`].

pub mod page;

use crate::switch::handle::{Switch, Unavailable};
use persistence::PersistenceError;
use persistence::stores::{Face, Payable, PayableState};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::refusal::Refusal;
use std::sync::Arc;

pub use page::{Line, Page};

/// Why something about a payable is not done.
#[derive(Debug, thiserror::Error)]
pub enum PayableError {
    /// Not there, or another merchant's.
    #[error("look a payable up: not there")]
    NotFound,
    /// Its state does not allow it.
    #[error("change a payable: it is {0:?}")]
    WrongState(PayableState),
    /// More is to be given back than is left of what was paid.
    #[error("refund a payable: at most {left} of it are left")]
    TooMuch {
        /// Minor units.
        left: u64,
    },
    /// Others change it at this moment, again and again.
    #[error("change a payable: it is being changed")]
    Busy,
    /// What is stored is not what was stored.
    #[error("read a payable: its row can't be read")]
    Unreadable,
    /// The switch has turned the command away: nothing was done.
    #[error("pay or refund: {0}")]
    Refused(Refusal),
    /// The switch can't answer now; what becomes of it will be seen.
    #[error("pay or refund: {0}")]
    Unavailable(Unavailable),
    /// The store, a seal, or the system's randomness failed.
    #[error(transparent)]
    Failed(#[from] PersistenceError),
}

/// A payable that is asked for, checked by its face.
#[derive(Debug, Clone)]
pub struct NewPayable {
    /// Who asks.
    pub merchant: Xid,
    /// By which API.
    pub face: Face,
    /// That API's own id of it, unique per merchant and face.
    pub reference: String,
    /// The name of its page; none: one is drawn, twenty characters in the form of an id.
    pub public_id: Option<String>,
    /// Minor units, at least 1.
    pub amount: u64,
    /// Of all its amounts.
    pub currency: Currency,
    /// What its page shows.
    pub page: Page,
    /// What else its face keeps of it, a JSON text.
    pub body: String,
    /// When it expires, by the calendar; none: never.
    pub expires_at: Micros,
}

/// What became of making one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// It was made.
    New(Payable),
    /// There is one of this merchant, face and reference: this one, as it stands.
    Known(Payable),
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Payables(Arc<Inner>);

struct Inner {
    switch: Switch,
    /// Where shoppers find us, without a slash at the end.
    public_url: String,
}

impl Payables {
    /// The room over a switch's stores. `public_url` is where shoppers find us.
    pub fn new(switch: Switch, public_url: &str) -> Payables {
        Payables(Arc::new(Inner { switch, public_url: public_url.trim_end_matches('/').to_owned() }))
    }

    /// Where a payable is seen and paid.
    pub fn pay_url(&self, payable: &Payable) -> String {
        format!("{}/pay/{}", self.0.public_url, payable.public_id)
    }
}
