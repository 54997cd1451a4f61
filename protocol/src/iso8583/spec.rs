//! The table that a dialect is: for each field its content class, its length form, and how content, length prefix,
//! padding, bitmap and message type are put into bytes. The axes are independent; a new dialect is a new table.
//!
//! No parsing or encoding here.

/// Highest field number of ISO 8583:1987 (two bitmaps).
pub const FIELD_MAX: u8 = 128;

/// What characters a field may hold. Source: ISO 8583:1987, 4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `n`: decimal digits.
    N,
    /// `a`: letters.
    A,
    /// `an`: letters and digits.
    An,
    /// `ans`: printable ASCII, blank included.
    Ans,
    /// `z`: the code set of tracks 2 and 3, `0`–`9 : ; < = > ?`; the separator is `=`, never `D`.
    Z,
    /// `x+n`: `C` (credit) or `D` (debit), then digits; the length counts both.
    Xn,
    /// `b`: bytes; lengths count bytes, where the standard's tables count bits.
    B,
}

/// How content is put into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One ASCII byte per character.
    Ascii,
    /// One EBCDIC byte (code page 037) per character.
    Ebcdic,
    /// Two digits per byte, an odd count with a zero nibble in front: `643` is `06 43`.
    BcdPadLeft,
    /// Two digits per byte, an odd count with a zero nibble at the end: `643` is `64 30`.
    BcdPadRight,
    /// Bytes as they are; class b only.
    Raw,
    /// Two upper-case ASCII hex digits per byte; class b only. Lower case is refused, so that one value has one form.
    AsciiHex,
}

/// How long a field is, in characters or, for class b, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always this long.
    Fixed(u16),
    /// LLVAR: a prefix of two digits, content up to this long (at most 99).
    Ll(u16),
    /// LLLVAR: a prefix of three digits, content up to this long (at most 999).
    Lll(u16),
}

/// How the length prefix of LLVAR and LLLVAR is put into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// Two or three ASCII digits.
    Ascii,
    /// Two or three EBCDIC digits.
    Ebcdic,
    /// BCD: one byte for LL, two for LLL.
    Bcd,
    /// Big-endian binary: one byte for LL, two for LLL.
    Binary,
}

/// What fills a fixed-length text field that is longer than its value. The filler is taken off again when read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pad {
    /// Nothing: the value has exactly the field's length, and is read whole.
    None,
    /// This ASCII character in front: the value is right-justified.
    Left(u8),
    /// This ASCII character behind: the value is left-justified.
    Right(u8),
}

/// Which moment a field of digits names; one that does not exist is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    /// The field is no date.
    None,
    /// MMDDhhmmss (DE7).
    MonthDayTime,
    /// hhmmss (DE12).
    Time,
    /// MMDD (DE13, DE15, DE16, DE17).
    MonthDay,
    /// YYMM (DE14).
    YearMonth,
    /// YYMMDD (DE73).
    YearMonthDay,
}

/// What a log may show of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrecy {
    /// All of it.
    Open,
    /// A card number: the first six and the last four digits at most.
    Pan,
    /// Its length only: tracks, PIN, and everything that may carry a CVV or an account.
    Hidden,
}

/// How the message type is put into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MtiForm {
    /// Four ASCII digits.
    Ascii,
    /// Four EBCDIC digits.
    Ebcdic,
    /// Two BCD bytes.
    Bcd,
}

/// How a bitmap of 64 bits is put into bytes; the secondary one has the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitmapForm {
    /// Eight bytes.
    Binary,
    /// Sixteen upper-case ASCII hex digits.
    AsciiHex,
    /// Sixteen upper-case EBCDIC hex digits.
    EbcdicHex,
}

/// When the secondary bitmap is on the wire. Bit 1 of the primary one always says whether it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secondary {
    /// Only when a field above 64 is present; an empty one is refused.
    WhenNeeded,
    /// Written only when a field above 64 is present; an empty one is read too, since some hosts send it.
    MayBeEmpty,
    /// In every message.
    Always,
}

