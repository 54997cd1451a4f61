//! The terminal host's decisions. [`Host`] is a value: time and requests come in, replies and ledger rows come out.
//!
//! A payment for which a person must do something is *at work* until the person is done: its terminal takes no other, `Status` says
//! that it is in progress, and `Cancel` ends it. Whoever drives the host comes back for it (see [`Reply::Wait`]).

use std::collections::HashMap;

use protocol::calendar::Micros;
use serde::Serialize;
use serde_json::{Value, json};
use zerocopy::IntoBytes;

use super::book::{Book, Held, Note};
use super::has_terminal;
use super::triggers::{self, Then, Word};
use super::wire::{self, Answer, Ask, Booked, Reference, Request, Totals, Unreadable, card_for, text};
use crate::faults::{Dice, Fate, Faults};
use crate::ledger::{Kind, NO_AUTH, Row};
use crate::shell;
use crate::triggers::Mishap;
use crate::tsys::book::{Difference, Standing, Totals as Open, Verdict};
use crate::tsys::wire::auth_text;
use crate::web::{Asked, Reply, Spoiling, WebAnswer, WebHost};

/// What a terminal host has counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests that came in.
    pub requests: u64,
    /// Payments, captures and voids approved.
    pub approvals: u64,
    /// The same, declined.
    pub declines: u64,
    /// Transactions taken back because of a time-out.
    pub reversals: u64,
    /// References forbidden before they came.
    pub forestalled: u64,
    /// Payments that were called off while a person was at them.
    pub cancelled: u64,
    /// Questions for a status.
    pub status_questions: u64,
    /// Payments turned away because their terminal was at work.
    pub busy: u64,
    /// Batches accepted.
    pub batches: u64,
    /// Requests answered again with their first answer.
    pub duplicates: u64,
    /// Requests lost on purpose.
    pub dropped_requests: u64,
    /// Answers lost, spoiled or cut off on purpose.
    pub dropped_responses: u64,
    /// Requests that were none.
    pub unreadable: u64,
}

/// A payment that a person is at.
#[derive(Debug)]
struct AtWork {
    request: Request,
    kind: Kind,
    then: Then,
    fate: Fate,
    /// Called off: its answer is in the book.
    cancelled: bool,
}

/// A terminal host.
#[derive(Debug)]
pub struct Host {
    book: Book,
    at_work: HashMap<u64, AtWork>,
    next_ticket: u64,
    /// Rows in the form of the file, sealed, that nobody has written away yet.
    unwritten: Vec<u8>,
    late_ms: u32,
    faults: Faults,
    dice: Dice,
    stats: Stats,
}

/// Bytes that are no answer.
const GARBAGE: &[u8] = b"<xmp><response><RefId>not an answer";
/// Bytes of an answer that is larger than any.
const OVERSIZED_BYTES: usize = 256 * 1024;

impl Host {
    /// A host with an empty ledger. What a trigger makes late is late by `late_ms`.
    pub fn new(late_ms: u32) -> Host {
        Host {
            book: Book::default(),
            at_work: HashMap::new(),
            next_ticket: 0,
            unwritten: Vec::new(),
            late_ms,
            faults: Faults::default(),
            dice: Dice::new(0),
            stats: Stats::default(),
        }
    }

    fn decide(&mut self, now: Micros, request: Request, fate: Fate) -> Reply {
        let answer = match request.ask {
            _ if !has_terminal(request.tpn) => refusal(&request, "INVALID TERMINAL"),
            _ if !request.has_key => refusal(&request, "INVALID AUTH KEY"),
            Ask::Payment(kind) => return self.payment(now, kind, request, fate),
            Ask::Capture => self.capture(now, &request),
            Ask::Void(is_timeout) => self.void(now, is_timeout, &request),
            Ask::Status => self.status(&request),
            Ask::Cancel => self.cancel(now, &request),
            Ask::Settle(totals) => self.settle(now, &totals, &request),
        };
        let answer = answer.render(&request);
        // What asks after a person, or calls the person off, does not wait for one.
        let delay_ms = if matches!(request.ask, Ask::Status | Ask::Cancel) { 0 } else { fate.delay_ms };
        self.deliver(answer, fate.mishap(), delay_ms)
    }

