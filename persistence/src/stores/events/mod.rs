//! Events: what happened to a merchant's things, numbered per merchant from 1 without a gap.
//!
//! Lives here: the kinds, the writing of an event in the SQL transaction of the change that it tells of, and the reading back. Must
//! not live here: who is told ([`super::webhooks`]), and which records of the journal are events (the projection's business).
//!
//! One writer at a time gives numbers, until its change is committed: they are given in the order of the commits, so that a reader who has
//! seen number n has seen, or can see, all before it.

mod append;
mod kind;
mod named;
mod read;
mod run;

#[cfg(test)]
mod tests;

pub use append::append;
pub(crate) use append::take_turn;
pub use kind::{Became, EventKind, KindFilter, Subject};
pub use read::{Event, EventPage, Told};
pub(crate) use run::RunEntry;

use protocol::calendar::Micros;
use protocol::id::Xid;

/// An event that a change brings with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Drawn like every id; receivers know a repeat by it.
    pub id: Xid,
    /// Whose.
    pub merchant: Xid,
    /// What happened.
    pub kind: EventKind,
    /// The id of the thing that it is about. A receiver hears of one thing in order.
    pub about: Xid,
    /// When, by the calendar.
    pub at: Micros,
    /// The thing as its API shows it, a JSON object.
    pub body: String,
    /// An address that came with the thing itself and is told too, whatever endpoints the merchant has.
    pub callback: Option<Callback>,
}

/// What is sent to an address that came with a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Where to.
    pub url: String,
    /// What is sent.
    pub message: Message,
}

/// The body of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The event, as endpoints get it.
    Event,
    /// `application/json`, these bytes.
    Json(String),
    /// `application/x-www-form-urlencoded`, these bytes.
    Form(String),
}
