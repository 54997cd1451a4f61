//! The operator's tables, as typed: which rule speaks of a payment, which processor takes it, and where else it may go.

use crate::facts::{self, Facts};
use crate::model::{Model, Payment};
use protocol::command::{Command, flag};
use protocol::id::{Xid, mix};
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::transaction::Transaction;
use protocol::words::{Basis, SkipReason};
use std::collections::BTreeMap;
use switch_core::conditions::typed::Condition;
use switch_core::input::ProcessorState;
use switch_core::routing::Breaker;
use switch_core::routing::typed::Route;
use switch_core::rules::typed::Rule;

/// Processors that one payment is offered to, one after the other.
const ATTEMPTS_MAX: usize = 3;

/// The rules in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleTable {
    /// Number of the change that made it; 0 none.
    pub version: u32,
    /// The rules, in their order.
    pub rules: Vec<Rule>,
}

/// The routes in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteTable {
    /// Number of the change that made it; 0 none.
    pub version: u32,
    /// The routes, in their order.
    pub routes: Vec<Route>,
    /// When circuits open and close.
    pub breaker: Breaker,
    /// Indexes of the processors, by the ids that routes name.
    pub indexes: BTreeMap<String, u16>,
}

/// How a payment came to its processor, and which rules spoke of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Version of the rules that were asked before the processor was.
    pub rules_version: u32,
    /// Version of the rules that were asked after its answer.
    pub post_rules_version: u32,
    /// Version of the routes that were asked.
    pub routes_version: u32,
    /// Place of the rule that matched before the processor was asked, from 1.
    pub pre_rule: u16,
    /// Place of the rule that matched after its answer, from 1.
    pub post_rule: u16,
    /// Place of the route that matched, from 1.
    pub route: u16,
    /// Why it went there.
    pub basis: Basis,
    /// Processors that were passed over, and why.
    pub skips: Vec<(u16, SkipReason)>,
}

impl Choice {
    pub(crate) const NONE: Choice = Choice {
        rules_version: 0,
        post_rules_version: 0,
        routes_version: 0,
        pre_rule: 0,
        post_rule: 0,
        route: 0,
        basis: Basis::None,
        skips: Vec::new(),
    };

    /// As a record has it; it names as many as it has room for, and counts the others.
    pub(crate) fn of(transaction: &Transaction) -> Choice {
        let written = &transaction.choice;
        Choice {
            post_rules_version: transaction.post_rules_version.get(),
            rules_version: written.rules_version.get(),
            routes_version: written.routes_version.get(),
            pre_rule: written.pre_rule.get(),
            post_rule: written.post_rule.get(),
            route: written.route.get(),
            basis: written.basis(),
            skips: written.skips().filter_map(|skip| Some((skip.processor, skip.reason?))).collect(),
        }
    }

    /// The processors to which the payment was offered and not sent.
    fn tried(&self) -> Vec<u16> {
        self.skips.iter().filter(|(_, reason)| *reason == SkipReason::NotSent).map(|(processor, _)| *processor).collect()
    }

    /// A batch that the payment opens is another one for each attempt: those before may have opened theirs elsewhere.
    pub(crate) fn batch_of(&self, id: Xid) -> Xid {
        id.sibling(Xid::BATCH + self.tried().len() as u32)
    }
}

/// What a rule says of a payment.
pub(crate) struct Judgement<'a> {
    version: u32,
    position: u16,
    rule: Option<&'a Rule>,
}

impl Judgement<'_> {
    /// The code that a denied payment is declined with.
    pub(crate) fn denial(&self) -> Option<ResponseCode> {
        self.rule.filter(|rule| rule.then == "deny").map(|rule| rule.code.map_or(ResponseCode::RULE_ENGINE_DECLINE, ResponseCode))
    }

    /// What is noted of it, before the processor is asked or after its answer.
    pub(crate) fn note(&self, payment: &mut Payment, is_after: bool) {
        let choice = &mut payment.choice;
        if is_after {
            (choice.post_rules_version, choice.post_rule) = (self.version, self.position);
        } else {
            (choice.rules_version, choice.pre_rule) = (self.version, self.position);
        }
        let Some(rule) = self.rule.filter(|rule| rule.then != "accept") else { return };
        payment.rule_name = Some(rule.name.clone());
        if rule.then == "flag" {
            payment.flags |= flag::FLAGGED;
        }
    }
}

