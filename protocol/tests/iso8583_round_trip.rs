//! Random sound messages in every dialect: our encoder writes what a naive one written from the standard writes, and what is
//! read back is what was written. Random damage: nothing panics, and what is still read encodes to the same bytes.
//! A failing case is printed whole by proptest, with the seed that repeats it.

use proptest::prelude::*;
use protocol::iso8583::{
    BitmapForm, Calendar, Class, DIALECTS, Encoder, Encoding, Field, ISO_1987, Layout, Length, Message, Mti, MtiForm, Pad,
    Prefix, Secondary, Spec,
};

/// The forms that no dialect of ours has, in one table.
static RARE_FORMS: Spec = Spec::new(
    "rare forms",
    Layout {
        mti: MtiForm::Bcd,
        bitmap: BitmapForm::EbcdicHex,
        secondary: Secondary::Always,
        digits: Encoding::BcdPadRight,
        track: Encoding::BcdPadLeft,
        text: Encoding::Ebcdic,
        binary: Encoding::AsciiHex,
        prefix: Prefix::Binary,
        length_min: 2,
    },
    &ISO_1987,
)
.padded(&[41, 43], Pad::Left(b'.'))
.padded(&[42, 98], Pad::Right(b' '));

/// Bytes to draw from, repeated for ever.
struct Entropy<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl Entropy<'_> {
    fn byte(&mut self) -> usize {
        usize::from(*self.0.next().expect("the strategy gives at least one byte"))
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.byte() << 8 | self.byte()) % bound
    }

    fn pick(&mut self, from: &[u8]) -> u8 {
        from[self.below(from.len())]
    }
}

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The specials whose EBCDIC bytes the naive encoder knows too.
const SPECIALS: &[u8] = b" .-/=";

fn character(class: Class, index: usize, entropy: &mut Entropy<'_>) -> u8 {
    match (class, index) {
        (Class::Xn, 0) => entropy.pick(b"CD"),
        (Class::N | Class::Xn, _) => entropy.pick(DIGITS),
        (Class::A, _) => entropy.pick(LETTERS),
        (Class::An, _) => entropy.pick(&[DIGITS, LETTERS].concat()),
        (Class::Ans, _) => entropy.pick(&[DIGITS, LETTERS, SPECIALS].concat()),
        (Class::Z, _) => entropy.pick(b"0123456789="),
        (Class::B, _) => entropy.byte() as u8,
    }
}

fn moment(calendar: Calendar, entropy: &mut Entropy<'_>) -> Option<String> {
    let (month, day, year) = (1 + entropy.below(12), 1 + entropy.below(28), entropy.below(100));
    let time = format!("{:02}{:02}{:02}", entropy.below(24), entropy.below(60), entropy.below(60));
    match calendar {
        Calendar::None => None,
        Calendar::MonthDayTime => Some(format!("{month:02}{day:02}{time}")),
        Calendar::Time => Some(time),
        Calendar::MonthDay => Some(format!("{month:02}{day:02}")),
        Calendar::YearMonth => Some(format!("{year:02}{month:02}")),
        Calendar::YearMonthDay => Some(format!("{year:02}{month:02}{day:02}")),
    }
}

fn value(field: &Field, entropy: &mut Entropy<'_>) -> Vec<u8> {
    if let Some(moment) = moment(field.calendar, entropy) {
        return moment.into_bytes();
    }
    let (min, max) = match (field.length, field.pad) {
        (Length::Fixed(length), Pad::None) => (length, length),
        (Length::Fixed(length), Pad::Left(_) | Pad::Right(_)) => (0, length),
        (Length::Ll(max) | Length::Lll(max), _) => (field.length_min, max),
    };
    let length = usize::from(min) + entropy.below(usize::from(max - min) + 1);
    let text: Vec<u8> = (0..length).map(|index| character(field.class, index, entropy)).collect();
    match field.pad {
        // Filler is taken off when read, so a value that ends in it is not the value that comes back.
        Pad::None => text,
        Pad::Left(fill) => text.iter().copied().skip_while(|b| *b == fill).collect(),
        Pad::Right(fill) => text[..text.iter().rposition(|b| *b != fill).map_or(0, |last| last + 1)].to_vec(),
    }
}

