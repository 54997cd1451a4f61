//! Reading: a frame becomes a [`Message`], a view with the place of every field in it. Nothing is copied, nothing allocated,
//! and every byte is checked before the caller sees a value.

use super::bitmap::{Bitmap, read_bitmap};
use super::error::{ParseError, Part, Reason};
use super::mti::Mti;
use super::spec::{Class, Encoding, FIELD_MAX, Field, MtiForm, Secondary, Spec};
use super::wire;

/// A parsed message, borrowing its frame.
#[derive(Clone)]
pub struct Message<'a> {
    spec: &'static Spec,
    frame: &'a [u8],
    mti: Mti,
    present: Bitmap,
    /// Where each field's content starts in the frame, after its length prefix.
    starts: [u16; FIELD_MAX as usize + 1],
}

/// One field of a message: its row of the table and its bytes. Printing it shows what a log may show.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    number: u8,
    field: &'static Field,
    wire: &'a [u8],
    units: usize,
}

/// Which way an `x+n` amount goes, seen from the receiver of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `C`.
    Credit,
    /// `D`.
    Debit,
}

impl<'a> Message<'a> {
    /// Reads a whole frame, without its length header. Every field is checked against the table, in length, class,
    /// padding and calendar; unknown fields and trailing bytes are refused. Never panics.
    #[inline]
    pub fn parse(spec: &'static Spec, frame: &'a [u8]) -> Result<Message<'a>, ParseError> {
        if frame.len() > usize::from(u16::MAX) {
            return Err(fault(Part::Mti, 0, Reason::TooLong { max: u16::MAX }));
        }
        let (mti, at) = read_mti(spec.mti_form(), frame)?;
        let (present, at) = read_bitmaps(spec, frame, at)?;
        // Filled in where it will stay: moving the table of starts right after it was written costs as much as five fields.
        let mut parsed = Ok(Message { spec, frame, mti, present, starts: [0; FIELD_MAX as usize + 1] });
        if let Ok(message) = &mut parsed
            && let Err(error) = message.read_fields(at)
        {
            parsed = Err(error);
        }
        parsed
    }

    fn read_fields(&mut self, first: usize) -> Result<(), ParseError> {
        let mut at = first;
        for number in self.present.fields() {
            let (start, end) = read_field(self.spec, self.frame, number, at)?;
            if let Some(place) = self.starts.get_mut(usize::from(number)) {
                *place = start as u16;
            }
            at = end;
        }
        match self.frame.len() - at {
            0 => Ok(()),
            bytes => Err(fault(Part::End, at, Reason::Trailing { bytes: bytes as u16 })),
        }
    }

    /// The message type.
    pub fn mti(&self) -> Mti {
        self.mti
    }

    /// The dialect.
    pub fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// The whole frame, as it was given.
    pub fn frame(&self) -> &'a [u8] {
        self.frame
    }

    /// Whether a field is present.
    #[inline]
    pub fn has(&self, number: u8) -> bool {
        self.present.has(number)
    }

    /// Whether any field above 64 is present.
    pub(super) fn has_secondary(&self) -> bool {
        self.present.secondary() != 0
    }

    /// A field, when it is present.
    #[inline]
    pub fn field(&self, number: u8) -> Option<Value<'a>> {
        if !self.has(number) {
            return None;
        }
        let field = self.spec.field(number)?;
        let start = usize::from(*self.starts.get(usize::from(number))?);
        let units = match usize::from(field.bounds.prefix_width) {
            0 => usize::from(field.bounds.max),
            width => wire::read_prefix(field.prefix, self.frame.get(start - width..start)?)?,
        };
        let wire = self.frame.get(start..start + field.encoding.width(units))?;
        Some(Value { number, field, wire, units })
    }

    /// Text of a field written in ASCII, without filler. `None` when absent or written otherwise.
    #[inline]
    pub fn text(&self, number: u8) -> Option<&'a str> {
        self.field(number)?.text()
    }

    /// Value of a field of class n. `None` when absent, of another class, or above 2⁶⁴−1.
    #[inline]
    pub fn number(&self, number: u8) -> Option<u64> {
        self.field(number)?.number()
    }

    /// Bytes of a field of class b that is written raw. `None` when absent or written otherwise.
    #[inline]
    pub fn bytes(&self, number: u8) -> Option<&'a [u8]> {
        self.field(number)?.bytes()
    }

    /// The fields that are present, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        self.present.fields().filter_map(|number| self.field(number))
    }
}

