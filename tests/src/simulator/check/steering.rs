//! What an operator has changed: the texts that last, read in the plainest way. Nothing else is in force, and after a restart the
//! newest of them are.

use super::broken;
use crate::simulator::texts;
use protocol::change::Area;
use protocol::id::Xid;
use reference_model::{Changed, Fold, Invariant, RouteTable, RuleTable};
use std::collections::BTreeMap;
use switch_core::input::{ProcessorState, ProcessorTerms};
use switch_core::routing::Breaker;

/// A table that was put in force: it is durable, and of this kind.
pub(super) fn durable(fold: &Fold, area: Area, version: u32) -> &Changed {
    match fold.change(version).filter(|change| change.area == area) {
        Some(change) => change,
        None => broken(
            Invariant::IntentFirst,
            format_args!("version {version} of the {} is in force and is not durable", area.word()),
        ),
    }
}

/// The rules of a text.
pub(super) fn rules(version: u32, change: &Changed) -> RuleTable {
    RuleTable { version, rules: texts::rules(&change.text) }
}

/// The routes of a text. Processors are known by their ids.
pub(super) fn routes(version: u32, change: &Changed, indexes: &BTreeMap<String, u16>) -> RouteTable {
    RouteTable { version, routes: texts::routes(&change.text), breaker: Breaker::default(), indexes: indexes.clone() }
}

/// The newest rules that last.
pub(super) fn newest_rules(fold: &Fold) -> RuleTable {
    fold.newest_change(Area::Rules, Xid::NONE).map_or_else(RuleTable::default, |(version, change)| rules(version, change))
}

/// The newest routes that last.
pub(super) fn newest_routes(fold: &Fold, indexes: &BTreeMap<String, u16>) -> RouteTable {
    let newest = fold.newest_change(Area::Routes, Xid::NONE);
    newest.map_or_else(RouteTable::default, |(version, change)| routes(version, change, indexes))
}

/// The longest window that tables count, seconds.
pub(super) fn longest_window_s(rules: &RuleTable, routes: &RouteTable) -> u64 {
    let conditions = rules.rules.iter().flat_map(|rule| &rule.conditions);
    let conditions = conditions.chain(routes.routes.iter().flat_map(|route| &route.conditions));
    conditions.filter_map(|condition| condition.window_s).max().unwrap_or(0)
}

/// Whether a processor takes payments, by the newest text that lasts; as configured when there is none.
pub(super) fn state(fold: &Fold, id: Xid, configured: &ProcessorTerms) -> ProcessorState {
    let Some((_, change)) = fold.newest_change(Area::Processor, id) else { return configured.state };
    texts::state(&change.text)
}
