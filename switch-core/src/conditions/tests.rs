//! Facts about facts and velocities; the conditions themselves are tested through rules.

use super::*;
use proptest::prelude::*;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::{self, Tail, tag};
use protocol::transaction::Transaction;

const NOON: i64 = 1_795_003_200_000_000;

fn payment(number: u32, card: u8, at_s: i64) -> Transaction {
    Transaction {
        id: Xid::from_parts(1, [7; 5], number * Xid::STRIDE),
        merchant: Xid([3; 12]),
        fingerprint: [card; 16],
        pan_digits: 16,
        created_at: (NOON + at_s * 1_000_000).into(),
        ..Transaction::empty()
    }
}

fn facts(fields: &[(u16, &str)]) -> Facts {
    let mut bytes = Vec::new();
    for (tag, value) in fields {
        tail::push(&mut bytes, *tag, value.as_bytes());
    }
    let mut facts = Facts::of(&payment(1, 1, 0));
    facts.read_tail(Tail::parse(&bytes).unwrap());
    facts
}

fn per_card(window_s: u32) -> Gauge {
    Gauge { per: Per::Card, window_s }
}

/// Counts a payment and gives back what its gauge says.
fn count(velocity: &mut Velocity, payment: &Transaction, gauge: Gauge) -> u64 {
    assert!(velocity.make_room(1, Micros(payment.created_at.get())));
    count_in_room(velocity, payment, gauge)
}

fn count_in_room(velocity: &mut Velocity, payment: &Transaction, gauge: Gauge) -> u64 {
    let (mut facts, at) = (Facts::of(payment), Micros(payment.created_at.get()));
    velocity.count(payment, &[gauge], &facts);
    velocity.read(payment, &[gauge], &mut facts, at);
    facts.values()[field::FIELDS]
}

#[test]
fn one_address_is_one_subject_however_it_is_written() {
    let subject = |text| facts(&[(tag::IP_ADDRESS, text)]).subject(Per::Ip);
    assert_eq!(subject("::ffff:10.1.2.3"), subject("10.1.2.3"));
    assert_eq!(subject("2001:db8::1"), subject("2001:0db8:0:0:ffff::2"), "one network of 64 bits is one owner");
    assert_ne!(subject("2001:db8::1"), subject("2001:db8:0:1::1"));
    assert_ne!(subject("10.1.2.3"), subject("10.1.2.4"));
    assert_eq!((subject(""), subject("10.1.2")), (None, None));
    let email = |text| facts(&[(tag::EMAIL_ADDRESS, text)]).subject(Per::Email);
    assert_eq!(email("Ann.Example@example.com "), email("ann.example@example.com"));
    assert_ne!(email("ann.example@example.com"), email("ann.example@example.co"));
    assert_eq!(email(" "), None);
    assert_eq!(facts(&[(tag::BILLING + 11, "a@b.c")]).subject(Per::Email), email("a@b.c"));
    assert_eq!(facts(&[(tag::EMAIL_ADDRESS, "a@b.c"), (tag::BILLING + 11, "d@e.f")]).subject(Per::Email), email("a@b.c"));
}

#[test]
fn a_payment_counts_for_its_window_and_then_no_more() {
    let mut velocity = Velocity::new(16);
    let counts = [0, 1, 14, 15, 16, 17].map(|at_s| count(&mut velocity, &payment(at_s as u32, 1, at_s), per_card(15)));
    assert_eq!(counts, [1, 2, 3, 4, 4, 4]);
    assert_eq!(count(&mut velocity, &payment(90, 2, 17), per_card(15)), 1, "another card");
    assert_eq!(count(&mut velocity, &payment(91, 1, 17), per_card(30)), 1, "another window");
    assert_eq!(count(&mut velocity, &payment(92, 1, 100_000), per_card(15)), 1);
}

