//! Writing: fields go into the caller's buffer in ascending order, each checked against the table before its first byte;
//! the bitmaps are put in at the end.

use std::fmt;

use super::VALUE_MAX_BYTES;
use super::bitmap::{Bitmap, write_bitmap};
use super::content::{belongs, first_stranger};
use super::error::{EncodeError, Part, Reason};
use super::mac::{MAC_BYTES, MacKey};
use super::mti::Mti;
use super::parse::{Message, Sign, Value};
use super::spec::{Class, Encoding, Field, Length, MtiForm, Secondary, Spec};
use super::wire;

/// Where an [`Encoder`] writes to: a growing `Vec<u8>`, or a [`FixedBuffer`].
///
/// While a message is being written, bytes after the encoder's own position are scratch; [`Output::cut`] drops them.
pub trait Output {
    /// Bytes that belong to the caller, when no message is being written.
    fn written(&self) -> usize;
    /// All bytes that may be written to, at least `end` of them; `None` when there is no such room.
    fn reach(&mut self, end: usize) -> Option<&mut [u8]>;
    /// Keeps the first `length` bytes, at most as many as were reached.
    fn cut(&mut self, length: usize);
}

/// How much a `Vec` is opened up at once: most messages fit, and clearing it costs little.
const VEC_STEP_BYTES: usize = 384;

impl Output for Vec<u8> {
    fn written(&self) -> usize {
        self.len()
    }

    #[inline]
    fn reach(&mut self, end: usize) -> Option<&mut [u8]> {
        if self.len() < end {
            open_up(self, end);
        }
        Some(self)
    }

    #[inline]
    fn cut(&mut self, length: usize) {
        self.truncate(length);
    }
}

#[cold]
fn open_up(bytes: &mut Vec<u8>, end: usize) {
    let step = end.max(bytes.len() + VEC_STEP_BYTES);
    // Not past the capacity the caller has reserved, as long as that suffices: a right-sized buffer is never reallocated.
    bytes.resize(step.min(bytes.capacity()).max(end), 0);
}

/// A borrowed slice that is filled from its start and refuses what does not fit.
pub struct FixedBuffer<'b> {
    bytes: &'b mut [u8],
    written: usize,
}

impl<'b> FixedBuffer<'b> {
    /// An empty buffer over these bytes.
    pub fn new(bytes: &'b mut [u8]) -> FixedBuffer<'b> {
        FixedBuffer { bytes, written: 0 }
    }

    /// What has been written.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.written).unwrap_or_default()
    }
}

impl Output for FixedBuffer<'_> {
    fn written(&self) -> usize {
        self.written
    }

    #[inline]
    fn reach(&mut self, end: usize) -> Option<&mut [u8]> {
        (end <= self.bytes.len()).then_some(&mut *self.bytes)
    }

    #[inline]
    fn cut(&mut self, length: usize) {
        self.written = length;
    }
}

/// A message being written. It is appended to what the buffer holds; dropped before [`Encoder::finish`], it leaves the
/// buffer as it was.
pub struct Encoder<'b, O: Output = Vec<u8>> {
    spec: &'static Spec,
    out: &'b mut O,
    /// Where the message starts in the buffer.
    base: usize,
    /// Where the next byte goes in the buffer.
    at: usize,
    /// Where the primary bitmap starts in the buffer.
    bitmap_at: usize,
    present: Bitmap,
    last: u8,
    /// Whether room for the secondary bitmap has been made.
    secondary: bool,
    finished: bool,
}

