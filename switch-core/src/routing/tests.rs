//! Routes, choices and circuits as facts.

use super::typed::{Route as TypedRoute, Share};
use super::*;
use crate::conditions::Facts;
use crate::conditions::typed::{Condition, Value};
use proptest::prelude::*;
use protocol::calendar::Micros;
use protocol::choice::{Choice, Skip};
use protocol::id::Xid;
use protocol::transaction::Transaction;
use protocol::words::{Basis, Brand, SkipReason};
use std::collections::BTreeMap;

const OURS: Xid = Xid([1; 12]);
const THEIRS: Xid = Xid([2; 12]);
const NOON: Micros = Micros(1_795_003_200_000_000);

fn share(processor: &str, weight: u64) -> Share {
    Share { processor_id: processor.to_owned(), weight }
}

fn route(name: &str, to: &[(&str, u64)], fail_over: &[&str]) -> TypedRoute {
    TypedRoute {
        name: name.to_owned(),
        to: to.iter().map(|(processor, weight)| share(processor, *weight)).collect(),
        fail_over: fail_over.iter().map(|processor| (*processor).to_owned()).collect(),
        ..TypedRoute::default()
    }
}

/// Processors are called by their indexes here.
fn index_of(id: &str) -> Option<u16> {
    id.parse().ok().filter(|index| (1..100).contains(index))
}

fn try_compile(routes: &[TypedRoute]) -> Result<Table, String> {
    Table::compile(1, routes, Breaker::default(), index_of).map_err(|error| error.to_string())
}

fn compile(routes: &[TypedRoute]) -> Table {
    try_compile(routes).unwrap()
}

fn sale(number: u32, merchant: Xid, brand: Brand) -> Transaction {
    let mut transaction = Transaction::empty();
    transaction.id = payment(number);
    transaction.merchant = merchant;
    transaction.pan_digits = 16;
    transaction.brand = brand.number();
    transaction
}

fn payment(number: u32) -> Xid {
    Xid::from_parts(1_795_000_000, [7; 5], number * Xid::STRIDE)
}

fn is_visa() -> Condition {
    let (field, op, value) = ("brand".to_owned(), "=".to_owned(), Value::Text("visa".to_owned()));
    Condition { field, op, value, ..Condition::default() }
}

/// How many of the payments go where, when `standing` says who can take them.
fn spread(table: &Table, payments: u32, standing: impl Fn(u16) -> Standing) -> BTreeMap<u16, u32> {
    let mut counts = BTreeMap::new();
    for number in 0..payments {
        let facts = Facts::of(&sale(number, OURS, Brand::Visa));
        let route = table.first_match(OURS, &facts).unwrap();
        let (processor, _) = route.choose(payment(number), &Choice::none(), &standing);
        *counts.entry(processor.unwrap()).or_default() += 1;
    }
    counts
}

fn ready(_: u16) -> Standing {
    Standing::Ready
}

fn all_but(ill: u16, reason: SkipReason) -> impl Fn(u16) -> Standing {
    move |processor| if processor == ill { Standing::Skip(reason) } else { Standing::Ready }
}

#[test]
fn a_merchants_own_routes_come_before_those_for_all() {
    let own = TypedRoute { merchant_id: Some(OURS.to_string()), conditions: vec![is_visa()], ..route("own", &[("1", 1)], &[]) };
    let table = compile(&[route("all", &[("2", 1)], &[]), own]);
    let name = |merchant, brand| {
        let facts = Facts::of(&sale(1, merchant, brand));
        table.first_match(merchant, &facts).map(|route| table.name(route.position()))
    };
    assert_eq!(name(OURS, Brand::Visa), Some("own"));
    assert_eq!(name(OURS, Brand::Amex), Some("all"));
    assert_eq!(name(THEIRS, Brand::Visa), Some("all"));
    let facts = Facts::of(&sale(1, OURS, Brand::Visa));
    assert_eq!(Table::default().first_match(OURS, &facts), None);
}

