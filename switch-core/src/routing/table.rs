//! The table: routes checked, compiled, and searched in order. A merchant's own come first, then those for all.

use super::health::Breaker;
use super::typed;
use crate::conditions::{Asked, Facts, Fault, Gauge, Kind, Scoped, TableError, Typed};
use crate::limits::{ROUTE_PROCESSORS_MAX, ROUTE_WEIGHT_MAX, ROUTES_MAX};
use protocol::id::Xid;

const KIND: Kind = Kind { entry: "route", entries: "routes", entries_max: ROUTES_MAX };

/// A processor with its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) processor: u16,
    pub(super) weight: u32,
}

/// A route, checked and compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    position: u16,
    pub(super) to: Box<[Candidate]>,
    pub(super) fail_over: Box<[u16]>,
}

impl Route {
    /// Its place in the table, from 1.
    pub fn position(&self) -> u16 {
        self.position
    }

    /// The indexes of the processors that it names.
    pub fn processors(&self) -> impl Iterator<Item = u16> {
        self.to.iter().map(|candidate| candidate.processor).chain(self.fail_over.iter().copied())
    }
}

/// A table of routes, checked and compiled. The same for every shard.
#[derive(Debug, Default)]
pub struct Table {
    version: u32,
    routes: Scoped<Route>,
    breaker: Breaker,
}

impl Table {
    /// Checks and compiles routes, in their order, as version `version` of the table: 1 or more, so that a record can say that there
    /// was none. `index_of` knows the processors by their ids. All routes are taken, or none.
    pub fn compile(
        version: u32,
        routes: &[typed::Route],
        breaker: Breaker,
        index_of: impl Fn(&str) -> Option<u16>,
    ) -> Result<Table, TableError> {
        let typed = (1..).zip(routes).map(|(position, route)| Typed {
            name: &route.name,
            merchant_id: route.merchant_id.as_deref(),
            conditions: &route.conditions,
            // No answer of a processor is known where one is being chosen.
            asked: Asked::BeforeAnswer,
            entry: parse_processors(position, route, &index_of),
        });
        Ok(Table { version, routes: Scoped::compile(KIND, typed.collect())?, breaker })
    }

    /// Which version of the operator's table this is; 0 when there is none.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// True when every payment goes to its merchant's own processor.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When a processor's circuit opens and closes.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// The name of the route at a place, counted from 1; empty when there is none.
    pub fn name(&self, position: u16) -> &str {
        self.routes.name(position)
    }

    /// What must be counted for a payment of this merchant, in the order in which its facts hold the counts.
    pub fn gauges(&self, merchant: Xid) -> &[Gauge] {
        &self.routes.own_or_for_all(merchant).gauges
    }

    /// True when a route that holds for this merchant asks for something that stands in the tail.
    pub fn reads_tail(&self, merchant: Xid) -> bool {
        self.routes.own_or_for_all(merchant).reads_tail
    }

    /// The first route that matches a payment. Its velocities, if any are asked for, are in its facts.
    pub fn first_match(&self, merchant: Xid, facts: &Facts) -> Option<&Route> {
        let own = self.routes.own(merchant).and_then(|own| own.first_match(Asked::BeforeAnswer, facts));
        own.or_else(|| self.routes.for_all.first_match(Asked::BeforeAnswer, facts))
    }

    /// The longest window that is counted for any merchant, seconds: how far back recovery must count; 0 when nothing is counted.
    pub fn longest_window_s(&self) -> u32 {
        self.routes.longest_window_s()
    }
}

fn parse_processors(position: u16, route: &typed::Route, index_of: &impl Fn(&str) -> Option<u16>) -> Result<Route, Fault> {
    check_length("to", route.to.len())?;
    check_length("fail_over", route.fail_over.len())?;
    let index = |part, id: &String| index_of(id).ok_or_else(|| Fault::new(part, format!("{id:?}"), "the id of a processor"));
    let mut to = Vec::with_capacity(route.to.len());
    for share in &route.to {
        to.push(Candidate { processor: index("to", &share.processor_id)?, weight: check_weight(share.weight)? });
    }
    let fail_over = route.fail_over.iter().map(|id| index("fail_over", id)).collect::<Result<Vec<_>, _>>()?;
    let parsed = Route { position, to: to.into(), fail_over: fail_over.into() };
    let mut named: Vec<u16> = parsed.processors().collect();
    named.sort_unstable();
    if named.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Fault::new("to", "a processor that is named twice", "each processor once, in to or in fail_over"));
    }
    if parsed.fail_over.is_empty() && parsed.to.iter().all(|candidate| candidate.weight == 0) {
        return Err(Fault::new("to", "no processor with a weight", "one at least with a weight above 0, or one in fail_over"));
    }
    Ok(parsed)
}

fn check_length(part: &'static str, length: usize) -> Result<(), Fault> {
    if length <= ROUTE_PROCESSORS_MAX {
        return Ok(());
    }
    Err(Fault::new(part, format!("{length} processors"), format!("at most {ROUTE_PROCESSORS_MAX}")))
}

fn check_weight(weight: u64) -> Result<u32, Fault> {
    let fits = u32::try_from(weight).ok().filter(|weight| *weight <= ROUTE_WEIGHT_MAX);
    fits.ok_or_else(|| Fault::new("weight", weight, format!("a whole number from 0 to {ROUTE_WEIGHT_MAX}")))
}
