//! What tables say of payments.

use super::*;
use crate::{RouteTable, RuleTable};
use protocol::words::{Basis, SkipReason};
use switch_core::conditions::typed::{Condition, Value};
use switch_core::routing::typed::{Route, Share};
use switch_core::routing::{Breaker, Outcome};
use switch_core::rules::typed::Rule;

fn rule(name: &str, stage: &str, conditions: Vec<Condition>, then: &str) -> Rule {
    let (name, stage, then) = (name.to_owned(), stage.to_owned(), then.to_owned());
    Rule { name, stage, conditions, then, ..Rule::default() }
}

fn velocity(per: &str, window_s: u64, above: u64) -> Condition {
    let (field, op, per) = ("velocity".to_owned(), ">".to_owned(), Some(per.to_owned()));
    Condition { field, op, value: Value::Number(above), per, window_s: Some(window_s) }
}

fn with_rules(rules: Vec<Rule>) -> Model {
    Model { rules: RuleTable { version: 1, rules }, ..model() }
}

/// Three processors, and one route over all of them.
fn with_route(to: &[(u16, u64)], fail_over: &[u16]) -> Model {
    let mut model = model();
    let first = model.terms.processors[&1];
    model.terms.processors.extend([2, 3].map(|index| (index, ProcessorTerms { index, ..first })));
    let share = |(processor, weight): &(u16, u64)| Share { processor_id: processor.to_string(), weight: *weight };
    let (to, fail_over) = (to.iter().map(share).collect(), fail_over.iter().map(u16::to_string).collect());
    let route = Route { name: "all".to_owned(), to, fail_over, ..Route::default() };
    let indexes = [1, 2, 3].map(|index: u16| (index.to_string(), index)).into();
    model.routes = RouteTable { version: 2, routes: vec![route], breaker: Breaker::default(), indexes };
    model
}

fn original(id: Xid) -> Sent {
    Sent { id, leg: Leg::Original, stan: 0 }
}

#[test]
fn a_count_has_the_payment_itself_and_slides() {
    let mut model = with_rules(vec![rule("fast", "pre", vec![velocity("merchant", 15, 2)], "deny")]);
    let denied = Expect::Begins(Begun::Payment(Some(ResponseCode::RULE_ENGINE_DECLINE)));
    for number in 1..=2 {
        begin(&mut model, &command(Verb::Sale, number, 500));
    }
    assert_eq!(expect(&model, &command(Verb::Sale, 3, 500)), denied);
    model.tick(NOW.plus_s(15));
    assert_eq!(expect(&model, &command(Verb::Sale, 3, 500)), denied, "a payment counts for its whole window");
    model.tick(NOW.plus_s(16));
    assert_eq!(expect(&model, &command(Verb::Sale, 3, 500)), Expect::Begins(Begun::Payment(None)));
}

#[test]
fn what_is_denied_after_its_answer_is_reversed_and_names_the_rule() {
    let letter =
        Condition { field: "avs".to_owned(), op: "=".to_owned(), value: Value::Text("N".to_owned()), ..Condition::default() };
    let mut model = with_rules(vec![rule("no address", "post", vec![letter], "deny")]);
    let sale = decided(&mut model, &command(Verb::Sale, 1, 500), Leg::Original, Verdict::Approved);
    let payment = &model.payments[&sale];
    assert_eq!((payment.status, payment.response_code), (Status::Declined, ResponseCode::RULE_ENGINE_DECLINE.0));
    assert_eq!((payment.reversal.state, payment.reversal.reason), (ReversalState::Queued, ReversalReason::DeniedByRule));
    assert_eq!(payment.rule_name.as_deref(), Some("no address"));
}

#[test]
fn only_what_was_provably_not_sent_goes_to_the_next_processor() {
    let mut model = with_route(&[(1, 1)], &[2, 3]);
    let (not_sent, lost) = (command(Verb::Sale, 1, 500).id, command(Verb::Sale, 2, 500).id);
    begin(&mut model, &command(Verb::Sale, 1, 500));
    begin(&mut model, &command(Verb::Sale, 2, 500));
    model.not_sent(original(not_sent), Outcome::NotSent, true);
    model.lost(original(lost));
    let next = &model.payments[&not_sent];
    assert_eq!((next.processor, next.choice.basis, next.status), (2, Basis::FailOver, Status::Pending));
    assert_eq!(next.choice.skips, [(1, SkipReason::NotSent)]);
    assert_eq!((model.payments[&lost].processor, model.payments[&lost].status), (1, Status::Unknown));
}

#[test]
fn a_payment_is_offered_three_times_at_most() {
    let mut model = with_route(&[(1, 1), (2, 1), (3, 1)], &[]);
    let id = begin(&mut model, &command(Verb::Authorize, 1, 500)).transaction;
    for attempts in 1..=3 {
        assert_eq!(model.payments[&id].choice.skips.len(), attempts - 1);
        model.not_sent(original(id), Outcome::NotTaken, true);
    }
    assert_eq!((model.payments[&id].status, model.payments[&id].choice.basis), (Status::Declined, Basis::None));
}

#[test]
fn an_ill_processor_is_passed_over_until_its_link_is_up() {
    let mut model = with_route(&[(1, 1)], &[2]);
    model.link_down(1);
    let passed = begin(&mut model, &command(Verb::Sale, 1, 500)).transaction;
    assert_eq!(model.payments[&passed].processor, 2);
    model.link_up(1);
    let probe = begin(&mut model, &command(Verb::Sale, 2, 500)).transaction;
    let beside = begin(&mut model, &command(Verb::Sale, 3, 500)).transaction;
    assert_eq!((model.payments[&probe].processor, model.payments[&beside].processor), (1, 2), "one at a time");
}