#[test]
fn payments_are_shared_by_weight() {
    let table = compile(&[route("all", &[("1", 70), ("2", 20), ("3", 10), ("4", 0)], &["5"])]);
    let counts = spread(&table, 100_000, ready);
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [1, 2, 3], "a weight of 0 drains");
    for (processor, share) in [(1, 70_000_u32), (2, 20_000), (3, 10_000)] {
        let deviation = counts[&processor].abs_diff(share);
        // Four standard deviations of a fair draw: 4 × √(n p (1 − p)) is at most 580.
        assert!(deviation < 580, "{processor} has {}", counts[&processor]);
    }
}

#[test]
fn when_one_is_out_only_its_payments_move_and_by_the_others_weights() {
    let table = compile(&[route("all", &[("1", 60), ("2", 30), ("3", 10)], &[])]);
    let facts = Facts::of(&sale(1, OURS, Brand::Visa));
    let route = table.first_match(OURS, &facts).unwrap();
    let mut moved = BTreeMap::new();
    for number in 0..40_000 {
        let (before, _) = route.choose(payment(number), &Choice::none(), ready);
        let (after, choice) = route.choose(payment(number), &Choice::none(), all_but(1, SkipReason::CircuitOpen));
        if before != Some(1) {
            assert_eq!(after, before);
            continue;
        }
        *moved.entry(after.unwrap()).or_insert(0_u32) += 1;
        assert_eq!(choice.skips().collect::<Vec<_>>(), [Skip { processor: 1, reason: Some(SkipReason::CircuitOpen) }]);
        assert_eq!(choice.basis(), Basis::Weight);
    }
    assert!(moved[&2].abs_diff(moved[&3] * 3) < 1_000, "{moved:?}");
}

#[test]
fn fail_over_is_in_order_and_after_all_that_share() {
    let table = compile(&[route("all", &[("1", 1), ("2", 1)], &["4", "3"])]);
    let facts = Facts::of(&sale(1, OURS, Brand::Visa));
    let route = table.first_match(OURS, &facts).unwrap();
    let off = |out: &'static [u16]| {
        move |processor: u16| if out.contains(&processor) { Standing::Skip(SkipReason::Off) } else { Standing::Ready }
    };
    let choose = |out| {
        let (processor, choice) = route.choose(payment(9), &Choice::none(), off(out));
        (processor, choice.basis(), choice.skipped_count)
    };
    assert_eq!(choose(&[1, 2]), (Some(4), Basis::FailOver, 2));
    assert_eq!(choose(&[1, 2, 4]), (Some(3), Basis::FailOver, 3));
    assert_eq!(choose(&[1, 2, 3, 4]), (None, Basis::None, 4), "what takes no traffic gets none");
}

#[test]
fn where_all_are_ill_the_first_of_them_is_tried() {
    let table = compile(&[route("all", &[("1", 1)], &["2", "3"])]);
    let facts = Facts::of(&sale(1, OURS, Brand::Visa));
    let route = table.first_match(OURS, &facts).unwrap();
    let standing = |processor| Standing::Skip(if processor == 1 { SkipReason::Off } else { SkipReason::CircuitOpen });
    let (processor, choice) = route.choose(payment(1), &Choice::none(), standing);
    assert_eq!((processor, choice.basis(), choice.skipped_count), (Some(2), Basis::LastResort, 3));
}

#[test]
fn what_a_payment_was_offered_to_gets_it_no_second_time() {
    let table = compile(&[route("all", &[("1", 1), ("2", 1), ("3", 1)], &["4"])]);
    let facts = Facts::of(&sale(1, OURS, Brand::Visa));
    let route = table.first_match(OURS, &facts).unwrap();
    let asked = Choice { rules_version: 7.into(), pre_rule: 2.into(), ..Choice::none() };
    let standing = all_but(2, SkipReason::Off);
    let (mut processor, mut choice) = route.choose(payment(5), &asked, &standing);
    let mut offered = Vec::new();
    while let Some(taken) = processor {
        assert_eq!((choice.rules_version.get(), choice.pre_rule.get(), choice.route.get()), (7, 2, 1));
        offered.push(taken);
        (processor, choice) = route.choose_next(payment(5), &choice, taken, &standing);
    }
    let not_sent = choice.skips().filter(|skip| skip.reason == Some(SkipReason::NotSent));
    assert_eq!(not_sent.map(|skip| skip.processor).collect::<Vec<_>>(), offered);
    offered.sort_unstable();
    assert_eq!(offered, [1, 3, 4], "three attempts, each to another that takes traffic");
}

