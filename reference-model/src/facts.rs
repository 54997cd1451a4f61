//! A payment as a table's conditions look at it, and whether a condition holds: in the words that an operator types.

use protocol::calendar::Micros;
use protocol::command::Command;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::tail::{ADDRESS_FIELDS, Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{Brand, EntryType, PaymentMethod, Source};
use std::net::IpAddr;
use switch_core::conditions::typed::{Condition, Value};

/// What a payment says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) merchant: Xid,
    pub(crate) made_at: Micros,
    amount: u64,
    currency: u16,
    /// The first six digits, six of them, and the brand; none where no card pays.
    card: Option<(String, u8)>,
    fingerprint: [u8; 16],
    method: PaymentMethod,
    entry: u8,
    source: u8,
    country: Option<String>,
    ip: Option<String>,
    email: Option<String>,
    /// Of the processor's answer: address and card verification letters, response code.
    pub(crate) answer: (u8, u8, u16),
}

/// What a condition finds in a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Number(u64),
    Word(String),
    /// Six digits, of which a value may be the beginning.
    Digits(String),
}

impl Facts {
    /// Of a payment that is asked for.
    pub(crate) fn asked(command: &Command, tail: Tail<'_>, now: Micros) -> Facts {
        Facts {
            merchant: command.merchant,
            made_at: now,
            amount: command.amount.get(),
            currency: command.currency.get(),
            card: card(command.pan_digits, command.first_six.get(), command.brand),
            fingerprint: command.fingerprint,
            method: PaymentMethod::from_number(command.payment_method).unwrap_or(PaymentMethod::Card),
            entry: command.entry_type,
            source: command.source,
            country: country(tail),
            ip: ip(tail),
            email: email(tail),
            answer: (0, 0, 0),
        }
    }

    /// Of a payment that was made.
    pub(crate) fn made(transaction: &Transaction, tail: Tail<'_>) -> Facts {
        let answer = &transaction.original;
        Facts {
            merchant: transaction.merchant,
            made_at: Micros(transaction.created_at.get()),
            amount: transaction.requested(),
            currency: transaction.currency.get(),
            card: card(transaction.pan_digits, transaction.first_six.get(), transaction.brand),
            fingerprint: transaction.fingerprint,
            method: transaction.payment_method(),
            entry: transaction.entry_type,
            source: transaction.source,
            country: country(tail),
            ip: ip(tail),
            email: email(tail),
            answer: (answer.avs, answer.cvv, answer.response_code.get()),
        }
    }

    /// Asked for, without a tip.
    pub(crate) fn amount(&self) -> u64 {
        self.amount
    }

    pub(crate) fn method(&self) -> PaymentMethod {
        self.method
    }

    /// What stands behind a word; nothing where the payment does not say. Velocities are not among these.
    pub(crate) fn find(&self, word: &str) -> Option<Found> {
        let (avs, cvv, code) = self.answer;
        match word {
            "amount" => Some(Found::Number(self.amount)),
            "currency" => Some(Found::Word(Currency::from_numeric(self.currency).map_or("", Currency::code).to_owned())),
            "country" => self.country.clone().map(Found::Word),
            "bin" => self.card.clone().map(|(bin, _)| Found::Digits(bin)),
            "brand" => {
                self.card.as_ref().map(|(_, brand)| Found::Word(Brand::from_number(*brand).map_or("", Brand::word).to_owned()))
            }
            "payment_method" => Some(Found::Word(self.method.word().to_owned())),
            "entry_type" => Some(Found::Word(EntryType::from_number(self.entry).map_or("", EntryType::word).to_owned())),
            "source" => Some(Found::Word(Source::from_number(self.source).map_or("", Source::word).to_owned())),
            "hour" => Some(Found::Number(self.made_at.0.div_euclid(3_600_000_000).rem_euclid(24) as u64)),
            "avs" => Some(letter(avs)),
            "cvv" => Some(letter(cvv)),
            "response_code" => Some(Found::Number(u64::from(code))),
            other => panic!("a table with a field {other:?} is refused"),
        }
    }

    /// Whose payment it is, by the word for whose payments a velocity counts.
    pub(crate) fn subject(&self, per: &str) -> Option<String> {
        match per {
            "card" => (self.fingerprint != [0; 16]).then(|| format!("{:?}", self.fingerprint)),
            "ip" => self.ip.clone(),
            "email" => self.email.clone(),
            "merchant" => Some("all of them".to_owned()),
            other => panic!("a table that counts per {other:?} is refused"),
        }
    }
}

fn card(digits: u8, first_six: u32, brand: u8) -> Option<(String, u8)> {
    (digits != 0).then(|| (format!("{first_six:06}"), brand))
}

/// A letter that is not there says that the verification was not done.
fn letter(byte: u8) -> Found {
    Found::Word(char::from(if byte == 0 { b'0' } else { byte }).to_string())
}

fn billing(tail: Tail<'_>, field: &str) -> String {
    let place = ADDRESS_FIELDS.iter().position(|known| *known == field).expect("an address has this field");
    tail.text(tag::BILLING + place as u16).to_owned()
}

fn country(tail: Tail<'_>) -> Option<String> {
    let code = billing(tail, "country").to_ascii_uppercase();
    (code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(code)
}

/// Of IPv6 the network of 64 bits, which is what one household has.
fn ip(tail: Tail<'_>) -> Option<String> {
    match tail.text(tag::IP_ADDRESS).parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(address) => Some(address.to_string()),
        IpAddr::V6(address) => Some(format!("{:?}", &address.segments()[..4])),
    }
}

/// The receipt's address, else the payer's; in either case.
fn email(tail: Tail<'_>) -> Option<String> {
    let written = [tail.text(tag::EMAIL_ADDRESS).to_owned(), billing(tail, "email")];
    written.into_iter().map(|address| address.trim_ascii().to_ascii_lowercase()).find(|address| !address.is_empty())
}

/// Whether a condition holds for what was found. For what is not there only `!=` does.
pub(crate) fn holds(condition: &Condition, found: Option<Found>) -> bool {
    let Some(found) = found else { return condition.op == "!=" };
    match (condition.op.as_str(), &condition.value) {
        ("in", Value::List(values)) => values.iter().any(|value| is(&found, value)),
        ("=", value) => is(&found, value),
        ("!=", value) => !is(&found, value),
        ("<", value) => !is(&found, value) && is_below(&found, value),
        (">", value) => !is(&found, value) && !is_below(&found, value),
        (op, value) => panic!("a table that asks {op:?} of {value} is refused"),
    }
}

fn is(found: &Found, value: &Value) -> bool {
    match (found, value) {
        (Found::Number(found), Value::Number(value)) => found == value,
        (Found::Word(found), Value::Text(value)) => found.eq_ignore_ascii_case(value),
        (Found::Digits(found), _) => found.starts_with(&digits(value)),
        _ => false,
    }
}

fn is_below(found: &Found, value: &Value) -> bool {
    match (found, value) {
        (Found::Number(found), Value::Number(value)) => found < value,
        (Found::Digits(found), _) => *found < digits(value),
        _ => false,
    }
}

fn digits(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(_) => panic!("a list is for \"in\" only"),
    }
}