/// One field of a dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, as the standard gives it.
    pub name: &'static str,
    /// Which characters it holds.
    pub class: Class,
    /// How long it is.
    pub length: Length,
    /// Shortest value of a variable field, in characters or bytes.
    pub length_min: u16,
    /// How its length prefix is written; unused when fixed.
    pub prefix: Prefix,
    /// How its content is written.
    pub encoding: Encoding,
    /// What fills it up.
    pub pad: Pad,
    /// Which moment it names.
    pub calendar: Calendar,
    /// What a log may show of it.
    pub secrecy: Secrecy,
    /// Worked out of the others when the field enters a table.
    pub(super) bounds: Bounds,
}

/// What every message asks of a field, worked out once: the axes above, folded into what can be compared at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Shortest value that may be written, in characters or bytes.
    pub(super) min: u16,
    /// Longest value; of a fixed field also the length on the wire.
    pub(super) max: u16,
    /// Bytes of the length prefix; none when the field is fixed.
    pub(super) prefix_width: u8,
    /// Whether the content is ASCII text of one class: no sign in front, no filler of another class.
    pub(super) plain: bool,
}

/// A field as a standard describes it: what it means, before any dialect says how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Field number, 2 to 128 without 65.
    pub number: u8,
    /// Name.
    pub name: &'static str,
    /// Which characters it holds.
    pub class: Class,
    /// How long it is.
    pub length: Length,
    /// Which moment it names.
    pub calendar: Calendar,
    /// What a log may show of it.
    pub secrecy: Secrecy,
}

/// How a dialect writes things when a field's row says nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Message type.
    pub mti: MtiForm,
    /// Bitmaps.
    pub bitmap: BitmapForm,
    /// When the secondary bitmap is sent.
    pub secondary: Secondary,
    /// Class n.
    pub digits: Encoding,
    /// Class z.
    pub track: Encoding,
    /// Classes a, an, ans and x+n.
    pub text: Encoding,
    /// Class b.
    pub binary: Encoding,
    /// Length prefixes.
    pub prefix: Prefix,
    /// Shortest value of a variable field, in characters or bytes.
    pub length_min: u16,
}

/// A dialect: the whole table. Build it in a `static` or `const`, so that a contradiction in it stops the compiler.
#[derive(Clone, Debug)]
pub struct Spec {
    name: &'static str,
    mti: MtiForm,
    bitmap: BitmapForm,
    secondary: Secondary,
    fields: [Option<Field>; FIELD_MAX as usize + 1],
}

impl Length {
    /// Longest value, in characters or bytes.
    pub const fn max(self) -> u16 {
        match self {
            Length::Fixed(length) | Length::Ll(length) | Length::Lll(length) => length,
        }
    }
}

impl Calendar {
    /// Digits of the moment; none when the field names no moment.
    const fn length(self) -> Option<u16> {
        match self {
            Calendar::None => None,
            Calendar::MonthDayTime => Some(10),
            Calendar::Time | Calendar::YearMonthDay => Some(6),
            Calendar::MonthDay | Calendar::YearMonth => Some(4),
        }
    }
}

impl Prefix {
    /// Bytes of a prefix of `digits` digits.
    pub(super) const fn width(self, digits: u8) -> u8 {
        match self {
            Prefix::Ascii | Prefix::Ebcdic => digits,
            Prefix::Bcd | Prefix::Binary => digits.div_ceil(2),
        }
    }
}

impl Encoding {
    /// Bytes on the wire of a value of `units` characters or bytes.
    pub(super) const fn width(self, units: usize) -> usize {
        match self {
            Encoding::Ascii | Encoding::Ebcdic | Encoding::Raw => units,
            Encoding::BcdPadLeft | Encoding::BcdPadRight => units.div_ceil(2),
            Encoding::AsciiHex => units * 2,
        }
    }
}

