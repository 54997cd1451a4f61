//! Characters and numbers to bytes of the wire and back, one small function per form. Knows nothing of messages.

use super::content::{belongs, belongs_in, copy_belonging, exists, first_stranger, fits};
use super::error::Reason;
use super::spec::{Calendar, Class, Encoding, Field, Pad, Prefix};

/// EBCDIC code page 037 of the printable ASCII characters, from blank (0x20) on.
const EBCDIC: [u8; 95] = [
    0x40, 0x5a, 0x7f, 0x7b, 0x5b, 0x6c, 0x50, 0x7d, 0x4d, 0x5d, 0x5c, 0x4e, 0x6b, 0x60, 0x4b, 0x61, //  !"#$%&'()*+,-./
    0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0x7a, 0x5e, 0x4c, 0x7e, 0x6e, 0x6f, // 0-9:;<=>?
    0x7c, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, // @A-O
    0xd7, 0xd8, 0xd9, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xba, 0xe0, 0xbb, 0xb0, 0x6d, // P-Z[\]^_
    0x79, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, // `a-o
    0x97, 0x98, 0x99, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xc0, 0x4f, 0xd0, 0xa1, // p-z{|}~
];

/// Printable ASCII of every EBCDIC byte; zero, which is in no class, where there is none.
static FROM_EBCDIC: [u8; 256] = from_ebcdic_table();

const fn from_ebcdic_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < EBCDIC.len() {
        table[EBCDIC[index] as usize] = 0x20 + index as u8;
        index += 1;
    }
    table
}

/// The EBCDIC byte of a printable ASCII character; other characters, which no class lets through, become 0.
pub(super) const fn to_ebcdic(ascii: u8) -> u8 {
    match ascii {
        0x20..=0x7e => EBCDIC[(ascii - 0x20) as usize],
        _ => 0,
    }
}

/// The ASCII character of an EBCDIC byte, 0 when it has none.
#[inline]
pub(super) fn from_ebcdic(byte: u8) -> u8 {
    FROM_EBCDIC[usize::from(byte)]
}

/// The value of an upper-case hex digit.
pub(super) const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The upper-case hex digit of the low nibble.
pub(super) const fn hex_digit(nibble: u8) -> u8 {
    match nibble & 0xf {
        value @ 0..=9 => b'0' + value,
        value => b'A' + value - 10,
    }
}

#[inline]
fn nibble(packed: &[u8], index: usize) -> u8 {
    let byte = packed.get(index / 2).copied().unwrap_or(0);
    if index.is_multiple_of(2) { byte >> 4 } else { byte & 0xf }
}

/// How many nibbles stand before the first digit.
#[inline]
const fn lead(encoding: Encoding, units: usize) -> usize {
    match encoding {
        Encoding::BcdPadLeft => units % 2,
        Encoding::Ascii | Encoding::Ebcdic | Encoding::BcdPadRight | Encoding::Raw | Encoding::AsciiHex => 0,
    }
}

/// The character (class b: the byte) at an index of a value, in ASCII. Bytes of content that was checked before.
#[inline]
pub(super) fn unit_at(encoding: Encoding, wire: &[u8], units: usize, index: usize) -> u8 {
    let byte = |at: usize| wire.get(at).copied().unwrap_or(0);
    match encoding {
        Encoding::Ascii | Encoding::Raw => byte(index),
        Encoding::Ebcdic => from_ebcdic(byte(index)),
        // In class z the digits and their neighbours `:;<=>?` are 0x30 to 0x3f: the nibble is the low half.
        Encoding::BcdPadLeft | Encoding::BcdPadRight => 0x30 | nibble(wire, index + lead(encoding, units)),
        Encoding::AsciiHex => {
            let half = |at| hex_value(byte(at)).unwrap_or(0);
            half(2 * index) << 4 | half(2 * index + 1)
        }
    }
}

/// Offset on the wire of the unit at an index, for error positions.
#[cold]
fn offset_of(encoding: Encoding, units: usize, index: usize) -> usize {
    match encoding {
        Encoding::Ascii | Encoding::Ebcdic | Encoding::Raw => index,
        Encoding::BcdPadLeft | Encoding::BcdPadRight => (index + lead(encoding, units)) / 2,
        Encoding::AsciiHex => index * 2,
    }
}

/// The wire bytes without filler, and the value's length in units.
#[inline]
pub(super) fn unpadded<'a>(field: &Field, wire: &'a [u8], units: usize) -> (&'a [u8], usize) {
    let on_wire = |fill| if field.encoding == Encoding::Ebcdic { to_ebcdic(fill) } else { fill };
    let value = match field.pad {
        Pad::None => return (wire, units),
        Pad::Left(fill) => {
            let first = wire.iter().position(|b| *b != on_wire(fill)).unwrap_or(wire.len());
            wire.get(first..).unwrap_or_default()
        }
        Pad::Right(fill) => {
            let end = wire.iter().rposition(|b| *b != on_wire(fill)).map_or(0, |last| last + 1);
            wire.get(..end).unwrap_or_default()
        }
    };
    (value, value.len())
}

