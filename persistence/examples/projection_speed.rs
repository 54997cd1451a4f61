//! Measures how fast records reach SQL, how fast a restart reads its past, and what a seal costs.
//!
//! `cargo run --release -p persistence --example projection_speed [DATABASE-URL [SALES [RECORDS]]]`; `sqlite` for the URL,
//! or none, is SQLite in a temporary folder. Each sale is two records (intent, outcome) with 200 bytes of tail and an
//! idempotency key, applied by one writer with nobody else on the database, in commits of at most RECORDS: a follower
//! that keeps up commits what one gathering brought. The database is emptied first. CPU is this process's, so that of a
//! server is left out.
#![allow(clippy::print_stdout, missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use persistence::PersistenceError;
use persistence::projection::{Projection, RecordSource, RecoveryScope};
use persistence::sealing::Sealer;
use persistence::sql::{Database, DatabaseUrl};
use protocol::calendar::Micros;
use protocol::frame::JournalId;
use protocol::id::Xid;
use protocol::record::{Decided, Kind, Record, write_transaction};
use protocol::secret::Pan;
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, Status, Verb};

const JOURNAL: JournalId = JournalId([7; 16]);
/// Sales whose intent is written before the first of them is answered: what a shard has in flight.
const IN_FLIGHT: u32 = 64;
/// Every so many sales one stays open.
const OPEN_EVERY: u32 = 100;

/// Makes records as they are asked for.
struct Sales {
    count: u32,
    lsn: u64,
    record: Vec<u8>,
    tail: Vec<u8>,
}

impl Sales {
    fn new(count: u32) -> Sales {
        let mut tail = Vec::new();
        protocol::tail::push(&mut tail, protocol::tail::tag::SEALED_CARD, &[0xa5; 66]);
        protocol::tail::push(&mut tail, protocol::tail::tag::DESCRIPTION, &[b'd'; 126]);
        Sales { count, lsn: 0, record: Vec::new(), tail }
    }

    /// Runs of intents, each run followed by the outcomes of the same sales.
    fn place(&self) -> (u32, bool) {
        let at = self.lsn as u32 - 1;
        let (run, place) = (at / (2 * IN_FLIGHT), at % (2 * IN_FLIGHT));
        (run * IN_FLIGHT + place % IN_FLIGHT, place >= IN_FLIGHT)
    }
}

impl RecordSource for Sales {
    fn next(&mut self, until: u64) -> Result<Option<(u64, &[u8])>, PersistenceError> {
        if self.lsn >= until.min(u64::from(self.count) * 2) {
            return Ok(None);
        }
        self.lsn += 1;
        let (number, answered) = self.place();
        let mut sale = sale(number);
        sale.tail_length = (self.tail.len() as u32).into();
        if answered {
            sale.version = 2.into();
        }
        if answered && !number.is_multiple_of(OPEN_EVERY) {
            answer(&mut sale);
        }
        let kind = if answered { Kind::Outcome } else { Kind::Intent };
        let decided = Decided { shard: 0, sequence: self.lsn, at: Micros(sale.created_at.get()) };
        self.record.clear();
        write_transaction(&mut self.record, kind, decided, &sale, &self.tail);
        Ok(Some((self.lsn, &self.record)))
    }
}

fn sale(number: u32) -> Transaction {
    let mut sale = Transaction::empty();
    let seconds = 1_800_000_000 + number / 20_000;
    sale.id = Xid::from_parts(seconds, [1; 5], number * Xid::STRIDE);
    sale.merchant = Xid([(number % 10) as u8; 12]);
    (sale.verb, sale.status) = (Verb::Sale.number(), Status::Pending.number());
    sale.version = 1.into();
    sale.amount = 1112.into();
    sale.currency = 840.into();
    sale.created_at = (i64::from(seconds) * 1_000_000 + i64::from(number)).into();
    sale.original.state = ExchangeState::InFlight.number();
    sale.rrn.copy_from_slice(format!("{number:012}").as_bytes());
    sale.key.hash.copy_from_slice(&blake3::hash(&number.to_le_bytes()).as_bytes()[..16]);
    sale.key.expires_at = (sale.created_at.get() + 300_000_000).into();
    sale
}

fn answer(sale: &mut Transaction) {
    sale.status = Status::PendingSettlement.number();
    sale.original.state = ExchangeState::Approved.number();
    (sale.amount_authorized, sale.amount_captured) = (sale.amount, sale.amount);
    sale.batch = Xid([3; 12]);
    sale.answers = 1;
}

