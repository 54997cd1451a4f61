//! Payment links: an address at which anybody pays an amount in euros, to one merchant or to several that share it.
//!
//! Lives here: what a link is beside its payable, how its payment is divided and posted to the books (`shares`), refunds that merchants
//! ask for ([`refunds`]), how often a key may ask, the QR picture. Must not live here: HTTP and JSON (`rest/payment_links`), the way of a
//! payment ([`crate::payables`]), payouts of what the books say ([`crate::payouts`]), SQL.

mod body;
mod books;
mod qr;
pub mod refunds;
mod shares;

#[cfg(test)]
mod tests;

pub use body::{Body, Recipient, Share};
pub use qr::QrError;
pub use shares::percent;

use crate::accounts::keys::hint;
use crate::allowances::{Allowance, Allowances};
use crate::payables::{Made, NewPayable, Page, PayableError, Payables};
use crate::rest::moment;
use crate::switch::directory::{LinkTerms, Merchant};
use crate::switch::handle::Switch;
use persistence::PersistenceError;
use persistence::stores::events::{Callback, Message};
use persistence::stores::{ApiKey, Face, LinkSearch, Payable, PayableState, Posting};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// The currency of all links.
pub const CURRENCY: Currency = Currency::EUR;
/// Characters of a link's title on its page; the whole note stands below it.
const TITLE_MAX_CHARS: usize = 80;
/// States in which a link may still be paid.
pub const UNUSED: &[PayableState] = &[PayableState::Open, PayableState::Paying];
/// States of a link that was paid.
pub const USED: &[PayableState] = &[PayableState::Paid, PayableState::PartiallyRefunded, PayableState::Refunded];

/// Why something about a link is not done.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Not there, or another merchant's, or deleted.
    #[error("look a link up: not there")]
    NotFound,
    /// A recipient's token is no merchant's.
    #[error("make a split link: recipient {place} is no merchant's token")]
    UnknownRecipient {
        /// Which of them, from 0.
        place: usize,
    },
    /// Its state does not allow it.
    #[error("change a link: it is {0:?}")]
    WrongState(PayableState),
    /// More is to be given back than is left of the payment.
    #[error("refund a link: at most {left} of it are left")]
    TooMuch {
        /// Minor units, without what was asked for already.
        left: u64,
    },
    /// What is stored is not what was stored.
    #[error("read a link: its row can't be read")]
    Unreadable,
    /// The payable could not be changed.
    #[error(transparent)]
    Payable(PayableError),
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] PersistenceError),
}

impl From<PayableError> for LinkError {
    fn from(error: PayableError) -> LinkError {
        match error {
            PayableError::NotFound => LinkError::NotFound,
            PayableError::WrongState(state) => LinkError::WrongState(state),
            PayableError::TooMuch { left } => LinkError::TooMuch { left },
            PayableError::Unreadable => LinkError::Unreadable,
            PayableError::Failed(error) => LinkError::Failed(error),
            PayableError::Busy | PayableError::Refused(_) | PayableError::Unavailable(_) => LinkError::Payable(error),
        }
    }
}

/// A link that is asked for.
#[derive(Debug)]
pub struct LinkAsked {
    /// The merchant's words to the shopper.
    pub note: String,
    /// Minor units, at least 1.
    pub amount: u64,
    /// Where the merchant wants to be told; empty: nowhere.
    pub payment_endpoint: String,
    /// Where the shopper goes afterwards; empty: it stays.
    pub callback_url: String,
    /// Who shares the payment, where it is split.
    pub recipients: Option<Vec<RecipientAsked>>,
}

/// Who is to get a share.
pub struct RecipientAsked {
    /// A key of theirs, of either kind.
    pub token: String,
    /// Hundredths of a percent; all together are at most 10,000.
    pub share_bp: u32,
}

/// The token is a key.
impl std::fmt::Debug for RecipientAsked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecipientAsked").field("share_bp", &self.share_bp).finish_non_exhaustive()
    }
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct PaymentLinks(Arc<Inner>);

