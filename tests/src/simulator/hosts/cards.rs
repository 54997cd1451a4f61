//! A host of cards: the sandbox's, with a ledger of its own that outlives it.
//!
//! Whole frames meet their fate between the frame reader and the host, and on the host's way back: there, and not inside a
//! connection, requests and answers are lost, late, doubled or garbled.

use crate::simulator::check::Checks;
use crate::simulator::event::{Carried, End, Event, HostTask, Life};
use crate::simulator::faults::{AnswerFate, Fault, LATENESS_MAX_US, RequestFate, Seen};
use crate::simulator::stage::Stage;
use crate::simulator::wires::Wires;
use protocol::iso8583::{Frames, Message, TSYS};
use sandbox::faults::Faults;
use sandbox::ledger::{ROW_BYTES, Row};
use sandbox::shell::Host as _;
use sandbox::tsys::{ConnectionId, Host, Replies};
use std::collections::BTreeMap;
use switch_core::connectors::tsys::{Session, SessionOptions};

/// How late an answer is that a trigger makes late, milliseconds: beyond every processor's time-out.
pub(super) const LATE_MS: u32 = 7_000;
/// What is told to a host by hand comes as if on this connection.
const BY_HAND: ConnectionId = ConnectionId(u64::MAX);
/// Message type of a batch's totals.
const TOTALS_MTI: u16 = 500;
/// Of the length that goes before a message.
const LENGTH_BYTES: usize = 2;
/// Bytes that are no frame of the dialect: a length and no message.
const GARBAGE: [u8; 10] = *b"\x00\x08\xff\xfejunk!!";

/// A host of cards, and the machine that it runs on.
pub struct CardHost {
    /// Its index among hosts.
    at: usize,
    /// Index of the processor, from 1.
    pub processor: u16,
    forgets_totals: bool,
    host: Host,
    /// Rows written away.
    ledger: Vec<Row>,
    life: Life,
    /// Whether it answers at all.
    pub is_up: bool,
    inbound: BTreeMap<u64, Vec<u8>>,
    /// The last reversal that came to its door of each transaction, lost or not.
    reversals: BTreeMap<[u8; 12], Vec<u8>>,
}

impl CardHost {
    /// The host of a processor, with an empty ledger.
    pub fn new(at: usize, processor: u16, forgets_totals: bool) -> CardHost {
        let (ledger, inbound, reversals) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let host = fresh(forgets_totals);
        CardHost { at, processor, forgets_totals, host, ledger, life: 1, is_up: true, inbound, reversals }
    }

    /// What it believes.
    pub fn ledger(&self) -> &[Row] {
        &self.ledger
    }

    /// Its present life: what was planned for another is void.
    pub fn life(&self) -> Life {
        self.life
    }

    /// Something comes out of a connection.
    pub fn carried(&mut self, stage: &mut Stage, wires: &mut Wires, checks: &mut Checks, connection: u64, what: Carried) {
        match what {
            Carried::Bytes(bytes) => self.received(stage, wires, checks, connection, &bytes),
            Carried::Close => {
                wires.closed(connection, End::Host);
                self.inbound.remove(&connection);
                // Late requests of a closed connection are still the host's to take.
                self.plan(stage, LATENESS_MAX_US, HostTask::Forget { connection });
            }
        }
    }

    /// Does what it had planned.
    pub fn perform(&mut self, stage: &mut Stage, wires: &mut Wires, checks: &mut Checks, task: HostTask) {
        match task {
            HostTask::Take { connection, frame } => self.take(stage, wires, checks, connection, &frame),
            HostTask::Say { connection, bytes } => wires.send(stage, connection, End::Host, &bytes),
            HostTask::Forget { connection } => self.host.closed(ConnectionId(connection)),
            HostTask::Arrives { .. }
            | HostTask::TakeRequest { .. }
            | HostTask::Answer { .. }
            | HostTask::HangUp { .. }
            | HostTask::Resume { .. } => panic!("a host of cards is not asked by HTTP"),
        }
    }

