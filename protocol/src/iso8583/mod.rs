//! ISO 8583:1987 messages: a table-driven codec that allocates nothing.
//!
//! A dialect is one table, a [`Spec`]: which fields there are, what they may hold ([`Class`], [`Length`], [`Calendar`]), and
//! how each thing is put into bytes ([`Encoding`], [`Prefix`], [`Pad`], [`BitmapForm`], [`MtiForm`]). The axes are
//! independent, so that a new dialect is a new table and not new code. [`TSYS`] is the one our card links speak.
//!
//! - [`Message::parse`] checks a frame whole and is then a view over it.
//! - [`Encoder`] writes a message into the caller's buffer and refuses what the table does not allow.
//! - [`Frames`] and [`append_frame`] do the two-byte length header of the TCP stream.
//! - [`MacKey`] seals messages and looks whether they were.
//!
//! No sockets, no clock, no response codes and no matching here: what a message means is the connectors' business.
//!
//! ```
//! use protocol::iso8583::{Encoder, Message, Mti, TSYS};
//!
//! let mut buffer = Vec::with_capacity(512);
//! let mut request = Encoder::begin(&TSYS, Mti::FINANCIAL_REQUEST, &mut buffer)?;
//! request.text(2, "4012000098765439")?.text(3, "000000")?.number(4, 1_112)?.number(11, 7)?;
//! let length = request.finish()?;
//! assert_eq!(length, buffer.len());
//!
//! let message = Message::parse(&TSYS, &buffer)?;
//! assert_eq!(message.mti(), Mti::FINANCIAL_REQUEST);
//! assert_eq!(message.text(4), Some("000000001112"));
//! assert_eq!(message.number(4), Some(1_112));
//! assert!(!message.has(39));
//! assert!(message.to_string().contains("401200******5439"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bitmap;
mod content;
mod describe;
mod dialects;
mod dictionary;
mod elements;
mod encode;
mod error;
mod frames;
mod mac;
mod mti;
mod parse;
mod spec;
#[cfg(test)]
mod tests;
mod wire;

pub use dialects::{ASCII_1987, BCD_1987, DIALECTS, EBCDIC_1987, TSYS};
pub use dictionary::ISO_1987;
pub use elements::{ADDITIONAL_AMOUNTS_MAX, AdditionalAmount, Composed, OriginalData, PartTooLarge, ReplacementAmounts};
pub use encode::{Encoder, FixedBuffer, Output};
pub use error::{EncodeError, ParseError, Part, Reason};
pub use frames::{FRAME_HEADER_BYTES, FRAME_MAX_BYTES, FrameError, Frames, append_frame, next_frame};
pub use mac::{MAC_BYTES, MAC_KEY_BYTES, MacKey};
pub use mti::{MessageClass, MessageFunction, Mti, NotAnMti};
pub use parse::{Message, Sign, Value};
pub use spec::{
    BitmapForm, Calendar, Class, Element, Encoding, FIELD_MAX, Field, Layout, Length, MtiForm, Pad, Prefix, Secondary, Secrecy,
    Spec,
};

/// Longest value of any field, in characters or bytes: three digits of length.
pub const VALUE_MAX_BYTES: usize = 999;
