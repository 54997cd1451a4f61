//! What every host that is asked by HTTP has in common. Nothing is decided here.
//!
//! A host is a value ([`WebHost`]): requests come in, replies and ledger rows come out. What a processor's bytes mean is its folder's.

pub mod server;

use protocol::calendar::Micros;

use crate::shell::Host;
use crate::triggers::Mishap;

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// Path, from the `/` on.
    pub path: &'a str,
    /// What follows the `?`; empty when nothing does.
    pub query: &'a str,
    /// Body, at most [`crate::limits::WEB_REQUEST_MAX_BYTES`].
    pub body: &'a [u8],
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Body.
    pub body: Vec<u8>,
}

/// How a host spoils its answers.
#[derive(Debug, Clone, Copy)]
pub struct Spoiling {
    /// Body of an answer that can't be read.
    pub garbage: &'static [u8],
    /// Body of one that is larger than any, in bytes.
    pub oversized_bytes: usize,
    /// How late a late one is, milliseconds.
    pub late_ms: u32,
}

impl WebAnswer {
    /// What becomes of an answer that may meet with a mishap.
    pub fn under(self, mishap: Option<Mishap>, delay_ms: u32, spoiling: &Spoiling) -> Reply {
        match mishap {
            None => Reply::Answer(self, delay_ms),
            Some(Mishap::Late) => Reply::Answer(self, delay_ms.saturating_add(spoiling.late_ms)),
            Some(Mishap::AnswerLost) => Reply::Silent,
            Some(Mishap::Cut) => Reply::Cut,
            Some(Mishap::Garbage) => Reply::Answer(WebAnswer { body: spoiling.garbage.to_vec(), ..self }, delay_ms),
            Some(Mishap::Oversized) => Reply::Answer(WebAnswer { body: vec![b' '; spoiling.oversized_bytes], ..self }, delay_ms),
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is answered, after a delay in milliseconds.
    Answer(WebAnswer, u32),
    /// It is never answered; the connection stays.
    Silent,
    /// Its connection is cut.
    Cut,
    /// Nothing is decided yet: somebody is at work on it, whether or not the client waits.
    Wait {
        /// Names the work.
        ticket: u64,
        /// When [`WebHost::resume`] is to be called at the latest, milliseconds from now.
        ms: u32,
    },
}

/// A host as a value that is asked by HTTP.
pub trait WebHost: Host {
    /// Takes a request.
    fn accept(&mut self, now: Micros, asked: &Asked<'_>) -> Reply;
    /// Goes on with what waits under a ticket: its time has come (`is_due`), or something else was asked of the host.
    fn resume(&mut self, now: Micros, ticket: u64, is_due: bool) -> Reply;
}
