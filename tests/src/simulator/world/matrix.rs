//! The time-out matrix: one operation of each verb under every trouble that its messages can meet, with a death of the switch at
//! every point of every group of records, for a client that asks again and for one that gives up. Enumerated, not sampled.
//!
//! Lives here: what the cases are, and how one of them is run and checked. Must not live here: how the page looks (`page`).

pub mod page;

use super::World;
use crate::dice::Dice;
use crate::simulator::clients::Ended;
use crate::simulator::event::Turn;
use crate::simulator::faults::{AnswerFate, CommitFate, Fates, Fault, RequestFate, Script, Scripted};
use crate::simulator::setup::Setup;
use crate::simulator::switch::Heard;
use crate::simulator::workload::Ask;
use protocol::id::Xid;
use protocol::transaction::Transaction;
use protocol::words::{ReversalState, Status, Verb};
use sandbox::ledger::{Kind, Marks, Row};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use switch_core::limits::Limits;

/// What a case moves, minor units.
const AMOUNT: u64 = 2_500;
/// Chance is the same in every case: how long a step takes, and what the power leaves of a write that was not synced.
const SEED: u64 = 1;
/// In which a world signs on, or prepares a transaction, microseconds.
const PREPARED_WITHIN_US: u64 = 3_000_000;
/// In which the operation meets its fates, microseconds: the client asks again, the reversal is repeated, and nothing of the script is
/// left.
const STRUCK_WITHIN_US: u64 = 40_000_000;
/// How long a key holds, seconds.
const KEY_WINDOW_S: u32 = 86_400;
/// Far beyond the processor's time-out, microseconds.
const LATE_US: u64 = 6_000_000;
/// Before the time-out, microseconds.
const SOON_US: u64 = 300_000;
/// Groups of records that one operation may make at most. It makes three.
const GROUPS_MAX: u32 = 12;
/// A case has two transactions: large tables take longer to lay out than the case takes to run.
const SMALL: Limits =
    Limits { transactions_max: 48, tails_max_bytes: 1 << 15, keys_max: 48, recent_max: 24, waiters_max: 32, batches_max: 8 };
/// Bytes of an answer that get through before the connection is cut.
const CUT_AFTER_BYTES: usize = 7;

/// Every verb.
pub const VERBS: [Verb; 7] =
    [Verb::Sale, Verb::Authorize, Verb::Credit, Verb::Verification, Verb::Capture, Verb::Void, Verb::Refund];

