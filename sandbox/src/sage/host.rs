//! The ACH host's decisions. [`Host`] is a value: time and requests come in, answers and ledger rows come out.
//!
//! Whoever drives it writes [`shell::Host::unwritten`] away before an answer leaves: [`crate::shell`] with a file and sockets, a
//! simulator on its virtual clock. What banks do by themselves is done when the next request comes, at the moment it was due.

use protocol::calendar::Micros;
use serde::Serialize;
use serde_json::Value;
use zerocopy::IntoBytes;

use super::book::{Book, Held, Key, Plan, Standing, Verdict};
use super::triggers::{self, Case, Then};
use super::wire::{self, Call, Check, Identifier, Request, RequestId, Says, Settlement, Unfit};
use crate::faults::{Dice, Fate, Faults};
use crate::ledger::{Kind, NO_ORDINAL, Row};
use crate::shell;
use crate::triggers::Mishap;
use crate::web::{Asked, Reply, Spoiling, WebAnswer, WebHost};

/// Currency of every entry: American banks clear dollars only.
const DOLLARS: [u8; 3] = *b"840";
/// Notices in one answer of the feed.
const FEED_PAGE_MAX: usize = 256;
/// Bytes of an answer that is larger than any.
const OVERSIZED_BYTES: usize = 1024 * 1024;
/// What can't be read.
const GARBAGE: &[u8] = b"<RESPONSE><not well-formed";
const XML: &str = "text/xml; charset=utf-8";

/// What a host has counted since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests that came in, of the feed too.
    pub requests: u64,
    /// Entries and voids approved.
    pub approvals: u64,
    /// The same, declined.
    pub declines: u64,
    /// Entries taken back because their outcome was unknown.
    pub reversals: u64,
    /// Reversals of an entry that the host has not seen.
    pub reversals_without_original: u64,
    /// Batches accepted.
    pub batches: u64,
    /// Entries returned by their bank.
    pub returns: u64,
    /// Corrections asked for.
    pub changes: u64,
    /// Requests answered again with their first answer.
    pub duplicates: u64,
    /// Requests lost on purpose.
    pub dropped_requests: u64,
    /// Answers lost, spoiled or cut off on purpose.
    pub dropped_responses: u64,
    /// Requests that could not be read or were not valid.
    pub unreadable: u64,
}

/// An ACH host.
#[derive(Debug)]
pub struct Host {
    book: Book,
    /// Rows in the form of the file, sealed, that nobody has written away yet.
    unwritten: Vec<u8>,
    late_ms: u32,
    faults: Faults,
    dice: Dice,
    stats: Stats,
}

/// What is said, and what becomes of it on its way; or silence.
enum Outcome {
    Said(Says, Option<Mishap>),
    Refused(Unfit),
    Silent,
}

impl Outcome {
    fn case(case: Case) -> Outcome {
        Outcome::Said(Says::Case(case, 0), None)
    }
}

impl Host {
    /// A host with an empty ledger. An answer that a trigger makes late is late by `late_ms`.
    pub fn new(late_ms: u32) -> Host {
        let (faults, stats) = (Faults::default(), Stats::default());
        Host { book: Book::default(), unwritten: Vec::new(), late_ms, faults, dice: Dice::new(0), stats }
    }

    /// What was counted.
    pub fn counted(&self) -> Stats {
        self.stats
    }

    fn post(&mut self, now: Micros, body: &[u8], fate: Fate) -> Reply {
        let request = match wire::read(body) {
            Ok(request) => request,
            Err(unfit) => return self.refused(unfit, fate),
        };
        let outcome = match request.call {
            Ok(call) => self.decide(now, &request, call),
            Err(unfit) => Outcome::Refused(unfit),
        };
        match outcome {
            Outcome::Said(says, mishap) => self.deliver(fate, mishap, wire::answer(&request, says)),
            Outcome::Refused(Unfit::Invalid(element)) => {
                self.stats.unreadable += 1;
                self.deliver(fate, None, wire::answer(&request, Says::Invalid(element)))
            }
            Outcome::Refused(unfit) => self.refused(unfit, fate),
            Outcome::Silent => Reply::Silent,
        }
    }