    fn payment(&mut self, now: Micros, kind: Kind, request: Request, fate: Fate) -> Reply {
        let held = self.book.find(&request.reference).filter(|held| held.standing != Standing::Forestalled);
        if let Some(held) = held {
            let answer = first_answer(held, kind, &request).render(&request);
            self.stats.duplicates += 1;
            return self.deliver(answer, fate.mishap(), fate.delay_ms);
        }
        if self.is_busy(&request) {
            self.stats.busy += 1;
            let answer = Answer::bare(trans_type(kind), 2, triggers::BUSY.text).render(&request);
            return self.deliver(answer, fate.mishap(), 0);
        }
        let then = triggers::payment(kind, request.tpn, request.amount);
        if then == Then::Lost {
            self.stats.dropped_requests += 1;
            return Reply::Silent;
        }
        let needs_person = kind != Kind::Refund;
        let ms = match then {
            Then::ApproveAfter(ms) => ms,
            Then::NobodyComes => self.late_ms,
            _ if needs_person => fate.delay_ms,
            _ => 0,
        };
        let work = AtWork { request, kind, then, fate, cancelled: false };
        if ms == 0 {
            return self.finish(now, work);
        }
        self.next_ticket += 1;
        self.at_work.insert(self.next_ticket, work);
        Reply::Wait { ticket: self.next_ticket, ms }
    }

    fn is_busy(&self, request: &Request) -> bool {
        let same = |work: &AtWork| (work.request.reference.0, work.request.tpn) == (request.reference.0, request.tpn);
        self.at_work.values().any(|work| !work.cancelled && same(work))
    }

    /// The person is done.
    fn finish(&mut self, now: Micros, work: AtWork) -> Reply {
        let AtWork { request, kind, then, fate, .. } = work;
        let forestalled = self.book.find(&request.reference).is_some();
        let half = request.amount / 2;
        let (word, amount, tip, mishap) = match then {
            _ if forestalled => (triggers::CANCELED, request.amount, 0, None),
            _ if request.amount == 0 => (triggers::AMOUNT_ERROR, 0, 0, None),
            _ if !self.may_refund(kind, &request) => (triggers::NOT_FOUND, request.amount, 0, None),
            Then::Decline(word) => (word, request.amount, 0, None),
            Then::ApproveHalf if half > 0 => (triggers::PARTIAL, half, 0, None),
            Then::ApproveWithTip if kind == Kind::Sale => (triggers::APPROVAL, request.amount, request.amount / 5, None),
            Then::NobodyComes => (triggers::TIMED_OUT, request.amount, 0, None),
            Then::Spoil(mishap) => (triggers::APPROVAL, request.amount, 0, Some(mishap)),
            Then::Approve | Then::ApproveHalf | Then::ApproveWithTip | Then::ApproveAfter(_) | Then::Lost => {
                (triggers::APPROVAL, request.amount, 0, None)
            }
        };
        let mut row = self.row(now, kind, &request, word);
        (row.amount, row.credits_amount, row.batch) = (amount + tip, tip, request.batch);
        if row.is_approved() {
            row.auth = (row.ordinal % 1000) as u16;
        }
        self.enter(row);
        let note = Note { invoice: request.invoice.clone(), signed: request.wants_signature && row.is_approved() };
        self.book.note(&request.reference, note);
        let answer = self.told(&request).render(&request);
        let delay_ms = if kind == Kind::Refund { fate.delay_ms } else { 0 };
        self.deliver(answer, mishap.or(fate.mishap()), delay_ms)
    }

    /// A refund needs its sale, approved and large enough.
    fn may_refund(&self, kind: Kind, request: &Request) -> bool {
        if kind != Kind::Refund {
            return true;
        }
        let sale = request.original.and_then(|original| self.book.find(&(request.reference.0, original)));
        sale.is_some_and(|sale| sale.standing == Standing::Approved && request.amount <= sale.row.amount)
    }