/// What the operation's first request, its answer, or its reversal meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the words are in the table below")]
pub enum Trouble {
    None,
    RequestLost,
    RequestLate,
    RequestTwice,
    RequestGarbled,
    RequestCut,
    AnswerLost,
    AnswerLate,
    AnswerTwice,
    AnswerGarbled,
    AnswerCut,
    ReversalLost,
    AcknowledgementLost,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 13] = [
        Trouble::None,
        Trouble::RequestLost,
        Trouble::RequestLate,
        Trouble::RequestTwice,
        Trouble::RequestGarbled,
        Trouble::RequestCut,
        Trouble::AnswerLost,
        Trouble::AnswerLate,
        Trouble::AnswerTwice,
        Trouble::AnswerGarbled,
        Trouble::AnswerCut,
        Trouble::ReversalLost,
        Trouble::AcknowledgementLost,
    ];

    const fn word(self) -> &'static str {
        match self {
            Trouble::None => "no trouble",
            Trouble::RequestLost => "request lost",
            Trouble::RequestLate => "request late",
            Trouble::RequestTwice => "request twice",
            Trouble::RequestGarbled => "request garbled",
            Trouble::RequestCut => "request cut",
            Trouble::AnswerLost => "answer lost",
            Trouble::AnswerLate => "answer late",
            Trouble::AnswerTwice => "answer twice",
            Trouble::AnswerGarbled => "answer garbled",
            Trouble::AnswerCut => "answer cut",
            Trouble::ReversalLost => "answer and reversal lost",
            Trouble::AcknowledgementLost => "answer and reversal's answer lost",
        }
    }

    /// What becomes of the request and of its answer.
    const fn fates(self) -> (RequestFate, AnswerFate) {
        let (arrives, leaves) = (RequestFate::Arrives, AnswerFate::Leaves);
        match self {
            Trouble::None => (arrives, leaves),
            Trouble::RequestLost => (RequestFate::Lost, leaves),
            Trouble::RequestLate => (RequestFate::Late(LATE_US), leaves),
            Trouble::RequestTwice => (RequestFate::Twice(SOON_US), leaves),
            Trouble::RequestGarbled => (RequestFate::Garbled, leaves),
            Trouble::RequestCut => (RequestFate::Cut, leaves),
            Trouble::AnswerLost | Trouble::ReversalLost | Trouble::AcknowledgementLost => (arrives, AnswerFate::Lost),
            Trouble::AnswerLate => (arrives, AnswerFate::Late(LATE_US)),
            Trouble::AnswerTwice => (arrives, AnswerFate::Twice(SOON_US)),
            Trouble::AnswerGarbled => (arrives, AnswerFate::Garbled),
            Trouble::AnswerCut => (arrives, AnswerFate::Cut(CUT_AFTER_BYTES)),
        }
    }

    fn script(self, verb: Verb) -> Script {
        let (request, answer) = self.fates();
        let mut script = Script::default();
        script.requests.push(Scripted { mti: request_type(verb), nth: 0, fate: request });
        script.answers.push(Scripted { mti: request_type(verb), nth: 0, fate: answer });
        match self {
            Trouble::ReversalLost => script.requests.push(Scripted { mti: REVERSAL, nth: 0, fate: RequestFate::Lost }),
            Trouble::AcknowledgementLost => script.answers.push(Scripted { mti: REVERSAL, nth: 0, fate: AnswerFate::Lost }),
            _ => {}
        }
        script
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Message type of a reversal that is sent for the first time.
const REVERSAL: u16 = 420;

/// Message type of a verb's request.
const fn request_type(verb: Verb) -> u16 {
    match verb {
        Verb::Authorize | Verb::Verification => 100,
        Verb::Sale | Verb::Credit | Verb::Refund => 200,
        Verb::Capture => 220,
        Verb::Void => 400,
    }
}

/// What the client does when it has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// One call, and as much patience as the processor has time.
    GivesUp,
    /// Calls again under its key, the first time while the switch may still be waiting for the processor.
    AsksAgain,
}

impl Client {
    /// Both.
    pub const ALL: [Client; 2] = [Client::GivesUp, Client::AsksAgain];

    /// Calls at most, and how long it waits for each, microseconds.
    const fn manner(self) -> (u32, u64) {
        match self {
            Client::GivesUp => (1, 3_000_000),
            Client::AsksAgain => (20, 1_200_000),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Client::GivesUp => "gives up",
            Client::AsksAgain => "asks again",
        })
    }
}

/// Where around a group of records the switch dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Before anything is written.
    BeforeWrite,
    /// The power goes in the sync: what was written is there in part, or not, or as trash.
    InWrite,
    /// Synced, and nobody was told.
    AfterSync,
    /// The shard was told, its outputs have left.
    AfterTold,
}

impl Point {
    /// All of them, in the order of time.
    pub const ALL: [Point; 4] = [Point::BeforeWrite, Point::InWrite, Point::AfterSync, Point::AfterTold];

    /// Its letter on the page.
    const fn letter(self) -> char {
        match self {
            Point::BeforeWrite => 'a',
            Point::InWrite => 'b',
            Point::AfterSync => 'c',
            Point::AfterTold => 'd',
        }
    }

    const fn fate(self) -> CommitFate {
        match self {
            Point::BeforeWrite => CommitFate::DiesBefore,
            Point::InWrite => CommitFate::PowerGoes { operation: 1 },
            Point::AfterSync => CommitFate::DiesAfterSync,
            Point::AfterTold => CommitFate::DiesAfterTold,
        }
    }
}

/// A death of the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Death {
    /// Which group of records since the operation began, from 0.
    pub group: u32,
    /// Where around it.
    pub point: Point,
}

/// One case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The operation.
    pub verb: Verb,
    /// What goes wrong outside.
    pub trouble: Trouble,
    /// Who asks.
    pub client: Client,
    /// What goes wrong inside.
    pub death: Option<Death>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}, ", self.verb.word(), self.trouble, self.client)?;
        match self.death {
            None => f.write_str("no crash"),
            Some(Death { group, point }) => write!(f, "crash {}{}", group + 1, point.letter()),
        }
    }
}