struct Inner {
    switch: Switch,
    payables: Payables,
    /// Where shoppers find us, without a slash at the end.
    public_url: String,
    /// Of each key, by its hash.
    requests: Allowances<[u8; 32]>,
    /// Told when a refund waits.
    refund_waits: Notify,
}

impl PaymentLinks {
    /// The room over a switch's stores and payables. `public_url` is where shoppers find us.
    pub fn new(switch: Switch, payables: Payables, public_url: &str) -> PaymentLinks {
        let public_url = public_url.trim_end_matches('/').to_owned();
        PaymentLinks(Arc::new(Inner { switch, payables, public_url, requests: Allowances::new(), refund_waits: Notify::new() }))
    }

    /// Takes a request out of a key's allowance, or says in how many seconds there is one.
    pub fn allow(&self, key: &[u8; 32], terms: &LinkTerms) -> Result<(), u32> {
        let one_each = Duration::from_secs(1) / terms.requests_per_s.max(1);
        self.0.requests.take(*key, Allowance { one_each, at_once: terms.requests_burst }, Instant::now())
    }

    /// Makes a link on the merchant's terms of today.
    pub async fn create(&self, merchant: &Merchant, asked: LinkAsked) -> Result<Payable, LinkError> {
        let recipients = match &asked.recipients {
            Some(recipients) => Some(self.recipients(recipients).await?),
            None => None,
        };
        let number = self.0.switch.stores().next_link_number(&merchant.id).await?.to_string();
        let page = Page {
            title: title(&asked.note, &number),
            message: asked.note.clone(),
            order_id: format!("link-{number}"),
            paid_url: way_back(&asked.callback_url, &number, "success"),
            cancel_url: way_back(&asked.callback_url, &number, "cancel"),
            ..Page::default()
        };
        let LinkAsked { note, amount, payment_endpoint, callback_url, .. } = asked;
        let service_fee_bp = merchant.links.service_fee_bp;
        let body = Body { note, payment_endpoint, callback_url, service_fee_bp, recipients, shares: Vec::new() };
        let new = NewPayable {
            merchant: merchant.id,
            face: Face::Link,
            reference: number,
            public_id: None,
            amount,
            currency: CURRENCY,
            page,
            body: body.text()?,
            expires_at: Micros::NONE,
        };
        match self.0.payables.create(new).await? {
            Made::New(payable) | Made::Known(payable) => Ok(payable),
        }
    }

    async fn recipients(&self, asked: &[RecipientAsked]) -> Result<Vec<Recipient>, LinkError> {
        let mut known = Vec::with_capacity(asked.len());
        for (place, recipient) in asked.iter().enumerate() {
            let key = self.0.switch.stores().api_key_by_hash(&ApiKey::hash_of(&recipient.token)).await?;
            let merchant = key.and_then(|key| self.0.switch.merchant(&key.merchant)).filter(|merchant| merchant.active);
            let merchant = merchant.ok_or(LinkError::UnknownRecipient { place })?.id;
            known.push(Recipient { token_hint: hint(&recipient.token), merchant, share_bp: recipient.share_bp });
        }
        Ok(known)
    }

    /// A merchant's link that was not deleted.
    pub async fn link(&self, merchant: &Xid, number: u64) -> Result<Payable, LinkError> {
        let payable = self.0.payables.of_reference(merchant, Face::Link, &number.to_string()).await?;
        if payable.state == PayableState::Cancelled { Err(LinkError::NotFound) } else { Ok(payable) }
    }

    /// How many links match, and the first of them.
    pub async fn links(&self, search: &LinkSearch<'_>) -> Result<(u64, Vec<Payable>), LinkError> {
        Ok(self.0.switch.stores().links(search).await?)
    }

    /// Deletes a link for good: nobody can pay it any more. One that was paid, or is being paid, stays.
    pub async fn delete(&self, merchant: &Xid, number: u64) -> Result<Payable, LinkError> {
        let payable = self.link(merchant, number).await?;
        Ok(self.0.payables.cancel(&payable.id).await?)
    }

