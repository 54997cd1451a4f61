//! What is told of a payable: the object that its API shows, the words for its state, and the events that a change brings with it.

use super::{PayableError, Payables};
use crate::payment_links;
use crate::rest::moment;
use persistence::stores::events::{Became, Callback, EventKind, Message, NewEvent, Subject};
use persistence::stores::{Aftermath, Face, Payable, PayableState};
use protocol::id::Xid;
use serde_json::{Map, Value, json};

/// A payable as its API shows it: what its face keeps, and above it what the payable itself knows.
pub fn object(payable: &Payable, pay_url: &str) -> Result<Map<String, Value>, PayableError> {
    if payable.face == Face::Link {
        return payment_links::told(payable).map_err(|_| PayableError::Unreadable);
    }
    let mut object: Map<String, Value> = serde_json::from_str(&payable.body).map_err(|_| PayableError::Unreadable)?;
    let own = match payable.face {
        Face::Invoice => json!({
            "id": payable.reference,
            "currency": payable.currency.code(),
            "total": payable.amount,
            "amount_paid": payable.amount_paid,
            "amount_due": payable.due(),
            "status": invoice_status(payable),
            "transaction_id": id_or_null(&payable.transaction),
            "updated_at": moment(payable.updated_at),
        }),
        Face::Order => json!({
            "status": order_status(payable.state),
            "pay_url": pay_url,
            "transaction_id": id_or_null(&payable.transaction),
            "created_at": moment(payable.created_at),
            "updated_at": moment(payable.updated_at),
        }),
        Face::Request => json!({
            "payment_id": payable.public_id,
            "pay_url": pay_url,
            "status": request_status(payable),
            "kupay_status": plugin_status(payable.state),
            "transaction_id": id_or_null(&payable.transaction),
            "updated_at": moment(payable.updated_at),
        }),
        // Has come back above.
        Face::Link => Value::Null,
    };
    if let Value::Object(own) = own {
        object.extend(own);
    }
    Ok(object)
}

fn id_or_null(id: &Xid) -> Value {
    if id.is_none() { Value::Null } else { id.to_string().into() }
}

/// The gateway's word for an invoice.
pub(crate) fn invoice_status(payable: &Payable) -> &'static str {
    match (payable.amount_paid, payable.due()) {
        (0, _) => "pending",
        (_, 0) => "paid",
        (_, _) => "partially_paid",
    }
}

fn order_status(state: PayableState) -> &'static str {
    match state {
        PayableState::Open | PayableState::Paying => "pending",
        PayableState::Paid => "paid",
        PayableState::PartiallyRefunded => "partially_refunded",
        PayableState::Refunded => "refunded",
        PayableState::Cancelled | PayableState::Expired => "cancelled",
    }
}

/// A request is created until its shopper first tries to pay, and pending from then on.
fn request_status(payable: &Payable) -> &'static str {
    match payable.state {
        PayableState::Open if payable.attempts == 0 => "created",
        PayableState::Open | PayableState::Paying => "pending",
        PayableState::Paid | PayableState::PartiallyRefunded => "paid",
        PayableState::Refunded => "refunded",
        PayableState::Cancelled => "cancelled",
        PayableState::Expired => "expired",
    }
}

/// The word that shop plugins know. A declined attempt leaves a request open: the shopper may try again.
fn plugin_status(state: PayableState) -> &'static str {
    match state {
        PayableState::Open | PayableState::Paying => "open",
        PayableState::Paid | PayableState::PartiallyRefunded | PayableState::Refunded => "completed",
        PayableState::Cancelled => "cancelled",
        PayableState::Expired => "expired",
    }
}

impl Payables {
    /// All that follows from a change, to be written with it. `None` before: it is made.
    pub(super) fn aftermath(&self, before: Option<&Payable>, after: &mut Payable) -> Result<Aftermath, PayableError> {
        let postings = match before {
            Some(before) if after.face == Face::Link => {
                payment_links::books(before, after, after.updated_at).map_err(|_| PayableError::Unreadable)?
            }
            Some(_) | None => Vec::new(),
        };
        let Some(became) = became(before, after) else { return Ok(Aftermath { postings, ..Aftermath::default() }) };
        let object = Value::Object(object(after, &self.pay_url(after))?).to_string();
        let event = NewEvent {
            id: self.0.switch.draw_id(),
            merchant: after.merchant,
            kind: EventKind::new(subject(after.face), became),
            about: after.id,
            at: after.updated_at,
            callback: callback(before, after, &object),
            body: object,
        };
        Ok(Aftermath { events: vec![event], postings, ..Aftermath::default() })
    }
}

fn subject(face: Face) -> Subject {
    match face {
        Face::Invoice => Subject::Invoice,
        Face::Order => Subject::Order,
        Face::Request => Subject::PaymentRequest,
        Face::Link => Subject::PaymentLink,
    }
}

/// What a change has made of a payable; `None` when it is nothing that anybody is told of.
pub(super) fn became(before: Option<&Payable>, after: &Payable) -> Option<Became> {
    let Some(before) = before else { return Some(Became::Created) };
    let is_refunded = matches!(after.state, PayableState::Paid | PayableState::PartiallyRefunded | PayableState::Refunded);
    if is_refunded && after.amount_refunded < before.amount_refunded {
        return Some(Became::RefundUndone);
    }
    let has_moved = (after.state, after.amount, after.amount_refunded) != (before.state, before.amount, before.amount_refunded);
    match after.state {
        _ if !has_moved => None,
        PayableState::Open if after.amount_paid > before.amount_paid => Some(Became::PartiallyPaid),
        PayableState::Open if before.state == PayableState::Paying => Some(Became::Declined),
        PayableState::Open => Some(Became::Changed),
        PayableState::Paying => Some(Became::Pending),
        PayableState::Paid => Some(Became::Paid),
        PayableState::PartiallyRefunded => Some(Became::PartiallyRefunded),
        PayableState::Refunded => Some(Became::Refunded),
        PayableState::Cancelled => Some(Became::Cancelled),
        PayableState::Expired => Some(Became::Expired),
    }
}

/// Who asked for the payment with an address of its own is told of each change of the status that it sees.
fn callback(before: Option<&Payable>, after: &Payable, object: &str) -> Option<Callback> {
    let before = before?;
    match after.face {
        Face::Request if request_status(before) != request_status(after) => {
            let body: Value = serde_json::from_str(&after.body).ok()?;
            let url = body.get("callback_url")?.as_str()?.to_owned();
            Some(Callback { url, message: Message::Json(object.to_owned()) })
        }
        Face::Link => payment_links::notice(before, after),
        Face::Request | Face::Invoice | Face::Order => None,
    }
}
