//! The card host's decisions. [`Host`] is a value: time, connections and frames come in, answers and ledger rows come out.
//!
//! Whoever drives it writes [`shell::Host::unwritten`] away before a byte of [`Replies`] leaves; a simulator does that on its
//! virtual clock, [`crate::shell`] with a file.

use std::collections::HashSet;

use protocol::calendar::Micros;
use protocol::iso8583::{MacKey, Message, TSYS};
use serde::Serialize;
use serde_json::Value;
use zerocopy::IntoBytes;

use super::book::{Book, Difference, Held, Standing, Totals, Verdict};
use super::upload::{Reason, Uploaded, Uploads};
use super::wire::{Answer, BatchNumbers, Key, Request, Unfit, Verb, append_answer};
use crate::faults::{Dice, Fate, Faults};
use crate::ledger::{Kind, NO_AUTH, NO_ORDINAL, Row};
use crate::shell;
use crate::triggers::{self, ActionCode, Mishap, Seen, Then};

/// Names one connection, for sign-on; whoever drives the host draws it and never uses it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

/// What a burst of requests brought: bytes to send at once, answers to send later, and whether to cut the connection.
#[derive(Debug, Default)]
pub struct Replies {
    /// Frames to send now, in order.
    pub bytes: Vec<u8>,
    /// Frames to send after a delay.
    pub late: Vec<LateAnswer>,
    /// Close the connection after [`Replies::bytes`] were sent; what is late is dropped, what came after is not read.
    pub cut: bool,
}

/// A frame that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateAnswer {
    /// How long, in milliseconds from when it was decided.
    pub delay_ms: u32,
    /// The frame.
    pub bytes: Vec<u8>,
}

/// What a host has counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Frames that came in.
    pub requests: u64,
    /// Payments, captures and voids approved.
    pub approvals: u64,
    /// The same, declined.
    pub declines: u64,
    /// Transactions taken back by 0420 or 0421.
    pub reversals: u64,
    /// Reversals of an original that the host has not seen.
    pub reversals_without_original: u64,
    /// Batches accepted.
    pub batches: u64,
    /// Requests answered again with their first answer.
    pub duplicates: u64,
    /// Requests lost on purpose.
    pub dropped_requests: u64,
    /// Answers lost, spoiled or cut off on purpose.
    pub dropped_responses: u64,
    /// Frames that were no message of the dialect.
    pub unreadable: u64,
    /// Messages without the code that authenticates them: they were not acted upon.
    pub unvouched: u64,
    /// Connections signed on at this moment.
    pub signed_on: u64,
}

/// A card host.
#[derive(Debug)]
pub struct Host {
    book: Book,
    uploads: Uploads,
    /// Rows in the form of the file, sealed, that nobody has written away yet.
    unwritten: Vec<u8>,
    signed_on: HashSet<ConnectionId>,
    late_ms: u32,
    key: Option<MacKey>,
    faults: Faults,
    dice: Dice,
    stats: Stats,
}

/// An answer and what becomes of it, or silence.
enum Outcome {
    Answered(Answer),
    Spoiled(Answer, Mishap),
    Silent,
}

const NOT_SIGNED_ON: ActionCode = ActionCode(*b"58");
const NO_ORIGINAL: ActionCode = ActionCode(*b"25");
const INVALID_TRANSACTION: ActionCode = ActionCode(*b"12");
const INVALID_AMOUNT: ActionCode = ActionCode(*b"13");
const FORMAT_ERROR: ActionCode = ActionCode(*b"30");
const DUPLICATE: ActionCode = ActionCode(*b"94");
const SYSTEM_ERROR: ActionCode = ActionCode(*b"96");

/// DE70.
const SIGN_ON: u64 = 1;
const SIGN_OFF: u64 = 2;
const CUT_OVER: u64 = 201;
const ECHO: u64 = 301;

