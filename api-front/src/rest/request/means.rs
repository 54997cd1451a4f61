//! The payment method of a payment: exactly one, read into what intake takes. Messages never repeat what was sent here.

use super::account;
use super::card;
use super::terminal;
use crate::intake::Instrument;
use crate::rest::json::Scope;
use crate::rest::problem::Problem;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::nacha::file::ENTRY_AMOUNT_MAX_MINOR;
use protocol::words::{PaymentMethod, Verb};

/// What a request pays with.
#[derive(Debug)]
pub enum Means {
    /// Something whose data came with the request.
    Sent(Instrument),
    /// Something that a customer has in the vault.
    Customer(CustomerMeans),
    /// A token, good for one payment.
    Token(String),
}

/// A customer of the vault, and which of its things to use. Absent: its default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerMeans {
    /// The customer.
    pub id: Xid,
    /// Which kind of payment method.
    pub payment_method_type: Option<PaymentMethod>,
    /// Which of its payment methods.
    pub payment_method_id: Option<Xid>,
    /// Which of its addresses is the billing address.
    pub billing_address_id: Option<Xid>,
    /// Which of its addresses is the shipping address.
    pub shipping_address_id: Option<Xid>,
}

/// The method that a request names, its fields not read yet.
#[derive(Clone, Copy)]
pub(super) enum Named<'n, 'a> {
    Card(Scope<'n, 'a>),
    Account(Scope<'n, 'a>),
    Terminal(Scope<'n, 'a>),
    Customer(Scope<'n, 'a>),
    Token(&'n str),
}

/// The members of `payment_method`, of which a request has exactly one.
const METHODS: [&str; 5] = ["card", "ach", "terminal", "customer", "token"];

impl<'n, 'a> Named<'n, 'a> {
    /// The one method that was sent.
    pub(super) fn of(body: Scope<'n, 'a>) -> Result<Named<'n, 'a>, Problem> {
        let container = body.object("payment_method", "payment_method.")?;
        let mut sent = METHODS.iter().copied().filter(|name| container.has(name));
        let Some(name) = sent.next() else {
            return Err(Problem::invalid("payment_method", "is required: one of card, ach, terminal, customer or token"));
        };
        if let Some(second) = sent.next() {
            return Err(Problem::invalid("payment_method", format!("must contain exactly one method, got {name} and {second}")));
        }
        Ok(match name {
            "card" => Named::Card(container.object(name, "payment_method.card.")?),
            "ach" => Named::Account(container.object(name, "payment_method.ach.")?),
            "terminal" => Named::Terminal(container.object(name, "payment_method.terminal.")?),
            "customer" => Named::Customer(container.object(name, "payment_method.customer.")?),
            _ => Named::Token(container.text(name)?.ok_or_else(|| container.invalid(name, "must not be empty"))?),
        })
    }

    /// Reads its fields.
    pub(super) fn read(self) -> Result<Means, Problem> {
        Ok(match self {
            Named::Card(scope) => Means::Sent(Instrument::Card(card::read(scope)?)),
            Named::Account(scope) => Means::Sent(Instrument::Account(account::read(scope)?)),
            Named::Terminal(scope) => Means::Sent(Instrument::Terminal(terminal::read(scope)?)),
            Named::Customer(scope) => Means::Customer(customer(scope)?),
            Named::Token(token) => Means::Token(token.to_owned()),
        })
    }

    /// What kind of instrument it is; `None` where the vault will tell.
    fn method(self) -> Option<PaymentMethod> {
        match self {
            Named::Card(_) => Some(PaymentMethod::Card),
            Named::Account(_) => Some(PaymentMethod::Ach),
            Named::Terminal(_) => Some(PaymentMethod::Terminal),
            Named::Customer(_) | Named::Token(_) => None,
        }
    }

    /// Refuses a currency or an amount that the method does not know.
    pub(super) fn check_money(self, amount: u64, currency: Currency) -> Result<(), Problem> {
        self.method().map_or(Ok(()), |method| check_money(method, amount, currency))
    }

    /// Refuses a type of payment that the method does not know.
    pub(super) fn check_verb(self, verb: Verb) -> Result<(), Problem> {
        self.method().map_or(Ok(()), |method| check_verb(method, verb))
    }
}

/// Refuses a type of payment that a method does not know.
pub fn check_verb(method: PaymentMethod, verb: Verb) -> Result<(), Problem> {
    match (method, verb) {
        (PaymentMethod::Ach, Verb::Authorize | Verb::Verification) => {
            Err(Problem::invalid("type", "must be sale or credit when payment_method is ach"))
        }
        (PaymentMethod::Terminal, Verb::Verification) => {
            Err(Problem::invalid("type", "must be sale, authorize or credit when payment_method is terminal"))
        }
        (PaymentMethod::Card | PaymentMethod::Ach | PaymentMethod::Terminal, _) => Ok(()),
    }
}

/// Refuses a currency or an amount that a method does not know: the automated clearing house is an American one, and its entries have
/// ten digits.
pub fn check_money(method: PaymentMethod, amount: u64, currency: Currency) -> Result<(), Problem> {
    match method {
        PaymentMethod::Ach if amount > ENTRY_AMOUNT_MAX_MINOR => {
            Err(Problem::invalid("amount", format!("must be at most {ENTRY_AMOUNT_MAX_MINOR} when payment_method is ach")))
        }
        PaymentMethod::Ach if currency != Currency::USD => {
            Err(Problem::invalid("currency", "must be USD when payment_method is ach"))
        }
        PaymentMethod::Ach | PaymentMethod::Card | PaymentMethod::Terminal => Ok(()),
    }
}

fn customer(scope: Scope<'_, '_>) -> Result<CustomerMeans, Problem> {
    let id = |name| -> Result<Option<Xid>, Problem> {
        let Some(text) = scope.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| scope.invalid(name, "must be an id of 20 characters"))
    };
    Ok(CustomerMeans {
        id: id("id")?.ok_or_else(|| scope.invalid("id", "is required"))?,
        payment_method_type: stored_method(scope)?,
        payment_method_id: id("payment_method_id")?,
        billing_address_id: id("billing_address_id")?,
        shipping_address_id: id("shipping_address_id")?,
    })
}

fn stored_method(scope: Scope<'_, '_>) -> Result<Option<PaymentMethod>, Problem> {
    match scope.text("payment_method_type")? {
        None => Ok(None),
        // The words with which a customer's default is changed.
        Some("card" | "credit_card") => Ok(Some(PaymentMethod::Card)),
        Some("ach" | "echeck") => Ok(Some(PaymentMethod::Ach)),
        Some(_) => Err(scope.invalid("payment_method_type", "must be \"card\" or \"ach\"")),
    }
}
