//! Payables: the one model under invoices, orders, payment requests and payment links. What is asked for, who has tried to pay it, and
//! what came of it.
//!
//! Lives here: the states of a payable and what may follow what, the attempts at paying one, refunds, expiry. Must not live here: how an
//! API calls these things (its own room and `rest`), the page ([`crate::pages`]), SQL (`persistence::stores`), decisions about payments.
//!
//! An attempt is a row before it is a payment: the transaction's id is drawn and kept first, and its idempotency key is that id. Whoever
//! finds the row later sends the same transaction or takes its outcome, so that a shopper pays once, whatever is clicked or crashes. See
//! `attempt`. What happens to the transaction later, by whichever API, comes as news: see `follower`.

mod attempt;
mod follower;
mod means;
mod outcome;
mod page;
mod refund;
mod told;

#[cfg(test)]
mod tests;

pub use attempt::{Asked, Payer, asked_for};
pub use follower::Follower;
pub use means::{AccountType, Means};
pub use page::{Line, Page};
pub use told::object;

use crate::sandbox_home::random_bytes;
use crate::switch::handle::{Switch, Unavailable};
use dashmap::DashSet;
use outcome::{abandoned, next, of_attempts, of_transaction};
use persistence::PersistenceError;
use persistence::stores::{Aftermath, Face, Payable, PayableAttempt, PayableState, StoredInvoice, Stores};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use std::sync::Arc;
use tokio::sync::Notify;

/// How often a change is tried anew when others are faster.
const CHANGES_MAX: u32 = 8;

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

