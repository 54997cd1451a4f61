//! Which characters a field may hold: the content classes of ISO 8583, checked eight bytes at a time where that is
//! possible, and the calendar rules of the date fields. Works on ASCII; other encodings are brought here first.

use super::spec::{Calendar, Class};

/// Whether the four bytes of a word are ASCII digits. The sum cannot carry between bytes once the high nibbles are 3.
pub(super) const fn four_digits(word: u32) -> bool {
    word & 0xf0f0_f0f0 == 0x3030_3030 && (word + 0x0606_0606) & 0xf0f0_f0f0 == 0x3030_3030
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * ONES;

/// A test over eight characters at once: the high bit of every one that is no member of a class. Characters are added to
/// without their high bits, so that no sum carries into the next one.
type Strangers = fn(u64) -> u64;

/// Digits are those that exclusive-or with `0` leaves at nine or below.
const fn not_digits(word: u64) -> u64 {
    let value = word ^ (0x30 * ONES);
    (value | ((value & !HIGH) + 0x76 * ONES)) & HIGH
}

const fn not_printable(word: u64) -> u64 {
    let ascii = word & !HIGH;
    (word | (ascii + ONES) | !((ascii & (0x60 * ONES)) + 0x60 * ONES)) & HIGH
}

/// Setting bit 5 makes capitals small; it moves nothing else among the letters.
const fn not_letters(word: u64) -> u64 {
    let small = (word & !HIGH) | (0x20 * ONES);
    (word | !(small + 0x1f * ONES) | (small + 0x05 * ONES)) & HIGH
}

const fn not_alphanumeric(word: u64) -> u64 {
    not_digits(word) & not_letters(word)
}

const fn not_of_track(word: u64) -> u64 {
    let column = (word ^ (0x30 * ONES)) & (0xf0 * ONES);
    (column | ((column & !HIGH) + 0x70 * ONES)) & HIGH
}

/// Whether a text has members only. Words overlap where its length is no multiple of eight: bytes may be seen twice, but no
/// byte outside the text is.
#[inline]
fn all(text: &[u8], strangers: impl Fn(u64) -> u64) -> bool {
    if let Some(last) = text.last_chunk::<8>() {
        let (words, _) = text.as_chunks::<8>();
        let seen = |found, word: &[u8; 8]| found | strangers(u64::from_le_bytes(*word));
        return words.iter().fold(seen(0, last), seen) == 0;
    }
    strangers(short_word(text)) & mask(text.len()) == 0
}

/// A text of fewer than eight bytes as a word: every byte of it is among the first [`mask`] bytes.
#[inline]
fn short_word(text: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let overlap = 8 * (8 - text.len() as u32);
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32 >> overlap;
    }
    match *text {
        [a, b, c] => u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]),
        [a, b] => u64::from_le_bytes([a, b, 0, 0, 0, 0, 0, 0]),
        [a] => u64::from(a),
        _ => 0,
    }
}

/// The bits of a word's first `length` bytes, of eight at most.
#[inline]
const fn mask(length: usize) -> u64 {
    match u64::MAX.checked_shr(64 - 8 * length as u32) {
        Some(bits) => bits,
        None => 0,
    }
}

/// The test of a class; b takes any byte. For x+n it is that of the digits.
const fn strangers(class: Class) -> Strangers {
    match class {
        Class::N | Class::Xn => not_digits,
        Class::A => not_letters,
        Class::An => not_alphanumeric,
        Class::Ans => not_printable,
        Class::Z => not_of_track,
        Class::B => |_| 0,
    }
}

/// Whether the ASCII byte at an index of a value belongs there.
#[inline]
pub(super) fn fits(class: Class, index: usize, byte: u8) -> bool {
    match (class, index) {
        (Class::Xn, 0) => matches!(byte, b'C' | b'D'),
        _ => strangers(class)(u64::from(byte)) & 0x80 == 0,
    }
}

/// Whether ASCII text belongs to a class. Class b takes any byte. Kept out of the callers, so that the short ways through
/// them stay in registers.
#[inline(never)]
pub(super) fn belongs(class: Class, text: &[u8]) -> bool {
    match class {
        Class::N => all(text, not_digits),
        Class::A => all(text, not_letters),
        Class::An => all(text, not_alphanumeric),
        Class::Ans => all(text, not_printable),
        Class::Z => all(text, not_of_track),
        Class::Xn => matches!(text, [b'C' | b'D', digits @ ..] if all(digits, not_digits)),
        Class::B => true,
    }
}

