//! Rules and routes in the steady state: a payment is counted, judged and routed without the allocator.

mod support;

use protocol::calendar::Micros;
use protocol::choice::Choice;
use protocol::id::Xid;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use support::allocations::{Counting, allocations};
use switch_core::conditions::typed::{Condition, Value};
use switch_core::conditions::{Facts, Velocity};
use switch_core::routing::typed::{Route, Share};
use switch_core::routing::{Breaker, Health, Outcome, Standing};
use switch_core::rules::Stage;
use switch_core::rules::typed::Rule;
use switch_core::{routing, rules};

#[global_allocator]
static COUNTING: Counting = Counting;

const MERCHANT: Xid = Xid([3; 12]);
const BEGIN: i64 = 1_795_000_000_000_000;

fn velocity(per: &str, window_s: u64) -> Condition {
    let (field, op, value) = ("velocity".to_owned(), ">".to_owned(), Value::Number(1_000));
    Condition { field, op, value, per: Some(per.to_owned()), window_s: Some(window_s) }
}

fn large() -> Condition {
    Condition { field: "amount".to_owned(), op: ">".to_owned(), value: Value::Number(900_000), per: None, window_s: None }
}

fn rule(name: &str, conditions: Vec<Condition>) -> Rule {
    Rule { name: name.to_owned(), stage: "pre".to_owned(), merchant_id: None, conditions, then: "deny".to_owned(), code: None }
}

fn payment(number: u64) -> Transaction {
    let mut transaction = Transaction::empty();
    transaction.id = Xid::from_parts((BEGIN / 1_000_000) as u32, [1; 5], number as u32 * Xid::STRIDE);
    transaction.merchant = MERCHANT;
    transaction.amount = (number % 5_000).into();
    transaction.pan_digits = 16;
    transaction.fingerprint[..8].copy_from_slice(&(number % 3_000 + 1).to_le_bytes());
    transaction.created_at = (BEGIN + number as i64 * 10_000).into();
    transaction
}

#[test]
fn a_payment_is_counted_judged_and_routed_without_an_allocation() {
    let rules = [rule("fast", vec![velocity("card", 10), velocity("email", 5)]), rule("large", vec![large()])];
    let rules = rules::Table::compile(1, &rules).unwrap();
    let share = |processor: u32| Share { processor_id: processor.to_string(), weight: 10 };
    let route =
        Route { name: "all".to_owned(), to: vec![share(1), share(2)], fail_over: vec!["3".to_owned()], ..Route::default() };
    let routes = routing::Table::compile(1, &[route], Breaker::default(), |id| id.parse().ok()).unwrap();
    let mut counters = Velocity::new(6_000);
    counters.reserve();
    let mut health = Health::default();
    let mut tail = Vec::new();
    tail::push(&mut tail, tag::IP_ADDRESS, b"2001:db8::17");
    tail::push(&mut tail, tag::EMAIL_ADDRESS, b"ann@example.com");
    let mut one = |number: u64| {
        let payment = payment(number);
        let now = Micros(payment.created_at.get());
        let mut facts = Facts::of(&payment);
        facts.read_tail(Tail::trusted(&tail));
        assert!(counters.make_room(2, now), "payment {number}");
        counters.foresee(&payment, rules.gauges(MERCHANT), &mut facts);
        counters.count(&payment, rules.gauges(MERCHANT), &facts);
        assert_eq!(rules.first_match(Stage::Pre, MERCHANT, &facts), None);
        let standing = |_| if health.lets_through(now) { Standing::Ready } else { panic!("it is well") };
        let (processor, _) = routes.first_match(MERCHANT, &facts).unwrap().choose(payment.id, &Choice::none(), standing);
        health.begin(payment.id, now);
        health.note(payment.id, Outcome::Answered, now, routes.breaker());
        processor.unwrap()
    };
    // Ten times as long as the windows: counters are taken and given back.
    let begun: u16 = (0..10_000).map(&mut one).max().unwrap();
    let before = allocations();
    let ended: u16 = (10_000..30_000).map(&mut one).max().unwrap();
    assert_eq!(allocations() - before, 0);
    assert_eq!((begun, ended), (2, 2));
}
