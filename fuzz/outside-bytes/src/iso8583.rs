//! ISO 8583: messages of every dialect, and the stream that carries them.

use protocol::iso8583::{
    DIALECTS, Encoder, FRAME_HEADER_BYTES, FRAME_MAX_BYTES, FrameError, Frames, Message, Secondary, VALUE_MAX_BYTES,
};
use protocol::secret::PAN_MIN_DIGITS;

/// Any bytes as a message of a dialect, which the first byte chooses. What is read says the same when written again; a
/// description never holds the whole card number; a complaint points into the message.
pub fn parse(input: &[u8]) {
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
}

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

/// Any bytes as a stream, after a first byte that says where it is cut. Messages and headers cover exactly what was consumed; a
/// stream that comes in two pieces gives the same messages as one that comes whole.
pub fn frames(input: &[u8]) {
    let Some((cut, stream)) = input.split_first() else { return };
    let whole = cut_up(stream);
    let first = &stream[..usize::from(*cut).min(stream.len())];
    let early = cut_up(first);
    assert!(whole.messages.starts_with(&early.messages));
    if early.error.is_none() {
        let late = cut_up(&stream[early.consumed..]);
        assert_eq!([early.messages, late.messages].concat(), whole.messages);
        assert_eq!((early.consumed + late.consumed, late.error), (whole.consumed, whole.error));
    }
}

struct CutUp<'a> {
    messages: Vec<&'a [u8]>,
    consumed: usize,
    error: Option<FrameError>,
}

fn cut_up(stream: &[u8]) -> CutUp<'_> {
    let mut frames = Frames::new(stream);
    let mut messages = Vec::new();
    let error = loop {
        match frames.next_message() {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert!(messages.iter().all(|message| (1..=FRAME_MAX_BYTES).contains(&message.len())));
    let covered: usize = messages.iter().map(|message| FRAME_HEADER_BYTES + message.len()).sum();
    assert_eq!(covered, frames.consumed());
    CutUp { messages, consumed: frames.consumed(), error }
}
