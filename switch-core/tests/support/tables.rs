//! Tables that a payment of the tests may meet: each says something else of it.

use super::{PROCESSOR, SECOND, THIRD, merchant};
use switch_core::conditions::typed::{Condition, Value};
use switch_core::routing::typed::{Route, Share};
use switch_core::rules::typed::Rule;

/// A condition that compares a field with a number.
pub fn condition(field: &str, op: &str, value: u64) -> Condition {
    Condition { field: field.to_owned(), op: op.to_owned(), value: Value::Number(value), per: None, window_s: None }
}

/// A condition that counts.
pub fn velocity(per: &str, window_s: u64, above: u64) -> Condition {
    Condition { per: Some(per.to_owned()), window_s: Some(window_s), ..condition("velocity", ">", above) }
}

/// A rule for all merchants.
pub fn rule(name: &str, stage: &str, conditions: Vec<Condition>, then: &str) -> Rule {
    let (name, stage, then) = (name.to_owned(), stage.to_owned(), then.to_owned());
    Rule { name, stage, conditions, then, ..Rule::default() }
}

/// A route for all merchants.
pub fn route(name: &str, conditions: Vec<Condition>, to: &[(u16, u64)], fail_over: &[u16]) -> Route {
    let share = |(processor, weight): &(u16, u64)| Share { processor_id: processor.to_string(), weight: *weight };
    let (to, fail_over) = (to.iter().map(share).collect(), fail_over.iter().map(u16::to_string).collect());
    Route { name: name.to_owned(), conditions, to, fail_over, ..Route::default() }
}

/// Tables of rules, from none to all that there is to say.
pub fn rule_tables() -> Vec<Vec<Rule>> {
    let small = || vec![condition("amount", "<", 200)];
    let text = |field: &str, value: &str| Condition { value: Value::Text(value.to_owned()), ..condition(field, "=", 0) };
    vec![
        vec![],
        vec![rule("small", "pre", small(), "accept"), rule("fast", "pre", vec![velocity("card", 15, 2)], "deny")],
        vec![
            rule("seen", "pre", vec![velocity("merchant", 60, 3)], "flag"),
            rule("large", "post", vec![condition("amount", ">", 300)], "deny"),
        ],
        vec![
            rule("bad letter", "post", vec![text("avs", "Y"), velocity("email", 30, 1)], "deny"),
            rule("declined", "post", vec![condition("response_code", ">", 110)], "flag"),
        ],
        vec![
            Rule {
                merchant_id: Some(merchant(1).to_string()),
                ..rule("own", "pre", vec![condition("amount", "=", 400)], "deny")
            },
            Rule { code: Some(320), ..rule("for all", "pre", vec![velocity("email", 60, 2)], "deny") },
        ],
    ]
}

/// Tables of routes, from none to several.
pub fn route_tables() -> Vec<Vec<Route>> {
    vec![
        vec![],
        vec![route("in order", vec![], &[(PROCESSOR, 1)], &[SECOND, THIRD])],
        vec![route("by weight", vec![], &[(PROCESSOR, 5), (SECOND, 3), (THIRD, 2)], &[])],
        vec![
            route("large", vec![condition("amount", ">", 200)], &[(SECOND, 1)], &[THIRD]),
            Route {
                merchant_id: Some(merchant(1).to_string()),
                ..route("own", vec![velocity("card", 20, 2)], &[(THIRD, 1), (SECOND, 0)], &[PROCESSOR])
            },
        ],
    ]
}
