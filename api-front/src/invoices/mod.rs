//! Invoices: made, changed, searched, removed, and sent by mail.
//!
//! Lives here: what an invoice is and what it sums up to. Must not live here: HTTP and JSON of requests (`rest/invoices`), SQL
//! (`persistence::stores`), the page on which one is paid, and its payment: an invoice is asked for as a payable ([`crate::payables`]).

mod page;
mod terms;
mod totals;

#[cfg(test)]
mod tests;

pub use terms::{Discount, DiscountKind, Invoice, InvoiceTerms, Item, ItemTerms, ItemWords, Party, SendVia};
pub use totals::{Percent, SumError};

use crate::accounts::mail::{Mail, Outbox};
use crate::payables::{Made, NewPayable, PayableError, Payables};
use crate::sandbox_home::random_bytes;
use crate::switch::handle::Switch;
use persistence::PersistenceError;
use persistence::stores::{Face, InvoiceSearch, Payable, PayableState, StoredInvoice};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;
use serde_json::json;
use std::sync::Arc;

/// Why something about an invoice is not done.
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    /// Not there, or another merchant's.
    #[error("look an invoice up: not there")]
    NotFound,
    /// Somebody else has changed it since it was read.
    #[error("change an invoice: it was changed meanwhile")]
    Changed,
    /// Its parts do not sum up.
    #[error(transparent)]
    Sum(#[from] SumError),
    /// What is stored is not what was stored.
    #[error("read an invoice: its row can't be read")]
    Unreadable,
    /// Somebody pays it at this moment.
    #[error("change an invoice: a payment of it is under way")]
    BeingPaid,
    /// A part of it is paid, in another currency.
    #[error("change an invoice: a part of it is paid in {0}")]
    OtherCurrency(&'static str),
    /// A party is said to have an address of the vault, and the merchant has none of that id.
    #[error("look an address of the vault up: {party} names one that is not there")]
    NoAddress {
        /// `payable_to` or `bill_to`.
        party: &'static str,
    },
    /// Its payable refuses.
    #[error(transparent)]
    Payable(#[from] PayableError),
    /// The store, or the system's randomness, failed.
    #[error(transparent)]
    Failed(#[from] PersistenceError),
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Invoices(Arc<Inner>);

struct Inner {
    switch: Switch,
    payables: Payables,
    outbox: Outbox,
    /// Where whoever pays finds us, without a slash at the end.
    public_url: String,
}

impl Invoices {
    /// The room over a switch's stores. `public_url` is where whoever pays finds us.
    pub fn new(switch: Switch, payables: Payables, outbox: Outbox, public_url: &str) -> Invoices {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Invoices(Arc::new(Inner { switch, payables, outbox, public_url }))
    }

    /// Makes an invoice, and mails it where that is asked for.
    pub async fn create(&self, merchant: Xid, mut terms: InvoiceTerms) -> Result<Invoice, InvoiceError> {
        let switch = &self.0.switch;
        let (id, now, public_id) = (switch.draw_id(), switch.now(), uuid()?);
        let mut invoice = Invoice { id, merchant, public_id, created_at: now, updated_at: now, ..Invoice::blank() };
        self.take_addresses(&invoice, &mut terms).await?;
        invoice.take(terms, || switch.draw_id())?;
        self.send(&mut invoice);
        // A payable without its invoice, should this end here, is one of which nobody has the address.
        self.ask_for(&invoice).await?;
        switch.stores().add_invoice(&stored(&invoice)?).await?;
        Ok(invoice)
    }

    /// A merchant's invoice.
    pub async fn invoice(&self, merchant: &Xid, id: &Xid) -> Result<Invoice, InvoiceError> {
        read(self.0.switch.stores().invoice(merchant, id).await?.ok_or(InvoiceError::NotFound)?)
    }

    /// Changes what is sent anew, and mails it where that is asked for.
    pub async fn change(&self, merchant: &Xid, id: &Xid, mut terms: InvoiceTerms) -> Result<Invoice, InvoiceError> {
        let switch = &self.0.switch;
        let mut invoice = self.invoice(merchant, id).await?;
        self.take_addresses(&invoice, &mut terms).await?;
        let read_at = invoice.updated_at;
        let payable = self.payable(&invoice).await?;
        if payable.state == PayableState::Paying {
            return Err(InvoiceError::BeingPaid);
        }
        invoice.amount_paid = payable.amount_paid;
        let is_to_be_sent = terms.send_via.is_some();
        invoice.take(terms, || switch.draw_id())?;
        // Two changes within a microsecond must not look like one.
        invoice.updated_at = Micros(switch.now().0.max(read_at.0 + 1));
        if is_to_be_sent {
            self.send(&mut invoice);
        }
        let currency = currency(&invoice)?;
        if payable.amount_paid > 0 && payable.currency != currency {
            return Err(InvoiceError::OtherCurrency(payable.currency.code()));
        }
        let revised = Payable { amount: invoice.total, currency, ..payable.clone() };
        let changed = self.0.payables.revise(&payable, revised, &invoice.page(), (stored(&invoice)?, read_at)).await?;
        if changed { Ok(invoice) } else { Err(InvoiceError::Changed) }
    }

    /// Fills what the parties' stored addresses say where the request says nothing. A copy: a later change of the address changes no
    /// invoice, and one that an invoice has already may be gone by now.
    async fn take_addresses(&self, invoice: &Invoice, terms: &mut InvoiceTerms) -> Result<(), InvoiceError> {
        let parties =
            [("payable_to", &mut terms.payable_to, &invoice.payable_to), ("bill_to", &mut terms.bill_to, &invoice.bill_to)];
        for (party, sent, known) in parties {
            let Some(sent) = sent.as_mut().filter(|sent| !sent.id.is_empty() && sent.id != known.id) else { continue };
            let id = sent.id.parse().map_err(|_| InvoiceError::NoAddress { party })?;
            let stored = self.0.switch.stores().address(&invoice.merchant, &id).await?;
            sent.fill(stored.ok_or(InvoiceError::NoAddress { party })?.fields);
        }
        Ok(())
    }

    /// The payable as which an invoice is asked for.
    async fn payable(&self, invoice: &Invoice) -> Result<Payable, InvoiceError> {
        let reference = invoice.id.to_string();
        match self.0.payables.of_reference(&invoice.merchant, Face::Invoice, &reference).await {
            Err(PayableError::NotFound) => self.ask_for(invoice).await,
            found => Ok(found?),
        }
    }

    async fn ask_for(&self, invoice: &Invoice) -> Result<Payable, InvoiceError> {
        let body = json!({ "public_url": invoice.public_id, "hosted_url": self.hosted_url(invoice) });
        let asked = NewPayable {
            merchant: invoice.merchant,
            face: Face::Invoice,
            reference: invoice.id.to_string(),
            public_id: Some(invoice.public_id.clone()),
            amount: invoice.total,
            currency: currency(invoice)?,
            page: invoice.page(),
            body: body.to_string(),
            expires_at: Micros::NONE,
        };
        match self.0.payables.create(asked).await? {
            Made::New(payable) | Made::Known(payable) => Ok(payable),
        }
    }

    /// Removes an invoice. From then on nobody can pay it; what was paid stays so.
    pub async fn delete(&self, merchant: &Xid, id: &Xid) -> Result<(), InvoiceError> {
        let payable = self.payable(&self.invoice(merchant, id).await?).await?;
        match self.0.payables.cancel(&payable.id).await {
            Err(PayableError::WrongState(PayableState::Paying)) => return Err(InvoiceError::BeingPaid),
            Ok(_) | Err(PayableError::WrongState(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let deleted = self.0.switch.stores().delete_invoice(merchant, id).await?;
        if deleted { Ok(()) } else { Err(InvoiceError::NotFound) }
    }

    /// How many invoices match, and a page of them.
    pub async fn search(&self, search: &InvoiceSearch) -> Result<(u64, Vec<Invoice>), InvoiceError> {
        let (total, page) = self.0.switch.stores().search_invoices(search).await?;
        Ok((total, page.into_iter().map(read).collect::<Result<_, _>>()?))
    }

    /// Where an invoice can be seen and paid.
    pub fn hosted_url(&self, invoice: &Invoice) -> String {
        format!("{}/invoice/{}", self.0.public_url, invoice.public_id)
    }

    fn send(&self, invoice: &mut Invoice) {
        let to = invoice.bill_to.email();
        let by_mail = matches!(invoice.send_via, SendVia::Email | SendVia::Both);
        if !by_mail || to.is_empty() {
            return;
        }
        let subject =
            format!("Invoice from {}", if invoice.company_name.is_empty() { "a merchant" } else { &invoice.company_name });
        let text = format!("{}\n\nSee and pay it here:\n{}\n", invoice.message, self.hosted_url(invoice));
        self.0.outbox.post(Mail { to: to.to_owned(), subject, text });
        invoice.last_sent_us = self.0.switch.now().0;
    }
}

fn currency(invoice: &Invoice) -> Result<Currency, InvoiceError> {
    Currency::from_code(&invoice.currency).ok_or(InvoiceError::Unreadable)
}

fn stored(invoice: &Invoice) -> Result<StoredInvoice, InvoiceError> {
    Ok(StoredInvoice {
        id: invoice.id,
        merchant: invoice.merchant,
        public_id: invoice.public_id.clone(),
        amount_due: invoice.amount_due,
        amount_paid: invoice.amount_paid,
        date_due: invoice.date_due,
        body: serde_json::to_string(invoice).map_err(|_| InvoiceError::Unreadable)?,
        created_at: invoice.created_at,
        updated_at: invoice.updated_at,
    })
}

fn read(stored: StoredInvoice) -> Result<Invoice, InvoiceError> {
    let mut invoice: Invoice = serde_json::from_str(&stored.body).map_err(|_| InvoiceError::Unreadable)?;
    (invoice.id, invoice.merchant, invoice.public_id) = (stored.id, stored.merchant, stored.public_id);
    (invoice.amount_due, invoice.amount_paid) = (stored.amount_due, stored.amount_paid);
    invoice.date_due = stored.date_due;
    (invoice.created_at, invoice.updated_at) = (stored.created_at, stored.updated_at);
    Ok(invoice)
}

/// A random UUID, RFC 9562 version 4: nobody finds an invoice by counting.
fn uuid() -> Result<String, InvoiceError> {
    let random = random_bytes(16).map_err(|_| PersistenceError::Cryptography { operation: "draw a public id" })?;
    let mut bytes: [u8; 16] = std::array::from_fn(|place| random[place]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-"))
}