fn measure_sealing(folder: &std::path::Path) -> Result<(), PersistenceError> {
    const ROUNDS: u128 = 200_000;
    let sealer = Sealer::open_or_create(&folder.join("keys"))?;
    let Some(pan) = Pan::new("4012000098765439") else { return Ok(()) };
    let (merchant, fingerprint) = (Xid([1; 12]), sealer.fingerprint(&pan));
    let mut out = Vec::new();
    let started = Instant::now();
    for _ in 0..ROUNDS {
        out.clear();
        sealer.seal(black_box(&pan), &merchant, &fingerprint, &mut out)?;
    }
    println!("seal         {:>6} ns", started.elapsed().as_nanos() / ROUNDS);
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(sealer.open_card(black_box(&out), &merchant, &fingerprint)?);
    }
    println!("open         {:>6} ns", started.elapsed().as_nanos() / ROUNDS);
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(sealer.fingerprint(black_box(&pan)));
    }
    println!("fingerprint  {:>6} ns", started.elapsed().as_nanos() / ROUNDS);
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(sealer.key_hash(&merchant, black_box("6b1f2f0e-5b0c-4a3e-9a39-0d3a6f0a1c55")));
    }
    println!("key hash     {:>6} ns", started.elapsed().as_nanos() / ROUNDS);
    Ok(())
}

/// What the state digest costs of each record's way into the tables.
fn measure_digest() -> Result<(), PersistenceError> {
    const ROUNDS: u32 = 1_000_000;
    let mut source = Sales::new(IN_FLIGHT);
    let Some((_, bytes)) = source.next(u64::MAX)? else { return Ok(()) };
    let Ok(record) = Record::parse(bytes) else { return Ok(()) };
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(persistence::digest::of_record(black_box(&record), black_box(bytes)));
    }
    println!("digest       {:>6} ns a record", started.elapsed().as_nanos() / u128::from(ROUNDS));
    Ok(())
}

/// CPU time that this process has used, all threads, milliseconds; 0 where the system does not say.
fn cpu_ms() -> u64 {
    /// Linux counts in hundredths of a second, on every architecture that it tells programs of.
    const TICK_MS: u64 = 10;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    behind_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * TICK_MS
}

async fn measure_applying(
    projection: &mut Projection,
    source: &mut Sales,
    records_per_commit: u64,
) -> Result<(), PersistenceError> {
    let records = u64::from(source.count) * 2;
    let cpu = cpu_ms();
    for part in 1..=4 {
        let (started, before) = (Instant::now(), projection.applied_lsn());
        while projection.applied_lsn() < records * part / 4 {
            let until = (projection.applied_lsn() + records_per_commit).min(records * part / 4);
            projection.catch_up(source, until).await?;
        }
        let applied = projection.applied_lsn();
        let rate = u128::from(applied - before) * 1_000_000 / started.elapsed().as_micros().max(1);
        println!("applied {applied:>9} records, the last quarter at {rate:>7} records/s");
    }
    println!("CPU {} ms per 100,000 sales", (cpu_ms() - cpu) * 100_000 / u64::from(source.count));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = match std::env::args().nth(1).as_deref() {
        None | Some("sqlite") => DatabaseUrl::sqlite_in(folder.path()),
        Some(text) => DatabaseUrl::parse(text)?,
    };
    let count: u32 = std::env::args().nth(2).map_or(Ok(200_000), |text| text.parse())?;
    measure_sealing(folder.path())?;
    measure_digest()?;

    let mut projection = Projection::open_emptied(&url, JOURNAL).await?;
    let mut source = Sales::new(count.next_multiple_of(IN_FLIGHT));
    let records_per_commit: u64 = std::env::args().nth(3).map_or(Ok(u64::MAX / 2), |text| text.parse())?;
    measure_applying(&mut projection, &mut source, records_per_commit).await?;

    let queries = Database::open(&url).await?.queries();
    let now = Micros(sale(source.count).created_at.get());
    let scope = RecoveryScope { now, recent_since: Micros(now.0 - 60_000_000), recent_max: 1 << 18 };
    let (started, mut items) = (Instant::now(), 0);
    queries.recover(scope, |_| items += 1).await?;
    println!("recovery read {items} things in {} ms", started.elapsed().as_millis());
    let started = Instant::now();
    for number in (0..count).step_by(count as usize / 1_000) {
        black_box(queries.transaction_by_id(&sale(number).id).await?);
    }
    println!("read by id    {:>6} µs", started.elapsed().as_micros() / 1_000);
    Ok(())
}