/// A frame whose content is no message: its type is not four digits.
const GARBAGE_FRAME: [u8; 18] = *b"\x00\x10\xde\xad\xbe\xefnot a frame!";
/// A length header beyond any message, and the first bytes after it.
const OVERSIZED_FRAME: [u8; 6] = *b"\xff\xff0210";

const _: () = assert!(GARBAGE_FRAME[1] as usize + 2 == GARBAGE_FRAME.len());

impl shell::Host for Host {
    fn reload(&mut self, row: &Row) {
        self.book.apply(row);
    }

    fn unwritten(&self) -> &[u8] {
        &self.unwritten
    }

    fn rows_written(&mut self) {
        self.unwritten.clear();
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }

    fn set_faults(&mut self, faults: Faults) {
        self.dice = Dice::new(faults.seed);
        self.faults = faults;
    }

    fn counted(&self) -> Value {
        serde_json::to_value(self.stats()).unwrap_or(Value::Null)
    }
}

impl Host {
    /// A host with an empty ledger. An answer that a trigger makes late is late by `late_ms`.
    pub fn new(late_ms: u32) -> Host {
        Host {
            book: Book::default(),
            uploads: Uploads::default(),
            unwritten: Vec::new(),
            signed_on: HashSet::new(),
            late_ms,
            key: None,
            faults: Faults::default(),
            dice: Dice::new(0),
            stats: Stats::default(),
        }
    }

    /// Seals every answer, and acts on no message that is not sealed.
    pub fn authenticated_by(self, key: Option<MacKey>) -> Host {
        Host { key, ..self }
    }

    /// What was counted.
    pub fn stats(&self) -> Stats {
        Stats { signed_on: self.signed_on.len() as u64, ..self.stats }
    }

    /// Rows in the ledger.
    pub fn row_count(&self) -> u64 {
        self.book.next_ordinal()
    }

    /// Transactions remembered.
    pub fn held(&self) -> usize {
        self.book.held()
    }

    /// Forgets a connection that is closed, and with it its sign-on.
    pub fn closed(&mut self, connection: ConnectionId) {
        self.signed_on.remove(&connection);
    }

    /// Takes one frame's message (without its length header) and adds what it brings to `replies`.
    pub fn accept(&mut self, now: Micros, connection: ConnectionId, frame: &[u8], replies: &mut Replies) {
        self.stats.requests += 1;
        let fate = self.dice.cast(&self.faults);
        if fate.drop_request {
            self.stats.dropped_requests += 1;
            return;
        }
        let message = match Message::parse(&TSYS, frame) {
            Ok(message) => message,
            Err(error) => return self.hang_up(replies, &error),
        };
        if self.key.as_ref().is_some_and(|key| !key.vouches_for(&message)) {
            self.stats.unvouched += 1;
            return;
        }
        let outcome = match Request::of(&message) {
            Ok(request) => self.decide(now, connection, &request),
            Err(Unfit::Refused(action)) => Outcome::Answered(Answer::bare(action)),
            Err(Unfit::UnknownType) => return self.hang_up(replies, &format_args!("unknown message type {}", message.mti())),
        };
        self.deliver(&message, outcome, fate, replies);
    }

    /// The reason names positions and fields, never values.
    fn hang_up(&mut self, replies: &mut Replies, reason: &dyn std::fmt::Display) {
        self.stats.unreadable += 1;
        tracing::debug!(%reason, "unreadable frame, connection closed");
        replies.cut = true;
    }

