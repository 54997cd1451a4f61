//! One client's socket and all that is known of it. What a request means is the office's.

use super::answering::{Answer, NoOutcome};
use super::caller::Caller;
use super::hall::Chair;
use super::incoming::Incoming;
use super::limits::{
    CREDITS, HELLO_TIMEOUT, IDLE_TIMEOUT, KEY_CHECK_EVERY, LINGER, READ_TURN_BYTES, RECONNECT_AFTER, UNREAD_MAX_BYTES,
    UNREAD_TIMEOUT,
};
use super::line::Line;
use super::outgoing::Outgoing;
use super::session::{Ending, Session};
use mio::event::Source;
use protocol::binary::limits::{FRAME_ITEMS_MAX, FRAME_MAX_BYTES};
use protocol::binary::{GoAway, GoAwayCode, VERSION, Welcome, capability};
use protocol::calendar::Micros;
use protocol::refusal::Refusal;
use protocol::words::Verb;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    line: Line,
    _chair: Chair,
    pub(super) session: Session,
    pub(super) caller: Option<Caller>,
    capabilities: u32,
    pub(super) incoming: Incoming,
    pub(super) outgoing: Outgoing,
    /// The kernel may have more to read.
    is_readable: bool,
    /// The kernel has said that the client sends no more: the stream's end is still to be read.
    is_closing: bool,
    /// The client has closed its half.
    is_at_end: bool,
    /// Refused too often: it is not read until then.
    pub(super) rests_until: Option<Instant>,
    heard_at: Instant,
    /// Since when something waits to be sent without any of it being taken.
    stuck_since: Option<Instant>,
    key_checked_at: Instant,
    has_asked: bool,
    /// Since when it is to be closed.
    ended_at: Option<Instant>,
    is_shut: bool,
}

/// What reading came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Bytes came; there may be more.
    Came,
    /// Nothing more is there, or nothing may be read now.
    Nothing,
    /// Its turn is over, and there may be more.
    TurnOver,
}

impl Connection {
    pub(super) fn new(line: Line, chair: Chair, now: Instant) -> Connection {
        Connection {
            line,
            _chair: chair,
            session: Session::new(CREDITS),
            caller: None,
            capabilities: 0,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            is_readable: true,
            is_closing: false,
            is_at_end: false,
            rests_until: None,
            heard_at: now,
            stuck_since: None,
            key_checked_at: now,
            has_asked: false,
            ended_at: None,
            is_shut: false,
        }
    }

    pub(super) fn source(&mut self) -> &mut impl Source {
        self.line.source()
    }

    /// There is something to read; `is_closing` says that the stream's end is behind it.
    pub(super) fn note_readable(&mut self, is_closing: bool) {
        self.is_readable = true;
        self.is_closing |= is_closing;
    }

    /// True when there is something to read and it may be read.
    pub(super) fn may_read(&self, now: Instant) -> bool {
        let is_resting = self.rests_until.is_some_and(|until| now < until);
        self.is_readable && !is_resting && !self.is_at_end && !self.is_deaf()
    }

    /// True while nothing that comes would be listened to: then it waits in the kernel, and the client with it.
    pub(super) fn is_deaf(&self) -> bool {
        self.session.is_deaf() || self.outgoing.waiting_bytes() > UNREAD_MAX_BYTES
    }

