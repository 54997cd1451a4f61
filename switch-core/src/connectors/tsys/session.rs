//! The life of one connection to the host, sans I/O: sign-on, traffic, echo, sign-off; and which answer belongs to which request.
//!
//! Whoever owns the socket tells what happened ([`Session::connected`], [`Session::received`], [`Session::tick`], …) and does what
//! [`Session::poll`] says. Bytes to write collect in [`Session::take_output`], so that neighbours leave in one write.

use super::decode;
use super::encode::{self, Outgoing, Presented, Unwritable};
use super::upload::{self, Detail, DetailAnswer};
use crate::input::{Answer, Leg, Sent};
use crate::output::Subject;
use hashbrown::HashTable;
use protocol::calendar::Micros;
use protocol::id::mix;
use protocol::iso8583::{Frames, MacKey, Message, Mti, TSYS};
use protocol::secret::wipe;
use std::collections::VecDeque;

/// DE70: sign-on.
const SIGN_ON: &str = "001";
/// DE70: sign-off.
const SIGN_OFF: &str = "002";
/// DE70: cut-over, a new business day begins.
const CUT_OVER: &str = "201";
/// DE70: echo test.
const ECHO: &str = "301";
/// DE39 of our answer to the host's own network management: done.
const DONE: &str = "00";
/// The same: requested function not supported.
const NOT_SUPPORTED: &str = "40";
/// Trace numbers of network management wrap here; they are matched among themselves only.
const NETWORK_STAN_MAX: u32 = protocol::limits::STAN_MAX;

/// Times and bounds of a session.
#[derive(Debug, Clone, Copy)]
pub struct SessionOptions {
    /// Silence after which an echo is sent, milliseconds.
    pub echo_after_ms: u32,
    /// How long the host may take to answer network management, milliseconds.
    pub network_timeout_ms: u32,
    /// Echoes without an answer after which the connection counts as down.
    pub missed_echoes_max: u32,
    /// How long a request is remembered for a late answer, milliseconds. Longer than any processor's time-out.
    pub late_answer_ms: u32,
    /// Requests remembered at most (I8). An eighth of them is kept for reversals and totals: what takes an approval back must
    /// find room when everything else does not.
    pub pending_max: u32,
}

impl SessionOptions {
    /// Requests remembered at most when one of this kind comes.
    fn room_for(&self, leg: Leg) -> usize {
        let all = self.pending_max as usize;
        match leg {
            Leg::Original | Leg::Step => all - all / 8,
            Leg::Reversal | Leg::Totals => all,
        }
    }
}

impl Default for SessionOptions {
    fn default() -> SessionOptions {
        SessionOptions {
            echo_after_ms: 30_000,
            network_timeout_ms: 5_000,
            missed_echoes_max: 3,
            late_answer_ms: 600_000,
            pending_max: 1 << 17,
        }
    }
}

/// Why a request was not taken. Nothing of it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSubmitted {
    /// The host has not answered the sign-on, or the connection is down.
    NotSignedOn,
    /// Too many requests wait for answers.
    Full,
    /// The message can't be written.
    Unwritable(Unwritable),
}

/// Why a connection is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The host sent bytes that are no frame or no message.
    Garbage,
    /// The host refused the sign-on.
    SignOnRefused,
    /// The host does not answer network management.
    Silent,
    /// Signed off.
    SignedOff,
}

/// What a session has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The host is ready for traffic.
    SignedOn,
    /// An answer, matched to its request.
    Answer {
        /// The shard that waits for it.
        shard: u16,
        /// What it says.
        answer: Answer,
        /// How long after its request it came, microseconds.
        waited_us: u64,
    },
    /// The connection went down with this request unanswered.
    Lost {
        /// The shard that waits for its answer.
        shard: u16,
        /// The request.
        sent: Sent,
    },
    /// An answer to [`Session::submit_detail`].
    Detail(DetailAnswer),
    /// Close the connection, then call [`Session::disconnected`].
    Disconnect(DisconnectReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Down,
    SigningOn {
        until: Micros,
    },
    Up,
    SigningOff {
        until: Micros,
    },
    /// Told to disconnect; nothing more is read.
    Closing,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    /// The message type of its answer: a void's 0410 and its reversal advice's 0430 may carry one trace number.
    answer: Mti,
    terminal: [u8; 8],
    /// Retrieval reference number, DE37; zeros for totals. A trace number comes again within seconds under load: an answer that names
    /// another transaction is a late one, and must not decide this.
    rrn: [u8; 12],
    sent: Sent,
    shard: u16,
    submitted_at: Micros,
    forget_at: Micros,
}