/// Checks the content that starts in a frame at `start` against its row. A fault comes with its offset in the content.
#[inline]
pub(super) fn check(field: &Field, frame: &[u8], start: usize, units: usize) -> Result<(), (usize, Reason)> {
    if field.bounds.plain
        && belongs_in(field.class, frame, start, units)
        && (field.calendar == Calendar::None || exists(field.calendar, frame.get(start..).unwrap_or_default()))
    {
        return Ok(());
    }
    let end = start + field.encoding.width(units);
    check_slowly(field, frame.get(start..end).unwrap_or_default(), units)
}

#[inline(never)]
fn check_slowly(field: &Field, wire: &[u8], units: usize) -> Result<(), (usize, Reason)> {
    let (value, units) = unpadded(field, wire, units);
    let sound = match field.encoding {
        Encoding::Ascii => belongs(field.class, value),
        Encoding::Ebcdic => ebcdic_belongs(field.class, value),
        Encoding::BcdPadLeft | Encoding::BcdPadRight => bcd_is_sound(field, value, units),
        Encoding::Raw => true,
        Encoding::AsciiHex => value.iter().all(|b| hex_value(*b).is_some()),
    };
    if !sound {
        let skipped = if matches!(field.pad, Pad::Left(_)) { wire.len() - value.len() } else { 0 };
        let (at, reason) = explain(field, value, units);
        return Err((skipped + at, reason));
    }
    check_moment(field, value, units)
}

#[inline]
fn check_moment(field: &Field, wire: &[u8], units: usize) -> Result<(), (usize, Reason)> {
    if field.calendar == Calendar::None || moment_exists(field, wire, units) {
        Ok(())
    } else {
        Err((0, Reason::NoSuchMoment(field.calendar)))
    }
}

/// Longer than any x+n, the one class that asks about a first character.
const EBCDIC_PART_BYTES: usize = 64;

fn ebcdic_belongs(class: Class, value: &[u8]) -> bool {
    let mut ascii = [0; EBCDIC_PART_BYTES];
    value.chunks(EBCDIC_PART_BYTES).all(|part| {
        ascii.iter_mut().zip(part).for_each(|(to, from)| *to = from_ebcdic(*from));
        belongs(class, ascii.get(..part.len()).unwrap_or_default())
    })
}

fn bcd_is_sound(field: &Field, packed: &[u8], units: usize) -> bool {
    let digits = |byte: &u8| byte & 0xf <= 9 && byte >> 4 <= 9;
    (field.class == Class::Z || packed.iter().all(digits)) && pad_is_zero(field.encoding, packed, units)
}

fn pad_is_zero(encoding: Encoding, packed: &[u8], units: usize) -> bool {
    let pad = if encoding == Encoding::BcdPadLeft { 0 } else { units };
    units.is_multiple_of(2) || nibble(packed, pad) == 0
}

fn moment_exists(field: &Field, wire: &[u8], units: usize) -> bool {
    if field.encoding == Encoding::Ascii {
        return exists(field.calendar, wire);
    }
    let mut digits = [0; 10];
    for (index, digit) in digits.iter_mut().enumerate().take(units) {
        *digit = unit_at(field.encoding, wire, units, index);
    }
    exists(field.calendar, &digits)
}

#[cold]
fn explain(field: &Field, wire: &[u8], units: usize) -> (usize, Reason) {
    if field.encoding == Encoding::AsciiHex {
        let at = wire.iter().position(|b| hex_value(*b).is_none()).unwrap_or(0);
        return (at, Reason::NotInClass { class: Class::B, index: (at / 2) as u16 });
    }
    let text = (0..units).map(|index| unit_at(field.encoding, wire, units, index));
    if matches!(field.encoding, Encoding::BcdPadLeft | Encoding::BcdPadRight)
        && text.clone().enumerate().all(|(index, byte)| fits(field.class, index, byte))
    {
        let at = if field.encoding == Encoding::BcdPadLeft { 0 } else { wire.len().saturating_sub(1) };
        return (at, Reason::PadNotZero);
    }
    let index = first_stranger(field.class, text);
    (offset_of(field.encoding, units, usize::from(index)), Reason::NotInClass { class: field.class, index })
}

