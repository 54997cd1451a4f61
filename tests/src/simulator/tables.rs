//! What an operator asks for: tables of rules and routes, drawn, in the JSON of the operator's API.

use crate::dice::Dice;
use crate::simulator::setup::Setup;
use serde_json::{Value, json};

/// Entries of one table at most.
const ENTRIES_MAX: u64 = 5;
/// Codes of a denial that says why; most don't.
const CODES: [Option<u16>; 5] = [None, None, None, Some(300), Some(321)];

/// A table of rules, at times an empty one. What it denies is never everything.
pub fn draw_rules(dice: &mut Dice, setup: &Setup) -> String {
    let rules: Vec<Value> = (0..dice.between(0, ENTRIES_MAX)).map(|number| draw_rule(dice, setup, number)).collect();
    json!({ "rules": rules }).to_string()
}

fn draw_rule(dice: &mut Dice, setup: &Setup, number: u64) -> Value {
    let stage = *dice.one_of(&["pre", "pre", "post"]);
    let then = *dice.one_of(&["deny", "deny", "flag", "flag", "accept"]);
    let conditions: Vec<Value> = (0..dice.between(1, 2)).map(|_| draw_condition(dice, stage == "post")).collect();
    let mut rule = json!({ "name": format!("rule {number}"), "stage": stage, "if": conditions, "then": then });
    if let Some(code) = dice.one_of(&CODES).filter(|_| then == "deny") {
        rule["code"] = json!(code);
    }
    own(dice, setup, rule)
}

/// A table of routes over all processors that the switch knows, at times an empty one.
pub fn draw_routes(dice: &mut Dice, setup: &Setup) -> String {
    let routes: Vec<Value> = (0..dice.between(0, ENTRIES_MAX)).map(|number| draw_route(dice, setup, number)).collect();
    json!({ "routes": routes }).to_string()
}

fn draw_route(dice: &mut Dice, setup: &Setup, number: u64) -> Value {
    let (mut to, mut fail_over) = (Vec::new(), Vec::new());
    for terms in &setup.processors {
        let id = setup.processor_id(terms.index).to_string();
        match dice.between(0, 3) {
            0 => {}
            1 => fail_over.push(id),
            _ => to.push(json!({ "processor_id": id, "weight": dice.one_of(&[0, 1, 3, 10]) })),
        }
    }
    if fail_over.is_empty() && to.iter().all(|share| share["weight"] == 0) {
        to = vec![json!({ "processor_id": setup.processor_id(setup.processors[0].index).to_string(), "weight": 1 })];
    }
    if dice.hits(500_000) {
        fail_over.reverse();
    }
    let conditions: Vec<Value> = (0..dice.between(0, 1)).map(|_| draw_condition(dice, false)).collect();
    own(dice, setup, json!({ "name": format!("route {number}"), "if": conditions, "to": to, "fail_over": fail_over }))
}

/// At times an entry holds for one merchant only.
fn own(dice: &mut Dice, setup: &Setup, mut entry: Value) -> Value {
    if dice.hits(300_000) {
        entry["merchant_id"] = json!(dice.one_of(&setup.merchants).id.to_string());
    }
    entry
}

fn draw(dice: &mut Dice, words: &[&'static str]) -> &'static str {
    let word: &&str = dice.one_of(words);
    word
}

fn draw_condition(dice: &mut Dice, is_after: bool) -> Value {
    let compared = |field: &str, op: &str, value: Value| json!({ "field": field, "op": op, "value": value });
    match dice.between(0, if is_after { 11 } else { 8 }) {
        0 => compared("amount", draw(dice, &["=", ">", "<", "!="]), json!(dice.one_of(&[500, 1_112, 9_999]))),
        1 => compared("amount", "in", json!([1, 2_500])),
        2 => compared("currency", draw(dice, &["=", "!="]), json!(dice.one_of(&["USD", "EUR"]))),
        3 => compared("bin", draw(dice, &["=", "!=", "<"]), json!(dice.one_of(&["4", "5499", "371449"]))),
        4 => compared("country", draw(dice, &["=", "!="]), json!(dice.one_of(&["US", "CA"]))),
        5..=8 => {
            let (per, window_s) = (draw(dice, &["card", "card", "email", "ip", "merchant"]), *dice.one_of(&[3, 20, 60, 3_600]));
            let above = dice.between(1, if per == "merchant" { 40 } else { 8 });
            json!({ "field": "velocity", "op": ">", "value": above, "per": per, "window_s": window_s })
        }
        9 => compared("avs", "=", json!(dice.one_of(&["Y", "N", "0"]))),
        10 => compared("cvv", "!=", json!("M")),
        _ => compared("response_code", draw(dice, &["=", ">"]), json!(dice.one_of(&[100, 110]))),
    }
}