impl<'a> Value<'a> {
    /// Number of the field.
    pub fn field_number(&self) -> u8 {
        self.number
    }

    /// The field's row of the table.
    pub fn field(&self) -> &'static Field {
        self.field
    }

    /// The content's bytes on the wire, with filler, without length prefix.
    pub fn wire(&self) -> &'a [u8] {
        self.wire
    }

    #[inline]
    fn unpadded(&self) -> (&'a [u8], usize) {
        wire::unpadded(self.field, self.wire, self.units)
    }

    /// Length without filler, in characters or, for class b, in bytes.
    pub fn len(&self) -> usize {
        self.unpadded().1
    }

    /// Whether nothing but filler is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Text written in ASCII, without filler; `None` for every other encoding (see [`Value::decode_into`]).
    #[inline]
    pub fn text(&self) -> Option<&'a str> {
        match self.field.encoding {
            Encoding::Ascii => std::str::from_utf8(self.unpadded().0).ok(),
            Encoding::Ebcdic | Encoding::BcdPadLeft | Encoding::BcdPadRight | Encoding::Raw | Encoding::AsciiHex => None,
        }
    }

    /// Bytes written raw; `None` for every other encoding (see [`Value::decode_into`]).
    #[inline]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        (self.field.encoding == Encoding::Raw).then_some(self.wire)
    }

    /// The value's characters in ASCII (class b: its bytes) in ascending order, without filler, whatever the encoding.
    #[inline]
    pub fn units(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let (value, units) = self.unpadded();
        let encoding = self.field.encoding;
        (0..units).map(move |index| wire::unit_at(encoding, value, units, index))
    }

    /// Puts the value, as [`Value::units`] gives it, into `out`, and returns the part that was filled; `None` when `out`
    /// is too small ([`VALUE_MAX_BYTES`](super::VALUE_MAX_BYTES) always suffices).
    pub fn decode_into<'o>(&self, out: &'o mut [u8]) -> Option<&'o [u8]> {
        let room = out.get_mut(..self.len())?;
        room.iter_mut().zip(self.units()).for_each(|(to, from)| *to = from);
        Some(room)
    }

    /// Value of class n, in any encoding; `None` for other classes and above 2⁶⁴−1. An empty value is 0.
    #[inline]
    pub fn number(&self) -> Option<u64> {
        match self.field.class {
            Class::N => decimal(self.units()),
            Class::A | Class::An | Class::Ans | Class::Z | Class::Xn | Class::B => None,
        }
    }

    /// Value of class x+n; `None` for other classes.
    pub fn signed(&self) -> Option<(Sign, u64)> {
        if self.field.class != Class::Xn {
            return None;
        }
        let mut units = self.units();
        let sign = if units.next()? == b'C' { Sign::Credit } else { Sign::Debit };
        Some((sign, decimal(units)?))
    }
}

#[inline]
fn decimal(mut digits: impl Iterator<Item = u8>) -> Option<u64> {
    digits.try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0'))))
}

#[cold]
fn fault(part: Part, position: usize, reason: Reason) -> ParseError {
    ParseError { part, position: position as u16, reason }
}

/// The next `length` bytes, or what is missing of them.
#[inline]
fn take(frame: &[u8], part: Part, at: usize, length: usize) -> Result<&[u8], ParseError> {
    frame.get(at..at + length).ok_or_else(|| truncated(frame, part, at, length))
}

