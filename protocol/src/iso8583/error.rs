//! What can be wrong with a message, and where. Positions are byte offsets in the frame, after its length header.

use std::fmt;

use super::spec::{Calendar, Class};

/// A frame that is not a message of the dialect.
///
/// Shown as `field 48 at byte 66: length prefix is not decimal digits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Which part of the message.
    pub part: Part,
    /// Byte offset of the fault: of the first wrong byte, or of the start of what is missing or does not exist.
    pub position: u16,
    /// What is wrong.
    pub reason: Reason,
}

/// A value that the dialect's table does not let into a message. Nothing of it was written.
///
/// Shown as `field 3: 5 long, the table says 6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// Which part of the message.
    pub part: Part,
    /// What is wrong.
    pub reason: Reason,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The message type.
    Mti,
    /// The primary or the secondary bitmap.
    Bitmap,
    /// A field, by number.
    Field(u8),
    /// What follows the last field.
    End,
}

/// What is wrong with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The frame ends inside the part: it needs so many bytes from its position on, and so many are left.
    Truncated {
        /// Bytes needed.
        needed: u16,
        /// Bytes left.
        left: u16,
    },
    /// The message type is not four decimal digits.
    MtiNotDigits,
    /// A bitmap in hex holds something else than `0`–`9` and `A`–`F`.
    BitmapNotHex,
    /// Bit 1 announces a secondary bitmap that names no field.
    SecondaryEmpty,
    /// Bit 1 announces no secondary bitmap, where the dialect always has one.
    SecondaryMissing,
    /// The dialect's table has no such field.
    NotInTable,
    /// The length prefix is not decimal digits.
    PrefixNotDigits,
    /// The value's length is outside the table's bounds, in characters or, for class b, in bytes.
    Length {
        /// Length found or given.
        given: u16,
        /// Shortest allowed.
        min: u16,
        /// Longest allowed.
        max: u16,
    },
    /// A character does not belong to the field's class.
    NotInClass {
        /// The class that the table says.
        class: Class,
        /// Index of the character in the value.
        index: u16,
    },
    /// The unused half of a BCD byte is not zero.
    PadNotZero,
    /// The digits name no moment that exists.
    NoSuchMoment(Calendar),
    /// Bytes follow the last field.
    Trailing {
        /// How many.
        bytes: u16,
    },
    /// The frame is longer than any message may be.
    TooLong {
        /// Bytes allowed.
        max: u16,
    },
    /// The field does not come after the one written before it; fields are written in ascending order, once.
    OutOfOrder {
        /// Field written before.
        after: u8,
    },
    /// Text was given for a field of bytes, bytes for a field of text, or a number for a field of neither.
    WrongKind,
    /// The number has more digits than the field.
    Overflow,
    /// The caller's buffer is full.
    BufferFull,
}

impl ParseError {
    /// Number of the field at fault, when it is a field.
    pub const fn field(&self) -> Option<u8> {
        self.part.field()
    }
}

impl EncodeError {
    /// Number of the field at fault, when it is a field.
    pub const fn field(&self) -> Option<u8> {
        self.part.field()
    }
}

impl Part {
    const fn field(self) -> Option<u8> {
        match self {
            Part::Field(number) => Some(number),
            Part::Mti | Part::Bitmap | Part::End => None,
        }
    }
}

impl std::error::Error for ParseError {}
impl std::error::Error for EncodeError {}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.part, self.position, self.reason)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.reason)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Mti => f.write_str("message type"),
            Part::Bitmap => f.write_str("bitmap"),
            Part::Field(number) => write!(f, "field {number}"),
            Part::End => f.write_str("end of message"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::Truncated { needed, left } => write!(f, "needs {needed} bytes, {left} left"),
            Reason::MtiNotDigits => f.write_str("not four decimal digits"),
            Reason::BitmapNotHex => f.write_str("not upper-case hex digits"),
            Reason::SecondaryEmpty => f.write_str("secondary bitmap is announced and names no field"),
            Reason::SecondaryMissing => f.write_str("secondary bitmap is not announced"),
            Reason::NotInTable => f.write_str("not in the dialect's table"),
            Reason::PrefixNotDigits => f.write_str("length prefix is not decimal digits"),
            Reason::Length { given, min, max } if min == max => write!(f, "{given} long, the table says {max}"),
            Reason::Length { given, min, max } => write!(f, "{given} long, the table says {min} to {max}"),
            Reason::NotInClass { class, index } => write!(f, "character {index} is not of class {class}"),
            Reason::PadNotZero => f.write_str("pad nibble is not zero"),
            Reason::NoSuchMoment(calendar) => write!(f, "no such {calendar}"),
            Reason::Trailing { bytes } => write!(f, "{bytes} bytes after the last field"),
            Reason::TooLong { max } => write!(f, "longer than {max} bytes"),
            Reason::OutOfOrder { after } => write!(f, "written after field {after}"),
            Reason::WrongKind => f.write_str("given as the wrong kind of value"),
            Reason::Overflow => f.write_str("the number has too many digits"),
            Reason::BufferFull => f.write_str("the buffer is full"),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::N => "n",
            Class::A => "a",
            Class::An => "an",
            Class::Ans => "ans",
            Class::Z => "z",
            Class::Xn => "x+n",
            Class::B => "b",
        })
    }
}

impl fmt::Display for Calendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Calendar::None => "moment",
            Calendar::MonthDayTime => "moment MMDDhhmmss",
            Calendar::Time => "time hhmmss",
            Calendar::MonthDay => "date MMDD",
            Calendar::YearMonth => "month YYMM",
            Calendar::YearMonthDay => "date YYMMDD",
        })
    }
}
