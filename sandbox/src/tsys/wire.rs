//! ISO 8583 messages as requests to a card host, and its answers as messages. Values only; nothing is decided here.

use protocol::iso8583::{EncodeError, Encoder, MacKey, Message, Mti, OriginalData, TSYS, append_frame};

use crate::ledger::{Kind, NO_AUTH};
use crate::triggers::ActionCode;

/// What names a message for good: a second one with the same key is a duplicate, and DE90 names an original by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// DE41, filled up with blanks.
    pub terminal: [u8; 8],
    /// DE11.
    pub stan: u32,
    /// DE7 as a number, MMDDhhmmss.
    pub transmitted: u32,
    /// Message type, four BCD digits, without the repeat bit: 0421 is 0420 sent again.
    pub mti: u16,
}

impl Key {
    /// 32 well-mixed bits. Not meant to withstand someone who looks for collisions: the sandbox trusts its clients.
    pub fn hash(&self) -> u64 {
        let numbers = u64::from(self.stan) << 32 | u64::from(self.transmitted);
        let mixed = (u64::from_le_bytes(self.terminal) ^ u64::from(self.mti)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let product = u128::from(mixed ^ numbers) * 0xd6e8_feb8_6659_fd93_u128;
        (product >> 64) as u64 ^ product as u64
    }
}

/// What a message asks for, by message type, DE3 and DE48.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// 0100, 0200: a payment of this kind.
    Payment(Kind),
    /// 0120, 0121: an authorization that was given in the host's stead. It can't be refused any more.
    Advice,
    /// 0220, 0221.
    Capture,
    /// 0400.
    Void,
    /// 0420, 0421.
    Reversal,
    /// 0320.
    Detail,
    /// 0500.
    Totals,
    /// 0800.
    Network,
}

/// Fields that each message must have. DE35, DE48 come when there is something to say in them.
const PAYMENT_FIELDS: &[u8] = &[2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 25, 32, 37, 41, 42, 49];
const ADVICE_FIELDS: &[u8] = &[2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 25, 32, 37, 38, 41, 42, 49];
const CAPTURE_FIELDS: &[u8] = &[2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 25, 32, 37, 38, 41, 42, 49, 90];
const VOID_FIELDS: &[u8] = &[2, 3, 4, 7, 11, 12, 13, 14, 32, 37, 38, 41, 42, 49, 90];
const REVERSAL_FIELDS: &[u8] = &[2, 3, 4, 7, 11, 12, 13, 14, 32, 37, 39, 41, 42, 49, 90];
const DETAIL_FIELDS: &[u8] = &[3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 60, 90];
const TOTALS_FIELDS: &[u8] = &[7, 11, 12, 13, 32, 41, 42, 50, 60, 74, 76, 86, 88, 97];
const NETWORK_FIELDS: &[u8] = &[7, 11, 12, 13, 70];

/// DE3 of a payment to the merchant.
const DEBIT: &str = "000000";
/// DE3 of totals behind their batch's members.
const AFTER_UPLOAD: &str = "960000";
/// DE3 of a payment to the cardholder.
const CREDIT: &str = "200000";

/// Sub-elements of DE48: two letters, three digits of length, value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Additional<'a> {
    /// `AD`: an address came.
    pub has_address: bool,
    /// `ZP`.
    pub postal_code: Option<&'a str>,
    /// `CV`.
    pub cvc: Option<&'a str>,
    /// `OR`: this refund pays a sale back.
    pub is_refund: bool,
    /// `EC`: electronic commerce indicator.
    pub eci: Option<&'a str>,
    /// `CA`: what proves that the customer was authenticated.
    pub cavv: Option<&'a str>,
}

