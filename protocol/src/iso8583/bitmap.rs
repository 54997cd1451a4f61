//! The bitmaps: which fields a message has, and how the 64 or 128 bits are put into bytes.

use super::spec::{BitmapForm, FIELD_MAX};
use super::wire::{from_ebcdic, hex_digit, hex_value, to_ebcdic};

/// Set of field numbers 1 to 128; field 1 stands for the bit that announces the secondary bitmap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bitmap {
    halves: [u64; 2],
}

const FIRST: u64 = 1 << 63;

impl Bitmap {
    pub(super) const fn new(primary: u64, secondary: u64) -> Bitmap {
        Bitmap { halves: [primary, secondary] }
    }

    pub(super) const fn announces_secondary(primary: u64) -> bool {
        primary & FIRST != 0
    }

    /// Bytes of one bitmap on the wire.
    pub(super) const fn width(form: BitmapForm) -> usize {
        match form {
            BitmapForm::Binary => 8,
            BitmapForm::AsciiHex | BitmapForm::EbcdicHex => 16,
        }
    }

    #[inline]
    pub(super) const fn has(&self, number: u8) -> bool {
        if number < 2 || number > FIELD_MAX {
            return false;
        }
        let index = number - 1;
        self.halves[(index / 64) as usize] & FIRST >> (index % 64) != 0
    }

    /// Adds a field; numbers outside 1 to 128 are no fields and change nothing.
    #[inline]
    pub(super) const fn add(&mut self, number: u8) {
        match number {
            1..=64 => self.halves[0] |= FIRST >> (number - 1),
            65..=FIELD_MAX => self.halves[1] |= FIRST >> (number - 65),
            _ => {}
        }
    }

    pub(super) const fn primary(&self) -> u64 {
        self.halves[0]
    }

    pub(super) const fn secondary(&self) -> u64 {
        self.halves[1]
    }

    /// Field numbers in ascending order, without 1.
    #[inline]
    pub(super) fn fields(self) -> Fields {
        Fields { bits: self.halves[0] & !FIRST, next: self.halves[1], base: 1 }
    }
}

/// Iterator over the fields of a bitmap.
pub(super) struct Fields {
    bits: u64,
    next: u64,
    base: u8,
}

impl Iterator for Fields {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        if self.bits == 0 {
            self.bits = std::mem::take(&mut self.next);
            self.base = 65;
            if self.bits == 0 {
                return None;
            }
        }
        let index = self.bits.leading_zeros();
        self.bits &= !(FIRST >> index);
        Some(self.base + index as u8)
    }
}

/// Reads one bitmap of [`Bitmap::width`] bytes; `Err` is the index of the byte that is no hex digit.
#[inline]
pub(super) fn read_bitmap(form: BitmapForm, wire: &[u8]) -> Result<u64, usize> {
    let hex = |bits: u64, (index, digit): (usize, u8)| match hex_value(digit) {
        Some(value) => Ok(bits << 4 | u64::from(value)),
        None => Err(index),
    };
    match form {
        BitmapForm::Binary => Ok(wire.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))),
        BitmapForm::AsciiHex => wire.iter().copied().enumerate().try_fold(0, hex),
        BitmapForm::EbcdicHex => wire.iter().map(|b| from_ebcdic(*b)).enumerate().try_fold(0, hex),
    }
}

/// Writes one bitmap into [`Bitmap::width`] bytes.
#[inline]
pub(super) fn write_bitmap(form: BitmapForm, bits: u64, out: &mut [u8]) {
    let digit = |index: usize| hex_digit((bits >> (60 - 4 * index)) as u8);
    match form {
        BitmapForm::Binary => out.copy_from_slice(&bits.to_be_bytes()),
        BitmapForm::AsciiHex => out.iter_mut().enumerate().for_each(|(index, to)| *to = digit(index)),
        BitmapForm::EbcdicHex => out.iter_mut().enumerate().for_each(|(index, to)| *to = to_ebcdic(digit(index))),
    }
}
