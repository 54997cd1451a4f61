//! Payments as their records tell them, tried against tables that decide otherwise.

use super::*;
use protocol::words::Status;
use switch_core::conditions::typed::{Condition, Value};
use switch_core::routing::Breaker;
use switch_core::routing::typed::{Route, Share};
use switch_core::rules::typed::Rule;

const MERCHANT: Xid = Xid([9; 12]);
const USD: u16 = 840;

fn condition(field: &str, op: &str, value: u64) -> Condition {
    Condition { field: field.into(), op: op.into(), value: Value::Number(value), per: None, window_s: None }
}

fn rule(stage: &str, then: &str, conditions: Vec<Condition>) -> Rule {
    Rule { name: "one".into(), stage: stage.into(), merchant_id: None, conditions, then: then.into(), code: None }
}

fn rules(rules: &[Rule]) -> Replay {
    Replay::of(Proposal::Rules(Arc::new(rules::Table::compile(1, rules).unwrap())))
}

/// An approved sale of `amount`, made in second `number`.
fn sale(number: u32, amount: u64) -> Transaction {
    let mut sale = Transaction::empty();
    (sale.id, sale.merchant) = (Xid::from_parts(number, [1; 5], 4), MERCHANT);
    (sale.verb, sale.status) = (Verb::Sale.number(), Status::PendingSettlement.number());
    (sale.amount, sale.currency) = (amount.into(), USD.into());
    sale.created_at = (i64::from(number) * 1_000_000).into();
    sale.processor = 1.into();
    sale.fingerprint = [7; 16];
    sale.original.stan = 1.into();
    sale.original.state = ExchangeState::Approved.number();
    sale.original.response_code = ResponseCode::APPROVED.0.into();
    sale.response_code = ResponseCode::APPROVED.0.into();
    sale
}

/// The same, denied by the first rule of a stage.
fn denied(sale: Transaction, stage: Stage) -> Transaction {
    let mut denied = sale;
    denied.status = Status::Declined.number();
    denied.response_code = ResponseCode::RULE_ENGINE_DECLINE.0.into();
    match stage {
        Stage::Pre => {
            denied.choice.pre_rule = 1.into();
            denied.original = Transaction::empty().original;
        }
        Stage::Post => {
            denied.choice.post_rule = 1.into();
            denied.original.state = ExchangeState::Declined.number();
            denied.original.response_code = ResponseCode::RULE_ENGINE_DECLINE.0.into();
        }
    }
    denied
}

fn run(mut replay: Replay, payments: &[Transaction]) -> Report {
    for payment in payments {
        replay.examine(payment, Tail::trusted(&[]));
    }
    replay.report()
}

fn difference(from: Decision, to: Decision, count: u64, amount: u64) -> Difference {
    Difference { from, to, currency: USD, count, amount }
}

#[test]
fn what_a_rule_would_have_denied_marked_and_let_pass_is_told_apart() {
    let payments = [sale(1, 100), sale(2, 600), denied(sale(3, 50), Stage::Pre), denied(sale(4, 700), Stage::Post)];
    let over_500 = || vec![condition("amount", ">", 500)];
    let report = run(rules(&[rule("pre", "deny", over_500())]), &payments);
    assert_eq!((report.examined, report.changed), (4, 2));
    assert_eq!(
        report.by,
        [difference(Decision::Accept, Decision::Deny, 1, 600), difference(Decision::Deny, Decision::Accept, 1, 50)]
    );
    let report = run(rules(&[rule("post", "flag", over_500())]), &payments);
    let by = [
        difference(Decision::Accept, Decision::Flag, 1, 600),
        difference(Decision::Deny, Decision::Accept, 1, 50),
        difference(Decision::Deny, Decision::Flag, 1, 700),
    ];
    assert_eq!(report.by, by);
    assert_eq!(run(rules(&[]), &payments[..2]), Report { examined: 2, changed: 0, by: Vec::new() });
}

#[test]
fn a_rule_after_the_answer_sees_the_processors_answer_and_not_the_denial() {
    let approved = rule("post", "deny", vec![condition("response_code", "=", 100)]);
    let payments = [denied(sale(1, 700), Stage::Post)];
    assert_eq!(run(rules(&[approved]), &payments).changed, 0, "it was approved, and is denied again");
    let mut declined = sale(2, 700);
    declined.status = Status::Declined.number();
    declined.original.state = ExchangeState::Declined.number();
    assert_eq!(run(rules(&[rule("post", "deny", Vec::new())]), &[declined]).changed, 0, "there is nothing left to deny");
}

#[test]
fn a_velocity_counts_what_came_before_also_what_is_not_examined() {
    let third = Condition { per: Some("card".into()), window_s: Some(60), ..condition("velocity", ">", 2) };
    let mut replay = rules(&[rule("pre", "deny", vec![third])]);
    assert_eq!(replay.longest_window_s(), 60);
    let tail = Tail::trusted(&[]);
    replay.count(&sale(1, 100), tail);
    [sale(2, 100), sale(3, 100), sale(200, 100)].iter().for_each(|payment| replay.examine(payment, tail));
    let report = replay.report();
    assert_eq!((report.examined, report.by), (3, vec![difference(Decision::Accept, Decision::Deny, 1, 100)]));
}

#[test]
fn payments_move_between_processors_but_not_where_the_request_named_one() {
    let share = |id: &str, weight| Share { processor_id: id.into(), weight };
    let route = Route {
        name: "two".into(),
        merchant_id: None,
        conditions: vec![condition("amount", ">", 500)],
        to: vec![share("2", 1)],
        fail_over: vec!["3".into()],
    };
    let table = routing::Table::compile(1, &[route], Breaker::default(), |id| id.parse().ok()).unwrap();
    let own = HashMap::from([(MERCHANT, OwnProcessors::for_cards(1))]);
    let named = Transaction { choice: Choice { basis: Basis::Named.number(), ..Choice::none() }, ..sale(3, 900) };
    let payments = [sale(1, 100), sale(2, 600), named];
    let table = Arc::new(table);
    let with_off = |off: &[u16]| {
        let methods = [1, 2, 3].map(|index| (index, PaymentMethod::Card)).into();
        let ground = Ground { own: own.clone(), methods, off: off.iter().copied().collect() };
        run(Replay::of(Proposal::Routes(Arc::clone(&table), ground)), &payments)
    };
    let moved = |to| difference(Decision::Processor(1), Decision::Processor(to), 1, 600);
    assert_eq!(with_off(&[]).by, [moved(2)]);
    assert_eq!(with_off(&[2]).by, [moved(3)], "it fails over");
    assert_eq!(with_off(&[2, 3]).by, [moved(0)], "nobody would have taken it");
    assert_eq!(with_off(&[]), with_off(&[]));
    let mut found_ill = sale(4, 600);
    found_ill.choice.note_skip(2, SkipReason::CircuitOpen);
    found_ill.choice.note_skip(3, SkipReason::Off);
    let methods = [1, 2, 3].map(|index| (index, PaymentMethod::Card)).into();
    let ground = Ground { own: own.clone(), methods, off: BTreeSet::new() };
    let report = run(Replay::of(Proposal::Routes(Arc::clone(&table), ground)), &[found_ill]);
    assert_eq!(report.by, [moved(3)], "its circuit was open then; that the other was off is not so now");
}

#[test]
fn refunds_and_steps_are_not_asked_about() {
    let refund = Transaction { verb: Verb::Refund.number(), ..sale(1, 100) };
    assert!(Replay::is_about(&sale(1, 100)) && !Replay::is_about(&refund));
}
