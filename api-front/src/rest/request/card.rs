//! The payment method of a payment: which one, and the card's own fields. Messages never repeat what was sent here.

use crate::rest::json::Scope;
use crate::rest::problem::Problem;
use protocol::card::{Expiry, luhn};
use protocol::secret::{Cvv, Pan, Track2};
use protocol::words::EntryType;

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
}

const PREFIX: &str = "payment_method.";
const CARD_PREFIX: &str = "payment_method.card.";
/// The members of `payment_method`, of which a request has exactly one.
const METHODS: [&str; 5] = ["card", "ach", "terminal", "customer", "token"];

/// The scope of the card, when it is the one method that was sent.
pub(super) fn scope<'n, 'a>(body: Scope<'n, 'a>) -> Result<Scope<'n, 'a>, Problem> {
    let container = body.object("payment_method", PREFIX)?;
    let mut sent = METHODS.iter().copied().filter(|name| container.has(name));
    match (sent.next(), sent.next()) {
        (None, _) => Err(Problem::invalid("payment_method", "is required: one of card, ach, terminal, customer or token")),
        (Some("card"), None) => container.object("card", CARD_PREFIX),
        (Some(other), None) => Err(container.invalid(other, "not available on this account yet; accepted is card")),
        (Some(first), Some(second)) => {
            Err(Problem::invalid("payment_method", format!("must contain exactly one method, got {first} and {second}")))
        }
    }
}

impl Card {
    /// Reads the card's fields.
    pub(super) fn read(card: Scope<'_, '_>) -> Result<Card, Problem> {
        let entry = entry_type(card)?;
        let track_2 = track_2(card, entry)?;
        let on_stripe = track_2.as_ref().map(|track| stripe(card, track.expose())).transpose()?;
        let (pan, expiry) = match (number(card)?, on_stripe) {
            (Some(pan), Some((on_stripe, _))) if pan != on_stripe => {
                return Err(card.invalid("number", "must be the number in track_2"));
            }
            (_, Some(on_stripe)) => on_stripe,
            (Some(pan), None) => (pan, expiry(card)?),
            (None, None) => return Err(card.invalid("number", "is required")),
        };
        Ok(Card { entry, pan, expiry, cvv: cvv(card)?, track_2 })
    }
}

fn entry_type(card: Scope<'_, '_>) -> Result<EntryType, Problem> {
    let Some(word) = card.text("entry_type")? else { return Ok(EntryType::Keyed) };
    EntryType::from_word(word).ok_or_else(|| card.invalid("entry_type", "must be \"keyed\" or \"swiped\""))
}

fn track_2(card: Scope<'_, '_>, entry: EntryType) -> Result<Option<Track2>, Problem> {
    match (entry, card.text("track_2")?) {
        (EntryType::Keyed, _) => Ok(None),
        (EntryType::Swiped, None) => Err(card.invalid("track_2", "is required when entry_type is swiped")),
        (EntryType::Swiped, Some(text)) => {
            let bare = text.strip_prefix(';').unwrap_or(text);
            let bare = bare.strip_suffix('?').unwrap_or(bare);
            Ok(Some(Track2::new(bare).ok_or_else(|| card.invalid("track_2", TRACK_2_WORDS))?))
        }
    }
}

const TRACK_2_WORDS: &str = "must be ISO/IEC 7813 track 2: number, =, expiry as YYMM, service code, discretionary data";

/// Number and expiry in track 2, ISO/IEC 7813: `number=YYMM…`.
fn stripe(card: Scope<'_, '_>, track: &str) -> Result<(Pan, Expiry), Problem> {
    let wrong = || card.invalid("track_2", TRACK_2_WORDS);
    let (number, rest) = track.split_once(['=', 'D']).ok_or_else(wrong)?;
    let yymm = rest.get(..4).and_then(|digits| digits.parse().ok()).and_then(Expiry::from_yymm);
    let pan = Pan::new(number).filter(|pan| luhn(pan.expose())).ok_or_else(wrong)?;
    Ok((pan, yymm.ok_or_else(wrong)?))
}

fn number(card: Scope<'_, '_>) -> Result<Option<Pan>, Problem> {
    let Some(text) = card.text("number")? else { return Ok(None) };
    let pan = Pan::new(text).ok_or_else(|| card.invalid("number", "must be 12 to 19 digits without spaces"))?;
    if !luhn(pan.expose()) {
        return Err(card.invalid("number", "its check digit is wrong (Luhn)"));
    }
    Ok(Some(pan))
}

fn expiry(card: Scope<'_, '_>) -> Result<Expiry, Problem> {
    let text = card.text("expiration_date")?.ok_or_else(|| card.invalid("expiration_date", "is required"))?;
    Expiry::parse(text).ok_or_else(|| card.invalid("expiration_date", "must be a month as MM/YY or MMYY"))
}

/// The document says `cvc`, clients in use say `cvv` as well.
fn cvv(card: Scope<'_, '_>) -> Result<Option<Cvv>, Problem> {
    for name in ["cvc", "cvv"] {
        if let Some(text) = card.text(name)? {
            return Ok(Some(Cvv::new(text).ok_or_else(|| card.invalid(name, "must be 3 or 4 digits"))?));
        }
    }
    Ok(None)
}
