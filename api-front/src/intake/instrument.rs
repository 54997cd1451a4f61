//! Means of payment as a front hands them in: read from a request, or taken from the vault without ever being opened.

use crate::switch::directory::Merchant;
use persistence::error::PersistenceError;
use persistence::sealing::{SEALED_CARD_MAX_BYTES, Sealer};
use protocol::calendar::Civil;
use protocol::card::{Expiry, brand};
use protocol::command::{Command, flag};
use protocol::id::Xid;
use protocol::secret::{AccountNumber, Cvv, LicenceNumber, Pan, SensitiveData, Track1, Track2};
use protocol::tail::{self, tag};
use protocol::words::{EntryType, PaymentMethod};

/// The one expired card that the sandbox takes, because the gateway document's sample shows it: number and expiry `YYMM`.
const SANDBOX_SAMPLE: (&str, u16) = ("4012000098765439", 2012);

/// What a payment is made with.
#[derive(Debug)]
pub enum Instrument {
    /// A card whose number came with the request.
    Card(Card),
    /// A bank account whose number came with the request. How it is charged (SEC code, check number, …) travels in the tail.
    Account(Account),
    /// A card that somebody will present at a terminal; the terminal's id travels in the tail.
    Terminal(AtTerminal),
    /// Something that the merchant has in the vault.
    Stored(Stored),
}

/// A card as it came in, checked: digits, check digit, expiry's form. Whether it has expired is not asked here.
#[derive(Debug)]
pub struct Card {
    /// Keyed or swiped.
    pub entry: EntryType,
    /// The number.
    pub pan: Pan,
    /// The month it is good through.
    pub expiry: Expiry,
    /// The verification value, if one came.
    pub cvv: Option<Cvv>,
    /// Track 2 of the stripe, when swiped.
    pub track_2: Option<Track2>,
    /// Track 1 of the stripe, when swiped.
    pub track_1: Option<Track1>,
}

/// A bank account as it came in.
#[derive(Debug)]
pub struct Account {
    /// Nine digits of the bank, as the American Bankers Association gives them.
    pub routing: String,
    /// The account at that bank.
    pub number: AccountNumber,
    /// The holder's driving licence, where the processor wants one.
    pub licence: Option<LicenceNumber>,
}

/// What a request says beforehand of a card that is yet to be presented.
#[derive(Debug, Default)]
pub struct AtTerminal {
    /// The month it is good through.
    pub expiry: Option<Expiry>,
    /// Its verification value.
    pub cvv: Option<Cvv>,
}

/// A card or an account as the vault keeps it, sealed for this merchant.
#[derive(Debug)]
pub struct Stored {
    /// What it is.
    pub kind: StoredKind,
    /// What [`Sealer`] made of it.
    pub sealed: Vec<u8>,
    /// The keyed hash that it is sealed to.
    pub fingerprint: [u8; 16],
    /// How the request named it. Two requests that name the same are the same, even if the vault has changed in between.
    pub named: Vec<u8>,
    /// What the vault adds to what travels along, a tail: the customer, its addresses. What the request says itself wins.
    pub fields: Vec<u8>,
    /// The verification value that came with a token. The vault keeps it in memory only.
    pub cvv: Option<Cvv>,
}

/// What of a stored instrument is kept in the open.
#[derive(Debug, Clone, Copy)]
pub enum StoredKind {
    /// A card.
    Card {
        /// First six digits.
        first_six: u32,
        /// Last four digits.
        last_four: u16,
        /// Digits of the number.
        digits: u8,
        /// The month it is good through.
        expiry: Expiry,
    },
    /// A bank account.
    Account,
}

impl Instrument {
    /// What kind of instrument it is.
    pub fn method(&self) -> PaymentMethod {
        match self {
            Instrument::Card(_) | Instrument::Stored(Stored { kind: StoredKind::Card { .. }, .. }) => PaymentMethod::Card,
            Instrument::Account(_) | Instrument::Stored(Stored { kind: StoredKind::Account, .. }) => PaymentMethod::Ach,
            Instrument::Terminal(_) => PaymentMethod::Terminal,
        }
    }

    /// Writes what the core reads of an instrument that came with the request; of a stored one only its kind.
    pub(super) fn describe_sent(&self, command: &mut Command, sealer: &Sealer) {
        command.payment_method = self.method().number();
        match self {
            Instrument::Card(card) => {
                command.entry_type = card.entry.number();
                command.fingerprint = sealer.fingerprint(&card.pan);
                describe_card(command, card.pan.first_six(), card.pan.last_four(), card.pan.digit_count(), card.expiry);
            }
            Instrument::Account(account) => {
                command.fingerprint = sealer.account_fingerprint(&account.routing, &account.number);
            }
            Instrument::Terminal(expected) => {
                command.expiry = expected.expiry.map_or(0, Expiry::yymm).into();
            }
            Instrument::Stored(_) => {}
        }
    }

    /// Writes what the vault knows of a stored one.
    pub(super) fn describe_stored(&self, command: &mut Command) {
        let Instrument::Stored(stored) = self else { return };
        command.fingerprint = stored.fingerprint;
        if let StoredKind::Card { first_six, last_four, digits, expiry } = stored.kind {
            describe_card(command, first_six, last_four, digits, expiry);
        }
    }

