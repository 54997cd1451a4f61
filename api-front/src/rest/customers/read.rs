//! Bodies of the vault's calls, read and validated. Messages never repeat what was sent in a secret field.

use crate::rest::json::{Document, Scope};
use crate::rest::limits::{DESCRIPTION_MAX_CHARS, SEARCH_LIMIT, SEARCH_LIMIT_MAX, SEARCH_OFFSET_MAX};
use crate::rest::problem::Problem;
use crate::rest::request::{account, address_fields, checks, dates};
use crate::rest::users::text;
use crate::vault::{AccountWords, AddressFields, CustomerChange, MethodAsked, MethodChange, NewCustomer, NewMethod};
use persistence::stores::{CustomerSearch, IdIs};
use protocol::aba;
use protocol::card::{Expiry, luhn};
use protocol::id::Xid;
use protocol::secret::{Cvv, Pan};
use protocol::tail::{Tail, tag};
use protocol::words::PaymentMethod;

/// A card that is to be tokenized.
pub(super) struct TokenizedCard {
    /// Its number.
    pub(super) pan: Pan,
    /// The month it is good through.
    pub(super) expiry: Expiry,
    /// Its verification value, which is not stored.
    pub(super) value: Option<Cvv>,
}

/// `POST /api/customer`
pub(super) fn new_customer(bytes: &[u8], in_sandbox: bool) -> Result<NewCustomer, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let address = |name, prefix| body.has(name).then(|| address_fields(body.object(name, prefix)?)).transpose();
    Ok(NewCustomer {
        description: description(body)?.unwrap_or_default(),
        method: first_method(body.object("payment_method", "payment_method.")?, in_sandbox)?,
        billing: address("billing_address", "billing_address.")?,
        shipping: address("shipping_address", "shipping_address.")?,
    })
}

fn first_method(container: Scope<'_, '_>, in_sandbox: bool) -> Result<Option<MethodAsked>, Problem> {
    let token = container.text("token")?;
    match (container.has("card"), container.has("ach"), token) {
        (false, false, None) => Ok(None),
        (true, false, None) => card(container.object("card", "payment_method.card.")?).map(MethodAsked::Sent).map(Some),
        (false, true, None) => {
            let account = bank_account(container.object("ach", "payment_method.ach.")?, in_sandbox)?;
            Ok(Some(MethodAsked::Sent(account)))
        }
        (false, false, Some(token)) => Ok(Some(MethodAsked::Token(token.to_owned()))),
        (true, true, _) | (true, _, Some(_)) | (_, true, Some(_)) => {
            Err(Problem::invalid("payment_method", "must contain exactly one of card, ach and token"))
        }
    }
}

/// `POST /api/customer/{id}`
pub(super) fn customer_change(bytes: &[u8]) -> Result<CustomerChange, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let id = |name| -> Result<Option<Xid>, Problem> {
        let Some(text) = body.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| body.invalid(name, "must be an id of 20 characters"))
    };
    Ok(CustomerChange {
        description: description(body)?,
        method_kind: match body.text("payment_method")? {
            None => None,
            Some("card" | "credit_card") => Some(PaymentMethod::Card),
            Some("ach" | "echeck") => Some(PaymentMethod::Ach),
            Some(_) => return Err(body.invalid("payment_method", "must be \"card\", \"credit_card\" or \"ach\"")),
        },
        payment_method: id("payment_method_id")?,
        billing_address: id("billing_address_id")?,
        shipping_address: id("shipping_address_id")?,
    })
}

/// An address by itself.
pub(super) fn address(bytes: &[u8]) -> Result<AddressFields, Problem> {
    address_fields(Document::read(bytes)?.scope())
}

/// `POST /api/customer/{id}/paymentmethod/{kind}`: its fields, with or without the word for its kind around them, or a card's token.
pub(super) fn new_method(bytes: &[u8], kind: PaymentMethod, in_sandbox: bool) -> Result<MethodAsked, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let fields = method_fields(body, kind)?;
    match kind {
        PaymentMethod::Card => match body.text("token")? {
            Some(token) => Ok(MethodAsked::Token(token.to_owned())),
            None => card(fields).map(MethodAsked::Sent),
        },
        PaymentMethod::Ach | PaymentMethod::Terminal => bank_account(fields, in_sandbox).map(MethodAsked::Sent),
    }
}

/// `POST /api/customer/{id}/paymentmethod/{kind}/{method}`: a card's expiry may be sent alone.
pub(super) fn method_change(bytes: &[u8], kind: PaymentMethod, in_sandbox: bool) -> Result<MethodChange, Problem> {
    let document = Document::read(bytes)?;
    let fields = method_fields(document.scope(), kind)?;
    let has_number = NUMBERS.iter().any(|name| fields.has(name));
    match kind {
        PaymentMethod::Card if !has_number => expiry(fields).map(MethodChange::Expiry),
        PaymentMethod::Card => card(fields).map(MethodChange::Whole),
        PaymentMethod::Ach | PaymentMethod::Terminal => bank_account(fields, in_sandbox).map(MethodChange::Whole),
    }
}