    /// It goes away, in order or not. Its machine may leave connections that nobody closes.
    pub fn go_down(&mut self, stage: &mut Stage, wires: &mut Wires) {
        self.is_up = false;
        for connection in wires.of_host(self.processor) {
            if stage.strikes(Fault::ConnectionSilent) {
                wires.die(connection);
            } else {
                wires.close(stage, connection, End::Host);
            }
            self.inbound.remove(&connection);
        }
    }

    /// It dies, and a new one begins with what the ledger has.
    pub fn crash(&mut self, stage: &mut Stage, wires: &mut Wires) {
        self.go_down(stage, wires);
        self.life += 1;
        self.host = fresh(self.forgets_totals);
        for row in &self.ledger {
            self.host.reload(row);
        }
    }

    fn received(&mut self, stage: &mut Stage, wires: &mut Wires, checks: &mut Checks, connection: u64, bytes: &[u8]) {
        if !self.is_up {
            return;
        }
        let mut inbound = self.inbound.remove(&connection).unwrap_or_default();
        inbound.extend_from_slice(bytes);
        let mut frames = Frames::new(&inbound);
        let mut whole = Vec::new();
        while let Ok(Some(frame)) = frames.next_message() {
            whole.push(frame.to_vec());
        }
        let consumed = frames.consumed();
        inbound.drain(..consumed);
        self.inbound.insert(connection, inbound);
        for frame in whole {
            checks.host_takes(self.processor, stage.now(), &frame);
            self.note_reversal(&frame);
            self.meet_fate(stage, wires, connection, frame);
        }
    }

    fn note_reversal(&mut self, frame: &[u8]) {
        let seen = seen(self.processor, frame);
        if let (420 | 421, Ok(rrn)) = (seen.mti, seen.rrn.as_bytes().try_into()) {
            self.reversals.insert(rrn, frame.to_vec());
        }
    }

    /// An operator has its people take a transaction back: they read its reversal off the paper. False where they have none, or are away.
    pub fn takes_back(&mut self, stage: &mut Stage, checks: &mut Checks, rrn: [u8; 12]) -> bool {
        let Some(reversal) = self.reversals.get(&rrn).filter(|_| self.is_up) else { return false };
        let mut replies = Replies::default();
        let mut session = Session::new(SessionOptions::default());
        session.connected(stage.now());
        let mut sign_on = Vec::new();
        session.take_output(&mut sign_on);
        for frame in [&sign_on[LENGTH_BYTES..], reversal] {
            self.host.accept(stage.now(), BY_HAND, frame, &mut replies);
        }
        self.host.closed(BY_HAND);
        stage.tell(format_args!("host {} is asked to take rrn {} back", self.processor, String::from_utf8_lossy(&rrn)));
        self.write_rows(stage, checks);
        true
    }

    fn meet_fate(&mut self, stage: &mut Stage, wires: &mut Wires, connection: u64, frame: Vec<u8>) {
        let seen = seen(self.processor, &frame);
        let mut fate = stage.fates.request(&seen, &mut stage.dice);
        // Totals that come twice with one send would be found used by themselves: no switch could tell that from another's number.
        if self.forgets_totals && seen.mti == TOTALS_MTI && matches!(fate, RequestFate::Twice(_)) {
            fate = RequestFate::Arrives;
        }
        let take = |frame| HostTask::Take { connection, frame };
        match fate {
            RequestFate::Arrives => self.plan(stage, 1, take(frame)),
            RequestFate::Lost => stage.struck(Fault::RequestLost),
            RequestFate::Late(us) => {
                stage.struck(Fault::RequestLate);
                self.plan(stage, us, take(frame));
            }
            RequestFate::Twice(us) => {
                stage.struck(Fault::RequestTwice);
                self.plan(stage, 1, take(frame.clone()));
                self.plan(stage, us, take(frame));
            }
            RequestFate::Garbled => {
                stage.struck(Fault::RequestGarbled);
                self.plan(stage, 1, take(GARBAGE[2..].to_vec()));
            }
            RequestFate::Cut => {
                stage.struck(Fault::ConnectionCut);
                wires.cut(stage, connection);
            }
        }
    }