impl<'a> Additional<'a> {
    /// Reads DE48; `None` when it is not a row of sub-elements. Unknown tags are passed over.
    pub fn parse(mut text: &'a str) -> Option<Additional<'a>> {
        let mut found = Additional::default();
        while !text.is_empty() {
            let (tag, rest) = text.split_at_checked(2)?;
            let (length, rest) = rest.split_at_checked(3)?;
            let length = length.bytes().all(|b| b.is_ascii_digit()).then(|| length.parse().ok())??;
            let (value, rest) = rest.split_at_checked(length)?;
            match tag {
                "AD" => found.has_address = true,
                "ZP" => found.postal_code = Some(value),
                "CV" => found.cvc = Some(value),
                "OR" => found.is_refund = true,
                "EC" => found.eci = Some(value),
                "CA" => found.cavv = Some(value),
                _ => {}
            }
            text = rest;
        }
        Some(found)
    }

    /// True for an indicator that says that the customer was authenticated (02 and 05, by brand), without the value that proves it.
    pub fn claims_without_proof(&self) -> bool {
        matches!(self.eci, Some("02" | "2" | "05" | "5")) && self.cavv.is_none_or(str::is_empty)
    }
}

/// A request whose type is known.
pub struct Request<'m, 'f> {
    /// The message itself.
    pub message: &'m Message<'f>,
    /// What it asks for.
    pub verb: Verb,
    /// DE48.
    pub additional: Additional<'f>,
}

/// DE60: batch numbers, six digits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchNumbers {
    /// Totals: the number under which the batch is presented. It may not come twice in five days.
    pub presented: u32,
    /// The number that the members carried; 0 when they carried none.
    pub members: u32,
}

impl BatchNumbers {
    /// A payment carries six digits: its batch. Totals and details carry twelve, presented then members; or six, and then they are of the
    /// payments that carried no number. `None` when it is neither.
    fn parse(text: &str, verb: Verb) -> Option<BatchNumbers> {
        let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
        let (first, second) = text.split_at_checked(6)?;
        match (verb, second.len()) {
            (Verb::Detail, 6) => Some(BatchNumbers { presented: number(first)?, members: number(second)? }),
            (Verb::Totals, 0) => Some(BatchNumbers { presented: number(first)?, members: 0 }),
            (Verb::Totals, 6) => Some(BatchNumbers { presented: number(first)?, members: number(second)? }),
            (_, 0) => Some(BatchNumbers { presented: 0, members: number(first)? }),
            _ => None,
        }
    }
}

/// A request that the host does not look into any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// No host message type: the connection is closed.
    UnknownType,
    /// Answered with this code.
    Refused(ActionCode),
}

const FORMAT_ERROR: Unfit = Unfit::Refused(ActionCode(*b"30"));
const INVALID_TRANSACTION: Unfit = Unfit::Refused(ActionCode(*b"12"));

impl<'m, 'f> Request<'m, 'f> {
    /// DE60; without it a payment belongs to no numbered batch. `None` when it can't be read, or totals lack it.
    pub fn batch(&self) -> Option<BatchNumbers> {
        match self.message.text(60) {
            Some(text) => BatchNumbers::parse(text, self.verb),
            None => (self.verb != Verb::Totals).then_some(BatchNumbers { presented: 0, members: 0 }),
        }
    }

    /// Finds out what a message asks for, and that all of it is there.
    pub fn of(message: &'m Message<'f>) -> Result<Request<'m, 'f>, Unfit> {
        let additional = Additional::parse(message.text(48).unwrap_or_default());
        let (verb, fields) = match message.mti() {
            Mti::AUTHORIZATION_REQUEST => (Verb::Payment(Kind::Authorization), PAYMENT_FIELDS),
            Mti::FINANCIAL_REQUEST => (Verb::Payment(Kind::Sale), PAYMENT_FIELDS),
            Mti::AUTHORIZATION_ADVICE | Mti::AUTHORIZATION_ADVICE_REPEAT => (Verb::Advice, ADVICE_FIELDS),
            Mti::FINANCIAL_ADVICE | Mti::FINANCIAL_ADVICE_REPEAT => (Verb::Capture, CAPTURE_FIELDS),
            Mti::REVERSAL_REQUEST => (Verb::Void, VOID_FIELDS),
            Mti::REVERSAL_ADVICE | Mti::REVERSAL_ADVICE_REPEAT => (Verb::Reversal, REVERSAL_FIELDS),
            Mti::BATCH_UPLOAD_ADVICE => (Verb::Detail, DETAIL_FIELDS),
            Mti::RECONCILIATION_REQUEST => (Verb::Totals, TOTALS_FIELDS),
            Mti::NETWORK_REQUEST => (Verb::Network, NETWORK_FIELDS),
            _ => return Err(Unfit::UnknownType),
        };
        if !fields.iter().all(|field| message.has(*field)) {
            return Err(FORMAT_ERROR);
        }
        let additional = additional.ok_or(FORMAT_ERROR)?;
        if !tracks_agree(message) {
            return Err(FORMAT_ERROR);
        }
        let verb = match (verb, message.text(3)) {
            (Verb::Payment(_), Some(DEBIT)) => verb,
            (Verb::Payment(Kind::Sale), Some(CREDIT)) if additional.is_refund => Verb::Payment(Kind::Refund),
            (Verb::Payment(Kind::Sale), Some(CREDIT)) => Verb::Payment(Kind::Credit),
            (Verb::Payment(_), _) => return Err(INVALID_TRANSACTION),
            (Verb::Advice, Some(DEBIT)) => verb,
            (Verb::Advice, _) => return Err(INVALID_TRANSACTION),
            (Verb::Capture | Verb::Void | Verb::Reversal | Verb::Detail | Verb::Totals | Verb::Network, _) => verb,
        };
        Ok(Request { message, verb, additional })
    }