impl<'b, O: Output> Encoder<'b, O> {
    /// Starts a message at the end of the buffer.
    pub fn begin(spec: &'static Spec, mti: Mti, out: &'b mut O) -> Result<Encoder<'b, O>, EncodeError> {
        let base = out.written();
        let secondary = spec.secondary() == Secondary::Always;
        let mut encoder = Encoder {
            spec,
            out,
            base,
            at: base,
            bitmap_at: base,
            present: Bitmap::default(),
            last: 1,
            secondary,
            finished: false,
        };
        encoder.write_mti(mti)?;
        encoder.bitmap_at = encoder.at;
        let bitmaps = if secondary { 2 } else { 1 };
        encoder.room(Part::Bitmap, bitmaps * Bitmap::width(spec.bitmap_form()))?;
        Ok(encoder)
    }

    fn write_mti(&mut self, mti: Mti) -> Result<(), EncodeError> {
        match self.spec.mti_form() {
            MtiForm::Ascii => self.room(Part::Mti, 4)?.copy_from_slice(&mti.to_ascii()),
            MtiForm::Ebcdic => {
                self.room(Part::Mti, 4)?.copy_from_slice(&mti.to_ascii().map(wire::to_ebcdic));
            }
            MtiForm::Bcd => self.room(Part::Mti, 2)?.copy_from_slice(&mti.to_bcd()),
        }
        Ok(())
    }

    #[inline]
    fn room(&mut self, part: Part, count: usize) -> Result<&mut [u8], EncodeError> {
        let (start, end) = (self.at, self.at + count);
        match self.out.reach(end).and_then(|bytes| bytes.get_mut(start..end)) {
            Some(room) => {
                self.at = end;
                Ok(room)
            }
            None => Err(EncodeError { part, reason: Reason::BufferFull }),
        }
    }

    /// Writes a text of any class but b. Fixed fields without padding want their exact length.
    #[inline]
    pub fn text(&mut self, number: u8, text: &str) -> Result<&mut Self, EncodeError> {
        let field = self.admit(number)?;
        if field.class == Class::B {
            return Err(refusal(number, Reason::WrongKind));
        }
        self.write(number, field, text.as_bytes())
    }

    /// Writes bytes into a field of class b.
    #[inline]
    pub fn bytes(&mut self, number: u8, bytes: &[u8]) -> Result<&mut Self, EncodeError> {
        let field = self.admit(number)?;
        if field.class != Class::B {
            return Err(refusal(number, Reason::WrongKind));
        }
        self.write(number, field, bytes)
    }

    /// Writes a number into a field of class n: with leading zeros when the field is fixed, as short as possible else.
    #[inline]
    pub fn number(&mut self, number: u8, value: u64) -> Result<&mut Self, EncodeError> {
        let field = self.admit(number)?;
        if field.class != Class::N {
            return Err(refusal(number, Reason::WrongKind));
        }
        let mut digits = [b'0'; NUMBER_MAX_DIGITS];
        let start = write_decimal(value, &mut digits);
        let start = match field.length {
            Length::Fixed(length) => fixed_start(number, &digits, start, usize::from(length))?,
            Length::Ll(_) | Length::Lll(_) => start,
        };
        self.write(number, field, digits.get(start..).unwrap_or_default())
    }

    /// Writes an amount with its direction into a field of class x+n.
    pub fn signed(&mut self, number: u8, sign: Sign, value: u64) -> Result<&mut Self, EncodeError> {
        let field = self.admit(number)?;
        if field.class != Class::Xn {
            return Err(refusal(number, Reason::WrongKind));
        }
        let mut text = [b'0'; NUMBER_MAX_DIGITS];
        let start = write_decimal(value, &mut text);
        let start = fixed_start(number, &text, start, usize::from(field.length.max() - 1))? - 1;
        let text = text.get_mut(start..).unwrap_or_default();
        if let Some(first) = text.first_mut() {
            *first = if sign == Sign::Credit { b'C' } else { b'D' };
        }
        self.write(number, field, text)
    }

    /// Writes the same value as another message has in this field; a field that it does not have is left out. The other
    /// message may be of another dialect. This is how a response repeats its request.
    pub fn copy(&mut self, message: &Message<'_>, number: u8) -> Result<&mut Self, EncodeError> {
        match message.field(number) {
            Some(value) => self.value(&value),
            None => Ok(self),
        }
    }

    /// Writes a parsed value under its own number.
    pub fn value(&mut self, value: &Value<'_>) -> Result<&mut Self, EncodeError> {
        let number = value.field_number();
        let field = self.admit(number)?;
        if (field.class == Class::B) != (value.field().class == Class::B) {
            return Err(refusal(number, Reason::WrongKind));
        }
        if let Some(text) = value.text() {
            return self.write(number, field, text.as_bytes());
        }
        let mut buffer = [0; VALUE_MAX_BYTES];
        let units = value.decode_into(&mut buffer).unwrap_or_default();
        self.write(number, field, units)
    }

    /// Puts in the bitmaps and returns the length of the message in bytes.
    pub fn finish(mut self) -> Result<usize, EncodeError> {
        Ok(self.close())
    }

    /// The same, with the message's authentication code as its last field when there is a key: DE64, or DE128 behind a field above 64.
    /// Only for dialects that write binary fields as they are.
    pub fn finish_under(mut self, key: Option<&MacKey>) -> Result<usize, EncodeError> {
        let Some(key) = key else { return self.finish() };
        let number = if self.secondary { 128 } else { 64 };
        if self.admit(number)?.encoding != Encoding::Raw {
            return Err(refusal(number, Reason::WrongKind));
        }
        self.bytes(number, &[0; MAC_BYTES])?;
        let length = self.close();
        let (base, at) = (self.base, self.at);
        if let Some(message) = self.out.reach(at).and_then(|bytes| bytes.get_mut(base..at)) {
            key.seal(message);
        }
        self.out.cut(at);
        Ok(length)
    }

    fn close(&mut self) -> usize {
        let form = self.spec.bitmap_form();
        let width = Bitmap::width(form);
        if self.secondary {
            self.present.add(1);
        }
        let (at, present) = (self.bitmap_at, self.present);
        let bytes = self.out.reach(self.at).unwrap_or_default();
        if let Some(out) = bytes.get_mut(at..at + width) {
            write_bitmap(form, present.primary(), out);
        }
        if self.secondary
            && let Some(out) = bytes.get_mut(at + width..at + 2 * width)
        {
            write_bitmap(form, present.secondary(), out);
        }
        self.finished = true;
        self.out.cut(self.at);
        self.at - self.base
    }

    /// The row of a field that may come next.
    #[inline(always)]
    fn admit(&self, number: u8) -> Result<&'static Field, EncodeError> {
        if number <= self.last {
            return Err(refusal(number, Reason::OutOfOrder { after: self.last }));
        }
        self.spec.field(number).ok_or_else(|| refusal(number, Reason::NotInTable))
    }

    /// Writes a value and checks it on the way; the field counts only when all is well, before that it is scratch.
    fn write(&mut self, number: u8, field: &'static Field, value: &[u8]) -> Result<&mut Self, EncodeError> {
        let bounds = field.bounds;
        let is_exact = bounds.plain && bounds.prefix_width == 0 && value.len() == usize::from(bounds.max);
        if !is_exact || number > 64 {
            return self.write_any(number, field, value);
        }
        // Most fields of most messages come this way: fixed, full, in ASCII, nothing to convert or to put in front.
        let start = self.at;
        let content = self.room(Part::Field(number), value.len())?;
        if !wire::copy_plain(field, value, content) {
            self.at = start;
            return Err(refusal(number, explain(field, value)));
        }
        self.present.add(number);
        self.last = number;
        Ok(self)
    }

    #[inline(never)]
    fn write_any(&mut self, number: u8, field: &'static Field, value: &[u8]) -> Result<&mut Self, EncodeError> {
        let units = units_on_wire(field, value.len()).map_err(|reason| refusal(number, reason))?;
        let head = usize::from(field.bounds.prefix_width);
        if number > 64 && !self.secondary {
            if !wire::is_sound(field, value) {
                return Err(refusal(number, explain(field, value)));
            }
            self.make_room_for_secondary(number, head + field.encoding.width(units))?;
        }
        let start = self.at;
        let (prefix, content) = self.room(Part::Field(number), head + field.encoding.width(units))?.split_at_mut(head);
        if head > 0 {
            wire::write_prefix(field.prefix, units, prefix);
        }
        if !wire::write_value(field, value, content) {
            self.at = start;
            return Err(refusal(number, explain(field, value)));
        }
        self.present.add(number);
        self.last = number;
        Ok(self)
    }

    /// Moves what follows the primary bitmap up, once, when the first field above 64 comes. It is sure to follow: it is sound,
    /// and there is room for its `field_width` bytes too. A secondary bitmap without a field would be refused by the receiver.
    #[cold]
    fn make_room_for_secondary(&mut self, number: u8, field_width: usize) -> Result<(), EncodeError> {
        let width = Bitmap::width(self.spec.bitmap_form());
        let (from, end) = (self.bitmap_at + width, self.at);
        let full = || EncodeError { part: Part::Field(number), reason: Reason::BufferFull };
        let bytes = self.out.reach(end + width + field_width).ok_or_else(full)?;
        bytes.copy_within(from..end, from + width);
        self.at = end + width;
        self.secondary = true;
        Ok(())
    }
}

