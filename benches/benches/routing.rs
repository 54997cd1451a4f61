//! What routing adds to a payment: the search for its route, and the choice among the route's processors.

use criterion::{Criterion, criterion_group, criterion_main};
use protocol::choice::Choice;
use protocol::id::Xid;
use protocol::transaction::Transaction;
use protocol::words::SkipReason;
use std::hint::black_box;
use switch_core::conditions::Facts;
use switch_core::conditions::typed::{Condition, Value};
use switch_core::routing::typed::{Route, Share};
use switch_core::routing::{Breaker, Health, Outcome, Standing, Table};

/// Routes by card range, the last of which takes what is left.
fn routes(count: u64) -> Vec<Route> {
    let share = |processor: u32, weight| Share { processor_id: processor.to_string(), weight };
    let to = || vec![share(1, 70), share(2, 20), share(3, 10)];
    let by_range = |number: u64| {
        let (field, op, value) = ("bin".to_owned(), "=".to_owned(), Value::Text((510_000 + number).to_string()));
        vec![Condition { field, op, value, per: None, window_s: None }]
    };
    let route = |number: u64| Route {
        name: number.to_string(),
        merchant_id: None,
        conditions: if number + 1 < count { by_range(number) } else { Vec::new() },
        to: to(),
        fail_over: vec!["4".to_owned()],
    };
    (0..count).map(route).collect()
}

fn bench(criterion: &mut Criterion) {
    let mut sale = Transaction::empty();
    sale.merchant = Xid([3; 12]);
    sale.pan_digits = 16;
    sale.first_six = 411_111.into();
    let facts = Facts::of(&sale);
    let mut group = criterion.benchmark_group("routing, the last route matches");
    for count in [20, 1_000] {
        let table = Table::compile(1, &routes(count), Breaker::default(), |id| id.parse().ok()).expect("routes of this bench");
        for (state, out) in [("all ready", 0), ("one out", 1)] {
            let standing = |processor| if processor == out { Standing::Skip(SkipReason::CircuitOpen) } else { Standing::Ready };
            let mut number = 0;
            group.bench_function(format!("{count} routes, {state}"), |bencher| {
                bencher.iter(|| {
                    number += Xid::STRIDE;
                    let id = Xid::from_parts(1_795_000_000, [1; 5], number);
                    let route = table.first_match(sale.merchant, black_box(&facts)).expect("the last takes what is left");
                    route.choose(id, &Choice::none(), standing)
                });
            });
        }
    }
    let (breaker, mut health, mut number) = (Breaker::default(), Health::default(), 0);
    group.bench_function("noting a result", |bencher| {
        bencher.iter(|| {
            number += 1;
            let now = protocol::calendar::Micros(1_795_003_200_000_000 + number * 50);
            health.note(Xid::NONE, Outcome::Answered, now, &breaker);
        });
    });
    group.finish();
}

criterion_group!(routing, bench);
criterion_main!(routing);