/// One connection's session.
pub struct Session {
    options: SessionOptions,
    key: Option<MacKey>,
    state: State,
    inbound: Vec<u8>,
    output: Vec<u8>,
    events: VecDeque<Event>,
    pending: HashTable<Pending>,
    network_stan: u32,
    heard_at: Micros,
    echo_until: Option<Micros>,
    missed_echoes: u32,
    next_purge: Micros,
    unmatched: u64,
    unvouched: u64,
}

impl core::fmt::Debug for Session {
    /// The output holds card numbers: of the buffers only lengths are shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Session")
            .field("state", &self.state)
            .field("inbound_bytes", &self.inbound.len())
            .field("output_bytes", &self.output.len())
            .field("pending", &self.pending.len())
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session that is not connected.
    pub fn new(options: SessionOptions) -> Session {
        Session {
            options,
            key: None,
            state: State::Down,
            inbound: Vec::new(),
            output: Vec::new(),
            events: VecDeque::new(),
            pending: HashTable::new(),
            network_stan: 0,
            heard_at: Micros::NONE,
            echo_until: None,
            missed_echoes: 0,
            next_purge: Micros::NONE,
            unmatched: 0,
            unvouched: 0,
        }
    }

    /// Seals every message that it writes, and acts on none that the host has not sealed.
    pub fn authenticated_by(self, key: Option<MacKey>) -> Session {
        Session { key, ..self }
    }

    /// The connection stands: sign-on goes first, traffic after its answer.
    pub fn connected(&mut self, now: Micros) {
        self.forget_bytes();
        (self.missed_echoes, self.echo_until, self.heard_at) = (0, None, now);
        self.state = State::SigningOn { until: now.plus_ms(self.options.network_timeout_ms) };
        self.send_network(SIGN_ON, now);
    }

    /// The connection is gone. What it had not answered is lost; what it had not yet been given to write is lost too, for nobody
    /// knows how much of it left.
    pub fn disconnected(&mut self) {
        self.state = State::Down;
        self.forget_bytes();
        let mut lost: Vec<Pending> = self.pending.drain().collect();
        // The table's order depends on the machine; the order of events must not (I7).
        lost.sort_unstable_by_key(|Pending { sent, .. }| (sent.id, sent.leg as u8, sent.stan));
        self.events.extend(lost.into_iter().map(|Pending { shard, sent, .. }| Event::Lost { shard, sent }));
    }

    /// True when requests are taken.
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Requests that wait for an answer, late ones included.
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Answers that belonged to no request.
    pub fn unmatched_count(&self) -> u64 {
        self.unmatched
    }

    /// Messages without the authentication code that they must have.
    pub fn unvouched_count(&self) -> u64 {
        self.unvouched
    }

    /// Takes a request: its message is appended to the output.
    pub fn submit(&mut self, outgoing: &Outgoing<'_>, now: Micros) -> Result<(), NotSubmitted> {
        self.submit_as(outgoing, Presented::First, now)
    }

    /// Takes totals whose batch's members have been uploaded: what the host says to these is final.
    pub fn submit_after_upload(&mut self, outgoing: &Outgoing<'_>, now: Micros) -> Result<(), NotSubmitted> {
        self.submit_as(outgoing, Presented::AfterUpload, now)
    }

    /// Takes a member of a batch whose totals are not the host's. It is answered by [`Event::Detail`]; one that is not remembered
    /// here is asked for again by whoever uploads.
    pub fn submit_detail(&mut self, detail: &Detail<'_>) -> Result<(), NotSubmitted> {
        if self.state != State::Up {
            return Err(NotSubmitted::NotSignedOn);
        }
        upload::write_detail(detail, self.key.as_ref(), &mut self.output).map_err(NotSubmitted::Unwritable)
    }

