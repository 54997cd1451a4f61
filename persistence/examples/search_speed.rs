//! Measures searches in a long past, one kind after the other.
//!
//! `cargo run --release -p persistence --example search_speed -- fill|ask DATABASE-URL [TRANSACTIONS]`: `fill` empties the database and
//! writes the past, `ask` searches it. Of ten transactions nine are one merchant's, the others 99 merchants'; they are spread evenly
//! over a hundred days. Ten million take eight to nine gigabytes. Times are those of the room alone, without HTTP and rendering, with
//! nobody else on the database and its pages as warm as the system keeps them.
#![allow(clippy::print_stdout, missing_docs)]

use std::time::{Duration, Instant};

use persistence::PersistenceError;
use persistence::projection::search::{Column, Comparison, Condition, Found, Moment, Search};
use persistence::projection::{Projection, Queries, RecordSource, Sighting, Sum};
use persistence::sql::{Database, DatabaseUrl};
use protocol::calendar::Micros;
use protocol::frame::JournalId;
use protocol::id::Xid;
use protocol::record::{Decided, Kind, write_transaction};
use protocol::tail::tag;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, Status, Verb};

type Failure = Box<dyn std::error::Error>;

const JOURNAL: JournalId = JournalId([7; 16]);
const USAGE: &str = "search_speed fill|ask DATABASE-URL [TRANSACTIONS]";
/// The merchant that is searched.
const LARGE: Xid = Xid([1; 12]);
const FIRST_S: u32 = 1_800_000_000;
const DAYS: u32 = 100;
const DAY_S: u32 = 86_400;
/// Each kind is asked this often, with other values each time.
const ROUNDS: u32 = 100;
/// A kind is given up after this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A past that is made as it is asked for: one record for each transaction.
struct Past {
    count: u32,
    made: u32,
    record: Vec<u8>,
    tail: Vec<u8>,
}

impl RecordSource for Past {
    fn next(&mut self, until: u64) -> Result<Option<(u64, &[u8])>, PersistenceError> {
        let lsn = u64::from(self.made) + 1;
        if lsn > until.min(self.count.into()) {
            return Ok(None);
        }
        self.tail.clear();
        fill_tail(&mut self.tail, self.made);
        let mut sale = sale(self.made, self.count);
        sale.tail_length = (self.tail.len() as u32).into();
        self.made += 1;
        let decided = Decided { shard: 0, sequence: lsn, at: Micros(sale.created_at.get()) };
        self.record.clear();
        write_transaction(&mut self.record, Kind::Outcome, decided, &sale, &self.tail);
        Ok(Some((lsn, &self.record)))
    }
}

/// Spreads numbers, so that what is drawn from neighbours differs.
fn drawn(number: u32, salt: u32, below: u32) -> u32 {
    (number ^ salt).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519) % below
}

fn created_at(number: u32, count: u32) -> i64 {
    let span = i64::from(DAYS * DAY_S) * 1_000_000;
    i64::from(FIRST_S) * 1_000_000 + span / i64::from(count) * i64::from(number)
}

fn amount(number: u32) -> u32 {
    100 + drawn(number, 1, 100_000)
}

fn sale(number: u32, count: u32) -> Transaction {
    let mut sale = Transaction::empty();
    sale.created_at = created_at(number, count).into();
    sale.id = Xid::from_parts((sale.created_at.get() / 1_000_000) as u32, [1; 5], number);
    sale.merchant = if number.is_multiple_of(10) { Xid([2 + drawn(number, 2, 99) as u8; 12]) } else { LARGE };
    let status = match drawn(number, 3, 1_000) {
        0 => Status::Authorized,
        1..20 => Status::Declined,
        20..50 => Status::PendingSettlement,
        _ => Status::Settled,
    };
    (sale.verb, sale.status) = (Verb::Sale.number(), status.number());
    sale.version = 1.into();
    sale.amount = u64::from(amount(number)).into();
    (sale.amount_authorized, sale.currency, sale.processor) = (sale.amount, 840.into(), 1.into());
    sale.captured_at = sale.created_at;
    sale.settled_at = (sale.created_at.get() + i64::from(DAY_S) * 1_000_000).into();
    sale.original.state = ExchangeState::Approved.number();
    sale.rrn.copy_from_slice(format!("{number:012}").as_bytes());
    sale
}