impl Field {
    /// A field whose value always has the same length, in ASCII (class b: raw bytes).
    pub const fn fixed(name: &'static str, class: Class, length: u16) -> Field {
        Field::new(name, class, Length::Fixed(length))
    }

    /// An LLVAR field in ASCII (class b: raw bytes), possibly empty.
    pub const fn ll(name: &'static str, class: Class, length_max: u16) -> Field {
        Field::new(name, class, Length::Ll(length_max))
    }

    /// An LLLVAR field in ASCII (class b: raw bytes), possibly empty.
    pub const fn lll(name: &'static str, class: Class, length_max: u16) -> Field {
        Field::new(name, class, Length::Lll(length_max))
    }

    const fn new(name: &'static str, class: Class, length: Length) -> Field {
        let encoding = match class {
            Class::B => Encoding::Raw,
            Class::N | Class::A | Class::An | Class::Ans | Class::Z | Class::Xn => Encoding::Ascii,
        };
        Field {
            name,
            class,
            length,
            length_min: 0,
            prefix: Prefix::Ascii,
            encoding,
            pad: Pad::None,
            calendar: Calendar::None,
            secrecy: Secrecy::Open,
            bounds: Bounds { min: 0, max: 0, prefix_width: 0, plain: false },
        }
    }

    /// The field written in this encoding.
    pub const fn encoded(mut self, encoding: Encoding) -> Field {
        self.encoding = encoding;
        self
    }

    /// The field with this length prefix.
    pub const fn prefixed(mut self, prefix: Prefix) -> Field {
        self.prefix = prefix;
        self
    }

    /// The field with this padding.
    pub const fn padded(mut self, pad: Pad) -> Field {
        self.pad = pad;
        self
    }

    /// The field with this shortest length.
    pub const fn at_least(mut self, length_min: u16) -> Field {
        self.length_min = length_min;
        self
    }

    /// The field shown in logs as this.
    pub const fn kept(mut self, secrecy: Secrecy) -> Field {
        self.secrecy = secrecy;
        self
    }

    const fn bounded(mut self) -> Field {
        let (min, max, prefix_width) = match (self.length, self.pad) {
            (Length::Fixed(length), Pad::None) => (length, length, 0),
            (Length::Fixed(length), Pad::Left(_) | Pad::Right(_)) => (0, length, 0),
            (Length::Ll(max), _) => (self.length_min, max, self.prefix.width(2)),
            (Length::Lll(max), _) => (self.length_min, max, self.prefix.width(3)),
        };
        let filler_belongs = matches!((self.pad, self.class), (Pad::None, _) | (_, Class::Ans));
        let plain = matches!(self.encoding, Encoding::Ascii) && !matches!(self.class, Class::Xn) && filler_belongs;
        self.bounds = Bounds { min, max, prefix_width, plain };
        self
    }

    /// Panics, at compile time for a `static` table, when the axes contradict one another.
    const fn assert_sound(&self) {
        match self.encoding {
            Encoding::Ascii | Encoding::Ebcdic => {
                assert!(!matches!(self.class, Class::B), "class b is written raw or as hex");
            }
            Encoding::BcdPadLeft | Encoding::BcdPadRight => {
                assert!(matches!(self.class, Class::N | Class::Z), "BCD holds digits and tracks only");
                assert!(matches!(self.pad, Pad::None), "BCD has its own pad nibble");
            }
            Encoding::Raw | Encoding::AsciiHex => {
                assert!(matches!(self.class, Class::B), "raw and hex are for class b");
                assert!(matches!(self.pad, Pad::None), "bytes are not padded");
            }
        }
        match self.length {
            Length::Fixed(length) => assert!(length >= 1 && length <= 999, "a fixed length is 1 to 999"),
            Length::Ll(max) => assert!(max <= 99 && self.length_min <= max, "LL counts to 99"),
            Length::Lll(max) => assert!(max <= 999 && self.length_min <= max, "LLL counts to 999"),
        }
        if matches!(self.class, Class::Xn) {
            assert!(matches!(self.length, Length::Fixed(2..=20)), "x+n is fixed: a sign and up to 19 digits");
        }
        if let Some(length) = self.calendar.length() {
            assert!(matches!(self.class, Class::N) && matches!(self.pad, Pad::None), "a moment is digits");
            assert!(matches!(self.length, Length::Fixed(given) if given == length), "a moment has its own length");
        }
        if let Pad::Left(fill) | Pad::Right(fill) = self.pad {
            assert!(matches!(self.length, Length::Fixed(_)), "only fixed fields are padded");
            assert!(fill >= 0x20 && fill <= 0x7e, "the filler is printable");
        }
    }
}