    fn decide(&mut self, now: Micros, connection: ConnectionId, request: &Request<'_, '_>) -> Outcome {
        if request.verb == Verb::Network {
            return Outcome::Answered(self.network(connection, request));
        }
        if !self.signed_on.contains(&connection) {
            return Outcome::Answered(Answer::bare(NOT_SIGNED_ON));
        }
        let key = request.key();
        let Some(batch) = request.batch() else {
            return Outcome::Answered(Answer::bare(FORMAT_ERROR));
        };
        if !self.book.has_room_for(((key.terminal, request.currency()), batch.members)) {
            return Outcome::Answered(Answer::bare(SYSTEM_ERROR));
        }
        if let Some(answer) = self.first_answer(&key, request) {
            self.stats.duplicates += 1;
            return Outcome::Answered(answer);
        }
        match request.verb {
            Verb::Payment(kind) => self.payment(now, kind, request),
            Verb::Advice => Outcome::Answered(self.advice(now, request)),
            Verb::Capture => Outcome::Answered(self.capture(now, request)),
            Verb::Void => Outcome::Answered(self.void(now, request)),
            Verb::Reversal => Outcome::Answered(self.reversal(now, request)),
            Verb::Detail => Outcome::Answered(self.detail(request, batch)),
            Verb::Totals => Outcome::Answered(self.totals(now, request, batch)),
            Verb::Network => Outcome::Answered(Answer::bare(FORMAT_ERROR)),
        }
    }

    /// The answer that a message with this key has had before.
    fn first_answer(&self, key: &Key, request: &Request<'_, '_>) -> Option<Answer> {
        if request.verb == Verb::Totals {
            let is_judged_anew = request.batch().is_some_and(|batch| self.uploads.has(&uploaded(request, batch)));
            if self.faults.forget_totals || (request.is_after_upload() && is_judged_anew) {
                return None;
            }
            let (verdict, number) = self.book.settlement(key, request.currency())?;
            return Some(verdict.answer(number));
        }
        let held = self.book.find(key).filter(|held| held.standing != Standing::Forestalled)?;
        Some(held.answer())
    }

    fn network(&mut self, connection: ConnectionId, request: &Request<'_, '_>) -> Answer {
        let known = match request.number(70) {
            SIGN_ON => {
                self.signed_on.insert(connection);
                true
            }
            SIGN_OFF => {
                self.signed_on.remove(&connection);
                true
            }
            CUT_OVER | ECHO => true,
            _ => false,
        };
        let action = if known { ActionCode::APPROVED } else { FORMAT_ERROR };
        Answer { text: None, ..Answer::bare(action) }
    }

    fn payment(&mut self, now: Micros, kind: Kind, request: &Request<'_, '_>) -> Outcome {
        let claims_without_proof = request.additional.claims_without_proof();
        let then = triggers::payment(&Seen { kind, minor: request.amount(), pan: request.pan(), claims_without_proof });
        if then == Then::Lost {
            self.stats.dropped_requests += 1;
            return Outcome::Silent;
        }
        let forestalled = self.book.find(&request.key()).is_some();
        let (action, amount, mishap) = match then {
            _ if forestalled => (INVALID_TRANSACTION, request.amount(), None),
            Then::Answer(action) => (action, request.amount(), None),
            Then::AnswerLastTwoDigits => (ActionCode(last_two_digits(request.amount())), request.amount(), None),
            Then::ApproveHalf => half(request.amount()),
            Then::Approve(mishap) => (ActionCode::APPROVED, request.amount(), Some(mishap)),
            Then::Cvv(_) | Then::Avs(_) | Then::Lost => (ActionCode::APPROVED, request.amount(), None),
        };
        let mut row = self.row(now, kind, request, action);
        let additional = request.additional;
        row.amount = amount;
        row.batch = request.batch().map_or(0, |batch| batch.members);
        row.avs = triggers::avs_letter(additional.has_address, additional.postal_code);
        row.cvv = triggers::cvv_letter(additional.cvc);
        if action.is_approval() {
            row.auth = (row.ordinal % 1000) as u16;
        }
        let answer = self.enter(row);
        mishap.map_or(Outcome::Answered(answer), |mishap| Outcome::Spoiled(answer, mishap))
    }

    /// What was decided in the host's stead stands, unless its reversal was here first.
    fn advice(&mut self, now: Micros, request: &Request<'_, '_>) -> Answer {
        let forestalled = self.book.find(&request.key()).is_some();
        let action = if forestalled { INVALID_TRANSACTION } else { ActionCode::APPROVED };
        let mut row = self.row(now, Kind::Authorization, request, action);
        row.amount = request.amount();
        if !forestalled {
            row.auth = (row.ordinal % 1000) as u16;
        }
        self.enter(row)
    }