#[test]
fn a_refused_table_says_which_route_and_what_is_accepted() {
    let refused = |wrong: TypedRoute| try_compile(&[route("good", &[("1", 1)], &[]), wrong]).unwrap_err();
    let bad = |to: &[(&str, u64)], fail_over: &[&str]| refused(route("bad", to, fail_over));
    assert_eq!(bad(&[("x", 1)], &[]), "route 2 \"bad\", invalid to: \"x\"; accepted: the id of a processor");
    assert_eq!(bad(&[("1", 1)], &["y"]), "route 2 \"bad\", invalid fail_over: \"y\"; accepted: the id of a processor");
    assert_eq!(bad(&[("1", 10_001)], &[]), "route 2 \"bad\", invalid weight: 10001; accepted: a whole number from 0 to 10000");
    assert_eq!(
        bad(&[("1", 1)], &["1"]),
        "route 2 \"bad\", invalid to: a processor that is named twice; accepted: each processor once, in to or in fail_over"
    );
    assert_eq!(
        bad(&[("1", 0)], &[]),
        "route 2 \"bad\", invalid to: no processor with a weight; accepted: one at least with a weight above 0, or one in fail_over"
    );
    assert_eq!(bad(&[("1", 1); 9], &[]), "route 2 \"bad\", invalid to: 9 processors; accepted: at most 8");
    let by_answer = Condition { field: "avs".to_owned(), ..is_visa() };
    assert!(
        refused(TypedRoute { conditions: vec![by_answer], ..route("bad", &[("1", 1)], &[]) }).contains("invalid field: \"avs\"")
    );
    assert!(refused(route("good", &[("1", 1)], &[])).contains("the name of route 1"));
}

fn after_ms(ms: u32) -> Micros {
    NOON.plus_ms(ms)
}

fn health(outcomes: &[Outcome]) -> Health {
    let mut health = Health::default();
    for (place, outcome) in outcomes.iter().enumerate() {
        health.begin(payment(place as u32), NOON);
        health.note(payment(place as u32), *outcome, NOON, &Breaker::default());
    }
    health
}

#[test]
fn failures_in_a_row_open_a_circuit_and_declines_do_not() {
    use Outcome::{Answered, Failed, NotSent, TimedOut};
    assert!(health(&[Answered; 100]).lets_through(NOON));
    assert!(health(&[TimedOut, Failed, NotSent, TimedOut]).lets_through(NOON));
    assert!(!health(&[TimedOut, Failed, NotSent, TimedOut, TimedOut]).lets_through(NOON));
    assert!(health(&[Failed, Failed, Failed, Failed, Answered, Failed]).lets_through(NOON));
}

#[test]
fn too_large_a_share_of_timeouts_or_failures_opens_a_circuit() {
    use Outcome::{Answered, Failed, TimedOut};
    let mix_of = |bad: Outcome, every: usize, results: usize| {
        let outcomes: Vec<Outcome> = (1..=results).map(|place| if place % every == 0 { bad } else { Answered }).collect();
        health(&outcomes).lets_through(NOON)
    };
    assert!(!mix_of(TimedOut, 4, 20), "a quarter timed out");
    assert!(mix_of(TimedOut, 4, 16), "too few results to say");
    assert!(mix_of(Failed, 4, 40), "a quarter failed");
    assert!(!mix_of(Failed, 2, 20), "half failed");
}

#[test]
fn results_older_than_the_window_do_not_count() {
    let breaker = Breaker::default();
    let mut health = Health::default();
    for number in 0..400 {
        // One time-out in five, but never five of twenty within one window of 30 s.
        let outcome = if number % 20 < 4 { Outcome::TimedOut } else { Outcome::Answered };
        health.note(payment(number), outcome, after_ms(number * 3_000), &breaker);
        assert!(health.lets_through(after_ms(number * 3_000)), "{number}");
    }
}

