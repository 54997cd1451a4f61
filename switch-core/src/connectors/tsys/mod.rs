//! Card processor, TSYS-style: ISO 8583:1987 over a stream, in the dialect [`protocol::iso8583::TSYS`].
//!
//! | request | fields |
//! |---|---|
//! | 0100 authorization, verification | 2 3 4 7 11 12 13 14 18 22 25 32 (35) 37 41 42 48 49 |
//! | 0200 sale; credit and refund by DE3 | the same, and 60 |
//! | 0220 capture advice | 2 3 4 7 11 12 13 14 18 22 25 32 37 38 41 42 49 60 90 |
//! | 0400 void | 2 3 4 7 11 12 13 14 32 37 38 41 42 49 90 |
//! | 0420 reversal advice, 0421 its repeat | 2 3 4 7 11 12 13 14 32 37 39 41 42 49 90 |
//! | 0320 member of a batch, when its totals are not the host's | 3 4 7 11 12 13 32 37 41 42 49 60 90 |
//! | 0500 batch totals; after 0320s with 3 | 7 11 12 13 32 41 42 50 60 74 76 86 88 97 |
//! | 0800 sign-on, sign-off, cut-over, echo | 7 11 12 13 70 |
//!
//! Answers echo what identifies the request and add 38, 39, 44 (AVS letter, CVV letter) and 63 (16 characters of text).

mod code_map;
mod decode;
mod encode;
mod session;
#[cfg(test)]
mod tests;
mod upload;

pub use code_map::{ACTION_CODES, response_code};
pub use encode::{Acceptor, CardData, Outgoing};
pub use session::{DisconnectReason, Event, NotSubmitted, Session, SessionOptions};
pub use upload::{Detail, DetailAnswer, numbers_of};
