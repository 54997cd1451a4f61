//! The model's state: payments, keys, recent payments and batches of one shard, and what time does to them.

use crate::counting::Counts;
use crate::facts::Facts;
use crate::health::Health;
use crate::tables::{Choice, RouteTable, RuleTable};
use protocol::batch::BatchState;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::{ExchangeState, ReversalReason, ReversalState, Status, Verb};
use std::collections::{BTreeMap, BTreeSet};
use switch_core::input::{MerchantTerms, ProcessorTerms};
use switch_core::routing::Outcome;

/// Microseconds of a tick: nothing expires between two of them.
const TICK_MICROS: i64 = 1_000;
/// How long a key whose window is over waits for its answer before it is looked at again, seconds.
const KEY_GRACE_S: u32 = 1;

/// One thing that was asked for and begun: the transaction, and its version that said so. It lasts, unlike a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// The transaction made or acted upon.
    pub transaction: Xid,
    /// Its version that began the operation.
    pub began: u32,
}

/// A request that is not decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// `None`: the request that makes the transaction.
    pub step: Option<Verb>,
    /// Requested, minor units.
    pub amount: u64,
    /// When its answer counts as missing.
    pub deadline: Micros,
    /// What it was begun for.
    pub operation: Operation,
    /// Its trace number; 0 until the record that carries it was seen, for the model does not draw.
    pub stan: u32,
}

/// A reversal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reversing {
    /// Where it stands.
    pub state: ReversalState,
    /// Why it was queued.
    pub reason: ReversalReason,
    /// The trace number of the request that set it off.
    pub stan: u32,
    /// When it was queued.
    pub queued_at: Micros,
}

impl Reversing {
    /// There is none.
    pub(crate) const NONE: Reversing =
        Reversing { state: ReversalState::None, reason: ReversalReason::None, stan: 0, queued_at: Micros(0) };
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// What made it.
    pub verb: Verb,
    /// Whose it is.
    pub merchant: Xid,
    /// Where it goes.
    pub processor: u16,
    /// ISO 4217 number.
    pub currency: u16,
    /// Where it stands.
    pub status: Status,
    /// Counts from 1.
    pub version: u32,
    /// Requested, minor units.
    pub amount: u64,
    /// Approved, minor units.
    pub authorized: u64,
    /// Captured, minor units.
    pub captured: u64,
    /// Settled, minor units.
    pub settled: u64,
    /// Paid back, minor units.
    pub refunded: u64,
    /// Refunds that are not decided, minor units.
    pub refund_pending: u64,
    /// Of a refund: its sale.
    pub parent: Xid,
    /// The batch that it is in.
    pub batch: Option<Xid>,
    /// What is in flight.
    pub flight: Option<Flight>,
    /// What became of the request that made it.
    pub original: ExchangeState,
    /// The latest capture or void, and what became of it.
    pub step: Option<(Verb, ExchangeState)>,
    /// Its reversal.
    pub reversal: Reversing,
    /// The gateway's code.
    pub response_code: u16,
    /// How it came to its processor, and which rules spoke of it.
    pub choice: Choice,
    /// The rule that denied or flagged it.
    pub rule_name: Option<String>,
    /// What of the sale's pending refunds this refund stands for, while it is not decided.
    pub(crate) stands_for: u64,
    pub(crate) flags: u32,
    pub(crate) fingerprint: [u8; 16],
    pub(crate) facts: Facts,
}

/// What makes two payments alike.
pub(crate) type Likeness = (Xid, [u8; 16], u64, u16, Verb);

impl Payment {
    pub(crate) fn likeness(&self) -> Likeness {
        (self.merchant, self.fingerprint, self.facts.amount(), self.currency, self.verb)
    }

    /// True while the processor has not acknowledged its reversal.
    pub fn is_reversing(&self) -> bool {
        self.reversal.state == ReversalState::Queued
    }
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Whose it is.
    pub merchant: Xid,
    /// Where it goes.
    pub processor: u16,
    /// ISO 4217 number.
    pub currency: u16,
    /// Number under which its totals go.
    pub number: u32,
    /// Number that its members carried.
    pub members_number: u32,
    /// Where it stands.
    pub state: BatchState,
    /// True once its totals are final.
    pub sent: bool,
    /// The processor says that the number was used: by an earlier send of ours or by somebody else, which is the shard's to know.
    pub number_used: bool,
    /// Trace number of its totals; 0 until the record that carries it was seen.
    pub stan: u32,
    /// When it was opened or, after that, last closed.
    pub moved_at: Micros,
    /// Payments whose money counts in it.
    pub members: BTreeSet<Xid>,
    /// Payments that carried its number and are not decided.
    pub undecided: BTreeSet<Xid>,
}

/// A key inside its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyUse {
    pub(crate) request: [u8; 16],
    pub(crate) verb: Verb,
    pub(crate) operation: Operation,
    /// When it is looked at whether the window is over.
    pub(crate) until: Micros,
}

/// The first of the payments that are alike, inside its duplicate window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recent {
    pub(crate) id: Xid,
    pub(crate) until: Micros,
}

/// What a shard knows of merchants and processors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// By id.
    pub merchants: BTreeMap<Xid, MerchantTerms>,
    /// By index.
    pub processors: BTreeMap<u16, ProcessorTerms>,
}

