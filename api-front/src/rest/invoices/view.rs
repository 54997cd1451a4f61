//! Invoices as the gateway document shows them.

use crate::invoices::{DiscountKind, Invoice, Item, Party, SendVia};
use crate::rest::envelope::moment;
use protocol::calendar::Micros;
use protocol::tail::ADDRESS_FIELDS;
use serde_json::{Map, Value, json};

/// What the document shows for a moment that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// An invoice. `hosted_url` is where it can be seen and paid.
pub(super) fn invoice(invoice: &Invoice, hosted_url: &str) -> Value {
    json!({
        "id": invoice.id.to_string(),
        "currency": invoice.currency,
        "company_name": invoice.company_name,
        "company_logo_url": invoice.company_logo_url,
        "customer_number": invoice.customer_number,
        "payable_to": party(&invoice.payable_to),
        "bill_to": party(&invoice.bill_to),
        "created_at": moment(invoice.created_at),
        "date_due": due(invoice.date_due),
        "items": invoice.items.iter().map(item).collect::<Vec<_>>(),
        "advanced_fields": invoice.advanced_fields,
        "subtotal": invoice.subtotal,
        "tax_percent": invoice.tax_percent,
        "tax": invoice.tax,
        "total": invoice.total,
        "amount_paid": invoice.amount_paid,
        "adjustment": invoice.adjustment,
        "amount_due": invoice.amount_due,
        "payment_methods": invoice.payment_methods,
        "card_processor_id": invoice.card_processor_id,
        "ach_processor_id": invoice.ach_processor_id,
        "status": invoice.status(),
        "message": invoice.message,
        "reject_message": "",
        "send_via": send_via(invoice.send_via),
        "last_sent_at": moment_or_never(Micros(invoice.last_sent_us)),
        "updated_at": moment(invoice.updated_at),
        "public_url": invoice.public_id,
        "hosted_url": hosted_url,
    })
}

fn party(party: &Party) -> Value {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), party.id.as_str().into());
    for (name, field) in ADDRESS_FIELDS.iter().zip(&party.fields) {
        shown.insert((*name).to_owned(), field.as_str().into());
    }
    Value::Object(shown)
}

fn item(item: &Item) -> Value {
    json!({
        "id": item.id,
        "name": item.said.name,
        "description": item.said.description,
        "quantity": item.quantity,
        "quantity_shipped": item.quantity_shipped,
        "unit_of_measure": item.said.unit_of_measure,
        "unit_price": item.unit_price,
        "discount": item.discount,
        "discount_type": match item.discount_kind { DiscountKind::Amount => "$", DiscountKind::Percent => "%" },
        "taxable": item.taxable,
        "local_tax": item.said.local_tax,
        "national_tax": item.said.national_tax,
        "tax_rate": item.said.tax_rate,
        "tax_amount": item.tax_amount,
        "amount": item.amount,
        "status": "pending",
    })
}

fn send_via(way: SendVia) -> &'static str {
    match way {
        SendVia::Email => "email",
        SendVia::Text => "text",
        SendVia::Both => "both",
        SendVia::None => "none",
    }
}

/// A day that was asked for comes back as the document writes it: without a part of a second where it has none.
fn due(at: Micros) -> Value {
    if at.is_none() { NEVER.into() } else { at.to_string().replace(".000000Z", "Z").into() }
}

fn moment_or_never(at: Micros) -> Value {
    if at.is_none() { NEVER.into() } else { moment(at) }
}
