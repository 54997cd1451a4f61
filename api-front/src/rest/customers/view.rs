//! Customers and their things as the gateway document shows them.

use crate::rest::envelope::moment;
use persistence::stores::{Address, Filed, PaymentMethod, ShownMethod};
use protocol::card::{Expiry, brand, last_digits, masked};
use protocol::id::Xid;
use protocol::tail::ADDRESS_FIELDS;
use serde_json::{Map, Value, json};

/// A customer with its default things.
pub(super) fn customer(filed: &Filed) -> Value {
    let customer = &filed.customer;
    json!({
        "id": customer.id.to_string(),
        "description": customer.description,
        "payment_method": filed.payment_method.as_ref().map(method_by_kind),
        "payment_method_id": id_text(&customer.payment_method),
        "billing_address": filed.billing_address.as_ref().map(address),
        "shipping_address": filed.shipping_address.as_ref().map(address),
        "created_at": moment(customer.created_at),
        "updated_at": moment(customer.updated_at),
    })
}

/// An address.
pub(super) fn address(address: &Address) -> Value {
    let mut shown = Map::new();
    shown.insert("id".to_owned(), address.id.to_string().into());
    shown.insert("customer_id".to_owned(), address.customer.to_string().into());
    for (name, field) in ADDRESS_FIELDS.iter().zip(&address.fields) {
        shown.insert((*name).to_owned(), field.as_str().into());
    }
    shown.insert("created_at".to_owned(), moment(address.created_at));
    shown.insert("updated_at".to_owned(), moment(address.updated_at));
    Value::Object(shown)
}

/// A payment method under the word for its kind.
pub(super) fn method_by_kind(method_shown: &PaymentMethod) -> Value {
    match method_shown.shown {
        ShownMethod::Card(_) => json!({"card": method(method_shown)}),
        ShownMethod::Account(_) => json!({"ach": method(method_shown)}),
    }
}

/// A payment method.
pub(super) fn method(method: &PaymentMethod) -> Value {
    let (id, created_at, updated_at) = (method.id.to_string(), moment(method.created_at), moment(method.updated_at));
    match &method.shown {
        ShownMethod::Card(card) => json!({
            "id": id,
            "card_type": brand(card.first_six).word(),
            "first_six": format!("{:06}", card.first_six),
            "last_four": last_digits(card.last_four, card.digits),
            "masked_card": masked(card.first_six, card.last_four, card.digits),
            "expiration_date": Expiry::from_yymm(card.expiry).map_or_else(String::new, |expiry| expiry.to_string()),
            "created_at": created_at,
            "updated_at": updated_at,
        }),
        ShownMethod::Account(account) => json!({
            "id": id,
            "routing_number": account.routing_number,
            "masked_account_number": account.masked_account,
            "account_type": account.account_type,
            "sec_code": account.sec_code,
            "created_at": created_at,
            "updated_at": updated_at,
        }),
    }
}

fn id_text(id: &Xid) -> String {
    id.to_string()
}