    fn capture(&mut self, now: Micros, request: &Request) -> Answer<'_> {
        let refused = |word: Word| Answer::bare("Capture", 1, word.text);
        let Some(held) = self.book.find(&request.reference) else { return refused(triggers::NOT_FOUND) };
        let max = held.row.amount;
        let word = match held.capture {
            _ if held.standing != Standing::Approved || held.kind() != Kind::Authorization => triggers::NOT_FOUND,
            Some(capture) if capture.amount == request.amount => {
                self.stats.duplicates += 1;
                return self.told(request);
            }
            Some(_) => triggers::DUPLICATE,
            None if request.amount == 0 || request.amount > max => triggers::AMOUNT_ERROR,
            None => triggers::APPROVAL,
        };
        let (original, auth) = (held.row.ordinal, held.row.auth);
        let mut row = self.row(now, Kind::Capture, request, word);
        (row.amount, row.batch, row.original) = (request.amount, request.batch, original);
        row.auth = if row.is_approved() { auth } else { NO_AUTH };
        self.enter(row);
        if row.is_approved() { self.told(request) } else { refused(word) }
    }

    fn void(&mut self, now: Micros, is_timeout: bool, request: &Request) -> Answer<'_> {
        let refused = |text: &str| Answer::bare("Void", 1, text);
        let Some(held) = self.book.find(&request.reference) else { return refused(triggers::NOT_FOUND.text) };
        match held.standing {
            Standing::Declined | Standing::Forestalled => return refused(triggers::NOT_FOUND.text),
            Standing::Reversed => {
                self.stats.duplicates += 1;
                return self.told(request);
            }
            Standing::Approved if self.book.is_settled(held) => return refused(triggers::ALREADY_SETTLED),
            Standing::Approved => {}
        }
        let kind = if is_timeout { Kind::Reversal } else { Kind::Void };
        let (original, capture, amount, currency) =
            (held.row.ordinal, held.capture_ordinal(), held.row.amount, held.row.currency);
        let mut row = self.row(now, kind, request, triggers::APPROVAL);
        (row.original, row.original_capture, row.amount, row.currency) = (original, capture, amount, currency);
        self.enter(row);
        self.told(request)
    }

    fn status(&mut self, request: &Request) -> Answer<'_> {
        self.stats.status_questions += 1;
        if self.ticket_of(&request.reference).is_some() {
            return Answer::bare("Status", 2, triggers::IN_PROGRESS);
        }
        match self.book.find(&request.reference) {
            Some(held) if held.standing != Standing::Forestalled => self.told(request),
            Some(_) | None => Answer::bare("Status", 1, triggers::NOT_FOUND.text),
        }
    }

    /// Success: nothing with this reference stands, or ever will.
    fn cancel(&mut self, now: Micros, request: &Request) -> Answer<'static> {
        let done = || Answer::bare("Cancel", 0, triggers::CANCELED.text);
        if let Some(ticket) = self.ticket_of(&request.reference) {
            self.call_off(now, ticket);
            return done();
        }
        match self.book.find(&request.reference).map(|held| held.standing) {
            Some(Standing::Approved) => Answer::bare("Cancel", 1, triggers::ALREADY_APPROVED),
            Some(Standing::Declined | Standing::Reversed | Standing::Forestalled) => done(),
            None => {
                let row = self.row(now, Kind::Reversal, request, triggers::NOT_FOUND);
                self.enter(row);
                done()
            }
        }
    }

    fn ticket_of(&self, reference: &Reference) -> Option<u64> {
        let same = |(_, work): &(&u64, &AtWork)| !work.cancelled && work.request.reference == *reference;
        self.at_work.iter().find(same).map(|(ticket, _)| *ticket)
    }

    fn call_off(&mut self, now: Micros, ticket: u64) {
        let Some(work) = self.at_work.get_mut(&ticket) else { return };
        work.cancelled = true;
        let (request, kind) = (work.request.clone(), work.kind);
        let mut row = self.row(now, kind, &request, triggers::CANCELED);
        (row.amount, row.batch) = (request.amount, request.batch);
        self.stats.cancelled += 1;
        self.enter(row);
    }

    fn settle(&mut self, now: Micros, totals: &Totals, request: &Request) -> Answer<'static> {
        let of = (request.reference.0, currency_of(request));
        if !self.faults.forget_totals
            && let Some((verdict, number)) = self.book.settlement(of, request.reference.1)
        {
            self.stats.duplicates += 1;
            return settled(verdict, number);
        }
        if !self.book.has_room_for((of, totals.members)) {
            return Answer::bare("Settle", 2, "SYSTEM ERROR");
        }
        let used = self.book.number_used(of, request.batch, now);
        let open = self.book.open_totals((of, totals.members));
        let verdict = match (used, difference(totals, &open)) {
            (Some(day), _) => Verdict::NumberUsed(day),
            (None, Some(difference)) => Verdict::OutOfBalance(difference),
            (None, None) => Verdict::Accepted,
        };
        let word = Word { action: verdict.action().0, text: "" };
        let mut row = self.row(now, Kind::Batch, request, word);
        row.verdict = verdict.code();
        (row.batch, row.members, row.original_transmitted) = (request.batch, totals.members, used.unwrap_or(0));
        row.debits_count = u32::try_from(totals.debits).unwrap_or(u32::MAX);
        row.credits_count = u32::try_from(totals.credits).unwrap_or(u32::MAX);
        (row.amount, row.credits_amount) = (totals.debits_amount, totals.credits_amount);
        self.enter(row);
        settled(verdict, request.batch)
    }

    fn row(&self, now: Micros, kind: Kind, request: &Request, word: Word) -> Row {
        let is_approved = matches!(&word.action, b"00" | b"10");
        Row {
            at_us: now.0,
            ordinal: self.book.next_ordinal(),
            transmitted: request.tpn,
            stan: (self.book.next_ordinal() % 1_000_000) as u32,
            rrn: request.reference.1,
            terminal: request.reference.0,
            currency: currency_of(request),
            action: word.action,
            approved: u8::from(is_approved),
            ..Row::blank(kind)
        }
    }

    /// From here the effect is the host's: counted, applied, in the ledger.
    fn enter(&mut self, row: Row) {
        let counter = match (row.kind(), row.is_approved()) {
            (Some(Kind::Reversal), true) => &mut self.stats.reversals,
            (Some(Kind::Reversal), false) => &mut self.stats.forestalled,
            (Some(Kind::Batch), true) => &mut self.stats.batches,
            (_, true) => &mut self.stats.approvals,
            (_, false) => &mut self.stats.declines,
        };
        *counter += 1;
        self.book.apply(&row);
        self.unwritten.extend_from_slice(row.sealed().as_bytes());
    }

    /// What the book says of a request's transaction.
    fn told(&self, request: &Request) -> Answer<'_> {
        self.book.find(&request.reference).map_or_else(|| Answer::bare("Status", 1, triggers::NOT_FOUND.text), told)
    }

    fn deliver(&mut self, answer: WebAnswer, mishap: Option<Mishap>, delay_ms: u32) -> Reply {
        if mishap.is_some_and(|mishap| mishap != Mishap::Late) {
            self.stats.dropped_responses += 1;
        }
        answer.under(mishap, delay_ms, &Spoiling { garbage: GARBAGE, oversized_bytes: OVERSIZED_BYTES, late_ms: self.late_ms })
    }
}

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
        json!(self.stats)
    }
}

