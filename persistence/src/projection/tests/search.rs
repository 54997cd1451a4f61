//! Searches against a naive filter over the same transactions.

use super::*;
use crate::projection::search::{BatchSearch, Column, Comparison, Condition, Found, Moment, Search};
use protocol::record::{Body, Record};
use protocol::tail::{Tail, push, tag};
use protocol::words::PaymentMethod;

const MERCHANT: Xid = Xid([9; 12]);

/// Forty sales of one merchant and one of another, every third settled, with orders, cities and taxes.
fn history() -> Tape {
    let mut tape = Tape::default();
    for number in 1..=40 {
        let mut sale = sale(number);
        sale.amount = u64::from(1_000 + number % 7).into();
        sale.processor = (1 + number as u16 % 2).into();
        let mut tail = Vec::new();
        if number % 4 != 0 {
            push(&mut tail, tag::ORDER_ID, format!("order {}", number % 5).as_bytes());
        }
        if number % 6 == 0 {
            push(&mut tail, tag::CUSTOMER_ID, b"b81ko5qq9qq5v460r9i0");
        }
        push(&mut tail, tag::TAX_AMOUNT, &u64::from(number % 3).to_le_bytes());
        push(&mut tail, tag::BILLING + 5, if number % 2 == 0 { b"Wheaton" } else { b"Lyon" });
        let approved = approved(sale, id(900));
        tape.push(Kind::Outcome, &approved, &tail);
        if number % 3 == 0 {
            tape.push(Kind::Settled, &settled(approved), &tail);
        }
    }
    let mut theirs = sale(41);
    theirs.merchant = Xid([8; 12]);
    tape.push(Kind::Outcome, &approved(theirs, id(901)), &[]);
    tape
}

async fn found(database: &Database, conditions: &[Condition], limit: u32, offset: u64) -> (u64, Vec<Xid>) {
    let search = Search { merchant: MERCHANT, conditions: conditions.to_vec(), limit, offset };
    match database.queries().search(&search).await.unwrap() {
        Found::Page { total, transactions } => (total, transactions.iter().map(|stored| stored.transaction().id).collect()),
        Found::TooBroad { .. } => panic!("forty rows are not too many"),
    }
}

fn text(tag: u16, equal: bool, value: &str) -> Condition {
    Condition::Text { tag, equal, value: value.to_owned() }
}

fn number(column: Column, comparison: Comparison, value: i64) -> Condition {
    Condition::Number { column, comparison, value }
}

