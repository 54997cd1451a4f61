//! Facts of the tables and of the word-wide class tests, each against the obvious way to say it.

use super::content::{belongs, belongs_in, copy_belonging, exists, first_stranger};
use super::spec::{Calendar, Class, Length, Pad};
use super::wire::{from_ebcdic, to_ebcdic};
use super::{ASCII_1987, BCD_1987, DIALECTS, Encoder, ISO_1987, MacKey, Message, Mti, TSYS};

const CLASSES: [Class; 6] = [Class::N, Class::A, Class::An, Class::Ans, Class::Z, Class::Xn];

fn obviously_belongs(class: Class, text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    match class {
        Class::N => digits(text),
        Class::A => text.iter().all(u8::is_ascii_alphabetic),
        Class::An => text.iter().all(u8::is_ascii_alphanumeric),
        Class::Ans => text.iter().all(|b| *b == b' ' || b.is_ascii_graphic()),
        Class::Z => text.iter().all(|b| b"0123456789:;<=>?".contains(b)),
        Class::Xn => matches!(text.first(), Some(b'C' | b'D')) && digits(&text[1..]),
        Class::B => true,
    }
}

/// A text of a class, of any length, and where one byte of it is replaced.
fn sound_text(class: Class, length: usize) -> Vec<u8> {
    let first = if class == Class::Xn {
        b'D'
    } else if class == Class::A {
        b'x'
    } else {
        b'7'
    };
    let rest = if class == Class::A { b'Z' } else { b'0' };
    (0..length).map(|index| if index == 0 { first } else { rest }).collect()
}

#[test]
fn every_byte_at_every_place_of_every_length_is_judged_as_the_standard_says() {
    for class in CLASSES {
        for length in 1..=40 {
            let sound = sound_text(class, length);
            for at in 0..length {
                for byte in 0..=255 {
                    let mut text = sound.clone();
                    text[at] = byte;
                    let verdict = obviously_belongs(class, &text);
                    assert_eq!(belongs(class, &text), verdict, "{class} {text:?}");
                    if !verdict {
                        assert_eq!(usize::from(first_stranger(class, text.iter().copied())), at);
                    }
                }
            }
        }
    }
}

#[test]
fn neighbours_in_the_frame_do_not_change_the_verdict_and_copies_are_exact() {
    for class in [Class::N, Class::A, Class::An, Class::Ans, Class::Z] {
        for length in 1..=40 {
            for broken in [None, Some(0), Some(length - 1)] {
                let mut text = sound_text(class, length);
                if let Some(at) = broken {
                    text[at] = 0xb0;
                }
                let mut frame = vec![0xff; 9];
                frame.extend(&text);
                assert_eq!(belongs_in(class, &frame, 9, length), broken.is_none(), "at the end: {class} {length}");
                frame.extend([0xff; 9]);
                assert_eq!(belongs_in(class, &frame, 9, length), broken.is_none(), "inside: {class} {length}");
                let mut copy = vec![0; length];
                assert_eq!(copy_belonging(class, &text, &mut copy), broken.is_none(), "copied: {class} {length}");
                assert_eq!(copy, text);
            }
        }
    }
}

#[test]
fn only_moments_that_exist_pass() {
    let cases: [(Calendar, &[&str], &[&str]); 5] = [
        (Calendar::MonthDay, &["0101", "0229", "1231", "0430"], &["0000", "0230", "0431", "1301", "9099", "0100"]),
        (Calendar::Time, &["000000", "235959"], &["240000", "006000", "000060"]),
        (Calendar::MonthDayTime, &["0229235959", "1121013042"], &["0230000000", "1121240000", "0001000000"]),
        (Calendar::YearMonth, &["0001", "9912"], &["2800", "2813"]),
        (Calendar::YearMonthDay, &["031128", "000229"], &["031131", "990001"]),
    ];
    for (calendar, real, unreal) in cases {
        real.iter().for_each(|text| assert!(exists(calendar, text.as_bytes()), "{text}"));
        unreal.iter().for_each(|text| assert!(!exists(calendar, text.as_bytes()), "{text}"));
    }
}

#[test]
fn ebcdic_and_back_is_the_same_printable_character() {
    let mut seen = [false; 256];
    for ascii in 0x20..=0x7e {
        assert_eq!(from_ebcdic(to_ebcdic(ascii)), ascii);
        assert!(!std::mem::replace(&mut seen[usize::from(to_ebcdic(ascii))], true), "two characters share a byte");
    }
    assert_eq!((to_ebcdic(0x1f), to_ebcdic(0x7f), from_ebcdic(0x00)), (0, 0, 0));
}

