//! Any bytes as a message of each dialect. Nothing panics; what is read says the same when written again; a description never
//! holds the whole card number. The first byte chooses the dialect, so that the corpus can aim.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::iso8583::{DIALECTS, Encoder, Message, Secondary, VALUE_MAX_BYTES};

/// Shortest card number that a description must shorten.
const PAN_MIN_DIGITS: usize = 13;

fuzz_target!(|input: &[u8]| {
    let Some((choice, frame)) = input.split_first() else { return };
    let spec = DIALECTS[usize::from(*choice) % DIALECTS.len()];
    match Message::parse(spec, frame) {
        Ok(message) => {
            is_canonical(&message);
            hides_the_card_number(&message);
        }
        Err(error) => {
            assert!(usize::from(error.position) <= frame.len(), "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
});

fn is_canonical(message: &Message<'_>) {
    let mut again = Vec::new();
    let mut encoder = Encoder::begin(message.spec(), message.mti(), &mut again).expect("a message begins");
    for value in message.iter() {
        encoder.value(&value).expect("what was read may be written");
    }
    encoder.finish().expect("a message ends");
    let empty_secondary = message.spec().secondary() == Secondary::MayBeEmpty
        && (65..=128).all(|number| !message.has(number))
        && again.len() < message.frame().len();
    assert!(again == message.frame() || empty_secondary);
}

fn hides_the_card_number(message: &Message<'_>) {
    let mut buffer = [0; VALUE_MAX_BYTES];
    let pan = message.field(2).and_then(|value| value.decode_into(&mut buffer)).unwrap_or_default();
    let shown = message.to_string();
    if pan.len() >= PAN_MIN_DIGITS {
        assert!(!shown.as_bytes().windows(pan.len()).any(|part| part == pan), "the card number is shown");
    }
}