    fn take(&mut self, stage: &mut Stage, wires: &mut Wires, checks: &mut Checks, connection: u64, frame: &[u8]) {
        if !self.is_up {
            return;
        }
        let seen = seen(self.processor, frame);
        let mut replies = Replies::default();
        self.host.accept(stage.now(), ConnectionId(connection), frame, &mut replies);
        stage.counts.frames += 1;
        stage.tell(format_args!("host {} takes {:04} stan {} rrn {}", self.processor, seen.mti, seen.stan, seen.rrn));
        self.write_rows(stage, checks);
        let answer = std::mem::take(&mut replies.bytes);
        if !answer.is_empty() {
            self.answer(stage, wires, connection, &seen, answer);
        }
        for late in replies.late {
            self.plan(stage, u64::from(late.delay_ms) * 1_000, HostTask::Say { connection, bytes: late.bytes });
        }
        if replies.cut {
            wires.close(stage, connection, End::Host);
            self.inbound.remove(&connection);
            self.plan(stage, LATENESS_MAX_US, HostTask::Forget { connection });
        }
    }

    /// The ledger comes before the answer, as in the sandbox.
    fn write_rows(&mut self, stage: &mut Stage, checks: &mut Checks) {
        for bytes in self.host.unwritten().chunks(ROW_BYTES) {
            let row = Row::open(bytes).expect("a host writes sound rows");
            let (kind, amount, action) = (row.kind(), row.amount, String::from_utf8_lossy(&row.action).into_owned());
            stage.tell(format_args!("host {} writes {kind:?} of {amount}: {action}", self.processor));
            checks.host_row(self.processor, &row);
            self.ledger.push(row);
        }
        self.host.rows_written();
    }

    fn answer(&mut self, stage: &mut Stage, wires: &mut Wires, connection: u64, seen: &Seen, bytes: Vec<u8>) {
        let think_us = stage.dice.between(50, 5_000);
        let fate = stage.fates.answer(seen, bytes.len(), &mut stage.dice);
        let say = |bytes| HostTask::Say { connection, bytes };
        match fate {
            AnswerFate::Leaves => self.plan(stage, think_us, say(bytes)),
            AnswerFate::Lost => stage.struck(Fault::AnswerLost),
            AnswerFate::Late(us) => {
                stage.struck(Fault::AnswerLate);
                self.plan(stage, us, say(bytes));
            }
            AnswerFate::Twice(us) => {
                stage.struck(Fault::AnswerTwice);
                self.plan(stage, think_us, say(bytes.clone()));
                self.plan(stage, us, say(bytes));
            }
            AnswerFate::Garbled => {
                stage.struck(Fault::AnswerGarbled);
                self.plan(stage, think_us, say(GARBAGE.to_vec()));
            }
            AnswerFate::Cut(length) => {
                stage.struck(Fault::ConnectionCut);
                wires.send(stage, connection, End::Host, &bytes[..length.min(bytes.len())]);
                wires.cut(stage, connection);
            }
        }
    }

    fn plan(&self, stage: &mut Stage, wait_us: u64, task: HostTask) {
        stage.after(wait_us, Event::Host(self.at, self.life, task));
    }
}

fn fresh(forget_totals: bool) -> Host {
    let mut host = Host::new(LATE_MS);
    host.set_faults(Faults { forget_totals, ..Faults::default() });
    host
}

/// What can be seen of a message from outside.
pub fn seen(processor: u16, frame: &[u8]) -> Seen {
    let Ok(message) = Message::parse(&TSYS, frame) else { return Seen { processor, mti: 0, stan: 0, rrn: String::new() } };
    let digits = |ascii: [u8; 4]| ascii.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    let stan = message.number(11).unwrap_or(0) as u32;
    let rrn = message.text(37).unwrap_or_default().to_owned();
    Seen { processor, mti: digits(message.mti().to_ascii()), stan, rrn }
}