#[test]
fn the_dictionary_is_in_order_and_every_dialect_has_all_of_it() {
    let numbers: Vec<u8> = ISO_1987.iter().map(|element| element.number).collect();
    assert_eq!(numbers, (2..=128).filter(|number| *number != 65).collect::<Vec<u8>>());
    for spec in DIALECTS {
        assert!(numbers.iter().all(|number| spec.field(*number).is_some()), "{}", spec.name());
        assert!([0, 1, 65, 129, 255].iter().all(|number| spec.field(*number).is_none()), "{}", spec.name());
    }
}

#[test]
fn our_wire_pads_the_acceptor_fields_and_carries_emv_as_bytes() {
    let row = |number| TSYS.field(number).expect("the table has it");
    assert_eq!((row(41).length, row(42).length, row(43).length), (Length::Fixed(8), Length::Fixed(15), Length::Fixed(40)));
    assert!([41, 42, 43].iter().all(|number| row(*number).pad == Pad::Right(b' ')));
    assert_eq!((row(55).class, row(55).length), (Class::B, Length::Lll(255)));
    assert_eq!(BCD_1987.field(41).map(|field| field.pad), Some(Pad::None));
}

/// DE64 is bytes and not secret, so it is shown in hex: digits of the card number in BCD, at an odd nibble here, would show.
#[test]
fn bytes_that_spell_the_card_number_in_hex_are_not_shown() {
    for (pan, mac) in [("4000000000002", [0x04, 0, 0, 0, 0, 0, 0x02, 0xff]), ("400000000002", [0x40, 0, 0, 0, 0, 0x02, 0, 0])] {
        let mut frame = Vec::new();
        let mut sale = Encoder::begin(&TSYS, Mti::FINANCIAL_REQUEST, &mut frame).expect("begins");
        sale.text(2, pan).and_then(|e| e.bytes(64, &mac)).expect("fits");
        sale.finish().expect("ends");
        let shown = Message::parse(&TSYS, &frame).expect("it is sound").to_string();
        assert!(!shown.contains(pan) && shown.ends_with("[8 hidden]"), "{shown}");
    }
}

/// RFC 4231, test case 1, of which the first eight bytes are the code.
#[test]
fn a_code_is_the_beginning_of_the_hmac() {
    let key = MacKey::from_hex(&"0b".repeat(20)).unwrap();
    let mut message = *b"Hi There--------";
    key.seal(&mut message);
    assert_eq!(message, *b"Hi There\xb0\x34\x4c\x61\xd8\xdb\x38\x53");
    assert_eq!(format!("{key:?}"), "MacKey(***)");
    for refused in ["", "0b", &"0b".repeat(15), &"0b".repeat(65), &"zz".repeat(20), &"0b".repeat(20)[1..]] {
        assert!(MacKey::from_hex(refused).is_none(), "{refused}");
    }
}

#[test]
fn a_sealed_message_is_vouched_for_and_no_other() {
    let (key, other) = (MacKey::new(&[7; 32]).unwrap(), MacKey::new(&[8; 32]).unwrap());
    for (network_code, field) in [(None, 64), (Some("301"), 128)] {
        let write = |key: Option<&MacKey>| {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::begin(&TSYS, Mti::NETWORK_REQUEST, &mut bytes).unwrap();
            encoder.number(11, 7).unwrap().text(41, "TERM0001").unwrap();
            if let Some(code) = network_code {
                encoder.text(70, code).unwrap();
            }
            assert_eq!(encoder.finish_under(key).unwrap(), bytes.len());
            bytes
        };
        let vouched = |key: &MacKey, bytes: &[u8]| key.vouches_for(&Message::parse(&TSYS, bytes).unwrap());
        let sealed = write(Some(&key));
        assert!(Message::parse(&TSYS, &sealed).unwrap().has(field));
        assert!(vouched(&key, &sealed) && !vouched(&other, &sealed) && !vouched(&key, &write(None)));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let passes = Message::parse(&TSYS, &changed).is_ok_and(|message| key.vouches_for(&message));
            assert!(!passes, "byte {at} of {}", sealed.len());
        }
    }
    let mut bytes = Vec::new();
    let encoder = Encoder::begin(&ASCII_1987, Mti::NETWORK_REQUEST, &mut bytes).unwrap();
    assert!(encoder.finish_under(Some(&key)).is_err(), "a dialect that writes binary fields in digits");
    assert!(bytes.is_empty());
}
