//! What the rule engine adds to a payment: its facts, its velocities, and a table in which no rule matches, which is the longest
//! search. Tables of 20 and of 1,000 rules of two conditions on average, over every kind of field.

use benches::rules::rules;
use criterion::{Criterion, criterion_group, criterion_main};
use protocol::calendar::Micros;
use protocol::id::{Xid, mix};
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;
use std::hint::black_box;
use switch_core::conditions::{Facts, Velocity};
use switch_core::rules::{Stage, Table};

const NOON: i64 = 1_795_003_200_000_000;
/// Cards that pay in turn: their counters do not fit the processor's first caches.
const CARDS: u64 = 50_000;

fn sale(number: u64) -> Transaction {
    let mut transaction = Transaction::empty();
    transaction.id = Xid::from_parts((NOON / 1_000_000) as u32, [1; 5], number as u32 * Xid::STRIDE);
    transaction.merchant = Xid([3; 12]);
    transaction.amount = (1_000 + number % 1_000).into();
    transaction.currency = 840.into();
    transaction.payment_method = 1;
    transaction.entry_type = 1;
    transaction.source = 1;
    transaction.brand = 1;
    transaction.pan_digits = 16;
    transaction.first_six = 411_111.into();
    transaction.fingerprint[..8].copy_from_slice(&mix(number % CARDS).to_le_bytes());
    transaction.created_at = (NOON + number as i64 * 50).into();
    transaction
}

fn tail() -> Vec<u8> {
    let mut tail = Vec::new();
    tail::push(&mut tail, tag::SEALED_CARD, &[7; 96]);
    tail::push(&mut tail, tag::ORDER_ID, b"someOrderID");
    tail::push(&mut tail, tag::IP_ADDRESS, b"192.0.2.17");
    tail::push(&mut tail, tag::EMAIL_ADDRESS, b"ann@example.com");
    for (field, value) in
        ["Ann", "Example", "", "123 Some St", "", "Wheaton", "IL", "60187", "US", "5555555555"].iter().enumerate()
    {
        tail::push(&mut tail, tag::BILLING + field as u16, value.as_bytes());
    }
    tail
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules, none matches");
    let tail = tail();
    for count in [20, 1_000] {
        let table = Table::compile(1, &rules(count, true)).expect("rules of this bench");
        let mut facts = Facts::of(&sale(1));
        facts.read_tail(Tail::trusted(&tail));
        group.bench_function(format!("{count} rules, search alone"), |bencher| {
            bencher.iter(|| table.first_match(Stage::Pre, Xid([3; 12]), black_box(&facts)));
        });
        let mut velocity = Velocity::new(1 << 18);
        velocity.reserve();
        let mut number = 0;
        group.bench_function(format!("{count} rules, facts, one velocity and search"), |bencher| {
            bencher.iter(|| {
                number += 1;
                let sale = sale(number);
                let mut facts = Facts::of(&sale);
                facts.read_tail(Tail::trusted(&tail));
                assert!(velocity.make_room(1, Micros(sale.created_at.get())), "50,000 cards have room");
                velocity.foresee(&sale, table.gauges(sale.merchant), &mut facts);
                velocity.count(&sale, table.gauges(sale.merchant), &facts);
                table.first_match(Stage::Pre, sale.merchant, &facts)
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("rules, compile");
    group.sample_size(20);
    let typed = rules(1_000, true);
    group.bench_function("1000 rules", |bencher| bencher.iter(|| Table::compile(1, black_box(&typed)).is_ok()));
    group.finish();
}

criterion_group!(rules_of_a_payment, bench);
criterion_main!(rules_of_a_payment);