    /// The message's name for good. Network messages have no DE41: blanks.
    pub fn key(&self) -> Key {
        Key {
            terminal: padded(self.message.text(41)),
            stan: self.number(11) as u32,
            transmitted: self.number(7) as u32,
            mti: type_code(self.message.mti()),
        }
    }

    /// The key of the original that DE90 names, at the same terminal. `None` unless it is a 0100, a 0120 or a 0200: only
    /// these make a transaction.
    pub fn original(&self) -> Option<Key> {
        let original = OriginalData::parse(self.message.text(90)?)?;
        let makes_one = matches!(original.mti, Mti::AUTHORIZATION_REQUEST | Mti::AUTHORIZATION_ADVICE | Mti::FINANCIAL_REQUEST);
        let transmitted = u32::try_from(original.transmitted).ok()?;
        makes_one.then(|| Key { stan: original.stan, transmitted, mti: type_code(original.mti), ..self.key() })
    }

    /// True for totals that come once more, behind their batch's members.
    pub fn is_after_upload(&self) -> bool {
        self.verb == Verb::Totals && self.message.text(3) == Some(AFTER_UPLOAD)
    }

    /// DE4, in minor units.
    pub fn amount(&self) -> u64 {
        self.number(4)
    }

    /// A field of digits, 0 when it is not there. Which must be there was checked when the request was made.
    pub fn number(&self, field: u8) -> u64 {
        self.message.number(field).unwrap_or(0)
    }

    /// DE37.
    pub fn rrn(&self) -> [u8; 12] {
        padded(self.message.text(37))
    }

    /// DE49, of totals DE50.
    pub fn currency(&self) -> [u8; 3] {
        padded(self.message.text(49).or_else(|| self.message.text(50)))
    }

    /// DE2. It goes nowhere but into the search for a trigger.
    pub fn pan(&self) -> &'f str {
        self.message.text(2).unwrap_or_default()
    }
}

/// Whether the stripe's tracks, as far as they came (DE35, DE45), are of the card that the message names.
fn tracks_agree(message: &Message<'_>) -> bool {
    let pan = message.text(2);
    let on_track_2 = message.text(35).and_then(|track| track.split(['=', 'D']).next());
    let on_track_1 = message.text(45).map(|track| track.trim_start_matches('B').split('^').next().unwrap_or_default());
    [on_track_1, on_track_2].into_iter().flatten().all(|number| Some(number) == pan)
}

/// A message type in four BCD digits, without the repeat bit.
fn type_code(mti: Mti) -> u16 {
    u16::from_be_bytes(mti.to_bcd()) & !1
}

fn padded<const N: usize>(text: Option<&str>) -> [u8; N] {
    let mut out = [b' '; N];
    out.iter_mut().zip(text.unwrap_or_default().bytes()).for_each(|(to, from)| *to = from);
    out
}

/// What an answer says beyond what it repeats of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// DE39.
    pub action: ActionCode,
    /// DE38: the digits after `TAS`, or [`NO_AUTH`].
    pub auth: u16,
    /// DE44: letters of AVS and CVV; zeros for an answer without it.
    pub letters: [u8; 2],
    /// DE4 when it is not the request's: the part that was approved.
    pub amount: Option<u64>,
    /// DE60.
    pub batch: Option<u32>,
    /// DE63; none for an 0810.
    pub text: Option<[u8; 16]>,
}