    fn submit_as(&mut self, outgoing: &Outgoing<'_>, presented: Presented, now: Micros) -> Result<(), NotSubmitted> {
        if self.state != State::Up {
            return Err(NotSubmitted::NotSignedOn);
        }
        let sent = outgoing.request.sent;
        if self.pending.len() >= self.options.room_for(sent.leg) {
            return Err(NotSubmitted::Full);
        }
        encode::write(outgoing, presented, self.key.as_ref(), &mut self.output).map_err(NotSubmitted::Unwritable)?;
        let mti = encode::mti_of(&outgoing.request);
        let answer = mti.response().unwrap_or(mti);
        let terminal = padded(&outgoing.acceptor.terminal);
        self.forget(answer, sent.stan, &terminal, None);
        let rrn = match outgoing.request.subject {
            Subject::Transaction(transaction, _) => transaction.rrn,
            Subject::Batch(_) => [0; 12],
        };
        let pending = Pending {
            answer,
            terminal,
            rrn,
            sent,
            shard: outgoing.shard,
            submitted_at: now,
            forget_at: now.plus_ms(self.options.late_answer_ms),
        };
        self.pending.insert_unique(hash_of(answer, sent.stan), pending, |known| hash_of(known.answer, known.sent.stan));
        Ok(())
    }

    /// Says good-bye: no more requests are taken, and the connection is closed once the host has answered or its time is over.
    pub fn sign_off(&mut self, now: Micros) {
        if self.state == State::Up {
            self.state = State::SigningOff { until: now.plus_ms(self.options.network_timeout_ms) };
            self.send_network(SIGN_OFF, now);
        }
    }

    /// Tells the host that a new business day begins.
    pub fn cut_over(&mut self, now: Micros) {
        if self.state == State::Up {
            self.send_network(CUT_OVER, now);
        }
    }

    /// Bytes have come in.
    pub fn received(&mut self, bytes: &[u8], now: Micros) {
        if matches!(self.state, State::Down | State::Closing) {
            return;
        }
        self.inbound.extend_from_slice(bytes);
        let inbound = core::mem::take(&mut self.inbound);
        let consumed = self.read_frames(&inbound, now);
        self.inbound = inbound;
        self.inbound.drain(..consumed);
    }

    fn read_frames(&mut self, inbound: &[u8], now: Micros) -> usize {
        let mut frames = Frames::new(inbound);
        loop {
            match frames.next_message() {
                Ok(Some(frame)) if self.read_message(frame, now) => {}
                Ok(None) => return frames.consumed(),
                Ok(Some(_)) | Err(_) => {
                    self.disconnect(DisconnectReason::Garbage);
                    return inbound.len();
                }
            }
        }
    }

    /// False when the bytes are no message that this session can act upon.
    fn read_message(&mut self, frame: &[u8], now: Micros) -> bool {
        if self.state == State::Closing {
            return true;
        }
        let Ok(message) = Message::parse(&TSYS, frame) else { return false };
        let Some(stan) = message.number(11).map(|stan| stan as u32) else { return false };
        if self.key.as_ref().is_some_and(|key| !key.vouches_for(&message)) {
            // As if it had not come: whoever waits for it runs into his deadline, and the host counts as silent.
            self.unvouched += 1;
            return true;
        }
        self.heard_at = now;
        if message.mti() == Mti::NETWORK_RESPONSE {
            self.network_answered(&message);
            return true;
        }
        if message.mti() == Mti::NETWORK_REQUEST {
            self.answer_network(&message);
            return true;
        }
        if !message.mti().is_response() {
            // Any other request of the host's own is none of ours to answer; it is no reason to lose what is in flight.
            self.unmatched += 1;
            return true;
        }
        let terminal = message.text(41).map_or([b' '; 8], padded);
        if message.mti() == Mti::BATCH_UPLOAD_ADVICE_RESPONSE {
            let numbers = message.text(60).and_then(|text| text.parse().ok()).unwrap_or(0);
            let agrees = message.text(39) == Some(DONE);
            self.events.push_back(Event::Detail(DetailAnswer { record: stan, numbers, terminal, agrees }));
            return true;
        }
        let matched = self.forget(message.mti(), stan, &terminal, message.text(37));
        match matched.and_then(|pending| Some((pending, decode::answer(&message, pending.sent)?))) {
            Some((Pending { shard, submitted_at, .. }, answer)) => {
                let waited_us = u64::try_from(self.heard_at.0 - submitted_at.0).unwrap_or(0);
                self.events.push_back(Event::Answer { shard, answer, waited_us });
            }
            None => self.unmatched += 1,
        }
        true
    }

    fn network_answered(&mut self, message: &Message<'_>) {
        let accepted = message.text(39) == Some("00");
        match self.state {
            State::SigningOn { .. } if accepted => {
                self.state = State::Up;
                self.events.push_back(Event::SignedOn);
            }
            State::SigningOn { .. } => self.disconnect(DisconnectReason::SignOnRefused),
            State::SigningOff { .. } => self.disconnect(DisconnectReason::SignedOff),
            State::Up => (self.echo_until, self.missed_echoes) = (None, 0),
            State::Down | State::Closing => {}
        }
    }