#[derive(Debug)]
struct Sample {
    spec: &'static Spec,
    mti: Mti,
    fields: Vec<(u8, Vec<u8>)>,
}

fn sample() -> impl Strategy<Value = Sample> {
    let fields = proptest::collection::vec(any::<bool>(), 129);
    let sparse = prop_oneof![3 => Just(2u8), 1 => Just(0u8)];
    let bytes = proptest::collection::vec(any::<u8>(), 1..600);
    (0..=DIALECTS.len(), 0..10_000u32, fields, sparse, bytes).prop_map(|(dialect, mti, fields, sparse, bytes)| {
        let spec = DIALECTS.get(dialect).copied().unwrap_or(&RARE_FORMS);
        let mut entropy = Entropy(bytes.iter().cycle());
        let chosen = (2..=128u8).filter(|number| fields[usize::from(*number)]);
        let fields = chosen
            .filter_map(|number| spec.field(number).map(|field| (number, field)))
            .filter(|_| entropy.below(usize::from(sparse) + 1) == 0)
            .collect::<Vec<_>>();
        let fields = fields.into_iter().map(|(number, field)| (number, value(field, &mut entropy))).collect();
        Sample { spec, mti: format!("{mti:04}").parse().expect("four digits"), fields }
    })
}

// The naive encoder: one obvious step after another, sharing nothing with ours but the table.

