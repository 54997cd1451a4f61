//! Bytes and words of the switch: what both ends of every wire, queue and file agree on.
//!
//! Lives here: identifiers, money, the trade's closed vocabularies, secret types, the fixed little-endian layouts of
//! commands, transactions, records and journal frames, and the ISO 8583 codec. Must not live here: sockets, files,
//! clocks, threads, decisions. Everything is a value or a pure function over bytes; parsers of outside bytes never panic.

pub mod aba;
pub mod batch;
pub mod binary;
pub mod calendar;
pub mod card;
pub mod change;
pub mod choice;
pub mod command;
pub mod digest;
pub mod exchange;
pub mod facts;
pub mod frame;
pub mod id;
pub mod iso8583;
pub mod limits;
pub mod money;
pub mod nacha;
pub mod outcome;
pub mod record;
pub mod refusal;
pub mod response_code;
pub mod secret;
pub mod tail;
pub mod transaction;
pub mod words;
pub mod xml;