    /// The host asks whether we are there, or says that its day is over.
    fn answer_network(&mut self, asked: &Message<'_>) {
        let action_code = match asked.text(70) {
            Some(ECHO | CUT_OVER) => DONE,
            _ => NOT_SUPPORTED,
        };
        // What it lacks is left out of the answer; what is there fits again.
        let written = encode::write_network_answer(asked, action_code, self.key.as_ref(), &mut self.output);
        debug_assert!(written.is_ok(), "fields of a message that was read fit its answer");
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Micros) {
        match self.state {
            State::SigningOn { until } if until <= now => self.disconnect(DisconnectReason::Silent),
            State::SigningOff { until } if until <= now => self.disconnect(DisconnectReason::SignedOff),
            State::Up => self.tick_up(now),
            State::Down | State::SigningOn { .. } | State::SigningOff { .. } | State::Closing => {}
        }
    }

    fn tick_up(&mut self, now: Micros) {
        if self.next_purge <= now {
            self.pending.retain(|pending| pending.forget_at > now);
            self.next_purge = now.plus_s(1);
        }
        match self.echo_until {
            Some(until) if until <= now => self.echo_missed(now),
            Some(_) => {}
            None if self.heard_at.plus_ms(self.options.echo_after_ms) <= now => self.send_echo(now),
            None => {}
        }
    }

    fn echo_missed(&mut self, now: Micros) {
        self.missed_echoes += 1;
        if self.missed_echoes >= self.options.missed_echoes_max {
            return self.disconnect(DisconnectReason::Silent);
        }
        self.send_echo(now);
    }

    fn send_echo(&mut self, now: Micros) {
        self.echo_until = Some(now.plus_ms(self.options.network_timeout_ms));
        self.send_network(ECHO, now);
    }

    /// When [`Session::tick`] must come at the latest; `None` while nothing waits.
    pub fn next_tick(&self) -> Option<Micros> {
        match self.state {
            State::SigningOn { until } | State::SigningOff { until } => Some(until),
            State::Up => {
                let echo = self.echo_until.unwrap_or(self.heard_at.plus_ms(self.options.echo_after_ms));
                Some(if self.pending.is_empty() { echo } else { echo.min(self.next_purge) })
            }
            State::Down | State::Closing => None,
        }
    }

    /// The next thing to do; `None` when there is nothing.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Bytes to write: everything since the last call, swapped for the caller's buffer, whose own bytes have been written. They held
    /// cards, so they are wiped (I9).
    pub fn take_output(&mut self, emptied: &mut Vec<u8>) {
        wipe(emptied);
        emptied.clear();
        core::mem::swap(emptied, &mut self.output);
    }

    fn forget_bytes(&mut self) {
        self.inbound.clear();
        wipe(&mut self.output);
        self.output.clear();
    }

    fn send_network(&mut self, code: &str, now: Micros) {
        self.network_stan = self.network_stan % NETWORK_STAN_MAX + 1;
        let written = encode::write_network(self.network_stan, code, now, self.key.as_ref(), &mut self.output);
        debug_assert!(written.is_ok(), "a network message has fixed, fitting fields");
    }

    fn disconnect(&mut self, reason: DisconnectReason) {
        if self.state == State::Closing {
            return;
        }
        self.state = State::Closing;
        self.events.push_back(Event::Disconnect(reason));
    }

    /// Takes out the request that an answer of this type with these numbers belongs to.
    fn forget(&mut self, answer: Mti, stan: u32, terminal: &[u8; 8], rrn: Option<&str>) -> Option<Pending> {
        let is_it = |known: &Pending| {
            let same_rrn = rrn.is_none_or(|rrn| known.rrn == [0; 12] || rrn.as_bytes() == known.rrn);
            known.answer == answer && known.sent.stan == stan && known.terminal == *terminal && same_rrn
        };
        let (pending, _) = self.pending.find_entry(hash_of(answer, stan), is_it).ok()?.remove();
        Some(pending)
    }
}

fn hash_of(answer: Mti, stan: u32) -> u64 {
    mix(u64::from(u32::from_be_bytes(answer.to_ascii())) << 32 | u64::from(stan))
}

/// DE41 in its eight characters.
fn padded(terminal: &str) -> [u8; 8] {
    let mut bytes = [b' '; 8];
    for (place, byte) in bytes.iter_mut().zip(terminal.bytes()) {
        *place = byte;
    }
    bytes
}