    /// What the vault adds to what travels along.
    pub(super) fn fields(&self) -> &[u8] {
        match self {
            Instrument::Card(_) | Instrument::Account(_) | Instrument::Terminal(_) => &[],
            Instrument::Stored(stored) => &stored.fields,
        }
    }

    /// Bytes that tell one request from another, beside those of the command and its tail. They are only hashed.
    pub(super) fn named(&self) -> &[u8] {
        match self {
            Instrument::Card(_) | Instrument::Terminal(_) => &[],
            Instrument::Account(account) => account.licence.as_ref().map_or(&[], |licence| licence.expose().as_bytes()),
            Instrument::Stored(stored) => &stored.named,
        }
    }

    /// Bits of [`flag`] that follow from it.
    pub(super) fn flags(&self, merchant: &Merchant, today: Civil) -> u32 {
        let (expiry, has_sensitive_data) = match self {
            Instrument::Card(card) if is_sample(card, merchant) => (None, card.has_sensitive_data()),
            Instrument::Card(card) => (Some(card.expiry), card.has_sensitive_data()),
            Instrument::Terminal(expected) => (None, expected.cvv.is_some()),
            Instrument::Stored(Stored { kind, cvv, .. }) if kind.is_sample(merchant) => (None, cvv.is_some()),
            Instrument::Stored(Stored { kind: StoredKind::Card { expiry, .. }, cvv, .. }) => (Some(*expiry), cvv.is_some()),
            Instrument::Account(_) | Instrument::Stored(Stored { kind: StoredKind::Account, .. }) => (None, false),
        };
        let is_past = expiry.is_some_and(|expiry| expiry.is_past(today.year, today.month));
        flag_if(is_past, flag::EXPIRED_CARD) | flag_if(has_sensitive_data, flag::HAS_SENSITIVE_DATA)
    }

    /// Appends the sealed card, whose tag comes before all others.
    pub(super) fn push_card(
        &self,
        merchant: &Xid,
        fingerprint: &[u8; 16],
        sealer: &Sealer,
        out: &mut Vec<u8>,
    ) -> Result<(), PersistenceError> {
        match self {
            Instrument::Card(card) => {
                let mut sealed = Vec::with_capacity(SEALED_CARD_MAX_BYTES);
                sealer.seal(&card.pan, merchant, fingerprint, &mut sealed)?;
                tail::push(out, tag::SEALED_CARD, &sealed);
            }
            Instrument::Stored(Stored { kind: StoredKind::Card { .. }, sealed, .. }) => tail::push(out, tag::SEALED_CARD, sealed),
            Instrument::Account(_) | Instrument::Terminal(_) | Instrument::Stored(_) => {}
        }
        Ok(())
    }

    /// Appends the sealed account, whose tags come behind those of key and user.
    pub(super) fn push_account(
        &self,
        merchant: &Xid,
        fingerprint: &[u8; 16],
        sealer: &Sealer,
        out: &mut Vec<u8>,
    ) -> Result<(), PersistenceError> {
        match self {
            Instrument::Account(account) => {
                let mut sealed = Vec::new();
                sealer.seal_account(&account.routing, &account.number, merchant, fingerprint, &mut sealed)?;
                tail::push(out, tag::SEALED_ACCOUNT, &sealed);
                if let Some(licence) = &account.licence {
                    sealed.clear();
                    sealer.seal_licence(licence, merchant, fingerprint, &mut sealed)?;
                    tail::push(out, tag::SEALED_DL_NUMBER, &sealed);
                }
            }
            Instrument::Stored(Stored { kind: StoredKind::Account, sealed, .. }) => tail::push(out, tag::SEALED_ACCOUNT, sealed),
            Instrument::Card(_) | Instrument::Terminal(_) | Instrument::Stored(_) => {}
        }
        Ok(())
    }

    /// What must never be stored, for the memory-only side table.
    pub(super) fn into_sensitive_data(self) -> Option<SensitiveData> {
        match self {
            Instrument::Card(card) => SensitiveData::of_swipe(card.cvv, card.track_2, card.track_1),
            Instrument::Terminal(expected) => SensitiveData::of(expected.cvv, None),
            Instrument::Stored(stored) => SensitiveData::of(stored.cvv, None),
            Instrument::Account(_) => None,
        }
    }
}

impl Card {
    fn has_sensitive_data(&self) -> bool {
        self.cvv.is_some() || self.track_2.is_some() || self.track_1.is_some()
    }
}

fn describe_card(command: &mut Command, first_six: u32, last_four: u16, digits: u8, expiry: Expiry) {
    command.brand = brand(first_six).number();
    command.first_six = first_six.into();
    command.last_four = last_four.into();
    command.pan_digits = digits;
    command.expiry = expiry.yymm().into();
}

impl StoredKind {
    /// The same card, by what is kept of it in the open.
    fn is_sample(self, merchant: &Merchant) -> bool {
        let StoredKind::Card { first_six, last_four, expiry, .. } = self else { return false };
        let (number, yymm) = SANDBOX_SAMPLE;
        let looks_like_it = number.starts_with(&first_six.to_string()) && number.ends_with(&format!("{last_four:04}"));
        merchant.sandbox && looks_like_it && expiry.yymm() == yymm
    }
}

fn is_sample(card: &Card, merchant: &Merchant) -> bool {
    merchant.sandbox && (card.pan.expose(), card.expiry.yymm()) == SANDBOX_SAMPLE
}

fn flag_if(is_so: bool, bit: u32) -> u32 {
    if is_so { bit } else { 0 }
}
