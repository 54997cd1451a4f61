//! Tables of rules for what measures with them.

use switch_core::conditions::typed::{Condition, Value};
use switch_core::rules::typed::Rule;

fn condition(field: &str, op: &str, value: Value) -> Condition {
    Condition { field: field.to_owned(), op: op.to_owned(), value, per: None, window_s: None }
}

fn text(word: impl Into<String>) -> Value {
    Value::Text(word.into())
}

/// Rules as shops have them, two conditions on average over every kind of field; none matches the payments of these benches, which is the
/// longest search.
pub fn rules(count: u64, counts_velocity: bool) -> Vec<Rule> {
    let countries = ["RU", "KP", "IR", "SY", "CU", "VE"].map(text).to_vec();
    let bins = |number: u64| (0..20).map(|place| text((510_000 + number * 37 % 9_000 + place).to_string())).collect();
    (0..count)
        .map(|number| {
            let amount = condition("amount", ">", Value::Number(50_000 + number));
            let conditions = match number % 5 {
                0 => vec![condition("country", "in", Value::List(countries.clone())), amount],
                1 => vec![condition("currency", "=", text("USD")), condition("brand", "!=", text("visa")), amount],
                2 => vec![condition("bin", "in", Value::List(bins(number)))],
                3 => vec![condition("hour", "<", Value::Number(5)), condition("source", "=", text("api"))],
                _ if counts_velocity => vec![Condition {
                    per: Some("card".to_owned()),
                    window_s: Some(3_600),
                    ..condition("velocity", ">", Value::Number(1_000_000 - number))
                }],
                _ => vec![amount],
            };
            let (name, stage, then) = (number.to_string(), "pre".to_owned(), "deny".to_owned());
            Rule { name, stage, merchant_id: None, conditions, then, code: None }
        })
        .collect()
}