/// Each condition with what it means, said once more in the plainest way.
type Row = (Condition, fn(&Transaction, Tail<'_>) -> bool);

fn rows() -> Vec<Row> {
    vec![
        (Condition::Id { equal: true, id: Some(id(7)) }, |sale, _| sale.id == id(7)),
        (Condition::Id { equal: false, id: Some(id(7)) }, |sale, _| sale.id != id(7)),
        (Condition::Id { equal: true, id: None }, |_, _| false),
        (Condition::Id { equal: false, id: None }, |_, _| true),
        (number(Column::Amount, Comparison::Equal, 1_003), |sale, _| sale.amount.get() == 1_003),
        (number(Column::Amount, Comparison::Greater, 1_003), |sale, _| sale.amount.get() > 1_003),
        (number(Column::AmountCaptured, Comparison::Less, 1_003), |sale, _| sale.amount_captured.get() < 1_003),
        (number(Column::Status, Comparison::Equal, Status::Settled.number().into()), |sale, _| sale.status() == Status::Settled),
        (number(Column::Status, Comparison::NotEqual, -1), |_, _| true),
        (number(Column::Processor, Comparison::NotEqual, 1), |sale, _| sale.processor.get() == 2),
        (text(tag::ORDER_ID, true, "order 2"), |_, tail| tail.text(tag::ORDER_ID) == "order 2"),
        (text(tag::ORDER_ID, false, "order 2"), |_, tail| tail.text(tag::ORDER_ID) != "order 2"),
        (text(tag::CUSTOMER_ID, true, "b81ko5qq9qq5v460r9i0"), |_, tail| tail.text(tag::CUSTOMER_ID) == "b81ko5qq9qq5v460r9i0"),
        (text(tag::CUSTOMER_ID, false, "b81ko5qq9qq5v460r9i0"), |_, tail| tail.text(tag::CUSTOMER_ID).is_empty()),
        (text(tag::BILLING + 5, true, "Lyon"), |_, tail| tail.text(tag::BILLING + 5) == "Lyon"),
        (text(tag::PO_NUMBER, false, "x"), |_, _| true),
        (Condition::TailAmount { tag: tag::TAX_AMOUNT, comparison: Comparison::Less, value: 2 }, |_, tail| {
            tail.number(tag::TAX_AMOUNT).unwrap_or(0) < 2
        }),
        (Condition::Method { equal: true, method: Some(PaymentMethod::Ach) }, |sale, _| {
            sale.payment_method() == PaymentMethod::Ach
        }),
        (
            Condition::Between { moment: Moment::Created, from: Some(Micros(1_000_005)), to: Some(Micros(1_000_009)) },
            |sale, _| (1_000_005..=1_000_009).contains(&sale.created_at.get()),
        ),
        (Condition::Between { moment: Moment::Settled, from: None, to: None }, |_, _| true),
        (Condition::Between { moment: Moment::Settled, from: Some(Micros(1)), to: None }, |sale, _| sale.settled_at.get() > 0),
    ]
}

/// The newest versions of the merchant's transactions, newest first.
fn newest(tape: &Tape) -> Vec<(Transaction, Vec<u8>)> {
    let mut newest = std::collections::BTreeMap::new();
    for bytes in &tape.records {
        if let Body::Transaction(transaction, tail) = Record::parse(bytes).unwrap().body {
            newest.insert(transaction.created_at.get(), (*transaction, tail.bytes().to_vec()));
        }
    }
    newest.into_values().rev().filter(|(transaction, _)| transaction.merchant == MERCHANT).collect()
}

#[tokio::test]
async fn every_condition_and_every_pair_of_them_finds_what_a_naive_filter_finds() {
    let tape = history();
    let newest = newest(&tape);
    for home in homes("searches").await {
        apply_all(&home.url, &tape).await;
        let database = Database::open(&home.url).await.unwrap();
        for (one, first) in rows() {
            for (other, second) in rows() {
                let holds = |(sale, tail): &&(Transaction, Vec<u8>)| {
                    let tail = Tail::trusted(tail);
                    first(sale, tail) && second(sale, tail)
                };
                let expected: Vec<Xid> = newest.iter().filter(holds).map(|(sale, _)| sale.id).collect();
                let conditions = [one.clone(), other.clone()];
                let all = found(&database, &conditions, 100, 0).await;
                assert_eq!(all, (expected.len() as u64, expected.clone()), "{conditions:?}");
                let page: Vec<Xid> = expected.iter().skip(3).take(4).copied().collect();
                assert_eq!(found(&database, &conditions, 4, 3).await, (expected.len() as u64, page), "{conditions:?}");
            }
        }
    }
}

/// A sale every so many minutes from the hour's fifth minute on, each decided when it was made.
fn hourly(tape: &mut Tape, numbers: RangeInclusive<u32>, minutes: i64) -> Vec<i64> {
    let mut times = Vec::new();
    for number in numbers {
        let mut sale = approved(sale(number), id(900));
        let at = 1_800_000_000_000_000 + (5 + i64::from(number) * minutes) * 60_000_000;
        sale.created_at = at.into();
        let mut bytes = Vec::new();
        write_transaction(&mut bytes, Kind::Outcome, Decided { at: Micros(at), ..tape.decided() }, &sale, &[]);
        tape.records.push(bytes);
        times.push(at);
    }
    times
}

#[tokio::test]
async fn hours_that_are_kept_and_parts_of_hours_add_up_and_are_passed_over() {
    const HOUR: i64 = 3_600_000_000;
    let mut tape = Tape::default();
    let mut times = hourly(&mut tape, 0..=60, 20);
    let mut longer = tape.clone();
    // A gap of some hours, and more.
    times.extend(hourly(&mut longer, 90..=120, 20));
    let first = times[0] / HOUR * HOUR;
    for home in homes("hours_add_up").await {
        let database = Database::open(&home.url).await.unwrap();
        for tape in [&tape, &longer] {
            apply_all(&home.url, tape).await;
            let there = &times[..tape.last_lsn() as usize];
            for (from, to) in [(-3, 70), (0, 5), (1, 1), (2, 19), (17, 45), (44, 90)] {
                for (from, to) in
                    [(first + from * HOUR, first + to * HOUR), (first + from * HOUR + 1_300_000_000, first + to * HOUR - 1)]
                {
                    let (from, to) = (Micros(from), Micros(to));
                    for range in [(Some(from), Some(to)), (Some(from), None), (None, Some(to)), (None, None)] {
                        let holds =
                            |at: &&i64| range.0.is_none_or(|from| **at >= from.0) && range.1.is_none_or(|to| **at <= to.0);
                        let expected = there.iter().filter(holds).count() as u64;
                        let made = database.queries().made_between(&MERCHANT, range).await.unwrap();
                        assert_eq!(made, expected, "{range:?} of {}", there.len());
                        for offset in [0, 1, 5, 30, expected.saturating_sub(1), expected, expected + 3] {
                            let sought = database.queries().sought(&MERCHANT, range, offset).await.unwrap();
                            let within = |(to, rest): (Option<Micros>, u64)| {
                                let until =
                                    |at: &&i64| range.0.is_none_or(|from| **at >= from.0) && to.is_none_or(|to| **at <= to.0);
                                there.iter().rev().filter(until).nth(rest as usize)
                            };
                            assert_eq!(within(sought), within((range.1, offset)), "{range:?} from {offset}: {sought:?}");
                        }
                    }
                }
            }
        }
        assert_eq!(database.queries().made_between(&Xid([7; 12]), (None, None)).await.unwrap(), 0, "a merchant without any");
    }
}

#[tokio::test]
async fn batches_are_found_by_day_once_they_are_closed() {
    for home in homes("batch_searches").await {
        let mut tape = Tape::default();
        for (number, closed_at) in [(1, 0), (2, 5_000_000), (3, 9_000_000)] {
            let mut batch = Batch::empty();
            (batch.id, batch.merchant) = (id(900 + number), MERCHANT);
            (batch.number, batch.closed_at) = (number.into(), closed_at.into());
            batch.state = BatchState::Accepted as u8;
            tape.push_batch(Kind::BatchAnswered, &batch);
        }
        apply_all(&home.url, &tape).await;
        let queries = Database::open(&home.url).await.unwrap().queries();
        let numbers = async |from: Option<i64>, to: Option<i64>, wanted: Option<Xid>| -> Vec<u32> {
            let search = BatchSearch { merchant: MERCHANT, from: from.map(Micros), to: to.map(Micros), id: wanted };
            queries.search_batches(&search).await.unwrap().iter().map(|batch| batch.number.get()).collect()
        };
        assert_eq!(numbers(None, None, None).await, [3, 2]);
        assert_eq!(numbers(Some(5_000_000), Some(8_999_999), None).await, [2]);
        assert_eq!(numbers(None, None, Some(id(903))).await, [3]);
        assert_eq!(numbers(None, None, Some(id(901))).await, [0; 0]);
    }
}