/// Every other one has an order number, every tenth a customer: one of 50,000.
fn fill_tail(tail: &mut Vec<u8>, number: u32) {
    if number.is_multiple_of(2) {
        protocol::tail::push(tail, tag::ORDER_ID, order(number).as_bytes());
    }
    protocol::tail::push(tail, tag::PO_NUMBER, format!("po {}", drawn(number, 6, 1_000)).as_bytes());
    if drawn(number, 4, 10) == 0 {
        protocol::tail::push(tail, tag::CUSTOMER_ID, customer(number).as_bytes());
    }
}

fn order(number: u32) -> String {
    format!("order {number}")
}

fn customer(number: u32) -> String {
    Xid::from_parts(FIRST_S, [3; 5], drawn(number, 5, 50_000)).to_string()
}

/// A kind of search: its name, and what it asks for in a round.
type Asked = (&'static str, u64, fn(u32, u32) -> Vec<Condition>);

/// One of the large merchant's, another each round.
fn picked(round: u32, count: u32) -> u32 {
    let number = drawn(round, 7, count);
    if number.is_multiple_of(10) { number + 2 } else { number }
}

fn range(from: i64, days: i64) -> Condition {
    let to = from + days * i64::from(DAY_S) * 1_000_000;
    Condition::Between { moment: Moment::Created, from: Some(Micros(from)), to: Some(Micros(to)) }
}

fn day(round: u32, count: u32) -> Condition {
    range(created_at(picked(round, count / 2), count), 1)
}

fn text(tag: u16, value: String) -> Condition {
    Condition::Text { tag, equal: true, value }
}

fn number(column: Column, value: u32) -> Condition {
    Condition::Number { column, comparison: Comparison::Equal, value: value.into() }
}

fn with_status(status: Status) -> Condition {
    number(Column::Status, status.number().into())
}

const KINDS: &[Asked] = &[
    ("by id", 0, |round, count| {
        let id = Some(sale(picked(round, count), count).id);
        vec![Condition::Id { equal: true, id }]
    }),
    ("by order number", 0, |round, count| vec![text(tag::ORDER_ID, order(picked(round, count)))]),
    ("by customer", 0, |round, count| vec![text(tag::CUSTOMER_ID, customer(picked(round, count)))]),
    ("by customer and status", 0, |round, count| {
        vec![text(tag::CUSTOMER_ID, customer(picked(round, count))), with_status(Status::Declined)]
    }),
    ("of an hour", 0, |round, count| {
        let from = created_at(picked(round, count / 2), count);
        vec![Condition::Between { moment: Moment::Created, from: Some(Micros(from)), to: Some(Micros(from + 3_600_000_000)) }]
    }),
    ("of a day", 0, |round, count| vec![day(round, count)]),
    ("of a day, at offset 10,000", 10_000, |round, count| vec![day(round, count)]),
    ("of a day, by amount", 0, |round, count| vec![day(round, count), number(Column::Amount, amount(round))]),
    ("of a day, by status", 0, |round, count| vec![day(round, count), with_status(Status::Declined)]),
    ("of a day, by purchase order", 0, |round, count| vec![day(round, count), text(tag::PO_NUMBER, format!("po {round}"))]),
    ("of a month", 0, |round, count| vec![range(created_at(picked(round, count / 2), count), 30)]),
    ("of a month, at offset 1,000,000", 1_000_000, |round, count| vec![range(created_at(picked(round, count / 2), count), 30)]),
    ("everything", 0, |_, _| Vec::new()),
    ("everything, at offset 1,000,000", 1_000_000, |_, _| Vec::new()),
    ("by amount alone", 0, |round, _| vec![number(Column::Amount, amount(round))]),
    ("by status alone", 0, |_, _| vec![with_status(Status::Authorized)]),
    ("by purchase order alone", 0, |round, _| vec![text(tag::PO_NUMBER, format!("po {round}"))]),
];

/// What an operator's console asks about everything as if it were of one day: the look-up's name, a STAN, a card's last four, an amount.
type Seen = (&'static str, Option<u32>, Option<u16>, Option<&'static str>);

/// Nobody has such a STAN or card: all that may be looked at is.
const SIGHTINGS: [Seen; 4] = [
    ("seen: by STAN", Some(7), None, None),
    ("seen: by card", None, Some(9_999), None),
    ("seen: by amount", None, None, Some("7.77")),
    ("seen: by STAN and amount", Some(7), None, Some("7.77")),
];

async fn look_up(queries: &Queries, (name, stan, last_four, amount): Seen) -> Result<(), Failure> {
    let merchants: Vec<Xid> = (1..=100).map(|number| Xid([number; 12])).collect();
    let (from, until) = (Micros(created_at(0, 1)), Micros(created_at(1, 1)));
    let sighting = Sighting { from, until, stan, last_four, amount: amount.and_then(Sum::read) };
    for round in ["first", "again"] {
        let started = Instant::now();
        let found = queries.sighted(&merchants, &sighting, 50).await?;
        let found = found.map_or_else(|| "too many to look at".to_owned(), |found| found.len().to_string());
        println!("{name:<34} {round} {:>10} µs  {found}", started.elapsed().as_micros());
    }
    Ok(())
}

async fn fill(url: &DatabaseUrl, count: u32) -> Result<(), Failure> {
    let mut projection = Projection::open_emptied(url, JOURNAL).await?;
    let mut past = Past { count, made: 0, record: Vec::new(), tail: Vec::new() };
    let started = Instant::now();
    for part in 1..=10 {
        projection.catch_up(&mut past, u64::from(count) * part / 10).await?;
        println!("{} written after {:.0?}", projection.applied_lsn(), started.elapsed());
    }
    projection.close().await?;
    Ok(())
}

async fn ask(url: &DatabaseUrl, count: u32) -> Result<(), Failure> {
    let queries = Database::open(url).await?.queries();
    println!("{:<34} {:>10} {:>10} {:>10} {:>9}  found", "search", "first µs", "p50 µs", "p99 µs", "rounds");
    for kind in KINDS {
        ask_kind(&queries, kind, count).await?;
    }
    for seen in SIGHTINGS {
        look_up(&queries, seen).await?;
    }
    Ok(())
}

async fn ask_kind(queries: &Queries, (name, offset, conditions): &Asked, count: u32) -> Result<(), Failure> {
    let (mut times, mut found, began) = (Vec::new(), Vec::new(), Instant::now());
    for round in 0..ROUNDS {
        let search = Search { merchant: LARGE, conditions: conditions(round, count), limit: 10, offset: *offset };
        let started = Instant::now();
        found.push(match queries.search(&search).await? {
            Found::Page { total, .. } => total.to_string(),
            Found::TooBroad { .. } => "too broad".to_owned(),
        });
        times.push(started.elapsed().as_micros());
        if began.elapsed() > PATIENCE {
            break;
        }
    }
    let first = times[0];
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
    println!("{name:<34} {first:>10} {:>10} {:>10} {:>9}  {}", at(50), at(99), times.len(), found[found.len() / 2]);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what, url, rest @ ..] = words.as_slice() else { return Err(USAGE.into()) };
    let url = DatabaseUrl::parse(url)?;
    let count = rest.first().map_or(Ok(10_000_000), |text| text.parse())?;
    match what.as_str() {
        "fill" => fill(&url, count).await,
        "ask" => ask(&url, count).await,
        _ => Err(USAGE.into()),
    }
}
