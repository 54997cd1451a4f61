//! Messages in words, for logs and tools. What the table keeps secret is never printed, and free text that looks as if it
//! carried a card number is not printed either: when in doubt, only the length is shown.

use std::fmt;

use super::VALUE_MAX_BYTES;
use super::mti::{MessageClass, MessageFunction, Mti};
use super::parse::{Message, Value};
use super::spec::{Class, Secrecy};
use crate::secret::PAN_MIN_DIGITS;

/// Shortest run of digits that free text may not show. Twelve are a card number in some ranges, and a retrieval reference number
/// every day.
const SUSPICIOUS_DIGITS: usize = 13;

impl fmt::Display for Message<'_> {
    /// One line for the message type, one for each field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pan_buffer = [0; VALUE_MAX_BYTES];
        let pan = self.field(2).and_then(|value| value.decode_into(&mut pan_buffer));
        write!(f, "{} {}", self.mti(), Kind(self.mti()))?;
        for value in self.iter() {
            write!(f, "\n  {:>3} {}: ", value.field_number(), value.field().name)?;
            show(&value, pan.unwrap_or_default(), f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.field_number())?;
        show(self, &[], f)
    }
}

/// The message type in words.
struct Kind(Mti);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.class() {
            MessageClass::Authorization => "authorization",
            MessageClass::Financial => "financial",
            MessageClass::FileAction => "file action",
            MessageClass::Reversal => "reversal",
            MessageClass::Reconciliation => "reconciliation",
            MessageClass::Administrative => "administrative",
            MessageClass::NetworkManagement => "network management",
            MessageClass::Other(_) => "other",
        })?;
        f.write_str(match self.0.function() {
            MessageFunction::Request => " request",
            MessageFunction::RequestResponse => " response",
            MessageFunction::Advice => " advice",
            MessageFunction::AdviceResponse => " advice response",
            MessageFunction::Notification => " notification",
            MessageFunction::Other(_) => " message",
        })?;
        f.write_str(if self.0.is_repeat() { ", repeated" } else { "" })
    }
}

fn show(value: &Value<'_>, pan: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut buffer = [0; VALUE_MAX_BYTES];
    let units = value.decode_into(&mut buffer).unwrap_or_default();
    match (value.field().secrecy, value.field().class) {
        (Secrecy::Pan, _) => show_pan(units, f),
        (Secrecy::Hidden, _) => show_length(units, f),
        (Secrecy::Open, Class::B) if spells(units, pan) => show_length(units, f),
        (Secrecy::Open, Class::B) => units.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        (Secrecy::Open, class) if may_hold_pan(class, units, pan) => show_length(units, f),
        (Secrecy::Open, _) => write!(f, "{}", units.escape_ascii()),
    }
}

fn show_length(units: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "[{} hidden]", units.len())
}

fn show_pan(digits: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (Some(first), Some(last)) = (digits.first_chunk::<6>(), digits.last_chunk::<4>()) else {
        return show_length(digits, f);
    };
    if digits.len() < SUSPICIOUS_DIGITS {
        return show_length(digits, f);
    }
    write!(f, "{}{:*<stars$}{}", first.escape_ascii(), "", last.escape_ascii(), stars = digits.len() - 10)
}

/// Whether a field that may be shown carries this message's card number, or free text with a run of digits as long as one.
fn may_hold_pan(class: Class, units: &[u8], pan: &[u8]) -> bool {
    let holds_this_pan = is_pan(pan) && units.windows(pan.len()).any(|part| part == pan);
    let is_free_text = matches!(class, Class::A | Class::An | Class::Ans | Class::Z);
    holds_this_pan || is_free_text && longest_run(units) >= SUSPICIOUS_DIGITS
}

/// Whether bytes in hex show this message's card number: chip data carries it in BCD, at any nibble.
fn spells(bytes: &[u8], pan: &[u8]) -> bool {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let starts = (2 * bytes.len() + 1).saturating_sub(pan.len());
    is_pan(pan) && (0..starts).any(|start| nibbles.clone().skip(start).zip(pan).all(|(nibble, digit)| nibble | 0x30 == *digit))
}

fn is_pan(digits: &[u8]) -> bool {
    digits.len() >= PAN_MIN_DIGITS
}

fn longest_run(units: &[u8]) -> usize {
    units.split(|unit| !unit.is_ascii_digit()).map(<[u8]>::len).max().unwrap_or(0)
}