impl<O: Output> fmt::Debug for Encoder<'_, O> {
    /// Which fields are written; their bytes are not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoder({}, fields", self.spec.name())?;
        self.present.fields().try_for_each(|number| write!(f, " {number}"))?;
        f.write_str(")")
    }
}

impl fmt::Debug for FixedBuffer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FixedBuffer({} of {} bytes)", self.written, self.bytes.len())
    }
}

impl<O: Output> Drop for Encoder<'_, O> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.cut(self.base);
        }
    }
}

/// Digits of the longest number, with room for the longest fixed field that takes one (DE90, 42 digits).
const NUMBER_MAX_DIGITS: usize = 48;

/// Writes decimal digits at the end of `digits` and returns where they start; zero is one digit.
#[inline]
fn write_decimal(value: u64, digits: &mut [u8; NUMBER_MAX_DIGITS]) -> usize {
    let mut start = NUMBER_MAX_DIGITS;
    let mut rest = value;
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        start = index;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    start
}

/// Where a fixed field of `length` digits starts, when the digits from `start` on fit into it.
#[inline]
fn fixed_start(number: u8, digits: &[u8], start: usize, length: usize) -> Result<usize, EncodeError> {
    match digits.len().checked_sub(length) {
        Some(first) if first <= start => Ok(first),
        Some(_) => Err(refusal(number, Reason::Overflow)),
        None => Err(refusal(number, Reason::WrongKind)),
    }
}

#[cold]
fn refusal(number: u8, reason: Reason) -> EncodeError {
    EncodeError { part: Part::Field(number), reason }
}

/// Length on the wire of a value, in characters or bytes, when the table lets it be this long.
#[inline]
fn units_on_wire(field: &Field, given: usize) -> Result<usize, Reason> {
    let (min, max) = (usize::from(field.bounds.min), usize::from(field.bounds.max));
    if given < min || given > max {
        return Err(wrong_length(field, given));
    }
    Ok(if field.bounds.prefix_width == 0 { max } else { given })
}

#[cold]
fn wrong_length(field: &Field, given: usize) -> Reason {
    let given = u16::try_from(given).unwrap_or(u16::MAX);
    Reason::Length { given, min: field.bounds.min, max: field.bounds.max }
}

#[cold]
fn explain(field: &Field, value: &[u8]) -> Reason {
    if belongs(field.class, value) {
        return Reason::NoSuchMoment(field.calendar);
    }
    let index = first_stranger(field.class, value.iter().copied());
    Reason::NotInClass { class: field.class, index }
}
