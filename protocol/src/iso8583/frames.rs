//! Framing on a TCP stream: a length of two bytes, big-endian, before each message; the length does not count itself.
//! Bytes in, bytes out; the socket is elsewhere.

use std::fmt;

use super::error::{EncodeError, Part, Reason};

/// Bytes of the length header.
pub const FRAME_HEADER_BYTES: usize = 2;

/// Longest message in a frame that this switch accepts from a peer. No message of the trade comes near it; a longer one is
/// garbage or an attack, and the stream cannot be trusted any more.
pub const FRAME_MAX_BYTES: usize = 4096;

/// A stream that cannot be cut into frames any further: the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The header announces no bytes.
    Empty,
    /// The header announces more bytes than a frame may have.
    TooLong {
        /// Bytes announced.
        announced: usize,
        /// Bytes allowed.
        max: usize,
    },
}

impl std::error::Error for FrameError {}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Empty => f.write_str("frame of zero bytes"),
            FrameError::TooLong { announced, max } => {
                write!(f, "frame of {announced} bytes is longer than {max}")
            }
        }
    }
}

/// The first frame's message, when it has come whole: `Ok(None)` asks for more bytes. It takes
/// [`FRAME_HEADER_BYTES`] + its length of the stream.
#[inline]
pub fn next_frame(stream: &[u8]) -> Result<Option<&[u8]>, FrameError> {
    let Some((header, rest)) = stream.split_first_chunk::<FRAME_HEADER_BYTES>() else { return Ok(None) };
    match usize::from(u16::from_be_bytes(*header)) {
        0 => Err(FrameError::Empty),
        announced if announced > FRAME_MAX_BYTES => Err(FrameError::TooLong { announced, max: FRAME_MAX_BYTES }),
        length => Ok(rest.get(..length)),
    }
}

/// Cuts a buffer of received bytes into messages, one after another.
///
/// ```
/// let mut frames = protocol::iso8583::Frames::new(b"\x00\x02hi\x00\x05par");
/// assert_eq!(frames.next_message(), Ok(Some(&b"hi"[..])));
/// assert_eq!(frames.next_message(), Ok(None));
/// assert_eq!(frames.consumed(), 4);
/// ```
#[derive(Clone)]
pub struct Frames<'a> {
    stream: &'a [u8],
    consumed: usize,
}

impl<'a> Frames<'a> {
    /// Starts at a frame's header.
    pub fn new(stream: &'a [u8]) -> Frames<'a> {
        Frames { stream, consumed: 0 }
    }

    /// The next whole message; `Ok(None)` when the rest waits for more bytes. An error stays an error.
    pub fn next_message(&mut self) -> Result<Option<&'a [u8]>, FrameError> {
        let rest = self.stream.get(self.consumed..).unwrap_or_default();
        let message = next_frame(rest)?;
        self.consumed += message.map_or(0, |m| FRAME_HEADER_BYTES + m.len());
        Ok(message)
    }

    /// Bytes of the stream that were handed out and may be dropped from the caller's buffer.
    pub fn consumed(&self) -> usize {
        self.consumed
    }
}

impl fmt::Debug for Frames<'_> {
    /// How far it is; the bytes are not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frames({} of {} bytes)", self.consumed, self.stream.len())
    }
}

/// Appends a frame: `write` puts an [`Encoder`](super::Encoder) over the buffer and finishes it, and the header gets its length. On an error the
/// buffer is left as it was.
pub fn append_frame<F>(buffer: &mut Vec<u8>, write: F) -> Result<usize, EncodeError>
where
    F: FnOnce(&mut Vec<u8>) -> Result<usize, EncodeError>,
{
    let start = buffer.len();
    buffer.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
    let written = write(buffer).and_then(|length| header(length).map(|bytes| (length, bytes)));
    match written {
        Ok((length, bytes)) => {
            if let Some(place) = buffer.get_mut(start..start + FRAME_HEADER_BYTES) {
                place.copy_from_slice(&bytes);
            }
            Ok(length)
        }
        Err(error) => {
            buffer.truncate(start);
            Err(error)
        }
    }
}

fn header(length: usize) -> Result<[u8; FRAME_HEADER_BYTES], EncodeError> {
    match u16::try_from(length) {
        Ok(announced) if length <= FRAME_MAX_BYTES => Ok(announced.to_be_bytes()),
        _ => Err(EncodeError { part: Part::End, reason: Reason::TooLong { max: FRAME_MAX_BYTES as u16 } }),
    }
}
