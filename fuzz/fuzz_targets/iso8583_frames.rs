//! Any bytes as a TCP stream. Nothing panics; messages and headers cover exactly what was consumed; a stream that comes in two
//! pieces gives the same messages as one that comes whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::iso8583::{FRAME_HEADER_BYTES, FRAME_MAX_BYTES, FrameError, Frames};

fuzz_target!(|input: &[u8]| {
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
});

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