    /// The reason names elements, never values.
    fn refused(&mut self, unfit: Unfit, fate: Fate) -> Reply {
        self.stats.unreadable += 1;
        let body = match unfit {
            Unfit::Fault(reason) | Unfit::Invalid(reason) => wire::fault(reason),
            Unfit::UnknownMerchant => wire::fault("unknown merchant"),
        };
        Reply::Answer(WebAnswer { status: 500, content_type: XML, body }, fate.delay_ms)
    }

    fn decide(&mut self, now: Micros, request: &Request, call: Call) -> Outcome {
        match call {
            Call::Archived(id) => match self.book.archived(request.merchant, &id) {
                Some((case, auth)) => Outcome::Said(Says::Case(case, auth), None),
                None => Outcome::case(Case::NoOriginal),
            },
            Call::Settle(settlement) => self.settle(now, request, settlement),
            Call::Check(check) => {
                if let Some((case, auth)) = self.book.archived(request.merchant, &check.id) {
                    self.stats.duplicates += 1;
                    return Outcome::Said(Says::Case(case, auth), None);
                }
                match check.identifier {
                    Identifier::Payment => self.payment(now, request, &check),
                    Identifier::Void => self.void(now, request, &check),
                    Identifier::Reversal => self.reversal(now, request, &check),
                }
            }
        }
    }

    fn payment(&mut self, now: Micros, request: &Request, check: &Check) -> Outcome {
        let key = (request.merchant, check.id.transaction);
        match self.book.find(&key).map(|held| held.standing) {
            Some(Standing::Forestalled) => return self.answer_payment(now, &key, check, Case::Forestalled, Plan::Keep),
            Some(_) => return Outcome::case(Case::Duplicate),
            None if !self.book.has_room_for(request.merchant, check.batch) => return Outcome::case(Case::SystemError),
            None => {}
        }
        let routing = core::str::from_utf8(&check.routing).unwrap_or_default();
        let last_two_digits = (check.amount % 100) as u8;
        match triggers::payment(check.kind, check.amount, routing) {
            Then::Answer(case @ (Case::SystemError | Case::Duplicate)) => Outcome::case(case),
            Then::Answer(case) => self.answer_payment(now, &key, check, case, Plan::Keep),
            Then::Invalid => Outcome::Refused(Unfit::Invalid("CHECK_AMOUNT")),
            Then::UnknownMerchant => Outcome::Refused(Unfit::UnknownMerchant),
            Then::Lost => {
                self.stats.dropped_requests += 1;
                Outcome::Silent
            }
            Then::Approve(mishap) => match self.answer_payment(now, &key, check, Case::Approved, Plan::Keep) {
                Outcome::Said(says, _) => Outcome::Said(says, Some(mishap)),
                other => other,
            },
            Then::Returned(reason) => {
                let plan = Plan::Return(reason.unwrap_or(last_two_digits));
                self.answer_payment(now, &key, check, Case::Approved, plan)
            }
            Then::ReturnedLate(reason) => {
                let plan = Plan::ReturnLate(reason.unwrap_or(last_two_digits));
                self.answer_payment(now, &key, check, Case::Approved, plan)
            }
            Then::Corrected => self.answer_payment(now, &key, check, Case::Approved, Plan::Correct(last_two_digits)),
        }
    }

    fn answer_payment(&mut self, now: Micros, key: &Key, check: &Check, case: Case, plan: Plan) -> Outcome {
        let mut row = self.row(now, check.kind, key, &check.id, case);
        row.amount = check.amount;
        row.batch = check.batch;
        row.debits_count = plan.number();
        row.auth = (row.ordinal % 1000) as u16;
        self.enter(&row);
        Outcome::Said(Says::Case(case, row.auth), None)
    }

