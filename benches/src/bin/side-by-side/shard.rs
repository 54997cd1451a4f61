//! The shard alone: what [`benches::payments`] drives, against the budget.

use crate::Effort;
use crate::table::{Row, median};
use benches::payments::{Stream, TURN_PAYMENTS};
use benches::rules::rules;
use protocol::words::Verb;
use std::time::Instant;

/// What the design asks for, inputs applied per second.
const MUST_PER_S: f64 = 2_000_000.0;
/// A command and an answer.
const INPUTS_PER_PAYMENT: u64 = 2;

/// Rules of which none matches, as the design asks for. None counts: each payment here has a card of its own, and an hour of such cards
/// would need more counters than a shard keeps.
const RULES: u64 = 20;

/// Inputs applied per second by one core: authorizations whole, without rules and with them.
pub fn apply(effort: Effort) -> Vec<Row> {
    let bare = applied(effort, Stream::new(Verb::Authorize), "no rules");
    let ruled = Stream::with_rules(Verb::Authorize, &rules(RULES, false));
    vec![bare, applied(effort, ruled, &format!("{RULES} rules"))]
}

fn applied(effort: Effort, mut stream: Stream, rules: &str) -> Row {
    let per_s: Vec<f64> = (0..effort.rounds)
        .map(|_| {
            let begun = Instant::now();
            let mut inputs = 0u64;
            while begun.elapsed() < effort.in_process {
                stream.turn();
                inputs += TURN_PAYMENTS * INPUTS_PER_PAYMENT;
            }
            inputs as f64 / begun.elapsed().as_secs_f64()
        })
        .collect();
    Row {
        what: format!("shard: inputs applied (an authorization is a command and an answer, 2 records), {rules}, one core"),
        ours: format!("{:.2} M/s", median(&per_s) / 1e6),
        baseline: "the budget, 2 M/s".into(),
        ratios: per_s.iter().map(|rate| rate / MUST_PER_S).collect(),
        must: "≥ 1",
    }
}
