//! The dialects that this switch speaks or is tested with, one table each.

use super::dictionary::ISO_1987;
use super::spec::{BitmapForm, Class, Encoding, Field, Layout, MtiForm, Pad, Prefix, Secondary, Secrecy, Spec};

/// Everything in ASCII, bitmaps in hex, empty variable fields and an empty secondary bitmap allowed: what public tools call ISO 8583:1987 ASCII.
const ASCII: Layout = Layout {
    mti: MtiForm::Ascii,
    bitmap: BitmapForm::AsciiHex,
    secondary: Secondary::MayBeEmpty,
    digits: Encoding::Ascii,
    track: Encoding::Ascii,
    text: Encoding::Ascii,
    binary: Encoding::AsciiHex,
    prefix: Prefix::Ascii,
    length_min: 0,
};

/// Our own wire to card hosts: "ISO 8583:1987, TSYS-style". ASCII but for binary bitmaps, DE52, DE55 (EMV tags), DE64,
/// DE96 and DE128. DE41, DE42 and DE43 are filled up with blanks behind. A variable field that is present is not empty.
pub static TSYS: Spec = Spec::new(
    "tsys",
    Layout { bitmap: BitmapForm::Binary, secondary: Secondary::WhenNeeded, binary: Encoding::Raw, length_min: 1, ..ASCII },
    &ISO_1987,
)
.with(44, Field::ll("additional response data", Class::Ans, 25).at_least(1))
.with(55, Field::lll("integrated circuit card data", Class::B, 255).at_least(1).kept(Secrecy::Hidden))
.padded(&[41, 42, 43], Pad::Right(b' '));

/// ISO 8583:1987 in ASCII with hex bitmaps and hex binary fields.
pub static ASCII_1987: Spec = Spec::new("ascii-1987", ASCII, &ISO_1987);

/// ISO 8583:1987 as hosts of the EBCDIC world write it: text, digits and length prefixes in EBCDIC, binary bitmaps.
pub static EBCDIC_1987: Spec = Spec::new(
    "ebcdic-1987",
    Layout {
        mti: MtiForm::Ebcdic,
        bitmap: BitmapForm::Binary,
        secondary: Secondary::WhenNeeded,
        digits: Encoding::Ebcdic,
        track: Encoding::Ebcdic,
        text: Encoding::Ebcdic,
        binary: Encoding::Raw,
        prefix: Prefix::Ebcdic,
        ..ASCII
    },
    &ISO_1987,
);

/// ISO 8583:1987 packed: message type, digits and length prefixes in BCD, odd digits with a zero nibble in front (tracks:
/// behind), text in ASCII, binary bitmaps. A prefix counts digits, not bytes.
pub static BCD_1987: Spec = Spec::new(
    "bcd-1987",
    Layout {
        mti: MtiForm::Bcd,
        bitmap: BitmapForm::Binary,
        secondary: Secondary::WhenNeeded,
        digits: Encoding::BcdPadLeft,
        track: Encoding::BcdPadRight,
        binary: Encoding::Raw,
        prefix: Prefix::Bcd,
        ..ASCII
    },
    &ISO_1987,
);

/// Every dialect of this module, for tools and tests that walk them all.
pub static DIALECTS: [&Spec; 4] = [&TSYS, &ASCII_1987, &EBCDIC_1987, &BCD_1987];