/// The same for `length` bytes from `start` of a frame, which has them. Texts of the usual length are tested in one or two
/// steps, where eight bytes can be loaded.
#[inline]
pub(super) fn belongs_in(class: Class, frame: &[u8], start: usize, length: usize) -> bool {
    let word = |at: usize| frame.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| u64::from_le_bytes(*bytes));
    if length <= 8 {
        if let Some(only) = word(start) {
            return strangers_of(class, only, only) & mask(length) == 0;
        }
    } else if length <= 16
        && let (Some(first), Some(last)) = (word(start), word(start + length - 8))
    {
        return strangers_of(class, first, last) == 0;
    }
    frame.get(start..start + length).is_some_and(|text| belongs(class, text))
}

/// Strangers to a class in two words, in either. Digits, which most fields are, are asked first and without a table jump.
#[inline(always)]
fn strangers_of(class: Class, first: u64, last: u64) -> u64 {
    if class == Class::N {
        return not_digits(first) | not_digits(last);
    }
    rarer_strangers(class, first, last)
}

#[inline(never)]
fn rarer_strangers(class: Class, first: u64, last: u64) -> u64 {
    match class {
        Class::N | Class::Xn => not_digits(first) | not_digits(last),
        Class::Ans => not_printable(first) | not_printable(last),
        Class::An => not_alphanumeric(first) | not_alphanumeric(last),
        Class::A => not_letters(first) | not_letters(last),
        Class::Z => not_of_track(first) | not_of_track(last),
        Class::B => 0,
    }
}

/// Copies text of a class, and says whether it belongs there; `to` is scratch when it does not. Both slices have the same
/// length. Texts of the usual length go through registers: a call of `memcpy` and a second look at the bytes would take longer
/// than the rest of the field. Not for x+n, whose first character is not of the class.
#[inline(always)]
pub(super) fn copy_belonging(class: Class, text: &[u8], to: &mut [u8]) -> bool {
    if let (8..=16, Some(first), Some(last)) = (text.len(), text.first_chunk::<8>(), text.last_chunk::<8>()) {
        put_ends(first, last, to);
        return strangers_of(class, u64::from_le_bytes(*first), u64::from_le_bytes(*last)) == 0;
    }
    if let (4..=7, Some(first), Some(last)) = (text.len(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
        put_ends(first, last, to);
        let word = u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
        return strangers_of(class, word, word) == 0;
    }
    if let ([a, b, c], [x, y, z]) = (text, &mut *to) {
        (*x, *y, *z) = (*a, *b, *c);
        let word = u64::from_le_bytes([*a, *b, *c, *a, *b, *c, *a, *b]);
        return strangers_of(class, word, word) == 0;
    }
    copy_rarer(class, text, to)
}

#[inline(never)]
fn copy_rarer(class: Class, text: &[u8], to: &mut [u8]) -> bool {
    to.copy_from_slice(text);
    belongs(class, text)
}

#[inline]
fn put_ends<const N: usize>(first: &[u8; N], last: &[u8; N], to: &mut [u8]) {
    if let Some(place) = to.first_chunk_mut::<N>() {
        *place = *first;
    }
    if let Some(place) = to.last_chunk_mut::<N>() {
        *place = *last;
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

const fn pair(tens: u8, ones: u8) -> u8 {
    (tens & 0xf) * 10 + (ones & 0xf)
}

fn is_month(tens: u8, ones: u8) -> bool {
    matches!(pair(tens, ones), 1..=12)
}

fn is_month_day([a, b, c, d]: [u8; 4]) -> bool {
    let day = pair(c, d);
    day >= 1 && MONTH_DAYS.get(usize::from(pair(a, b))).is_some_and(|days| day <= *days)
}

fn is_time([a, b, c, d, e, f]: [u8; 6]) -> bool {
    pair(a, b) <= 23 && pair(c, d) <= 59 && pair(e, f) <= 59
}

/// Whether digits, already known to be digits, name a moment that exists.
#[inline]
pub(super) fn exists(calendar: Calendar, digits: &[u8]) -> bool {
    match (calendar, digits) {
        (Calendar::None, _) => true,
        (Calendar::MonthDayTime, &[a, b, c, d, ref time @ ..]) => {
            is_month_day([a, b, c, d]) && time.first_chunk().is_some_and(|time| is_time(*time))
        }
        (Calendar::Time, time) => time.first_chunk().is_some_and(|time| is_time(*time)),
        (Calendar::MonthDay, &[a, b, c, d, ..]) => is_month_day([a, b, c, d]),
        (Calendar::YearMonth, &[_, _, c, d, ..]) => is_month(c, d),
        (Calendar::YearMonthDay, &[_, _, c, d, e, f, ..]) => is_month_day([c, d, e, f]),
        (Calendar::MonthDayTime | Calendar::MonthDay | Calendar::YearMonth | Calendar::YearMonthDay, _) => false,
    }
}