#[test]
fn a_payment_is_counted_once_though_two_tables_ask() {
    let mut velocity = Velocity::new(16);
    let first = payment(1, 1, 0);
    assert_eq!(count(&mut velocity, &first, per_card(60)), 1);
    assert_eq!(count(&mut velocity, &first, per_card(60)), 1);
    let mut facts = Facts::of(&first);
    velocity.read(&first, &[per_card(60)], &mut facts, Micros(NOON));
    assert_eq!(facts.values()[field::FIELDS], 1);
    velocity.read(&first, &[per_card(60)], &mut facts, Micros(NOON + 120_000_000));
    assert_eq!(facts.values()[field::FIELDS], 0);
}

#[test]
fn merchants_do_not_count_each_others_payments() {
    let mut velocity = Velocity::new(16);
    let ours = payment(1, 1, 0);
    let theirs = Transaction { merchant: Xid([4; 12]), ..payment(2, 1, 0) };
    assert_eq!(count(&mut velocity, &ours, per_card(60)), 1);
    assert_eq!(count(&mut velocity, &theirs, per_card(60)), 1);
    assert_eq!(velocity.len(), 2);
}

#[test]
fn no_count_makes_room_for_another_before_its_window_is_over() {
    let mut velocity = Velocity::new(4);
    velocity.reserve();
    for card in 0..4 {
        count(&mut velocity, &payment(u32::from(card), card + 1, 0), per_card(60));
    }
    let at = |at_s: i64| Micros(NOON + at_s * 1_000_000);
    assert!(!velocity.make_room(1, at(60)), "a flood of new cards does not wash old counts away");
    assert_eq!(count_in_room(&mut velocity, &payment(9, 1, 60), per_card(60)), 2);
    assert!(velocity.make_room(1, at(65)), "three of the four windows are over");
    assert!(velocity.make_room(3, at(65)));
    assert!(!velocity.make_room(4, at(65)));
}

#[test]
fn what_a_payment_does_not_name_is_not_counted() {
    let mut velocity = Velocity::new(4);
    let payment = payment(1, 0, 0);
    let mut facts = Facts::of(&payment);
    let gauges = [per_card(60), Gauge { per: Per::Email, window_s: 60 }];
    velocity.foresee(&payment, &gauges, &mut facts);
    velocity.count(&payment, &gauges, &facts);
    assert_eq!(facts.values()[field::FIELDS..field::FIELDS + 2], [field::ABSENT; 2]);
    assert!(velocity.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Between the exact count and the exact count of a window longer by a fifteenth; and a recovery that counts the same
    /// payments again in any order comes to the same.
    #[test]
    fn a_count_is_the_logs(window_s in 1..200_u32, gaps_ms in proptest::collection::vec(0..30_000_i64, 1..80), swap in any::<u64>()) {
        let gauge = per_card(window_s);
        let mut velocity = Velocity::new(4);
        let mut at_us = 0;
        let mut log = Vec::new();
        for (number, gap_ms) in gaps_ms.iter().enumerate() {
            at_us += gap_ms * 1_000;
            let payment = Transaction { created_at: (NOON + at_us).into(), ..payment(number as u32, 1, 0) };
            let mut facts = Facts::of(&payment);
            velocity.foresee(&payment, &[gauge], &mut facts);
            let counted = count(&mut velocity, &payment, gauge) as usize;
            prop_assert_eq!(facts.values()[field::FIELDS], counted as u64);
            log.push(payment);
            let within = |length_us: i64| log.iter().filter(|past| NOON + at_us - past.created_at.get() < length_us).count();
            let window_us = i64::from(window_s) * 1_000_000;
            prop_assert!(counted >= within(window_us), "{counted} of at least {}", within(window_us));
            prop_assert!(counted <= within(window_us + window_us / 15 + 2), "{counted} of at most {}", within(window_us + window_us / 15 + 2));
        }
        let mut recovered = Velocity::new(4);
        let last = log.last().copied().unwrap();
        log.sort_by_key(|past| protocol::id::mix(past.id.hash64() ^ swap));
        for past in &log {
            count(&mut recovered, past, gauge);
        }
        let read = |velocity: &Velocity| {
            let mut facts = Facts::of(&last);
            velocity.read(&last, &[gauge], &mut facts, Micros(last.created_at.get()));
            facts.values()[field::FIELDS]
        };
        prop_assert_eq!(read(&recovered), read(&velocity));
    }
}