impl Spec {
    /// A table with every element of a standard, written as the layout says.
    pub const fn new(name: &'static str, layout: Layout, elements: &[Element]) -> Spec {
        let fields = [None; FIELD_MAX as usize + 1];
        let mut spec = Spec { name, mti: layout.mti, bitmap: layout.bitmap, secondary: layout.secondary, fields };
        let mut index = 0;
        while index < elements.len() {
            let element = elements[index];
            spec = spec.with(element.number, layout.field(element));
            index += 1;
        }
        spec
    }

    /// The table with this field put in, or in the place of the one that was there.
    pub const fn with(mut self, number: u8, field: Field) -> Spec {
        assert!(number >= 2 && number <= FIELD_MAX, "fields are numbered 2 to 128");
        assert!(number != 65, "field 65 would announce a third bitmap, which 1987 does not fill");
        field.assert_sound();
        self.fields[number as usize] = Some(field.bounded());
        self
    }

    /// The table with these fields padded so.
    pub const fn padded(mut self, numbers: &[u8], pad: Pad) -> Spec {
        let mut index = 0;
        while index < numbers.len() {
            let row = self.row(numbers[index]).padded(pad);
            self = self.with(numbers[index], row);
            index += 1;
        }
        self
    }

    /// The table with these fields written so.
    pub const fn encoded(mut self, numbers: &[u8], encoding: Encoding) -> Spec {
        let mut index = 0;
        while index < numbers.len() {
            let row = self.row(numbers[index]).encoded(encoding);
            self = self.with(numbers[index], row);
            index += 1;
        }
        self
    }

    const fn row(&self, number: u8) -> Field {
        match self.fields[number as usize] {
            Some(field) => field,
            None => panic!("the table has no such field"),
        }
    }

    /// The dialect's name, for errors and logs.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A field's row; `None` when the dialect does not have it.
    #[inline]
    pub const fn field(&self, number: u8) -> Option<&Field> {
        if number > FIELD_MAX {
            return None;
        }
        self.fields[number as usize].as_ref()
    }

    /// How the message type is written.
    pub const fn mti_form(&self) -> MtiForm {
        self.mti
    }

    /// How bitmaps are written.
    pub const fn bitmap_form(&self) -> BitmapForm {
        self.bitmap
    }

    /// When the secondary bitmap is written.
    pub const fn secondary(&self) -> Secondary {
        self.secondary
    }
}

impl Layout {
    const fn field(&self, element: Element) -> Field {
        let encoding = match element.class {
            Class::N => self.digits,
            Class::Z => self.track,
            Class::A | Class::An | Class::Ans | Class::Xn => self.text,
            Class::B => self.binary,
        };
        let length_min = match element.length {
            Length::Fixed(_) => 0,
            Length::Ll(_) | Length::Lll(_) => self.length_min,
        };
        Field {
            name: element.name,
            class: element.class,
            length: element.length,
            length_min,
            prefix: self.prefix,
            encoding,
            pad: Pad::None,
            calendar: element.calendar,
            secrecy: element.secrecy,
            bounds: Bounds { min: 0, max: 0, prefix_width: 0, plain: false },
        }
    }
}
