//! Which characters a field may hold: the content classes of ISO 8583, checked eight bytes at a time where that is
//! possible, and the calendar rules of the date fields. Works on ASCII; other encodings are brought here first.

use super::spec::{Calendar, Class};

const ONES: u64 = 0x0101_0101_0101_0101;

/// Bits of [`MEMBER`], one per class.
const DIGIT: u8 = 1;
const ALPHA: u8 = 2;
const ALPHANUMERIC: u8 = 4;
const PRINTABLE: u8 = 8;
const TRACK: u8 = 16;
const ANY: u8 = 32;

/// Class membership of every ASCII byte.
static MEMBER: [u8; 256] = member_table();

const fn member_table() -> [u8; 256] {
    let mut table = [ANY; 256];
    let mut byte = 0x20;
    while byte <= 0x7e {
        let b = byte as u8;
        let digit = if b.is_ascii_digit() { DIGIT | ALPHANUMERIC } else { 0 };
        let alpha = if b.is_ascii_alphabetic() { ALPHA | ALPHANUMERIC } else { 0 };
        let track = if b >= b'0' && b <= b'?' { TRACK } else { 0 };
        table[byte] |= PRINTABLE | digit | alpha | track;
        byte += 1;
    }
    table
}

const fn membership(class: Class) -> u8 {
    match class {
        Class::N | Class::Xn => DIGIT,
        Class::A => ALPHA,
        Class::An => ALPHANUMERIC,
        Class::Ans => PRINTABLE,
        Class::Z => TRACK,
        Class::B => ANY,
    }
}

/// Whether the ASCII byte at an index of a value belongs there.
#[inline]
pub(super) fn fits(class: Class, index: usize, byte: u8) -> bool {
    match (class, index) {
        (Class::Xn, 0) => matches!(byte, b'C' | b'D'),
        _ => MEMBER[usize::from(byte)] & membership(class) != 0,
    }
}

/// Whether the four bytes of a word are ASCII digits. The sum cannot carry between bytes once the high nibbles are 3.
pub(super) const fn four_digits(word: u32) -> bool {
    word & 0xf0f0_f0f0 == 0x3030_3030 && (word + 0x0606_0606) & 0xf0f0_f0f0 == 0x3030_3030
}

const fn eight_digits(word: u64) -> bool {
    word & (0xf0 * ONES) == 0x30 * ONES && (word + 0x06 * ONES) & (0xf0 * ONES) == 0x30 * ONES
}

/// Whether eight bytes are printable ASCII, blank to tilde. With all high bits clear no sum carries between bytes.
const fn eight_printable(word: u64) -> bool {
    let high = 0x80 * ONES;
    word & high == 0 && (word + 0x60 * ONES) & high == high && (word + ONES) & high == 0
}

/// Runs a test over words of eight; the last word overlaps the one before, so that no byte is left over.
#[inline]
fn by_words(text: &[u8], word: impl Fn(u64) -> bool, byte: impl Fn(&u8) -> bool) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().all(byte);
    };
    let (words, _) = text.as_chunks::<8>();
    words.iter().all(|w| word(u64::from_le_bytes(*w))) && word(u64::from_le_bytes(*last))
}

/// Whether every byte is an ASCII digit.
#[inline]
pub(super) fn all_digits(text: &[u8]) -> bool {
    match (text.len(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (4..=7, Some(first), Some(last)) => four_digits(u32::from_le_bytes(*first)) && four_digits(u32::from_le_bytes(*last)),
        _ => by_words(text, eight_digits, u8::is_ascii_digit),
    }
}

#[inline]
fn all_members(text: &[u8], class: Class) -> bool {
    let wanted = membership(class);
    text.iter().fold(wanted, |seen, b| seen & MEMBER[usize::from(*b)]) != 0
}

/// Whether ASCII text belongs to a class. Class b takes any byte.
#[inline]
pub(super) fn belongs(class: Class, text: &[u8]) -> bool {
    match class {
        Class::N => all_digits(text),
        Class::Ans => by_words(text, eight_printable, |b| (0x20..=0x7e).contains(b)),
        Class::A | Class::An | Class::Z => all_members(text, class),
        Class::Xn => text.iter().enumerate().all(|(index, byte)| fits(class, index, *byte)),
        Class::B => true,
    }
}

/// Index of the first byte that keeps text out of its class; only asked after [`belongs`] said no.
#[cold]
pub(super) fn first_stranger(class: Class, text: impl Iterator<Item = u8>) -> u16 {
    let stranger = text.enumerate().position(|(index, byte)| !fits(class, index, byte));
    stranger.unwrap_or(0) as u16
}

/// Days of each month; February has 29, since the fields carry no year to say otherwise.
const MONTH_DAYS: [u8; 13] = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

fn pair(digits: &[u8], index: usize) -> Option<u8> {
    let tens = digits.get(index)?.wrapping_sub(b'0');
    let ones = digits.get(index + 1)?.wrapping_sub(b'0');
    (tens <= 9 && ones <= 9).then(|| tens * 10 + ones)
}

fn is_month(digits: &[u8], at: usize) -> bool {
    matches!(pair(digits, at), Some(1..=12))
}

fn is_month_day(digits: &[u8], at: usize) -> bool {
    let (Some(month), Some(day)) = (pair(digits, at), pair(digits, at + 2)) else { return false };
    day >= 1 && MONTH_DAYS.get(usize::from(month)).is_some_and(|days| day <= *days)
}

fn is_time(digits: &[u8], at: usize) -> bool {
    matches!((pair(digits, at), pair(digits, at + 2), pair(digits, at + 4)), (Some(0..=23), Some(0..=59), Some(0..=59)))
}

/// Whether digits, already known to be digits, name a moment that exists.
#[inline]
pub(super) fn exists(calendar: Calendar, digits: &[u8]) -> bool {
    match calendar {
        Calendar::None => true,
        Calendar::MonthDayTime => is_month_day(digits, 0) && is_time(digits, 4),
        Calendar::Time => is_time(digits, 0),
        Calendar::MonthDay => is_month_day(digits, 0),
        Calendar::YearMonth => is_month(digits, 2),
        Calendar::YearMonthDay => is_month_day(digits, 2),
    }
}