    fn capture(&mut self, now: Micros, request: &Request<'_, '_>) -> Answer {
        let original = self.original(request);
        let action = match original {
            None => NO_ORIGINAL,
            Some(held) if held.standing != Standing::Approved => NO_ORIGINAL,
            Some(held) if held.kind != Kind::Authorization || held.is_captured() => DUPLICATE,
            Some(held) if request.amount() == 0 || request.amount() > held.amount => INVALID_AMOUNT,
            Some(_) => ActionCode::APPROVED,
        };
        let mut row = self.row(now, Kind::Capture, request, action);
        row.amount = request.amount();
        row.batch = request.batch().map_or(0, |batch| batch.members);
        refer(&mut row, request, original.as_ref());
        self.enter(row)
    }

    fn void(&mut self, now: Micros, request: &Request<'_, '_>) -> Answer {
        let original = self.original(request).filter(|held| held.standing == Standing::Approved);
        let capture = original.and_then(|held| self.book.capture_of(&held).copied());
        let settled = [original, capture].iter().flatten().any(|held| self.book.is_settled(held));
        let original = original.filter(|_| !settled);
        let action = if original.is_some() { ActionCode::APPROVED } else { NO_ORIGINAL };
        let mut row = self.row(now, Kind::Void, request, action);
        row.amount = original.map_or(request.amount(), |held| held.amount);
        refer(&mut row, request, original.as_ref());
        row.original_capture = capture.map_or(NO_ORDINAL, |held| held.ordinal);
        self.enter(row)
    }

    /// Both answers, "reversed" and "no such original", are final: the client has done its part.
    fn reversal(&mut self, now: Micros, request: &Request<'_, '_>) -> Answer {
        let Some(key) = request.original() else { return Answer::bare(FORMAT_ERROR) };
        let original = self.book.find(&key).copied().filter(|held| held.rrn == request.rrn());
        let action = match original.map(|held| held.standing) {
            None => NO_ORIGINAL,
            Some(Standing::Forestalled) => return Answer::bare(NO_ORIGINAL),
            Some(Standing::Reversed) => return Answer::bare(ActionCode::APPROVED),
            Some(Standing::Approved | Standing::Declined) => ActionCode::APPROVED,
        };
        let capture = original.and_then(|held| self.book.capture_of(&held).copied());
        let mut row = self.row(now, Kind::Reversal, request, action);
        row.amount = original.map_or(request.amount(), |held| held.amount);
        refer(&mut row, request, original.as_ref());
        row.auth = NO_AUTH;
        row.original_capture = capture.map_or(NO_ORDINAL, |held| held.ordinal);
        self.enter(row)
    }

    fn totals(&mut self, now: Micros, request: &Request<'_, '_>, batch: BatchNumbers) -> Answer {
        let BatchNumbers { presented: number, members } = batch;
        let (key, currency) = (request.key(), request.currency());
        let used = self.book.number_used(key.terminal, currency, number, now);
        let open = self.book.open_totals(((key.terminal, currency), members));
        let details = if request.is_after_upload() { self.uploads.end(&uploaded(request, batch)) } else { None };
        // Members that have come make up for running totals that have drifted.
        let drift = if details.is_some() { 0 } else { u64::from(self.faults.drift_totals) };
        let running = Totals { debits: open.debits + drift, ..open };
        let verdict = match (used, details, difference(request, &running)) {
            (Some(day), _, _) => Verdict::NumberUsed(day),
            (None, Some((_, Some(culprit))), _) => Verdict::Culprit(culprit),
            (None, Some((named, None)), _) if named < open.debits + open.credits => Verdict::MoreHeld,
            (None, _, Some(difference)) => Verdict::OutOfBalance(difference),
            (None, _, None) => Verdict::Accepted,
        };
        let mut row = self.row(now, Kind::Batch, request, verdict.action());
        row.verdict = verdict.code();
        (row.batch, row.members) = (number, members);
        row.original_transmitted = used.unwrap_or(0);
        if let Verdict::Culprit(culprit) = verdict {
            row.original_stan = culprit.record;
        }
        row.debits_count = u32::try_from(request.number(76)).unwrap_or(u32::MAX);
        row.credits_count = u32::try_from(request.number(74)).unwrap_or(u32::MAX);
        row.amount = request.number(88);
        row.credits_amount = request.number(86);
        self.enter(row);
        verdict.answer(number)
    }