impl WebHost for Host {
    fn accept(&mut self, now: Micros, asked: &Asked<'_>) -> Reply {
        self.stats.requests += 1;
        let fate = self.dice.cast(&self.faults);
        if fate.drop_request {
            self.stats.dropped_requests += 1;
            return Reply::Silent;
        }
        match wire::read(asked) {
            Ok(request) => self.decide(now, request, fate),
            Err(why) => {
                self.stats.unreadable += 1;
                unreadable(why)
            }
        }
    }

    fn resume(&mut self, now: Micros, ticket: u64, is_due: bool) -> Reply {
        let Some(work) = self.at_work.get(&ticket) else { return Reply::Cut };
        if !is_due && !work.cancelled {
            return Reply::Wait { ticket, ms: 0 };
        }
        let Some(work) = self.at_work.remove(&ticket) else { return Reply::Cut };
        if !work.cancelled {
            return self.finish(now, work);
        }
        let answer = self.told(&work.request).render(&work.request);
        self.deliver(answer, work.fate.mishap(), 0)
    }
}

/// A request that came before with the same reference gets its first answer; another one is refused.
fn first_answer<'a>(held: &'a Held, kind: Kind, request: &Request) -> Answer<'a> {
    let asked = held.row.amount - held.row.credits_amount;
    let is_same = held.kind() == kind && (asked == request.amount || held.row.action == triggers::PARTIAL.action);
    if is_same { told(held) } else { Answer::bare(trans_type(kind), 1, triggers::DUPLICATE.text) }
}