/// How a case ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// What the client was told last.
    pub told: String,
    /// Where the transaction stands when nothing is open any more.
    pub stands: String,
    /// What the host's ledger holds of the operation.
    pub host: String,
}

/// Every case, in order, and how it ends, on as many threads as the machine has.
pub fn all() -> Vec<(Case, End)> {
    let series: Vec<(Verb, Trouble, Client)> = VERBS
        .into_iter()
        .flat_map(|verb| Trouble::ALL.into_iter().flat_map(move |trouble| Client::ALL.map(|client| (verb, trouble, client))))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = std::iter::from_fn(|| series.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(|(verb, trouble, client)| (*verb, *trouble, *client)).flat_map(run_series).collect::<Vec<_>>()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut ends: Vec<(Case, End)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no case breaks an invariant")).collect()
    });
    ends.sort_by_key(|(case, _)| (VERBS.iter().position(|verb| *verb == case.verb), case.trouble, case.client, case.death));
    ends
}

/// One operation, trouble and client, under every death. Which groups of records there are is found by dying around each.
fn run_series((verb, trouble, client): (Verb, Trouble, Client)) -> Vec<(Case, End)> {
    let without = Case { verb, trouble, client, death: None };
    let end = run(without, false).expect("a case without a crash has no crash to wait for");
    let mut ends = vec![(without, end)];
    let groups = (0..GROUPS_MAX).take_while(|group| run_group(without, *group, &mut ends)).count();
    assert!(groups < GROUPS_MAX as usize, "{without}: an operation makes {groups} groups of records and more");
    ends
}

/// Every death around one group; false when the operation makes no such group. A group without records writes nothing, so the power
/// can't go while it is written.
fn run_group(without: Case, group: u32, ends: &mut Vec<(Case, End)>) -> bool {
    let known = ends.len();
    for point in Point::ALL {
        let case = Case { death: Some(Death { group, point }), ..without };
        ends.extend(run(case, false).map(|end| (case, end)));
    }
    ends.len() > known
}

/// Runs one case with every checker on; `None` when there was no such group of records to die around. A broken invariant panics.
pub fn run(case: Case, aloud: bool) -> Option<End> {
    let naming = NamedWhenBroken(case);
    let repeat = format!("cargo run -p tests --bin timeout-matrix -- --case '{case}'");
    let setup = Setup { limits: SMALL, ..Setup::plain() };
    let mut world = World::new(setup, Fates::Scripted(Script::default()), Dice::of(SEED), repeat, aloud);
    world.clients.keeps_ended = true;
    world.run_for(PREPARED_WITHIN_US);
    let target = world.prepare(case.verb);
    let before = Before::of(&world);
    let errand = world.operate(case, target);
    world.run_for(STRUCK_WITHIN_US);
    let has_struck = deaths(&world) == u32::from(case.death.is_some());
    world.calm_down();
    let end = End {
        told: told(world.clients.ended(errand).expect("liveness: a client still waits")),
        stands: before.transactions(&world, target),
        host: before.host(&world),
    };
    world.close_books();
    drop(naming);
    has_struck.then_some(end)
}

/// Says which case it was when a check panics.
struct NamedWhenBroken(Case);

impl Drop for NamedWhenBroken {
    #[expect(clippy::print_stderr, reason = "whoever sees the broken invariant must see the case")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the case was: {}", self.0);
        }
    }
}

fn deaths(world: &World) -> u32 {
    let faults = [Fault::CrashBeforeWrite, Fault::CrashInWrite, Fault::CrashAfterSync, Fault::CrashAfterTold];
    faults.into_iter().map(|fault| world.stage.struck.of(fault)).sum()
}

impl World {
    /// The transaction that a capture, void or refund acts upon; none for other verbs.
    fn prepare(&mut self, verb: Verb) -> Xid {
        let first = match verb {
            Verb::Capture | Verb::Void => Verb::Authorize,
            Verb::Refund => Verb::Sale,
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => return Xid::NONE,
        };
        let merchant = self.setup.merchants[0].id;
        let errand = self.ask(&Ask::pay(first, merchant, AMOUNT), Client::GivesUp);
        self.run_for(PREPARED_WITHIN_US);
        let Some(Ended::Answered(Heard::Version { version, .. })) = self.clients.ended(errand) else {
            panic!("a {} without trouble is answered", first.word())
        };
        let target = version.transaction().id;
        if verb == Verb::Refund {
            self.stage.after(0, Turn::CloseBatches(1));
            self.run_for(PREPARED_WITHIN_US);
        }
        target
    }