    /// Reads once. `read_bytes` counts the turn's bytes.
    pub(super) fn read(&mut self, read_bytes: &mut usize, now: Instant) -> io::Result<Reading> {
        if *read_bytes >= READ_TURN_BYTES {
            return Ok(Reading::TurnOver);
        }
        if !self.may_read(now) {
            return Ok(Reading::Nothing);
        }
        loop {
            match self.incoming.read_from(&mut self.line) {
                Ok(0) => {
                    self.is_at_end = true;
                    return Ok(Reading::Nothing);
                }
                Ok(count) => {
                    *read_bytes += count;
                    self.heard_at = now;
                    // Less than there was room for was all: what comes later is told of again.
                    self.is_readable = self.incoming.is_full() || self.is_closing || !self.line.is_clear();
                    return Ok(Reading::Came);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    return Ok(Reading::Nothing);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The client is who it says: it is told what holds.
    pub(super) fn welcome(&mut self, caller: Caller, at: Micros, now: Instant) {
        let welcome = Welcome {
            version: VERSION,
            key_kind: caller.kind as u8,
            frame_items_max: FRAME_ITEMS_MAX.into(),
            capabilities: self.capabilities.into(),
            merchant: caller.merchant,
            credits: CREDITS.into(),
            frame_max_bytes: (FRAME_MAX_BYTES as u32).into(),
            idle_timeout_ms: millis(IDLE_TIMEOUT).into(),
            now: at.0.into(),
            ..Welcome::empty()
        };
        self.outgoing.welcome(&welcome);
        self.session.welcome();
        self.caller = Some(caller);
        self.key_checked_at = now;
    }

    /// The client has said what it can do.
    pub(super) fn note_capabilities(&mut self, capabilities: u32) {
        self.capabilities = capabilities & capability::ALL;
    }

    pub(super) fn note_asked(&mut self) {
        self.has_asked = true;
    }

    fn has(&self, capability: u32) -> bool {
        self.capabilities & capability != 0
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, request_id: u64, verb: Option<Verb>, answer: &Answer) {
        if matches!(answer, Answer::None(NoOutcome::Refused(Refusal::Busy))) && self.has(capability::BUSY_FRAMES) {
            return self.outgoing.busy(request_id);
        }
        let with_text = self.has(capability::TEXTS);
        self.outgoing.answer(|frame| answer.write(request_id, verb, with_text, frame));
    }

    /// Says why nothing more is heard. What was asked before is still answered.
    pub(super) fn end(&mut self, ending: &Ending, now: Instant) {
        if self.session.is_over() {
            return;
        }
        let retry_after = match ending.code {
            GoAwayCode::ShuttingDown | GoAwayCode::TooManyConnections | GoAwayCode::Unavailable | GoAwayCode::Idle => {
                RECONNECT_AFTER
            }
            GoAwayCode::Malformed
            | GoAwayCode::Version
            | GoAwayCode::Unauthorized
            | GoAwayCode::Unexpected
            | GoAwayCode::NoCredit
            | GoAwayCode::NotActive
            | GoAwayCode::Other(_) => Duration::ZERO,
        };
        self.outgoing.go_away(&GoAway { code: ending.code, retry_after_ms: millis(retry_after), text: &ending.why });
        self.session.end();
        self.incoming.clear();
        self.ended_at = Some(now);
    }

    /// Sends what the kernel takes. True while the connection lives on.
    pub(super) fn flush(&mut self, now: Instant) -> io::Result<bool> {
        let waiting = self.outgoing.waiting_bytes();
        let written = self.outgoing.write_to(&mut self.line)?;
        self.session.answered(written.answers);
        let (left, line_is_empty) = (self.outgoing.waiting_bytes(), self.line.push()?);
        match self.stuck_since {
            _ if left == 0 && line_is_empty => self.stuck_since = None,
            Some(_) if left >= waiting => {}
            _ => self.stuck_since = Some(now),
        }
        if left == 0 && line_is_empty && self.is_done() {
            return self.shut();
        }
        Ok(true)
    }

    /// True when everything that was asked is answered and nothing more will be.
    fn is_done(&self) -> bool {
        (self.session.is_over() || self.is_at_end) && self.session.unanswered() == 0
    }

    /// Closes our half. A client that still sends would be cut off by a plain close and might lose what it was told, so it has
    /// a moment to read it.
    fn shut(&mut self) -> io::Result<bool> {
        if self.is_at_end {
            return Ok(false);
        }
        if !self.is_shut {
            self.is_shut = true;
            self.line.shut()?;
        }
        Ok(true)
    }

    /// Looks at the bounds of time. `None` while all hold.
    pub(super) fn overdue(&self, now: Instant) -> Option<Overdue> {
        let is_past = |since: Instant, bound: Duration| now.duration_since(since) > bound;
        if self.stuck_since.is_some_and(|since| is_past(since, UNREAD_TIMEOUT)) {
            return Some(Overdue::Close);
        }
        if self.ended_at.is_some_and(|since| is_past(since, LINGER)) && self.session.unanswered() == 0 {
            return Some(Overdue::Close);
        }
        if self.ended_at.is_some() {
            return None;
        }
        if self.caller.is_none() {
            return is_past(self.heard_at, HELLO_TIMEOUT).then_some(Overdue::End("no Hello came in time"));
        }
        let is_idle = self.session.unanswered() == 0 && is_past(self.heard_at, IDLE_TIMEOUT);
        is_idle.then_some(Overdue::End("nothing was heard for too long"))
    }

    /// The key that should be looked up again, if it is time and the connection is in use.
    pub(super) fn key_to_check(&mut self, now: Instant) -> Option<[u8; 32]> {
        let caller = self.caller.as_ref().filter(|_| self.session.is_open() && self.has_asked)?;
        if now.duration_since(self.key_checked_at) < KEY_CHECK_EVERY {
            return None;
        }
        (self.key_checked_at, self.has_asked) = (now, false);
        Some(caller.key_hash)
    }

    /// Gives back buffers that a burst has left behind, and reads away what a client that was sent away still sends.
    pub(super) fn tidy(&mut self) {
        self.incoming.shrink();
        if !self.session.is_over() || self.is_at_end {
            return;
        }
        // Bounded: a connection that was ended lives for a moment only.
        for _ in 0..READ_TURN_BYTES / super::limits::READ_LEAST_BYTES {
            match self.incoming.read_from(&mut self.line) {
                Ok(1..) => self.incoming.clear(),
                Ok(0) => return self.is_at_end = true,
                Err(_) => return,
            }
        }
    }
}

/// What is to be done about a client that has let a bound of time pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Tell it so, and end.
    End(&'static str),
    /// It would not hear.
    Close,
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}
