//! `payment_method.card`: the card's own fields. Messages never repeat what was sent here.

use crate::intake::Card;
use crate::rest::json::Scope;
use crate::rest::problem::Problem;
use protocol::card::{Expiry, luhn};
use protocol::secret::{Cvv, Pan, Track2};
use protocol::words::EntryType;

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
    optional_expiry(card)?.ok_or_else(|| card.invalid("expiration_date", "is required"))
}

/// The expiration date, where one was sent.
pub(super) fn optional_expiry(card: Scope<'_, '_>) -> Result<Option<Expiry>, Problem> {
    let Some(text) = card.text("expiration_date")? else { return Ok(None) };
    Expiry::parse(text).map(Some).ok_or_else(|| card.invalid("expiration_date", "must be a month as MM/YY or MMYY"))
}

/// The document says `cvc`, clients in use say `cvv` as well.
pub(super) fn cvv(card: Scope<'_, '_>) -> Result<Option<Cvv>, Problem> {
    for name in ["cvc", "cvv"] {
        if let Some(text) = card.text(name)? {
            return Ok(Some(Cvv::new(text).ok_or_else(|| card.invalid(name, "must be 3 or 4 digits"))?));
        }
    }
    Ok(None)
}
