//! The TSYS-style card host: ISO 8583:1987 over TCP.
//!
//! - [`wire`]: what the messages mean as requests, and how answers are written.
//! - [`book`]: what the host remembers: transactions, open totals, used batch numbers.
//! - [`upload`]: members of batches whose totals did not agree.
//! - [`host`]: the decisions. A value: no clock, socket, file or randomness of its own.
//! - [`server`]: sockets and the ledger's file around it.
//!
//! | message | fields of the request |
//! | --- | --- |
//! | 0100 authorization, verification | 2 3 4 7 11 12 13 14 18 22 25 32 35 37 41 42 45 48 49 |
//! | 0120 authorization advice, 0121 its repeat | 2 3 4 7 11 12 13 14 18 22 25 32 37 38 41 42 49 |
//! | 0200 sale; refund and credit by DE3 | same, and 60: the batch that it belongs to, six digits |
//! | 0220 capture advice, 0221 its repeat | 2 3 4 7 11 12 13 14 18 22 25 32 37 38 41 42 49 60 90 |
//! | 0400 void | 2 3 4 7 11 12 13 14 32 37 38 41 42 49 90 |
//! | 0420 reversal advice, 0421 its repeat | 2 3 4 7 11 12 13 14 32 37 39 41 42 49 90 |
//! | 0320 member of a batch out of balance | 3 4 7 11 12 13 32 37 41 42 49 60 90; 11 is its number among the members |
//! | 0500 settlement totals; behind 0320s with 3 = 960000 | 7 11 12 13 32 41 42 50 60 74 76 86 88 97 |
//! | 0800 network management | 7 11 12 13 70 |
//!
//! DE60 of a 0500 has twelve digits: the number under which the batch is presented, then the number that its members carried.
//! So a batch that is closed under traffic adds up on both sides, and a rejected one can come again under a new number.
//!
//! Answers repeat 3 4 7 11 12 13 37 41 42 49, as far as they were sent, and never DE2; they add 38 (approved), 39, 44
//! (letters of AVS and CVV, for 0110 and 0210), 60 (0510), 63 (16 characters of text; not for 0810) and 70 (0810).

pub mod book;
pub mod host;
pub mod server;
#[cfg(test)]
mod tests;
pub mod upload;
pub mod wire;

pub use host::{ConnectionId, Host, LateAnswer, Replies, Stats};
