//! How long the past is: restarts, late refunds, and how fast a SQL home takes the past in.

use crate::Extent;
use crate::table::Table;
use benches::history::projected;
use benches::postgres::Postgres;
use benches::recovery::{Scene, measure};
use persistence::sql::DatabaseUrl;
use std::time::Duration;

const COLUMNS: [&str; 6] = [
    "restart after kill -9, ms",
    "refund of a cold one, p50 µs",
    "of a warm one, p50 µs",
    "records",
    "records/s into SQLite",
    "records/s into PostgreSQL",
];
const OPEN: u32 = 100;
const REFUNDS: usize = 200;

/// A past of each length, once: it is made, and takes its time.
pub fn by_length(extent: &Extent) -> anyhow::Result<Table> {
    let how = format!(
        "{OPEN} transactions under way at the kill; a SQL home that takes in the whole past at once. Without PostgreSQL on the machine, 0."
    );
    let mut table = Table::new("transactions of history", how, &COLUMNS);
    for transactions in &extent.history {
        table.note(transactions, of_length(*transactions, extent)?);
    }
    Ok(table)
}

fn of_length(transactions: u32, extent: &Extent) -> anyhow::Result<Vec<f64>> {
    let folder = tempfile::tempdir_in(".")?;
    let (days, behind, rounds, load, refunds) = (10, 0, extent.rounds, extent.time / 3, REFUNDS);
    let scene = Scene { transactions, open: OPEN, days, behind, rounds, load, database: None, refunds };
    let figures = measure(folder.path(), &scene)?;
    let mut ready: Vec<Duration> = figures.killed.iter().map(|start| start.ready).collect();
    ready.sort_unstable();
    let middle = |times: &[Duration]| times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64());
    let records = figures.made.last_lsn;
    let data = folder.path().join("switch");
    let per_s = |url: &DatabaseUrl| Ok::<f64, anyhow::Error>(records as f64 / projected(&data, url, records)?.as_secs_f64());
    let another = folder.path().join("another");
    std::fs::create_dir(&another)?;
    let into_sqlite = per_s(&DatabaseUrl::sqlite_in(&another.canonicalize()?))?;
    let into_postgres = match Postgres::start()? {
        Some(server) => per_s(&DatabaseUrl::parse(&server.url())?)?,
        None => 0.0,
    };
    let [cold, warm] = [&figures.cold, &figures.warm].map(|times| middle(times) * 1e6);
    Ok(vec![middle(&ready) * 1e3, cold, warm, records as f64, into_sqlite, into_postgres])
}