impl Answer {
    /// An answer of nothing but an action code and its text.
    pub fn bare(action: ActionCode) -> Answer {
        Answer { action, auth: NO_AUTH, letters: [0; 2], amount: None, batch: None, text: Some(text_of(action, NO_AUTH)) }
    }
}

/// `TAS` and three digits.
pub fn auth_text(auth: u16) -> [u8; 6] {
    let digit = |divisor: u16| b'0' + (auth / divisor % 10) as u8;
    [b'T', b'A', b'S', digit(100), digit(10), digit(1)]
}

/// Texts of DE63 by action code, as TSYS's terminals show them. Codes that are not here read `DECLINE`.
const TEXTS: &[(&[u8; 2], &[u8; 16])] = &[
    (b"00", b"ACCEPTED        "),
    (b"01", b"CALL            "),
    (b"02", b"CALL            "),
    (b"03", b"TERM ID ERROR   "),
    (b"04", b"HOLD-CALL       "),
    (b"06", b"SYSTEM ERROR    "),
    (b"07", b"HOLD-CALL       "),
    (b"12", b"INVLD TRANS     "),
    (b"13", b"AMOUNT ERROR    "),
    (b"14", b"CARD NO. ERROR  "),
    (b"15", b"NO SUCH ISSUER  "),
    (b"25", b"NO ORIGINAL     "),
    (b"30", b"FORMAT ERROR    "),
    (b"41", b"HOLD-CALL       "),
    (b"43", b"HOLD-CALL       "),
    (b"54", b"EXPIRED CARD    "),
    (b"58", b"SERV NOT ALLOWED"),
    (b"82", b"CVV2 MISMATCH   "),
    (b"91", b"NO REPLY        "),
    (b"94", b"DUPLICATE TRANS "),
    (b"96", b"SYSTEM ERROR    "),
    (b"N7", b"CVV2 MISMATCH   "),
];

/// DE63 of an answer that is not a batch's.
pub fn text_of(action: ActionCode, auth: u16) -> [u8; 16] {
    if auth != NO_AUTH {
        let words = if action == ActionCode::PARTIAL { b"PARTIAL  " } else { b"APPROVAL " };
        let mut text = [b' '; 16];
        text[..9].copy_from_slice(words);
        text[9..15].copy_from_slice(&auth_text(auth));
        return text;
    }
    TEXTS.iter().find(|(code, _)| **code == action.0).map_or(*b"DECLINE         ", |(_, text)| **text)
}

/// Appends an answer's frame, sealed when there is a key. On an error nothing was appended.
pub fn append_answer(
    out: &mut Vec<u8>,
    request: &Message<'_>,
    answer: &Answer,
    key: Option<&MacKey>,
) -> Result<usize, EncodeError> {
    let Some(mti) = request.mti().response() else { return Ok(0) };
    append_frame(out, |buffer| {
        let mut encoder = Encoder::begin(&TSYS, mti, buffer)?;
        encoder.copy(request, 3)?;
        match answer.amount {
            Some(amount) => encoder.number(4, amount)?,
            None => encoder.copy(request, 4)?,
        };
        for repeated in [7, 11, 12, 13, 37] {
            encoder.copy(request, repeated)?;
        }
        if answer.auth != NO_AUTH {
            encoder.text(38, ascii(&auth_text(answer.auth)))?;
        }
        encoder.text(39, ascii(&answer.action.0))?;
        encoder.copy(request, 41)?.copy(request, 42)?;
        if answer.letters != [0; 2] {
            encoder.text(44, ascii(&answer.letters))?;
        }
        encoder.copy(request, 49)?;
        match answer.batch {
            Some(batch) => encoder.text(60, &format!("{batch:06}"))?,
            None if mti == Mti::BATCH_UPLOAD_ADVICE_RESPONSE => encoder.copy(request, 60)?,
            None => &mut encoder,
        };
        if let Some(text) = &answer.text {
            encoder.text(63, ascii(text))?;
        }
        encoder.copy(request, 70)?;
        encoder.finish_under(key)
    })
}

/// Our own bytes are ASCII; a stranger among them would be refused by the encoder as an empty value.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
