//! What a table of rules or routes would have done to payments that were made: the dry run.
//!
//! Lives here: the evaluator, a value without clock, database or HTTP. Payments go in, each as its newest version, in the order in
//! which they were made; what would have changed comes out. The same payments give the same report, so that it serves a dry run over
//! the SQL home and one over a journal alike. Must not live here: where payments are read from ([`crate::operator`]).
//!
//! What is compared is what was decided then with what the proposed table decides. A payment that a rule denied before it was sent has
//! no answer, so rules that ask for one are not asked about it. A processor that the payment found ill is ill to the proposed routes too;
//! of one that it never came to nothing was kept, and it counts as well. Whether a processor takes payments is as it is now.

pub mod journal;
mod shown;

#[cfg(test)]
mod tests;

use protocol::calendar::Micros;
use protocol::choice::Choice;
use protocol::command::flag;
use protocol::id::Xid;
use protocol::response_code::{RULE_DECLINES, ResponseCode};
use protocol::tail::Tail;
use protocol::transaction::Transaction;
use protocol::words::{Basis, ExchangeState, PaymentMethod, SkipReason, Verb};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use switch_core::conditions::{Facts, Gauge, Velocity};
use switch_core::input::OwnProcessors;
use switch_core::limits::VELOCITY_COUNTERS_MAX;
use switch_core::routing::{self, Standing};
use switch_core::rules::{self, Stage, Verdict};

/// The table that is tried.
#[derive(Debug, Clone)]
pub enum Proposal {
    /// Rules.
    Rules(Arc<rules::Table>),
    /// Routes, and on what ground they are asked.
    Routes(Arc<routing::Table>, Ground),
}

/// Where payments go besides the routes.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// Merchants' own processors.
    pub own: HashMap<Xid, OwnProcessors>,
    /// Which means of payment each processor takes.
    pub methods: HashMap<u16, PaymentMethod>,
    /// Processors that take no new payments.
    pub off: BTreeSet<u16>,
}

/// What a table decides about a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// It passes the rules.
    Accept,
    /// It passes, marked.
    Flag,
    /// A rule denies it.
    Deny,
    /// This processor takes it; 0 when none does.
    Processor(u16),
}

/// Payments that were decided one way and would have been decided another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// What was decided.
    pub from: Decision,
    /// What would have been.
    pub to: Decision,
    /// ISO 4217 number.
    pub currency: u16,
    /// How many.
    pub count: u64,
    /// What was asked for, summed, minor units.
    pub amount: u64,
}

/// What came of a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Payments that were looked at.
    pub examined: u64,
    /// Those that would have been decided otherwise.
    pub changed: u64,
    /// Those, by what was decided, what would have been, and currency.
    pub by: Vec<Difference>,
}

/// A dry run.
#[derive(Debug)]
pub struct Replay {
    proposal: Proposal,
    velocity: Velocity,
    examined: u64,
    /// Counts and sums.
    changed: BTreeMap<(Decision, Decision, u16), (u64, u64)>,
}

impl Replay {
    /// Nothing was looked at yet.
    pub fn of(proposal: Proposal) -> Replay {
        let velocity = Velocity::new(VELOCITY_COUNTERS_MAX);
        Replay { proposal, velocity, examined: 0, changed: BTreeMap::new() }
    }

    /// How far back, in seconds, payments before the first that is examined must be counted.
    pub fn longest_window_s(&self) -> u32 {
        match &self.proposal {
            Proposal::Rules(table) => table.longest_window_s(),
            Proposal::Routes(table, _) => table.longest_window_s(),
        }
    }

    /// True for a transaction that a table is asked about: one that begins a payment. A refund follows its sale.
    pub fn is_about(transaction: &Transaction) -> bool {
        match transaction.verb() {
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => true,
            Verb::Refund | Verb::Capture | Verb::Void => false,
        }
    }

    /// Counts a payment for those behind it, and does not examine it.
    pub fn count(&mut self, transaction: &Transaction, tail: Tail<'_>) {
        let facts = self.facts(transaction, tail);
        self.note(transaction, &facts);
    }

    /// Examines a payment, and counts it.
    pub fn examine(&mut self, transaction: &Transaction, tail: Tail<'_>) {
        let (from, to) = self.decide(transaction, tail);
        self.examined += 1;
        if from != to {
            let (count, amount) = self.changed.entry((from, to, transaction.currency.get())).or_default();
            *count += 1;
            *amount = amount.saturating_add(transaction.amount.get());
        }
    }

    /// What was decided about a payment and what the table decides; counts it for those behind it.
    pub fn decide(&mut self, transaction: &Transaction, tail: Tail<'_>) -> (Decision, Decision) {
        let facts = self.facts(transaction, tail);
        let decided = match &self.proposal {
            Proposal::Rules(table) => by_rules(table, transaction, &facts),
            Proposal::Routes(table, ground) => by_routes(table, ground, transaction, &facts),
        };
        self.note(transaction, &facts);
        decided
    }

    /// What came of it.
    pub fn report(&self) -> Report {
        let difference = |(&(from, to, currency), &(count, amount))| Difference { from, to, currency, count, amount };
        let by: Vec<Difference> = self.changed.iter().map(difference).collect();
        Report { examined: self.examined, changed: by.iter().map(|difference| difference.count).sum(), by }
    }

    /// The facts as they stood when the payment was made, its velocities among them.
    fn facts(&self, transaction: &Transaction, tail: Tail<'_>) -> Facts {
        let answered = as_answered(transaction);
        let mut facts = Facts::of(&answered);
        if self.reads_tail(transaction.merchant) {
            facts.read_tail(tail);
        }
        self.velocity.foresee(transaction, self.gauges(transaction.merchant), &mut facts);
        facts
    }

