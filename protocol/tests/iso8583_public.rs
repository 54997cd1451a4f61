//! The public messages of `data/iso8583_messages.json`: sound ones decode to exactly the listed fields and encode again to the
//! same bytes, broken ones are refused with field and position. Two dialects exist for this test only; each is one table.

use std::collections::BTreeMap;

use protocol::iso8583::{
    ASCII_1987, BitmapForm, Class, Encoder, Encoding, Field, ISO_1987, Layout, Message, Mti, MtiForm, Pad, ParseError, Part,
    Prefix, Reason, Secondary, Spec, Value,
};
use serde::Deserialize;

const BINARY_BITMAP: Layout = Layout {
    mti: MtiForm::Ascii,
    bitmap: BitmapForm::Binary,
    secondary: Secondary::WhenNeeded,
    digits: Encoding::Ascii,
    track: Encoding::Ascii,
    text: Encoding::Ascii,
    binary: Encoding::Raw,
    prefix: Prefix::Ascii,
    length_min: 0,
};

/// DE19 packed with the pad in front, DE49 with the pad behind, DE43 right-justified, DE55 as bytes.
static MOOV_EMV: Spec = Spec::new("moov-emv", BINARY_BITMAP, &ISO_1987)
    .encoded(&[19], Encoding::BcdPadLeft)
    .with(49, Field::fixed("currency code, transaction", Class::N, 3).encoded(Encoding::BcdPadRight))
    .with(55, Field::lll("integrated circuit card data", Class::B, 255))
    .padded(&[43], Pad::Left(b' '));

/// Every encoding and every length prefix in one message: the sample specification of the crate `iso8583_rs`.
static ISO8583_RS_SAMPLE: Spec = Spec::new("iso8583-rs-sample", BINARY_BITMAP, &ISO_1987)
    .encoded(&[19], Encoding::Ebcdic)
    .with(61, Field::lll("private 1", Class::Ans, 999).prefixed(Prefix::Bcd))
    .with(62, Field::ll("private 2", Class::Ans, 99).prefixed(Prefix::Binary).encoded(Encoding::Ebcdic))
    .with(63, Field::lll("private 3", Class::Ans, 999).prefixed(Prefix::Ebcdic))
    .with(96, Field::fixed("key management data", Class::Ans, 4));

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    hex: String,
    mti: String,
    fields: Option<BTreeMap<u8, String>>,
    negative: Option<String>,
}

fn vectors() -> Vec<Vector> {
    let file: File = serde_json::from_str(include_str!("data/iso8583_messages.json")).expect("the file is JSON");
    file.vectors
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

fn dialect(id: &str) -> &'static Spec {
    match id {
        "moov_0100_binary_bitmap_emv" => &MOOV_EMV,
        "iso8583_rs_readme_1100" => &ISO8583_RS_SAMPLE,
        _ => &ASCII_1987,
    }
}

/// The bytes that an entry's field stands for, where the entry writes an explanation instead.
fn meant(id: &str, number: u8, listed: &str, class: Class) -> Vec<u8> {
    match (id, number) {
        // The list names the justification beside the text.
        ("moov_0100_binary_bitmap_emv", 43) => b"Test text".to_vec(),
        // The list gives tag=value with the value's characters; on the wire they are tag, length, value.
        ("moov_0100_binary_bitmap_emv", 55) => listed.split(',').flat_map(tag).collect(),
        _ if class == Class::B => from_hex(listed),
        _ => listed.as_bytes().to_vec(),
    }
}