#[cold]
fn truncated(frame: &[u8], part: Part, at: usize, length: usize) -> ParseError {
    let left = frame.len().saturating_sub(at) as u16;
    fault(part, at, Reason::Truncated { needed: length as u16, left })
}

#[inline]
fn read_mti(form: MtiForm, frame: &[u8]) -> Result<(Mti, usize), ParseError> {
    let width = match form {
        MtiForm::Ascii | MtiForm::Ebcdic => 4,
        MtiForm::Bcd => 2,
    };
    let mti = match (form, take(frame, Part::Mti, 0, width)?) {
        (MtiForm::Ascii, &[a, b, c, d]) => Mti::from_ascii([a, b, c, d]),
        (MtiForm::Ebcdic, &[a, b, c, d]) => Mti::from_ascii([a, b, c, d].map(wire::from_ebcdic)),
        (MtiForm::Bcd, &[high, low]) => Mti::from_bcd([high, low]),
        (MtiForm::Ascii | MtiForm::Ebcdic | MtiForm::Bcd, _) => None,
    };
    Ok((mti.ok_or_else(|| fault(Part::Mti, 0, Reason::MtiNotDigits))?, width))
}

#[inline]
fn read_bitmaps(spec: &Spec, frame: &[u8], at: usize) -> Result<(Bitmap, usize), ParseError> {
    let width = Bitmap::width(spec.bitmap_form());
    let half = |at| {
        let wire = take(frame, Part::Bitmap, at, width)?;
        read_bitmap(spec.bitmap_form(), wire).map_err(|index| fault(Part::Bitmap, at + index, Reason::BitmapNotHex))
    };
    let primary = half(at)?;
    if !Bitmap::announces_secondary(primary) {
        return match spec.secondary() {
            Secondary::WhenNeeded | Secondary::MayBeEmpty => Ok((Bitmap::new(primary, 0), at + width)),
            Secondary::Always => Err(fault(Part::Bitmap, at, Reason::SecondaryMissing)),
        };
    }
    match (half(at + width)?, spec.secondary()) {
        (0, Secondary::WhenNeeded) => Err(fault(Part::Bitmap, at + width, Reason::SecondaryEmpty)),
        (secondary, _) => Ok((Bitmap::new(primary, secondary), at + 2 * width)),
    }
}

/// Where a field's content starts and ends, once it is checked.
#[inline]
fn read_field(spec: &'static Spec, frame: &[u8], number: u8, at: usize) -> Result<(usize, usize), ParseError> {
    let part = Part::Field(number);
    let field = spec.field(number).ok_or_else(|| fault(part, at, Reason::NotInTable))?;
    let (units, start) = match usize::from(field.bounds.prefix_width) {
        0 => (usize::from(field.bounds.max), at),
        width => read_length(field, frame, part, at, width)?,
    };
    let width = if field.bounds.plain { units } else { field.encoding.width(units) };
    if frame.len() - start < width {
        return Err(truncated(frame, part, start, width));
    }
    wire::check(field, frame, start, units).map_err(|(offset, reason)| fault(part, start + offset, reason))?;
    Ok((start, start + width))
}

/// Length of a variable field's value, and where its content starts.
#[inline]
fn read_length(field: &Field, frame: &[u8], part: Part, at: usize, width: usize) -> Result<(usize, usize), ParseError> {
    let prefix = take(frame, part, at, width)?;
    let units = wire::read_prefix(field.prefix, prefix).ok_or_else(|| fault(part, at, Reason::PrefixNotDigits))?;
    let (min, max) = (field.bounds.min, field.bounds.max);
    if units < usize::from(min) || units > usize::from(max) {
        return Err(fault(part, at, Reason::Length { given: units as u16, min, max }));
    }
    Ok((units, at + width))
}