    fn void(&mut self, now: Micros, request: &Request, check: &Check) -> Outcome {
        let key = (request.merchant, check.id.transaction);
        let original = self.book.find(&key).copied().filter(|held| held.standing == Standing::Approved && !held.is_settled);
        let case = if original.is_some() { Case::VoidAccepted } else { Case::NoOriginal };
        self.take_back(now, Kind::Void, &key, check, original, case)
    }

    /// Both answers, "reversed" and "no such original", are final: the client has done its part.
    fn reversal(&mut self, now: Micros, request: &Request, check: &Check) -> Outcome {
        let key = (request.merchant, check.id.transaction);
        let original = self.book.find(&key).copied();
        match original.map(|held| held.standing) {
            None => self.take_back(now, Kind::Reversal, &key, check, None, Case::NoOriginal),
            Some(Standing::Approved | Standing::Voided | Standing::Declined | Standing::Returned) => {
                self.take_back(now, Kind::Reversal, &key, check, original, Case::ReversalAccepted)
            }
            Some(Standing::Reversed) => Outcome::case(Case::ReversalAccepted),
            Some(Standing::Forestalled) => Outcome::case(Case::NoOriginal),
        }
    }

    fn take_back(&mut self, now: Micros, kind: Kind, key: &Key, check: &Check, original: Option<Held>, case: Case) -> Outcome {
        let mut row = self.row(now, kind, key, &check.id, case);
        row.amount = original.map_or(check.amount, |held| held.amount);
        row.original = original.map_or(NO_ORDINAL, |held| held.ordinal);
        row.batch = original.map_or(check.batch, |held| held.batch);
        self.enter(&row);
        Outcome::case(case)
    }

    fn settle(&mut self, now: Micros, request: &Request, settlement: Settlement) -> Outcome {
        let merchant = request.merchant;
        let answered = self.book.settlement(merchant, settlement.number, settlement.trace);
        if let Some(verdict) = answered.filter(|_| !self.faults.forget_totals) {
            self.stats.duplicates += 1;
            return Outcome::Said(Says::Batch(verdict, settlement.number), None);
        }
        let used = self.book.number_used(merchant, settlement.number, now);
        let open = self.book.open_totals(merchant, settlement.members);
        let verdict = match (used, settlement.totals.difference(&open)) {
            (Some(day), _) => Verdict::NumberUsed(day),
            (None, Some(difference)) => Verdict::OutOfBalance(difference),
            (None, None) => Verdict::Accepted,
        };
        let row = Row {
            at_us: now.0,
            ordinal: self.book.next_ordinal(),
            stan: settlement.trace,
            terminal: merchant,
            currency: DOLLARS,
            action: if verdict == Verdict::Accepted { *b"A " } else { *b"D " },
            approved: u8::from(verdict == Verdict::Accepted),
            verdict: verdict.number(),
            batch: settlement.number,
            members: settlement.members,
            original_transmitted: used.unwrap_or(0),
            debits_count: u32::try_from(settlement.totals.debits).unwrap_or(u32::MAX),
            credits_count: u32::try_from(settlement.totals.credits).unwrap_or(u32::MAX),
            amount: u64::try_from(settlement.totals.debits_amount).unwrap_or(u64::MAX),
            credits_amount: u64::try_from(settlement.totals.credits_amount).unwrap_or(u64::MAX),
            ..Row::blank(Kind::Batch)
        };
        self.enter(&row);
        Outcome::Said(Says::Batch(verdict, settlement.number), None)
    }