impl Model {
    /// What the rules of a stage say: those for all first, then the merchant's own. Nothing when there are none, or they are
    /// not asked about this payment.
    pub(crate) fn judge(&self, stage: &str, facts: &Facts, flags: u32, is_counted: bool) -> Option<Judgement<'_>> {
        let merchant = facts.merchant.to_string();
        let of_stage = |owner: Option<&str>| {
            let numbered = (1..).zip(&self.rules.rules);
            numbered.filter(move |(_, rule)| rule.stage == stage && rule.merchant_id.as_deref() == owner).collect::<Vec<_>>()
        };
        let asked = [of_stage(None), of_stage(Some(&merchant))].concat();
        if asked.is_empty() || flags & flag::BYPASS_RULES != 0 {
            return None;
        }
        let found = asked.into_iter().find(|(_, rule)| self.all_hold(&rule.conditions, facts, is_counted));
        let (position, rule) = found.map_or((0, None), |(position, rule)| (position, Some(rule)));
        Some(Judgement { version: self.rules.version, position, rule })
    }

    fn all_hold(&self, conditions: &[Condition], facts: &Facts, is_counted: bool) -> bool {
        conditions.iter().all(|condition| {
            let found = match condition.field.as_str() {
                "velocity" => self.counts.find(facts, condition, self.now, is_counted),
                word => facts.find(word),
            };
            facts::holds(condition, found)
        })
    }

    /// Counts a payment for all that the tables ask to be counted at its merchant.
    pub(crate) fn count(&mut self, facts: &Facts) {
        let merchant = facts.merchant.to_string();
        let is_for = |owner: &Option<String>| owner.as_ref().is_none_or(|owner| *owner == merchant);
        let rules = self.rules.rules.iter().filter(|rule| is_for(&rule.merchant_id)).map(|rule| &rule.conditions);
        let routes = self.routes.routes.iter().filter(|route| is_for(&route.merchant_id)).map(|route| &route.conditions);
        let velocities = rules.chain(routes).flatten().filter(|condition| condition.field == "velocity");
        self.counts.count(facts, velocities);
    }

    /// The processor that a payment goes to: the one that it names, else by the first route that matches, else the merchant's own.
    pub(crate) fn choose(&self, command: &Command, facts: &Facts) -> Result<(u16, Choice), Refusal> {
        let named = command.processor.get();
        if named != 0 {
            return Ok((self.only(named, facts)?, Choice { basis: Basis::Named, ..Choice::NONE }));
        }
        if let Some((position, route)) = self.first_route(facts, false) {
            let (processor, choice) = self.by_route((position, route), (command.id, facts), &Choice::NONE, &[]);
            return processor.map(|processor| (processor, choice.clone())).ok_or(refusal_of_all(&choice, facts));
        }
        let own = self.terms.merchants.get(&command.merchant).map_or(0, |terms| terms.processors.of(facts.method()));
        if own == 0 {
            return Err(Refusal::MethodNotTaken { method: facts.method() });
        }
        let choice = Choice { basis: Basis::Merchant, routes_version: self.routes.version, ..Choice::NONE };
        Ok((self.only(own, facts)?, choice))
    }

    /// One that nothing can take the place of: how it fares is not asked.
    fn only(&self, processor: u16, facts: &Facts) -> Result<u16, Refusal> {
        match self.passed_over(processor, facts) {
            None | Some(SkipReason::CircuitOpen) => Ok(processor),
            Some(SkipReason::OtherMethod) => Err(Refusal::MethodNotTaken { method: facts.method() }),
            Some(_) => Err(Refusal::ProcessorNotAvailable),
        }
    }

    /// The merchant's own routes come first, then those for all.
    fn first_route(&self, facts: &Facts, is_counted: bool) -> Option<(u16, &Route)> {
        let merchant = facts.merchant.to_string();
        let of = |owner: Option<&str>| {
            let numbered = (1..).zip(&self.routes.routes);
            numbered.filter(move |(_, route)| route.merchant_id.as_deref() == owner).collect::<Vec<_>>()
        };
        let asked = [of(Some(&merchant)), of(None)].concat();
        asked.into_iter().find(|(_, route)| self.all_hold(&route.conditions, facts, is_counted))
    }

    /// The first of a route's processors that can take a payment and was not tried. If only ill ones are left, the first of those.
    fn by_route(
        &self,
        (position, route): (u16, &Route),
        (id, facts): (Xid, &Facts),
        before: &Choice,
        tried: &[u16],
    ) -> (Option<u16>, Choice) {
        let kept = Choice { rules_version: before.rules_version, pre_rule: before.pre_rule, ..Choice::NONE };
        let skips = tried.iter().map(|processor| (*processor, SkipReason::NotSent)).collect();
        let mut choice = Choice { route: position, routes_version: self.routes.version, skips, ..kept };
        if tried.len() == ATTEMPTS_MAX {
            return (None, choice);
        }
        let index = |id: &String| self.routes.indexes[id];
        let drawn = drawn(route, id).into_iter().map(|id| (index(id), Basis::Weight));
        let in_order = drawn.chain(route.fail_over.iter().map(|id| (index(id), Basis::FailOver)));
        for (processor, basis) in in_order.filter(|(processor, _)| !tried.contains(processor)) {
            match self.passed_over(processor, facts) {
                None => return (Some(processor), Choice { basis, ..choice }),
                Some(reason) => choice.skips.push((processor, reason)),
            }
        }
        let ill = choice.skips.iter().find(|(_, reason)| *reason == SkipReason::CircuitOpen).map(|(processor, _)| *processor);
        (ill, Choice { basis: if ill.is_some() { Basis::LastResort } else { Basis::None }, ..choice })
    }

    /// Why a processor can't take a payment, if it can't.
    fn passed_over(&self, processor: u16, facts: &Facts) -> Option<SkipReason> {
        match self.terms.processors.get(&processor) {
            None => Some(SkipReason::NotThere),
            Some(terms) if terms.method != facts.method() => Some(SkipReason::OtherMethod),
            Some(terms) if terms.state != ProcessorState::Enabled => Some(SkipReason::Off),
            Some(_) => {
                let is_well = self.health.get(&processor).is_none_or(|health| health.lets_through(self.now));
                (!is_well).then_some(SkipReason::CircuitOpen)
            }
        }
    }

    /// The processor provably got nothing of a payment: where it goes next, if a route has brought it there and still matches. What was
    /// looked at is noted in any case.
    pub(crate) fn next_processor(&mut self, id: Xid) -> Option<u16> {
        let payment = &self.payments[&id];
        let route = self.first_route(&payment.facts, true).filter(|_| payment.choice.route != 0)?;
        let tried = [payment.choice.tried(), vec![payment.processor]].concat();
        let (next, choice) = self.by_route(route, (id, &payment.facts), &payment.choice, &tried);
        self.of(id).choice = choice;
        next
    }
}