fn method_fields<'n, 'a>(body: Scope<'n, 'a>, kind: PaymentMethod) -> Result<Scope<'n, 'a>, Problem> {
    let (name, prefix) = match kind {
        PaymentMethod::Card => ("card", "card."),
        PaymentMethod::Ach | PaymentMethod::Terminal => ("ach", "ach."),
    };
    if body.has(name) { body.object(name, prefix) } else { Ok(body) }
}

/// `POST /api/token`
pub(super) fn tokenized_card(bytes: &[u8]) -> Result<TokenizedCard, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let fields = method_fields(body, PaymentMethod::Card)?;
    let mut value = None;
    for name in ["cvc", "cvv"] {
        if let Some(text) = fields.text(name)? {
            value = Some(Cvv::new(text).ok_or_else(|| fields.invalid(name, "must be 3 or 4 digits"))?);
        }
    }
    Ok(TokenizedCard { pan: number(fields)?, expiry: expiry(fields)?, value })
}

fn card(fields: Scope<'_, '_>) -> Result<NewMethod, Problem> {
    Ok(NewMethod::Card { pan: number(fields)?, expiry: expiry(fields)? })
}

/// What the document calls it here, and what it calls it in a payment.
const NUMBERS: [&str; 2] = ["card_number", "number"];

fn number(fields: Scope<'_, '_>) -> Result<Pan, Problem> {
    for name in NUMBERS {
        let Some(text) = fields.text(name)? else { continue };
        let pan = Pan::new(text).ok_or_else(|| fields.invalid(name, "must be 12 to 19 digits without spaces"))?;
        return if luhn(pan.expose()) { Ok(pan) } else { Err(fields.invalid(name, "its check digit is wrong (Luhn)")) };
    }
    Err(fields.invalid(NUMBERS[0], "is required"))
}

fn expiry(fields: Scope<'_, '_>) -> Result<Expiry, Problem> {
    let text = fields.text("expiration_date")?.ok_or_else(|| fields.invalid("expiration_date", "is required"))?;
    Expiry::parse(text).ok_or_else(|| fields.invalid("expiration_date", "must be a month as MM/YY or MMYY"))
}

fn bank_account(fields: Scope<'_, '_>, in_sandbox: bool) -> Result<NewMethod, Problem> {
    let account = account::read(fields)?;
    if !aba::is_acceptable(&account.routing, in_sandbox) {
        return Err(fields.invalid("routing_number", "its check digit is wrong (ABA)"));
    }
    let mut travelling = Vec::new();
    account::push_travelling(fields, &mut travelling)?;
    let word = |tag| Tail::trusted(&travelling).text(tag).to_owned();
    let (masked_account, account_type) = (word(tag::MASKED_ACCOUNT), word(tag::ACCOUNT_TYPE));
    Ok(NewMethod::Account { account, words: AccountWords { masked_account, account_type, sec_code: word(tag::SEC_CODE) } })
}

fn description(body: Scope<'_, '_>) -> Result<Option<String>, Problem> {
    text(body, "description", DESCRIPTION_MAX_CHARS, checks::lines, "text without control characters")
}

/// `POST /api/customer/search`
pub(super) fn search(bytes: &[u8], merchant: Xid) -> Result<CustomerSearch, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let (created_from, created_to) = dates(body, ("created_at", "created_at."))?;
    let method = match id_condition(body, "payment_method", "payment_method.")? {
        None => id_condition(body, "payment_method_id", "payment_method_id.")?,
        condition => condition,
    };
    Ok(CustomerSearch {
        merchant,
        id: id_condition(body, "id", "id.")?,
        payment_method: method,
        billing_address: id_condition(body, "billing_address_id", "billing_address_id.")?,
        shipping_address: id_condition(body, "shipping_address_id", "shipping_address_id.")?,
        created_from,
        created_to,
        limit: bounded(body, "limit", SEARCH_LIMIT, SEARCH_LIMIT_MAX)?,
        offset: bounded(body, "offset", 0, SEARCH_OFFSET_MAX as u32)?,
    })
}

/// `{"operator", "value"}`. Without a value it is no condition, as in the search of payments; a value that is no id is nobody's.
fn id_condition(body: Scope<'_, '_>, name: &str, prefix: &'static str) -> Result<Option<IdIs>, Problem> {
    let condition = body.object(name, prefix)?;
    let Some(value) = condition.text("value")? else { return Ok(None) };
    let id = value.parse().unwrap_or(Xid::NONE);
    match condition.text("operator")? {
        None | Some("=" | "eq") => Ok(Some(IdIs::Equal(id))),
        Some("!=" | "ne") => Ok(Some(IdIs::Other(id))),
        _ => Err(condition.invalid("operator", "must be \"=\" or \"!=\"")),
    }
}

fn bounded(body: Scope<'_, '_>, name: &str, unsaid: u32, max: u32) -> Result<u32, Problem> {
    let Some(number) = body.integer(name)? else { return Ok(unsaid) };
    u32::try_from(number).ok().filter(|number| *number <= max).ok_or_else(|| body.invalid(name, format!("must be at most {max}")))
}
