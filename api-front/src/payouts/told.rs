//! What merchants are told of payouts and fee invoices.

use persistence::stores::events::{Became, EventKind, NewEvent, Subject};
use persistence::stores::{FeeInvoice, Payout};
use protocol::calendar::Micros;
use protocol::id::Xid;
use serde_json::{Value, json};

/// How far a payout has come, in the document's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is on its way.
    InProgress,
    /// It has arrived.
    Paid,
}

impl Standing {
    /// A payout's.
    pub fn of(payout: &Payout) -> Standing {
        if payout.paid_at.is_none() { Standing::InProgress } else { Standing::Paid }
    }

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Standing::InProgress => "InProgress",
            Standing::Paid => "Paid",
        }
    }
}

/// The day whose pay-ins go out with a night's payout: `2024-10-12`.
pub fn day_of(night: Micros) -> String {
    let day = Micros(night.0 - 1).civil();
    format!("{:04}-{:02}-{:02}", day.year, day.month, day.day)
}

pub(super) fn of_payout(payout: &Payout, id: Xid, at: Micros) -> NewEvent {
    let standing = Standing::of(payout);
    let became = match standing {
        Standing::InProgress => Became::Created,
        Standing::Paid => Became::Paid,
    };
    let body = json!({
        "payout_id": payout.number.to_string(),
        "transaction_id": payout.name,
        "payout_amount_cents": payout.amount,
        "service_fee_cents": payout.fee,
        "net_amount_cents": payout.net(),
        "currency": payout.currency.code(),
        "payout_status": standing.word(),
        "request_date": day_of(payout.night),
    });
    event(payout.merchant, Subject::Payout, became, (payout.id, id), at, &body)
}

pub(super) fn of_fee_invoice(invoice: &FeeInvoice, id: Xid, at: Micros) -> NewEvent {
    let body = json!({
        "invoice_id": invoice.number.to_string(),
        "service_fee_cents": invoice.fees,
        "payments": invoice.payments,
        "currency": invoice.currency.code(),
        "month": invoice.month.to_string()[..7],
    });
    event(invoice.merchant, Subject::FeeInvoice, Became::Created, (invoice.id, id), at, &body)
}

fn event(merchant: Xid, subject: Subject, became: Became, (about, id): (Xid, Xid), at: Micros, body: &Value) -> NewEvent {
    NewEvent { id, merchant, kind: EventKind::new(subject, became), about, at, body: body.to_string(), callback: None }
}