fn naive_ebcdic(ascii: u8) -> u8 {
    match ascii {
        b'0'..=b'9' => ascii - b'0' + 0xf0,
        b'A'..=b'I' => ascii - b'A' + 0xc1,
        b'J'..=b'R' => ascii - b'J' + 0xd1,
        b'S'..=b'Z' => ascii - b'S' + 0xe2,
        b'a'..=b'i' => ascii - b'a' + 0x81,
        b'j'..=b'r' => ascii - b'j' + 0x91,
        b's'..=b'z' => ascii - b's' + 0xa2,
        b' ' => 0x40,
        b'.' => 0x4b,
        b'-' => 0x60,
        b'/' => 0x61,
        b'=' => 0x7e,
        other => panic!("the samples have no {other:#04x}"),
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

fn naive_content(field: &Field, value: &[u8]) -> Vec<u8> {
    let mut text = value.to_vec();
    if let Length::Fixed(length) = field.length {
        while text.len() < usize::from(length) {
            match field.pad {
                Pad::Left(fill) => text.insert(0, fill),
                Pad::Right(fill) => text.push(fill),
                Pad::None => panic!("a sample has the length of its field"),
            }
        }
    }
    let digits: String = text.iter().map(|b| if *b == b'=' { 'D' } else { char::from(*b) }).collect();
    match field.encoding {
        Encoding::Ascii | Encoding::Raw => text,
        Encoding::Ebcdic => text.into_iter().map(naive_ebcdic).collect(),
        Encoding::BcdPadLeft if text.len() % 2 == 1 => from_hex(&format!("0{digits}")),
        Encoding::BcdPadRight if text.len() % 2 == 1 => from_hex(&format!("{digits}0")),
        Encoding::BcdPadLeft | Encoding::BcdPadRight => from_hex(&digits),
        Encoding::AsciiHex => text.iter().map(|b| format!("{b:02X}")).collect::<String>().into_bytes(),
    }
}

fn naive_prefix(field: &Field, length: usize) -> Vec<u8> {
    let (ascii, packed) = match field.length {
        Length::Fixed(_) => return Vec::new(),
        Length::Ll(_) => (format!("{length:02}"), format!("{length:02}")),
        Length::Lll(_) => (format!("{length:03}"), format!("{length:04}")),
    };
    match field.prefix {
        Prefix::Ascii => ascii.into_bytes(),
        Prefix::Ebcdic => ascii.bytes().map(naive_ebcdic).collect(),
        Prefix::Bcd => from_hex(&packed),
        Prefix::Binary => from_hex(&format!("{length:0width$x}", width = packed.len())),
    }
}

fn naive_bitmaps(sample: &Sample) -> Vec<u8> {
    let mut bits = [false; 129];
    sample.fields.iter().for_each(|(number, _)| bits[usize::from(*number)] = true);
    let secondary = sample.spec.secondary() == Secondary::Always || bits[65..].contains(&true);
    bits[1] = secondary;
    let shown = if secondary { &bits[1..=128] } else { &bits[1..=64] };
    let bytes: Vec<u8> = shown.chunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect();
    let hex: String = bytes.iter().map(|b| format!("{b:02X}")).collect();
    match sample.spec.bitmap_form() {
        BitmapForm::Binary => bytes,
        BitmapForm::AsciiHex => hex.into_bytes(),
        BitmapForm::EbcdicHex => hex.bytes().map(naive_ebcdic).collect(),
    }
}

fn naive(sample: &Sample) -> Vec<u8> {
    let mti = sample.mti.to_string();
    let mut frame = match sample.spec.mti_form() {
        MtiForm::Ascii => mti.into_bytes(),
        MtiForm::Ebcdic => mti.bytes().map(naive_ebcdic).collect(),
        MtiForm::Bcd => from_hex(&mti),
    };
    frame.extend(naive_bitmaps(sample));
    for (number, value) in &sample.fields {
        let field = sample.spec.field(*number).expect("samples are of the table");
        frame.extend(naive_prefix(field, value.len()));
        frame.extend(naive_content(field, value));
    }
    frame
}

fn encode(sample: &Sample, frame: &mut Vec<u8>) {
    let mut encoder = Encoder::begin(sample.spec, sample.mti, frame).expect("a message begins");
    for (number, value) in &sample.fields {
        let written = match std::str::from_utf8(value) {
            Ok(text) if sample.spec.field(*number).is_some_and(|f| f.class != Class::B) => encoder.text(*number, text),
            _ => encoder.bytes(*number, value),
        };
        written.unwrap_or_else(|error| panic!("{error}"));
    }
    encoder.finish().expect("a message ends");
}

/// Writes again what was read, field by field.
fn written_again(message: &Message<'_>) -> Vec<u8> {
    let mut frame = Vec::new();
    let mut encoder = Encoder::begin(message.spec(), message.mti(), &mut frame).expect("a message begins");
    for value in message.iter() {
        encoder.value(&value).unwrap_or_else(|error| panic!("{error}"));
    }
    encoder.finish().expect("a message ends");
    frame
}

/// An empty secondary bitmap is read in some dialects and never written.
fn has_empty_secondary(message: &Message<'_>, again: &[u8]) -> bool {
    message.spec().secondary() == Secondary::MayBeEmpty
        && message.frame().len() > again.len()
        && (65..=128).all(|number| !message.has(number))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_the_standard_says_and_is_read_back(sample in sample()) {
        let mut frame = b"before".to_vec();
        encode(&sample, &mut frame);
        let frame = &frame[b"before".len()..];
        prop_assert_eq!(frame, naive(&sample));

        let message = Message::parse(sample.spec, frame).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(message.mti(), sample.mti);
        let read: Vec<(u8, Vec<u8>)> = message.iter().map(|v| (v.field_number(), v.units().collect())).collect();
        prop_assert_eq!(&read, &sample.fields);
        for number in 0..=255 {
            prop_assert_eq!(message.has(number), sample.fields.iter().any(|(n, _)| *n == number));
        }
    }

    #[test]
    fn damage_never_panics_and_what_is_still_read_is_canonical(
        sample in sample(),
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<usize>()),
    ) {
        let mut frame = Vec::new();
        encode(&sample, &mut frame);
        for (at, byte) in damage {
            let at = at % frame.len();
            frame[at] = byte;
        }
        frame.truncate(cut.map_or(frame.len(), |cut| cut % frame.len()));
        if let Ok(message) = Message::parse(sample.spec, &frame) {
            let again = written_again(&message);
            prop_assert!(again == frame || has_empty_secondary(&message, &again));
        }
    }
}