    /// What banks have done by now.
    fn let_banks_act(&mut self, now: Micros) {
        while let Some((key, held, plan)) = self.book.next_due(now) {
            let (kind, number) = match plan {
                Plan::Return(number) | Plan::ReturnLate(number) => (Kind::Return, number),
                Plan::Correct(number) => (Kind::Change, number),
                Plan::Keep => continue,
            };
            let id = RequestId { transaction: key.1, trace: 0, identifier: 0 };
            let row = Row {
                amount: held.amount,
                original: held.ordinal,
                batch: held.batch,
                action: [b'0' + number / 10 % 10, b'0' + number % 10],
                ..self.row(now, kind, &key, &id, held.case)
            };
            self.enter(&row);
        }
    }

    fn row(&self, now: Micros, kind: Kind, key: &Key, id: &RequestId, case: Case) -> Row {
        let mut action = [b' '; 2];
        action.iter_mut().zip(case.wording().response_type.bytes()).for_each(|(to, from)| *to = from);
        Row {
            at_us: now.0,
            ordinal: self.book.next_ordinal(),
            stan: id.trace,
            rrn: key.1,
            terminal: key.0,
            currency: DOLLARS,
            mti: u16::from(id.identifier),
            action,
            verdict: case as u8,
            approved: u8::from(case.is_approval()),
            ..Row::blank(kind)
        }
    }

    /// From here the effect is the host's: counted, applied, in the ledger.
    fn enter(&mut self, row: &Row) {
        let counter = match (row.kind(), row.is_approved()) {
            (Some(Kind::Reversal), true) => &mut self.stats.reversals,
            (Some(Kind::Reversal), false) => &mut self.stats.reversals_without_original,
            (Some(Kind::Batch), true) => &mut self.stats.batches,
            (Some(Kind::Return), _) => &mut self.stats.returns,
            (Some(Kind::Change), _) => &mut self.stats.changes,
            (_, true) => &mut self.stats.approvals,
            (_, false) => &mut self.stats.declines,
        };
        *counter += 1;
        self.book.apply(row);
        self.unwritten.extend_from_slice(row.sealed().as_bytes());
    }

    fn feed(&self, query: &str) -> WebAnswer {
        let after = query.split('&').find_map(|pair| pair.strip_prefix("after=")).unwrap_or("0");
        match after.parse::<u64>() {
            Ok(after) => {
                let page = self.book.notices_after(after).take(FEED_PAGE_MAX);
                WebAnswer { status: 200, content_type: XML, body: wire::feed(page, self.book.notice_count()) }
            }
            Err(_) => WebAnswer { status: 400, content_type: XML, body: wire::fault("after is a number") },
        }
    }

    fn deliver(&mut self, fate: Fate, triggered: Option<Mishap>, body: Vec<u8>) -> Reply {
        let mishap = triggered.or(fate.mishap());
        if mishap.is_some_and(|mishap| mishap != Mishap::Late) {
            self.stats.dropped_responses += 1;
        }
        let spoiling = Spoiling { garbage: GARBAGE, oversized_bytes: OVERSIZED_BYTES, late_ms: self.late_ms };
        WebAnswer { status: 200, content_type: XML, body }.under(mishap, fate.delay_ms, &spoiling)
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
        serde_json::to_value(self.stats).unwrap_or(Value::Null)
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
        self.let_banks_act(now);
        match (asked.method, asked.path) {
            ("POST", wire::PATH) => self.post(now, asked.body, fate),
            ("GET", wire::RETURNS_PATH) => {
                let WebAnswer { status, body, .. } = self.feed(asked.query);
                match self.deliver(fate, None, body) {
                    Reply::Answer(answer, delay_ms) => Reply::Answer(WebAnswer { status, ..answer }, delay_ms),
                    other => other,
                }
            }
            _ => Reply::Answer(WebAnswer { status: 404, content_type: XML, body: wire::fault("no such path") }, fate.delay_ms),
        }
    }

    /// Nothing waits here: no person is at work.
    fn resume(&mut self, _now: Micros, _ticket: u64, _is_due: bool) -> Reply {
        Reply::Cut
    }
}
