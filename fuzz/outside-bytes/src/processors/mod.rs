//! Both ends of a processor's wire: our session against any host, the sandbox's host against any switch.

pub mod accounts;
pub mod host;
pub mod session;
pub mod terminals;

use protocol::iso8583::{EncodeError, Encoder, FRAME_HEADER_BYTES, Frames, Message, Mti, TSYS, append_frame};

/// The messages of a stream that is known to be whole frames.
pub(crate) fn messages(stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Frames::new(stream);
    let mut messages = Vec::new();
    while let Ok(Some(message)) = frames.next_message() {
        messages.push(message);
    }
    messages
}

/// A frame of these fields, in the dialect of the card hosts.
pub(crate) fn frame(mti: Mti, fields: &[(u8, String)]) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    append_frame(&mut out, |buffer| {
        let mut encoder = Encoder::begin(&TSYS, mti, buffer)?;
        for (field, text) in fields {
            encoder.text(*field, text)?;
        }
        encoder.finish()
    })?;
    Ok(out)
}

/// The same frame with some bytes changed, its length kept.
pub(crate) fn spoiled(mut frame: Vec<u8>, changes: &[u8]) -> Vec<u8> {
    for change in changes.chunks_exact(2) {
        let at = FRAME_HEADER_BYTES + usize::from(change[0]) % (frame.len() - FRAME_HEADER_BYTES);
        frame[at] ^= change[1];
    }
    frame
}

/// A message of the card hosts' dialect, if it is one.
pub(crate) fn read(message: &[u8]) -> Option<Message<'_>> {
    Message::parse(&TSYS, message).ok()
}