impl Terms {
    /// The terms of these.
    pub fn of(merchants: &[MerchantTerms], processors: &[ProcessorTerms]) -> Terms {
        Terms {
            merchants: merchants.iter().map(|terms| (terms.id, *terms)).collect(),
            processors: processors.iter().map(|terms| (terms.index, *terms)).collect(),
        }
    }
}

/// The model of one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    /// Every transaction that there ever was.
    pub payments: BTreeMap<Xid, Payment>,
    /// Batches that are not complete.
    pub batches: BTreeMap<Xid, Collected>,
    /// Operations that are answered, and the version that says so.
    pub answers: BTreeMap<Operation, u32>,
    /// What holds for merchants and processors.
    pub terms: Terms,
    /// The rules in force.
    pub rules: RuleTable,
    /// The routes in force.
    pub routes: RouteTable,
    pub(crate) keys: BTreeMap<[u8; 16], KeyUse>,
    /// When they are looked at, soonest first.
    pub(crate) key_ends: BTreeSet<(Micros, [u8; 16])>,
    pub(crate) recent: BTreeMap<Likeness, Recent>,
    pub(crate) numbers: BTreeMap<(Xid, u16), u32>,
    pub(crate) counts: Counts,
    pub(crate) health: BTreeMap<u16, Health>,
    pub(crate) now: Micros,
    pub(crate) touched: BTreeSet<Xid>,
    /// Those in flight, by deadline.
    pub(crate) flying: BTreeSet<(Micros, Xid)>,
    /// Those whose reversal is queued.
    pub(crate) reversing: BTreeSet<Xid>,
}

impl Model {
    /// A shard to which nothing has happened.
    pub fn new(terms: Terms) -> Model {
        Model { terms, ..Model::default() }
    }

    /// The latest moment that it was told.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Requests that are not decided.
    pub fn in_flight(&self) -> usize {
        self.flying.len()
    }

    /// Reversals that no processor has acknowledged.
    pub fn reversals_queued(&self) -> usize {
        self.reversing.len()
    }

    /// Payments that have changed since this was last asked.
    pub fn take_touched(&mut self) -> BTreeSet<Xid> {
        core::mem::take(&mut self.touched)
    }

    /// Time passes: what was not answered becomes unknown, windows end. A clock that went back stands still.
    pub fn tick(&mut self, now: Micros) {
        self.now = self.now.max(now);
        self.recent.retain(|_, recent| !is_due(recent.until, self.now));
        while let Some(next) = self.next_due() {
            match next {
                Due::Key(hash) => self.key_window_is_over(hash),
                Due::Deadline(id) => {
                    self.note_health(id, Outcome::TimedOut);
                    self.unknown(id, ReversalReason::Timeout);
                }
            }
        }
    }

    /// A processor's link is signed on.
    pub fn link_up(&mut self, processor: u16) {
        self.health.entry(processor).or_default().link_up();
    }

    /// A processor's link is gone.
    pub fn link_down(&mut self, processor: u16) {
        if self.terms.processors.contains_key(&processor) {
            self.health.entry(processor).or_default().link_down(self.now, &self.routes.breaker);
        }
    }

    /// What became of a payment's request says how its processor fares.
    pub(crate) fn note_health(&mut self, id: Xid, outcome: Outcome) {
        let processor = self.payments[&id].processor;
        self.health.entry(processor).or_default().note(id, outcome, self.now, &self.routes.breaker);
    }

    /// What ends first. A key is remembered before its request is sent, and so goes first where both end together.
    fn next_due(&self) -> Option<Due> {
        let key = self.key_ends.first().map(|(until, hash)| (tick_of(*until), Due::Key(*hash)));
        let flight = self.flying.first().map(|(deadline, id)| (tick_of(*deadline), Due::Deadline(*id)));
        let first = key.into_iter().chain(flight).min_by_key(|(tick, _)| *tick);
        first.filter(|(tick, _)| *tick <= self.now.0.div_euclid(TICK_MICROS)).map(|(_, due)| due)
    }

    pub(crate) fn remember_key(&mut self, hash: [u8; 16], key: KeyUse) {
        self.key_ends.insert((key.until, hash));
        self.keys.insert(hash, key);
    }

    /// A window shorter than the processor's time-out must not let the same key through twice.
    fn key_window_is_over(&mut self, hash: [u8; 16]) {
        let Some(key) = self.keys.remove(&hash) else { return };
        self.key_ends.remove(&(key.until, hash));
        if !self.answers.contains_key(&key.operation) {
            self.remember_key(hash, KeyUse { until: self.now.plus_s(KEY_GRACE_S), ..key });
        }
    }

    /// Notes a change that leads to a new version.
    pub(crate) fn touch(&mut self, id: Xid) -> &mut Payment {
        self.touched.insert(id);
        self.of(id)
    }

    pub(crate) fn of(&mut self, id: Xid) -> &mut Payment {
        self.payments.get_mut(&id).expect("the model knows it")
    }

    pub(crate) fn batch(&mut self, id: Xid) -> &mut Collected {
        self.batches.get_mut(&id).expect("the model knows it")
    }
}

enum Due {
    Key([u8; 16]),
    Deadline(Xid),
}

/// The tick in which a moment has been reached.
fn tick_of(moment: Micros) -> i64 {
    moment.0.div_euclid(TICK_MICROS) + i64::from(moment.0.rem_euclid(TICK_MICROS) != 0)
}

pub(crate) fn is_due(moment: Micros, now: Micros) -> bool {
    tick_of(moment) <= now.0.div_euclid(TICK_MICROS)
}