    /// A member of a batch that was out of balance: has the host the same?
    fn detail(&mut self, request: &Request<'_, '_>, batch: BatchNumbers) -> Answer {
        let named = uploaded(request, batch);
        if !self.uploads.has_room_for(&named) {
            return Answer::bare(SYSTEM_ERROR);
        }
        let record = u32::try_from(request.number(11)).unwrap_or(u32::MAX);
        let is_lost = self.faults.lost_record != 0 && record == self.faults.lost_record;
        let found = self.member(request).filter(|_| !is_lost).ok_or(Reason::Absent).and_then(|held| {
            let is_open = held.standing == Standing::Approved && self.book.is_open_in(&held, (named.0, batch.members));
            match (is_open, held.amount == request.amount()) {
                (false, _) => Err(Reason::Batch),
                (true, false) => Err(Reason::Amount),
                (true, true) => Ok(held.ordinal),
            }
        });
        self.uploads.take(named, record, found);
        Answer::bare(match found {
            Ok(_) => ActionCode::APPROVED,
            Err(Reason::Absent) => NO_ORIGINAL,
            Err(Reason::Amount) => INVALID_AMOUNT,
            Err(Reason::Batch) => INVALID_TRANSACTION,
        })
    }

    /// What a batch counts of the transaction that DE90 names: of an authorization its capture.
    fn member(&self, request: &Request<'_, '_>) -> Option<Held> {
        let original = self.original(request)?;
        if original.kind == Kind::Authorization { self.book.capture_of(&original).copied() } else { Some(original) }
    }

    /// The transaction that DE90 and DE37 name.
    fn original(&self, request: &Request<'_, '_>) -> Option<Held> {
        self.book.find(&request.original()?).copied().filter(|held| held.rrn == request.rrn())
    }

    fn row(&self, now: Micros, kind: Kind, request: &Request<'_, '_>, action: ActionCode) -> Row {
        let key = request.key();
        Row {
            at_us: now.0,
            ordinal: self.book.next_ordinal(),
            transmitted: key.transmitted,
            stan: key.stan,
            rrn: request.rrn(),
            terminal: key.terminal,
            currency: request.currency(),
            mti: key.mti,
            action: action.0,
            approved: u8::from(action.is_approval()),
            ..Row::blank(kind)
        }
    }

    /// From here the effect is the host's: counted, applied, in the ledger. The answer is read from the row's own trace.
    fn enter(&mut self, row: Row) -> Answer {
        self.count(&row);
        self.book.apply(&row);
        self.unwritten.extend_from_slice(row.sealed().as_bytes());
        let key = Key { terminal: row.terminal, stan: row.stan, transmitted: row.transmitted, mti: row.mti };
        self.book.find(&key).map_or_else(|| Answer::bare(ActionCode(row.action)), Held::answer)
    }

    fn count(&mut self, row: &Row) {
        let counter = match (row.kind(), row.is_approved()) {
            (Some(Kind::Reversal), true) => &mut self.stats.reversals,
            (Some(Kind::Reversal), false) => &mut self.stats.reversals_without_original,
            (Some(Kind::Batch), true) => &mut self.stats.batches,
            (_, true) => &mut self.stats.approvals,
            (_, false) => &mut self.stats.declines,
        };
        *counter += 1;
    }

