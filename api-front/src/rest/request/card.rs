//! `payment_method.card`: the card's own fields. Messages never repeat what was sent here.

use crate::intake::Card;
use crate::rest::json::Scope;
use crate::rest::problem::Problem;
use protocol::card::{Expiry, luhn};
use protocol::secret::{Cvv, Pan, Track1, Track2};
use protocol::words::EntryType;

/// Reads the card's fields. Of a stripe one track is enough; two must be the same card's.
pub(super) fn read(card: Scope<'_, '_>) -> Result<Card, Problem> {
    let entry = entry_type(card)?;
    let (track_1, track_2) = tracks(card, entry)?;
    let on_2 = track_2.as_ref().map(|track| of_track_2(card, track.expose())).transpose()?;
    let on_1 = track_1.as_ref().map(|track| of_track_1(card, track)).transpose()?;
    if let (Some(on_1), Some(on_2)) = (&on_1, &on_2)
        && on_1 != on_2
    {
        return Err(card.invalid("track_1", "must be of the card in track_2"));
    }
    let (pan, expiry) = match (number(card)?, on_2.or(on_1)) {
        (Some(pan), Some((on_stripe, _))) if pan != on_stripe => {
            return Err(card.invalid("number", "must be the number on the stripe"));
        }
        (_, Some(on_stripe)) => on_stripe,
        (Some(pan), None) => (pan, expiry(card)?),
        (None, None) => return Err(card.invalid("number", "is required")),
    };
    Ok(Card { entry, pan, expiry, cvv: cvv(card)?, track_2, track_1 })
}

fn entry_type(card: Scope<'_, '_>) -> Result<EntryType, Problem> {
    let Some(word) = card.text("entry_type")? else { return Ok(EntryType::Keyed) };
    EntryType::from_word(word).ok_or_else(|| card.invalid("entry_type", "must be \"keyed\" or \"swiped\""))
}

/// The tracks of a swiped card; those of a keyed one are passed over. The gateway document knows no tracks: a client that says no more
/// than number and expiration date is believed.
fn tracks(card: Scope<'_, '_>, entry: EntryType) -> Result<(Option<Track1>, Option<Track2>), Problem> {
    if entry == EntryType::Keyed {
        return Ok((None, None));
    }
    let track_1 = card.text("track_1")?.map(|text| Track1::new(text).ok_or_else(|| card.invalid("track_1", TRACK_1_WORDS)));
    let track_2 = card.text("track_2")?.map(|text| {
        let bare = text.strip_prefix(';').unwrap_or(text);
        let bare = bare.strip_suffix('?').unwrap_or(bare);
        Track2::new(bare).ok_or_else(|| card.invalid("track_2", TRACK_2_WORDS))
    });
    Ok((track_1.transpose()?, track_2.transpose()?))
}

const TRACK_1_WORDS: &str =
    "must be ISO/IEC 7813 track 1: B, number, ^, name, ^, expiry as YYMM, service code, discretionary data";
const TRACK_2_WORDS: &str = "must be ISO/IEC 7813 track 2: number, =, expiry as YYMM, service code, discretionary data";

/// Number and expiry in track 2: `number=YYMM…`.
fn of_track_2(card: Scope<'_, '_>, track: &str) -> Result<(Pan, Expiry), Problem> {
    let parts = track.split_once(['=', 'D']).and_then(|(number, rest)| Some((number, rest.get(..4)?)));
    parts.and_then(on_stripe).ok_or_else(|| card.invalid("track_2", TRACK_2_WORDS))
}

/// Number and expiry in track 1: `Bnumber^name^YYMM…`.
fn of_track_1(card: Scope<'_, '_>, track: &Track1) -> Result<(Pan, Expiry), Problem> {
    track.card().and_then(on_stripe).ok_or_else(|| card.invalid("track_1", TRACK_1_WORDS))
}

fn on_stripe((number, yymm): (&str, &str)) -> Option<(Pan, Expiry)> {
    let pan = Pan::new(number).filter(|pan| luhn(pan.expose()))?;
    Some((pan, Expiry::from_yymm(yymm.parse().ok()?)?))
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