fn tag(entry: &str) -> Vec<u8> {
    let (name, value) = entry.split_once('=').expect("tag=value");
    let mut bytes = from_hex(name);
    bytes.push(value.len() as u8);
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

fn units(value: &Value<'_>) -> Vec<u8> {
    value.units().collect()
}

fn encode(spec: &'static Spec, mti: Mti, fields: &BTreeMap<u8, Vec<u8>>) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut encoder = Encoder::begin(spec, mti, &mut frame).expect("a message begins");
    for (number, value) in fields {
        let row = spec.field(*number).expect("the field is in the table");
        let written = match row.class {
            Class::B => encoder.bytes(*number, value),
            _ => encoder.text(*number, std::str::from_utf8(value).expect("text")),
        };
        written.unwrap_or_else(|error| panic!("{error}"));
    }
    encoder.finish().expect("a message ends");
    frame
}

fn is_broken(vector: &Vector) -> bool {
    vector.negative.is_some() || vector.fields.is_none()
}

#[test]
fn sound_messages_decode_to_the_listed_fields_and_encode_to_the_same_bytes() {
    let mut sound = 0;
    for vector in vectors().iter().filter(|v| !is_broken(v)) {
        let (id, spec, frame) = (vector.id.as_str(), dialect(&vector.id), from_hex(&vector.hex));
        let message = Message::parse(spec, &frame).unwrap_or_else(|error| panic!("{id}: {error}"));
        let listed: BTreeMap<u8, Vec<u8>> = vector
            .fields
            .iter()
            .flatten()
            .filter(|(number, _)| **number > 0)
            .map(|(number, text)| {
                let class = spec.field(*number).expect("the field is in the table").class;
                (*number, meant(id, *number, text, class))
            })
            .collect();
        let found: BTreeMap<u8, Vec<u8>> = message.iter().map(|v| (v.field_number(), units(&v))).collect();
        assert_eq!(message.mti().to_string(), vector.mti, "{id}");
        assert_eq!(found, listed, "{id}");
        assert_eq!(encode(spec, message.mti(), &listed), frame, "{id}");
        sound += 1;
    }
    assert_eq!(sound, 10);
}

/// What is wrong with each broken message, worked out by hand from its bytes; where another decoder gave a position, it is
/// the same (field 55 at 185, field 48 at 66, field 35 at 68).
fn faults() -> Vec<(&'static str, ParseError)> {
    use protocol::iso8583::Calendar;
    let at = |part, position, reason| ParseError { part, position, reason };
    vec![
        ("moov_error_message", at(Part::Field(55), 185, Reason::Truncated { needed: 30, left: 21 })),
        ("moov_iso_reversal_message_error_date", at(Part::Field(13), 97, Reason::NoSuchMoment(Calendar::MonthDay))),
        ("moov_message_with_hex_bcd", at(Part::Field(48), 66, Reason::PrefixNotDigits)),
        (
            "moov_network_management_message_with_error_track",
            at(Part::Field(35), 68, Reason::NotInClass { class: Class::Z, index: 0 }),
        ),
        ("pyiso8583_neg_MTI_too_short", at(Part::Mti, 0, Reason::Truncated { needed: 4, left: 2 })),
        ("pyiso8583_neg_extra_data_after_last_field", at(Part::End, 20, Reason::Trailing { bytes: 5 })),
    ]
}

#[test]
fn broken_messages_are_refused_with_field_and_position() {
    let faults = faults();
    let broken: Vec<Vector> = vectors().into_iter().filter(is_broken).collect();
    assert_eq!(broken.len(), faults.len());
    for vector in broken {
        let (_, expected) = faults.iter().find(|(id, _)| *id == vector.id).expect("every broken message has a row");
        let frame = from_hex(&vector.hex);
        let found = Message::parse(&ASCII_1987, &frame).err();
        assert_eq!(found.as_ref(), Some(expected), "{}", vector.id);
    }
}

#[test]
fn an_error_reads_as_field_position_and_reason() {
    let vector = vectors().into_iter().find(|v| v.id == "moov_message_with_hex_bcd").expect("it is in the file");
    let frame = from_hex(&vector.hex);
    let error = Message::parse(&ASCII_1987, &frame).expect_err("it is broken");
    assert_eq!(error.to_string(), "field 48 at byte 66: length prefix is not decimal digits");
}