/// What the book says of a transaction.
fn told(held: &Held) -> Answer<'_> {
    let row = &held.row;
    let words = triggers::text_of(row.action);
    let auth = if held.standing == Standing::Declined { NO_AUTH } else { row.auth };
    let text = if auth == NO_AUTH { words.to_owned() } else { format!("{words} {}", text(&auth_text(auth))) };
    // The terminal itself gave up: no card was read.
    let by_terminal = [triggers::TERMINAL_ERROR, triggers::BUSY].iter().any(|word| word.action == row.action);
    let unread = by_terminal || [triggers::CANCELED, triggers::TIMED_OUT].iter().any(|word| word.action == row.action);
    let (amount, of) =
        held.capture.map_or((row.amount - row.credits_amount, trans_type(held.kind())), |capture| (capture.amount, "Capture"));
    let asked = row.amount - row.credits_amount;
    Answer {
        result_code: if row.is_approved() { 0 } else { 1 + u8::from(by_terminal) },
        text,
        trans_type: of,
        trans_num: row.ordinal,
        auth,
        booked: Some(Booked {
            trans_type: of,
            amount,
            tip: row.credits_amount,
            card: (!unread).then(|| card_for(asked)),
            voided: held.standing == Standing::Reversed,
            invoice: &held.note.invoice,
            batch: held.capture.map_or(row.batch, |capture| capture.batch),
            signed: held.note.signed,
        }),
    }
}

fn trans_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Authorization => "Auth",
        Kind::Sale => "Sale",
        Kind::Capture => "Capture",
        Kind::Refund | Kind::Credit => "Return",
        Kind::Void | Kind::Reversal => "Void",
        Kind::Batch | Kind::Return | Kind::Change => "Settle",
    }
}

fn refusal(request: &Request, text: &'static str) -> Answer<'static> {
    let trans_type = match request.ask {
        Ask::Payment(kind) => trans_type(kind),
        Ask::Capture => "Capture",
        Ask::Void(_) => "Void",
        Ask::Status => "Status",
        Ask::Cancel => "Cancel",
        Ask::Settle(_) => "Settle",
    };
    Answer::bare(trans_type, 2, text)
}

fn settled(verdict: Verdict, number: u32) -> Answer<'static> {
    let words = verdict.answer(number).text.unwrap_or_default();
    Answer::bare("Settle", u8::from(verdict != Verdict::Accepted), text(&words))
}

fn unreadable(why: Unreadable) -> Reply {
    let (status, words) = match why {
        Unreadable::NotHere => (404, "nothing is served here".to_owned()),
        Unreadable::NotRequest => (400, "no TerminalTransaction".to_owned()),
        Unreadable::Field(name) => (400, format!("{name} is missing or wrong")),
    };
    Reply::Answer(WebAnswer { status, content_type: "text/plain", body: words.into_bytes() }, 0)
}

fn currency_of(request: &Request) -> [u8; 3] {
    let number = request.currency.numeric();
    [100, 10, 1].map(|place| b'0' + (number / place % 10) as u8)
}

/// The first total that is not the host's own.
fn difference(totals: &Totals, open: &Open) -> Option<Difference> {
    let checks = [
        (totals.debits == open.debits, Difference::DebitCount),
        (u128::from(totals.debits_amount) == open.debits_amount, Difference::DebitAmount),
        (totals.credits == open.credits, Difference::CreditCount),
        (u128::from(totals.credits_amount) == open.credits_amount, Difference::CreditAmount),
    ];
    checks.into_iter().find(|(agrees, _)| !agrees).map(|(_, difference)| difference)
}