    fn note(&mut self, transaction: &Transaction, facts: &Facts) {
        let gauges = match &self.proposal {
            Proposal::Rules(table) => table.gauges(transaction.merchant),
            Proposal::Routes(table, _) => table.gauges(transaction.merchant),
        };
        // With as many counters as a shard has, what finds no room here would have been refused there.
        if !gauges.is_empty() && self.velocity.make_room(gauges.len(), Micros(transaction.created_at.get())) {
            self.velocity.count(transaction, gauges, facts);
        }
    }

    fn gauges(&self, merchant: Xid) -> &[Gauge] {
        match &self.proposal {
            Proposal::Rules(table) => table.gauges(merchant),
            Proposal::Routes(table, _) => table.gauges(merchant),
        }
    }

    fn reads_tail(&self, merchant: Xid) -> bool {
        match &self.proposal {
            Proposal::Rules(table) => table.reads_tail(merchant),
            Proposal::Routes(table, _) => table.reads_tail(merchant),
        }
    }
}

/// How far a payment came before rules were asked, as its record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Declined by the gateway for another reason, or let past the rules: none was asked.
    NotAsked,
    /// Not sent, or without an answer.
    Unanswered,
    /// The processor approved it, whatever a rule said then.
    Approved,
    /// The processor declined it.
    Declined,
}

fn is_denied(transaction: &Transaction) -> bool {
    let spoke = transaction.choice.pre_rule.get() != 0 || transaction.choice.post_rule.get() != 0;
    spoke && RULE_DECLINES.contains(&transaction.response_code())
}

fn way_of(transaction: &Transaction) -> Way {
    let was_sent = transaction.original.stan.get() != 0;
    match transaction.original.state() {
        _ if transaction.has(flag::BYPASS_RULES) => Way::NotAsked,
        _ if is_denied(transaction) => {
            if was_sent {
                Way::Approved
            } else {
                Way::Unanswered
            }
        }
        _ if !was_sent => Way::NotAsked,
        ExchangeState::Approved => Way::Approved,
        ExchangeState::Declined => Way::Declined,
        _ => Way::Unanswered,
    }
}

/// The version as its processor left it: a denial after an approval writes its own code over the processor's.
fn as_answered(transaction: &Transaction) -> Transaction {
    let mut answered = *transaction;
    if is_denied(transaction) && transaction.original.stan.get() != 0 {
        answered.original.response_code = ResponseCode::APPROVED.0.into();
    }
    answered
}

fn by_rules(table: &rules::Table, transaction: &Transaction, facts: &Facts) -> (Decision, Decision) {
    let from = match (is_denied(transaction), transaction.has(flag::FLAGGED)) {
        (true, _) => Decision::Deny,
        (false, true) => Decision::Flag,
        (false, false) => Decision::Accept,
    };
    let way = way_of(transaction);
    let says = |stage| table.first_match(stage, transaction.merchant, facts).map(|found| found.verdict);
    let (before, after) = match way {
        Way::NotAsked => return (from, from),
        Way::Unanswered => (says(Stage::Pre), None),
        Way::Approved | Way::Declined => (says(Stage::Pre), says(Stage::Post)),
    };
    let to = match (before, after) {
        (Some(Verdict::Deny(_)), _) => Decision::Deny,
        // What the processor has declined can't be denied any more.
        (_, Some(Verdict::Deny(_))) if way == Way::Approved => Decision::Deny,
        (Some(Verdict::Flag), _) | (_, Some(Verdict::Flag)) => Decision::Flag,
        (Some(Verdict::Accept) | None, Some(Verdict::Accept | Verdict::Deny(_)) | None) => Decision::Accept,
    };
    (from, to)
}

fn by_routes(table: &routing::Table, ground: &Ground, transaction: &Transaction, facts: &Facts) -> (Decision, Decision) {
    let from = Decision::Processor(transaction.processor.get());
    if transaction.choice.basis() == Basis::Named {
        return (from, from);
    }
    let method = transaction.payment_method();
    let standing = |index: u16| ill_then(&transaction.choice, index).unwrap_or_else(|| ground.standing(index, method));
    let to = match table.first_match(transaction.merchant, facts) {
        Some(route) => route.choose(transaction.id, &transaction.choice, standing).0.unwrap_or(0),
        None => {
            let own = ground.own.get(&transaction.merchant).map_or(0, |own| own.of(method));
            if standing(own) == Standing::Ready { own } else { 0 }
        }
    };
    (from, Decision::Processor(to))
}

/// How a processor stood to a payment that passed it over for its health.
fn ill_then(choice: &Choice, processor: u16) -> Option<Standing> {
    let reason = choice.skips().find(|skip| skip.processor == processor)?.reason?;
    match reason {
        SkipReason::CircuitOpen | SkipReason::AtItsLimit | SkipReason::NotSent => Some(Standing::Skip(reason)),
        SkipReason::NotThere | SkipReason::Off | SkipReason::OtherMethod => None,
    }
}

impl Ground {
    fn standing(&self, index: u16, method: PaymentMethod) -> Standing {
        match self.methods.get(&index) {
            None => Standing::Skip(SkipReason::NotThere),
            Some(_) if self.off.contains(&index) => Standing::Skip(SkipReason::Off),
            Some(taken) if *taken != method => Standing::Skip(SkipReason::OtherMethod),
            Some(_) => Standing::Ready,
        }
    }
}