    fn deliver(&mut self, message: &Message<'_>, outcome: Outcome, fate: Fate, replies: &mut Replies) {
        let (answer, mishap) = match outcome {
            Outcome::Silent => return,
            Outcome::Answered(answer) => (answer, fate.mishap()),
            Outcome::Spoiled(answer, mishap) => (answer, Some(mishap)),
        };
        if mishap.is_some_and(|mishap| mishap != Mishap::Late) {
            self.stats.dropped_responses += 1;
        }
        match mishap {
            Some(Mishap::AnswerLost) => {}
            Some(Mishap::Cut) => replies.cut = true,
            Some(Mishap::Garbage) => replies.bytes.extend_from_slice(&GARBAGE_FRAME),
            Some(Mishap::Oversized) => replies.bytes.extend_from_slice(&OVERSIZED_FRAME),
            Some(Mishap::Late) => self.send(message, &answer, fate.delay_ms.saturating_add(self.late_ms), fate, replies),
            None => self.send(message, &answer, fate.delay_ms, fate, replies),
        }
    }

    fn send(&mut self, message: &Message<'_>, answer: &Answer, delay_ms: u32, fate: Fate, replies: &mut Replies) {
        let mut held_back = Vec::new();
        let out = if delay_ms == 0 { &mut replies.bytes } else { &mut held_back };
        for _copy in 0..=u8::from(fate.duplicate) {
            if let Err(error) = append_answer(out, message, answer, self.key.as_ref()) {
                tracing::error!(%error, "answer does not fit its own table, connection closed");
                replies.cut = true;
                return;
            }
            if let Some(last) = out.last_mut().filter(|_| fate.spoil_mac && self.key.is_some()) {
                // The code is what a sealed message ends with.
                *last ^= 1;
                self.stats.dropped_responses += 1;
            }
        }
        if delay_ms > 0 {
            replies.late.push(LateAnswer { delay_ms, bytes: held_back });
        }
    }
}

fn uploaded(request: &Request<'_, '_>, batch: BatchNumbers) -> Uploaded {
    ((request.key().terminal, request.currency()), batch)
}

/// Lets a row name the original as DE90 does and, when it was found, its row and authorization code.
fn refer(row: &mut Row, request: &Request<'_, '_>, original: Option<&Held>) {
    if let Some(key) = request.original() {
        row.original_mti = key.mti;
        row.original_stan = key.stan;
        row.original_transmitted = key.transmitted;
    }
    row.original = original.map_or(NO_ORDINAL, |held| held.ordinal);
    row.auth = original.filter(|_| row.is_approved()).map_or(NO_AUTH, Held::auth);
}

fn half(amount: u64) -> (ActionCode, u64, Option<Mishap>) {
    match amount / 2 {
        0 => (ActionCode::APPROVED, amount, None),
        half => (ActionCode::PARTIAL, half, None),
    }
}

fn last_two_digits(amount: u64) -> [u8; 2] {
    [b'0' + (amount / 10 % 10) as u8, b'0' + (amount % 10) as u8]
}

/// The first total that is not the host's own. The sign of DE97 is not judged: acquirers disagree on whose side it is seen
/// from; its amount must be the difference of the two sums.
fn difference(request: &Request<'_, '_>, open: &Totals) -> Option<Difference> {
    let (debits, credits) = (u128::from(request.number(88)), u128::from(request.number(86)));
    let net = request.message.field(97).and_then(|value| value.signed()).map(|(_, amount)| u128::from(amount));
    let checks = [
        (request.number(76) == open.debits, Difference::DebitCount),
        (debits == open.debits_amount, Difference::DebitAmount),
        (request.number(74) == open.credits, Difference::CreditCount),
        (credits == open.credits_amount, Difference::CreditAmount),
        (net == Some(debits.abs_diff(credits)), Difference::NetAmount),
    ];
    checks.into_iter().find(|(agrees, _)| !agrees).map(|(_, difference)| difference)
}