/// What became of giving money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunding {
    /// It is given back: the payable as it stands now.
    Done(Payable),
    /// A part can only be given back once the payment is settled, nothing while its batch is being closed.
    NotYet,
    /// The processor has declined it, in these words, or gave no answer. The request is used up.
    Declined(&'static str),
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Payables(Arc<Inner>);

struct Inner {
    switch: Switch,
    /// Where shoppers find us, without a slash at the end.
    public_url: String,
    /// Transactions of attempts that somebody in this process sees through.
    in_hand: DashSet<Xid>,
    /// Told at every change of a payable.
    changed: Arc<Notify>,
}

impl Payables {
    /// The room over a switch's stores. `public_url` is where shoppers find us.
    pub fn new(switch: Switch, public_url: &str) -> Payables {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Payables(Arc::new(Inner { switch, public_url, in_hand: DashSet::new(), changed: Arc::default() }))
    }

    /// Where a payable is seen and paid.
    pub fn pay_url(&self, payable: &Payable) -> String {
        format!("{}/pay/{}", self.0.public_url, payable.public_id)
    }

    /// Makes a payable, unless its merchant has one of this face and reference.
    pub async fn create(&self, asked: NewPayable) -> Result<Made, PayableError> {
        let now = self.now();
        let mut payable = Payable {
            id: self.0.switch.draw_id(),
            merchant: asked.merchant,
            face: asked.face,
            reference: asked.reference,
            public_id: asked.public_id.map_or_else(draw_public_id, Ok)?,
            amount: asked.amount,
            currency: asked.currency,
            state: PayableState::Open,
            page: serde_json::to_string(&asked.page).map_err(|_| PayableError::Unreadable)?,
            body: asked.body,
            expires_at: asked.expires_at,
            attempts: 0,
            transaction: Xid::NONE,
            amount_paid: 0,
            amount_refunded: 0,
            version: 1,
            created_at: now,
            updated_at: now,
            paid_at: Micros::NONE,
        };
        let aftermath = self.aftermath(None, &mut payable)?;
        if self.stores().add_payable(&payable, &aftermath).await? {
            self.0.changed.notify_waiters();
            return Ok(Made::New(payable));
        }
        self.of_reference(&payable.merchant, payable.face, &payable.reference).await.map(Made::Known)
    }

    /// The same for a face whose merchants ask anew under one id: what was withdrawn or has expired makes room.
    pub async fn create_again(&self, asked: NewPayable) -> Result<Made, PayableError> {
        match self.create(asked.clone()).await? {
            Made::Known(known) if matches!(known.state, PayableState::Cancelled | PayableState::Expired) => {
                self.stores().free_payable_reference(&known.id).await?;
                self.create(asked).await
            }
            made => Ok(made),
        }
    }

    /// The payable with this id.
    pub async fn payable(&self, id: &Xid) -> Result<Payable, PayableError> {
        self.stores().payable(id).await?.ok_or(PayableError::NotFound)
    }

    /// The payable whose page has this name.
    pub async fn of_page(&self, public_id: &str) -> Result<Payable, PayableError> {
        self.stores().payable_of_page(public_id).await?.ok_or(PayableError::NotFound)
    }

    /// A merchant's payable by its face's own id.
    pub async fn of_reference(&self, merchant: &Xid, face: Face, reference: &str) -> Result<Payable, PayableError> {
        self.stores().payable_of_reference(merchant, face, reference).await?.ok_or(PayableError::NotFound)
    }

    /// The same where merchants do not mind the case of letters, unless two of theirs differ by it alone.
    pub async fn of_any_case(&self, merchant: &Xid, face: Face, reference: &str) -> Result<Payable, PayableError> {
        match self.of_reference(merchant, face, reference).await {
            Err(PayableError::NotFound) => {
                let found = self.stores().payable_of_folded_reference(merchant, face, reference).await?;
                found.ok_or(PayableError::NotFound)
            }
            found => found,
        }
    }

    /// What its page shows.
    pub fn page(&self, payable: &Payable) -> Result<Page, PayableError> {
        serde_json::from_str(&payable.page).map_err(|_| PayableError::Unreadable)
    }

    /// What its last attempt came to; `None` before there is one, and while it is under way.
    pub async fn last_answer(&self, payable: &Payable) -> Result<Option<ResponseCode>, PayableError> {
        let attempts = self.stores().attempts(&payable.id).await?;
        Ok(attempts.last().map(|attempt| ResponseCode(attempt.response_code)).filter(|code| code.0 != 0))
    }

    /// Withdraws a payable that is open. One that was withdrawn before stays so.
    pub async fn cancel(&self, id: &Xid) -> Result<Payable, PayableError> {
        for _ in 0..CHANGES_MAX {
            let payable = self.payable(id).await?;
            if payable.state == PayableState::Cancelled {
                return Ok(payable);
            }
            if payable.state != PayableState::Open {
                return Err(PayableError::WrongState(payable.state));
            }
            if let Some(closed) = self.close(&payable, PayableState::Cancelled).await? {
                return Ok(closed);
            }
        }
        Err(PayableError::Busy)
    }

    /// Changes what is asked for, and the invoice with it, which was read at this moment. False when somebody has changed either since.
    pub async fn revise(
        &self,
        payable: &Payable,
        revised: Payable,
        page: &Page,
        invoice: (StoredInvoice, Micros),
    ) -> Result<bool, PayableError> {
        let attempts = self.stores().attempts(&payable.id).await?;
        let page = serde_json::to_string(page).map_err(|_| PayableError::Unreadable)?;
        let mut after = Payable { page, ..of_attempts(&revised, &attempts, self.now()) };
        let aftermath = Aftermath { invoice: Some(invoice), ..self.aftermath(Some(payable), &mut after)? };
        self.write(payable, &after, &aftermath).await
    }

    async fn write(&self, before: &Payable, after: &Payable, aftermath: &Aftermath) -> Result<bool, PayableError> {
        let changed = self.stores().change_payable(after, before.version, aftermath).await?;
        if changed {
            self.0.changed.notify_waiters();
        }
        Ok(changed)
    }

    /// Ends an open payable. `None` when somebody has changed it since it was read.
    async fn close(&self, payable: &Payable, end: PayableState) -> Result<Option<Payable>, PayableError> {
        let closed = Payable { state: end, ..next(payable, self.now()) };
        self.change(payable, closed, None).await
    }

    /// The one way in which a payable changes: the row, the attempt, and all that follows from the change, at once. `None` when somebody
    /// has changed it since it was read.
    async fn change(
        &self,
        before: &Payable,
        mut after: Payable,
        attempt: Option<PayableAttempt>,
    ) -> Result<Option<Payable>, PayableError> {
        let aftermath = Aftermath { attempt, ..self.aftermath(Some(before), &mut after)? };
        Ok(self.write(before, &after, &aftermath).await?.then_some(after))
    }

    /// Looks at the transactions of a payable's attempts and takes over what has become of them. An attempt that `left` names, and of
    /// which the journal knows nothing, has come to nothing, for that reason.
    async fn bring_up_to_date(&self, id: &Xid, left: Option<(Xid, ResponseCode)>) -> Result<Payable, PayableError> {
        for _ in 0..CHANGES_MAX {
            let payable = self.payable(id).await?;
            let mut attempts = self.stores().attempts(id).await?;
            let Some(place) = self.first_that_moved(&payable, &mut attempts, left).await? else { return Ok(payable) };
            let after = of_attempts(&payable, &attempts, self.now());
            let moved = attempts.swap_remove(place);
            // Then the next that has moved, if there is one.
            self.change(&payable, after, Some(moved)).await?;
        }
        Err(PayableError::Busy)
    }

    /// The place of the first attempt that stands otherwise than is written; it is written over.
    async fn first_that_moved(
        &self,
        payable: &Payable,
        attempts: &mut [PayableAttempt],
        left: Option<(Xid, ResponseCode)>,
    ) -> Result<Option<usize>, PayableError> {
        for (place, attempt) in attempts.iter_mut().enumerate() {
            // What came to nothing stays nothing.
            if attempt.response_code != 0 && attempt.paid == 0 {
                continue;
            }
            let version = self.0.switch.transaction(payable.merchant, attempt.transaction).await;
            let present = match (version.map_err(PayableError::Unavailable)?, left) {
                (Some(version), _) => of_transaction(attempt, version.transaction()),
                (None, Some((transaction, why))) if transaction == attempt.transaction => abandoned(attempt, why),
                (None, _) => continue,
            };
            if present != *attempt {
                *attempt = present;
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    fn now(&self) -> Micros {
        self.0.switch.calendar().now()
    }

    fn stores(&self) -> &Stores {
        self.0.switch.stores()
    }
}

/// Ninety-six random bits in the form of an id: nobody finds a page by counting.
fn draw_public_id() -> Result<String, PayableError> {
    let random = random_bytes(12).map_err(|_| PersistenceError::Cryptography { operation: "draw a page's name" })?;
    Ok(Xid(std::array::from_fn(|place| random[place])).to_string())
}