#[test]
fn a_circuit_closes_after_probes_one_at_a_time() {
    let breaker = Breaker::default();
    let mut health = health(&[Outcome::TimedOut; 5]);
    assert!(!health.lets_through(after_ms(4_999)));
    assert!(health.lets_through(after_ms(5_000)));
    for probe in 100..103 {
        assert!(health.lets_through(after_ms(5_000)));
        health.begin(payment(probe), after_ms(5_000));
        assert!(!health.lets_through(after_ms(5_000)), "one at a time");
        health.note(payment(7), Outcome::TimedOut, after_ms(5_000), &breaker);
        health.note(payment(probe), Outcome::Answered, after_ms(5_001), &breaker);
    }
    assert_eq!(health.circuit(), Circuit::Closed);
    health.note(payment(200), Outcome::TimedOut, after_ms(5_002), &breaker);
    assert!(health.lets_through(after_ms(5_002)), "what was counted before it closed is forgotten");
}

#[test]
fn a_failed_probe_opens_the_circuit_for_twice_as_long() {
    let breaker = Breaker::default();
    let mut health = health(&[Outcome::NotSent; 5]);
    let mut at_ms = 0;
    for wait_ms in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
        assert_eq!(health.circuit(), Circuit::Open { until: after_ms(at_ms + wait_ms), wait_ms });
        at_ms += wait_ms;
        health.begin(payment(at_ms), after_ms(at_ms));
        health.note(payment(at_ms), Outcome::Failed, after_ms(at_ms), &breaker);
    }
}

#[test]
fn a_link_that_is_up_again_is_probed_at_once() {
    let mut health = Health::default();
    health.link_down(NOON, &Breaker::default());
    assert!(!health.lets_through(NOON));
    health.link_up();
    assert!(health.lets_through(NOON));
    health.begin(payment(1), NOON);
    assert!(!health.lets_through(NOON));
    health.link_up();
    assert!(!health.lets_through(NOON), "the probe that is under way stays the only one");
}

#[test]
fn a_breaker_out_of_bounds_is_named() {
    assert_eq!(Breaker::default().fault(), None);
    assert_eq!(Breaker { probes: 0, ..Breaker::default() }.fault(), Some(("probes", 0, 1..=1_000)));
    let shrinking = Breaker { open_max_ms: 4_999, ..Breaker::default() };
    assert_eq!(shrinking.fault(), Some(("open_max_ms", 4_999, 5_000..=86_400_000)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever can take a payment: one of the route's that can is chosen, as long as there is one; else an ill one; and each that
    /// was passed over is counted once.
    #[test]
    fn a_choice_is_one_that_can_take_it(weights in prop::collection::vec(0..5_u64, 1..8), standings in prop::collection::vec(0..4_u8, 12), number in 0..1_000_u32) {
        let ids: Vec<String> = (1..=12).map(|index| index.to_string()).collect();
        let to: Vec<(&str, u64)> = ids.iter().map(String::as_str).zip(weights.iter().copied()).collect();
        let table = compile(&[route("all", &to, &["11", "12"])]);
        let facts = Facts::of(&sale(1, OURS, Brand::Visa));
        let standing = |processor: u16| match standings[usize::from(processor) - 1] {
            0 => Standing::Skip(SkipReason::Off),
            1 => Standing::Skip(SkipReason::CircuitOpen),
            _ => Standing::Ready,
        };
        let asked = || (1..).zip(&weights).filter(|(_, weight)| **weight > 0).map(|(index, _)| index).chain([11, 12]);
        let (processor, choice) = table.first_match(OURS, &facts).unwrap().choose(payment(number), &Choice::none(), standing);
        match processor {
            Some(processor) if choice.basis() == Basis::LastResort => {
                prop_assert_eq!(standing(processor), Standing::Skip(SkipReason::CircuitOpen));
                prop_assert!(asked().all(|processor| standing(processor) != Standing::Ready));
                prop_assert_eq!(usize::from(choice.skipped_count), asked().count());
            }
            Some(processor) => {
                prop_assert_eq!(standing(processor), Standing::Ready);
                prop_assert!(asked().any(|asked| asked == processor));
                let sharing_ready = asked().any(|asked| asked < 11 && standing(asked) == Standing::Ready);
                prop_assert_eq!(choice.basis(), if sharing_ready { Basis::Weight } else { Basis::FailOver });
            }
            None => prop_assert!(asked().all(|processor| standing(processor) == Standing::Skip(SkipReason::Off))),
        }
        prop_assert!(choice.skips().all(|skip| Standing::Skip(skip.reason.unwrap()) == standing(skip.processor)));
    }
}