/// Why none of a route's processors takes a payment.
fn refusal_of_all(choice: &Choice, facts: &Facts) -> Refusal {
    match choice.skips.iter().all(|(_, reason)| *reason == SkipReason::OtherMethod) {
        true => Refusal::MethodNotTaken { method: facts.method() },
        false => Refusal::ProcessorNotAvailable,
    }
}

/// The processors of a route in the order in which a payment draws them, each by its weight among those that are left. The draw is a
/// hash of the payment's id, taken as a fraction of the sum of weights; the next draw is by the hash of that hash.
fn drawn(route: &Route, id: Xid) -> Vec<&String> {
    let mut left: Vec<(&String, u64)> = route.to.iter().map(|share| (&share.processor_id, share.weight)).collect();
    let (mut hash, mut drawn) = (id.hash64(), Vec::new());
    left.retain(|(_, weight)| *weight > 0);
    while !left.is_empty() {
        hash = mix(hash ^ u64::from_be_bytes(*b"routing!"));
        let sum: u64 = left.iter().map(|(_, weight)| weight).sum();
        let point = (u128::from(hash) * u128::from(sum)) >> 64;
        let upto = |place: usize| left[..=place].iter().map(|(_, weight)| u128::from(*weight)).sum::<u128>();
        let place = (0..left.len()).find(|place| point < upto(*place)).expect("the point is below the sum");
        drawn.push(left.remove(place).0);
    }
    drawn
}