    /// Where a link is paid: the document's form, and a key that nobody can guess.
    pub fn pay_link(&self, payable: &Payable) -> String {
        use base64::Engine;
        let link_id = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&payable.reference);
        format!("{}?link_id={link_id}&key={}", self.payment_url(), payable.public_id)
    }

    /// Where links are paid.
    pub fn payment_url(&self) -> String {
        format!("{}/payment", self.0.public_url)
    }

    /// Where the page of a link is, by its key.
    pub fn page_url(&self, key: &str) -> String {
        format!("{}/pay/{key}", self.0.public_url)
    }

    /// Where a link's QR picture is.
    pub fn qr_url(&self, payable: &Payable) -> String {
        format!("{}/qr/{}.png", self.0.public_url, payable.public_id)
    }

    /// The QR picture of a link's address, by its key.
    pub async fn qr_picture(&self, key: &str) -> Result<Vec<u8>, LinkError> {
        let payable = self.0.payables.of_page(key).await?;
        if payable.face != Face::Link {
            return Err(LinkError::NotFound);
        }
        qr::png(&self.pay_link(&payable)).map_err(|error| {
            tracing::error!(%error, "no picture of a link is drawn");
            LinkError::Unreadable
        })
    }
}

/// What a change of a link's payable means for the books; `after` keeps who has got what.
pub fn books(before: &Payable, after: &mut Payable, at: Micros) -> Result<Vec<Posting>, LinkError> {
    if (after.amount_paid, after.amount_refunded) == (before.amount_paid, before.amount_refunded) {
        return Ok(Vec::new());
    }
    let mut body = Body::of(after)?;
    let postings = books::of_change(before, after, &mut body, at);
    after.body = body.text()?;
    Ok(postings)
}

/// A link as events tell of it.
pub fn told(link: &Payable) -> Result<Map<String, Value>, LinkError> {
    let body = Body::of(link)?;
    let mut told = Map::new();
    let mut say = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    say("pay_id", link.reference.as_str().into());
    say("amount", link.currency.major(link.amount).into());
    say("currency", link.currency.code().into());
    say("recipient_note", body.note.into());
    say("transaction_type", if body.recipients.is_some() { "Split" } else { "Basic" }.into());
    say("amount_paid", link.currency.major(link.amount_paid).into());
    say("amount_refunded", link.currency.major(link.amount_refunded).into());
    let transaction = (!link.transaction.is_none()).then(|| link.transaction.to_string());
    say("transaction_id", transaction.into());
    say("updated_at", moment(link.updated_at));
    Ok(told)
}

/// What the merchant's address is told of a change: a form with the link's number and what became of it.
pub fn notice(before: &Payable, after: &Payable) -> Option<Callback> {
    let status = match after.state {
        PayableState::Paid if before.state != PayableState::PartiallyRefunded && before.state != PayableState::Refunded => {
            "success"
        }
        PayableState::Cancelled | PayableState::Expired => "cancel",
        PayableState::Open
        | PayableState::Paying
        | PayableState::Paid
        | PayableState::PartiallyRefunded
        | PayableState::Refunded => return None,
    };
    let url = Body::of(after).ok()?.payment_endpoint;
    if url.is_empty() || after.state == before.state {
        return None;
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("ResponseCode", "1").append_pair("data[pay_id]", &after.reference).append_pair("data[status]", status);
    Some(Callback { url, message: Message::Form(form.finish()) })
}

/// The shopper's way back to the shop; empty where there is none.
fn way_back(callback_url: &str, number: &str, status: &str) -> String {
    if callback_url.is_empty() {
        return String::new();
    }
    let (address, fragment) = callback_url.split_once('#').unwrap_or((callback_url, ""));
    let separator = if address.contains('?') { '&' } else { '?' };
    let hash = if fragment.is_empty() { "" } else { "#" };
    format!("{address}{separator}pay_id={number}&status={status}{hash}{fragment}")
}

/// What the page calls a link.
fn title(note: &str, number: &str) -> String {
    let first = note.lines().next().unwrap_or("").trim();
    if first.is_empty() { format!("Payment {number}") } else { first.chars().take(TITLE_MAX_CHARS).collect() }
}