    /// Lets a client ask for the operation, under the case's trouble.
    fn operate(&mut self, case: Case, target: Xid) -> u64 {
        let mut script = case.trouble.script(case.verb);
        script.commits = case.death.iter().map(|death| (death.group, death.point.fate())).collect();
        self.stage.fates = Fates::Scripted(script);
        let merchant = self.setup.merchants[0].id;
        let amount = if case.verb == Verb::Verification { 0 } else { AMOUNT };
        let ask = if target == Xid::NONE {
            Ask::pay(case.verb, merchant, amount)
        } else {
            Ask::step(case.verb, merchant, target, None)
        };
        self.ask(&Ask { key: Some((1, KEY_WINDOW_S)), ..ask }, case.client)
    }

    fn ask(&mut self, ask: &Ask, client: Client) -> u64 {
        let (calls_max, patience_us) = client.manner();
        self.workload.ask(&mut self.stage, &mut self.clients, ask, calls_max, patience_us)
    }
}

/// What was there before the operation.
struct Before {
    transactions: BTreeSet<Xid>,
    rows: usize,
}

impl Before {
    fn of(world: &World) -> Before {
        let transactions = world.checks.fold().transactions().map(|transaction| transaction.id).collect();
        Before { transactions, rows: world.hosts[0].ledger().len() }
    }

    /// Where that stands which was made, or acted upon, when the operation makes none.
    fn transactions(&self, world: &World, target: Xid) -> String {
        let fold = world.checks.fold();
        let made: Vec<&Transaction> = fold.transactions().filter(|known| !self.transactions.contains(&known.id)).collect();
        let acted_upon = fold.newest(target).map(|(transaction, _)| transaction).filter(|_| made.is_empty());
        in_order(made.into_iter().chain(acted_upon).map(stands).collect())
    }

    /// What the host has written since, and whether it was taken back.
    fn host(&self, world: &World) -> String {
        let ledger = world.hosts[0].ledger();
        let mut marks = Marks::default();
        ledger.iter().for_each(|row| marks.note(row));
        let moved = |row: &&Row| !matches!(row.kind(), Some(Kind::Reversal | Kind::Batch) | None);
        let rows = ledger[self.rows..].iter().filter(moved);
        in_order(rows.map(|row| in_words(row, marks.is_reversed(row))).collect())
    }
}

fn in_order(words: Vec<String>) -> String {
    if words.is_empty() { "nothing".to_owned() } else { words.join(" + ") }
}

fn stands(transaction: &Transaction) -> String {
    let state = ReversalState::from_number(transaction.reversal.state);
    let status = transaction.status();
    let by_reversal = state == Some(ReversalState::Done) && status != Status::Reversed;
    if by_reversal { format!("{}, step reversed", status.word()) } else { status.word().to_owned() }
}

fn in_words(row: &Row, is_taken_back: bool) -> String {
    let kind = match row.kind() {
        Some(Kind::Authorization) => "authorization",
        Some(Kind::Sale) => "sale",
        Some(Kind::Capture) => "capture",
        Some(Kind::Refund) => "refund",
        Some(Kind::Credit) => "credit",
        Some(Kind::Void) => "void",
        Some(Kind::Reversal) => "reversal",
        Some(Kind::Batch) => "batch",
        Some(Kind::Return) => "return",
        Some(Kind::Change) => "change",
        None => "unknown row",
    };
    let refused = if row.is_approved() { "" } else { " refused" };
    let taken_back = if is_taken_back { ", taken back" } else { "" };
    format!("{kind}{refused}{taken_back}")
}

fn told(ended: &Ended) -> String {
    match ended {
        Ended::GivenUp => "nothing".to_owned(),
        Ended::Answered(Heard::Version { version, .. }) => {
            let transaction = version.transaction();
            format!("{}, {}", transaction.status().word(), transaction.response_code().0)
        }
        Ended::Answered(Heard::Refused(refusal)) => format!("refused: {refusal}"),
        Ended::Answered(Heard::Unavailable | Heard::Broken | Heard::Shown(_)) => "no answer to the operation".to_owned(),
    }
}