/// The number that a length prefix says; `None` when it is no number.
#[inline]
pub(super) fn read_prefix(prefix: Prefix, wire: &[u8]) -> Option<usize> {
    match (prefix, wire) {
        (Prefix::Ascii, &[tens, ones]) => decimal(&[tens ^ 0x30, ones ^ 0x30]),
        (Prefix::Ascii, &[hundreds, tens, ones]) => decimal(&[hundreds ^ 0x30, tens ^ 0x30, ones ^ 0x30]),
        (Prefix::Ebcdic, &[tens, ones]) => decimal(&[tens ^ 0xf0, ones ^ 0xf0]),
        (Prefix::Ebcdic, &[hundreds, tens, ones]) => decimal(&[hundreds ^ 0xf0, tens ^ 0xf0, ones ^ 0xf0]),
        (Prefix::Bcd, &[byte]) => decimal(&[byte >> 4, byte & 0xf]),
        (Prefix::Bcd, &[high, low]) => decimal(&[high >> 4, high & 0xf, low >> 4, low & 0xf]),
        (Prefix::Binary, bytes) => Some(bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))),
        (Prefix::Ascii | Prefix::Ebcdic | Prefix::Bcd, _) => None,
    }
}

#[inline]
fn decimal(digits: &[u8]) -> Option<usize> {
    let number = digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(*digit));
    digits.iter().all(|digit| *digit <= 9).then_some(number)
}

/// Puts a length into the bytes of its prefix; `out` has the prefix's width.
#[inline]
pub(super) fn write_prefix(prefix: Prefix, length: usize, out: &mut [u8]) {
    let [hundreds, tens, ones] = [(length / 100) as u8, (length / 10 % 10) as u8, (length % 10) as u8];
    let bytes = match prefix {
        Prefix::Ascii => [0x30 | hundreds, 0x30 | tens, 0x30 | ones],
        Prefix::Ebcdic => [0xf0 | hundreds, 0xf0 | tens, 0xf0 | ones],
        Prefix::Bcd => [0, hundreds, tens << 4 | ones],
        Prefix::Binary => [0, (length >> 8) as u8, length as u8],
    };
    match (out, bytes) {
        ([a, b], [_, tens, ones]) => (*a, *b) = (tens, ones),
        ([a, b, c], bytes) => (*a, *b, *c) = bytes.into(),
        ([a], [_, _, ones]) => *a = ones,
        _ => {}
    }
}

/// Puts a value of allowed length into the bytes of its field, filler included, and says whether it belongs to the field's
/// class and names a moment that exists. `out` is exactly as wide as the field's content, and scratch when the answer is no.
#[inline]
pub(super) fn write_value(field: &Field, value: &[u8], out: &mut [u8]) -> bool {
    if field.bounds.plain && value.len() == out.len() {
        return copy_plain(field, value, out);
    }
    write_slowly(field, value, out)
}

/// The same for a plain field whose value needs no filler.
#[inline]
pub(super) fn copy_plain(field: &Field, value: &[u8], out: &mut [u8]) -> bool {
    copy_belonging(field.class, value, out) && (field.calendar == Calendar::None || exists(field.calendar, value))
}

#[inline(never)]
fn write_slowly(field: &Field, value: &[u8], out: &mut [u8]) -> bool {
    let spare = match field.pad {
        Pad::None => 0,
        Pad::Left(_) | Pad::Right(_) => out.len() - value.len(),
    };
    let content = match field.pad {
        Pad::None => out,
        Pad::Left(fill) => {
            let (filler, content) = out.split_at_mut(spare);
            filler.fill(fill_byte(field.encoding, fill));
            content
        }
        Pad::Right(fill) => {
            let (content, filler) = out.split_at_mut(value.len());
            filler.fill(fill_byte(field.encoding, fill));
            content
        }
    };
    write_units(field.encoding, value, content);
    is_sound(field, value)
}

/// Whether a value in ASCII (class b: in bytes) belongs to its field's class and names a moment that exists.
pub(super) fn is_sound(field: &Field, value: &[u8]) -> bool {
    belongs(field.class, value) && exists(field.calendar, value)
}

const fn fill_byte(encoding: Encoding, fill: u8) -> u8 {
    match encoding {
        Encoding::Ebcdic => to_ebcdic(fill),
        Encoding::Ascii | Encoding::BcdPadLeft | Encoding::BcdPadRight | Encoding::Raw | Encoding::AsciiHex => fill,
    }
}

#[inline]
fn write_units(encoding: Encoding, value: &[u8], out: &mut [u8]) {
    match encoding {
        Encoding::Ascii | Encoding::Raw => out.copy_from_slice(value),
        Encoding::Ebcdic => out.iter_mut().zip(value).for_each(|(to, from)| *to = to_ebcdic(*from)),
        Encoding::BcdPadLeft | Encoding::BcdPadRight => pack(lead(encoding, value.len()), value, out),
        Encoding::AsciiHex => {
            for (pair, byte) in out.chunks_exact_mut(2).zip(value) {
                pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(*byte)]);
            }
        }
    }
}

fn pack(lead: usize, digits: &[u8], out: &mut [u8]) {
    out.fill(0);
    for (index, digit) in digits.iter().enumerate() {
        let at = index + lead;
        let shift = if at.is_multiple_of(2) { 4 } else { 0 };
        if let Some(byte) = out.get_mut(at / 2) {
            *byte |= (digit & 0xf) << shift;
        }
    }
}
