//! Cost against size: what a payment costs when there is more of everything. One table for each thing that grows, the others held still.
//!
//! `cargo run --release -p benches --bin scale -- [--smoke] [--history N] [--only TABLE]`. Figures of one table were measured in turn, several times
//! over, and their medians are shown beside the first line's, so that a machine whose speed drifts does not bend a curve by itself. The
//! longest history is made only when asked for: ten million transactions take forty gigabytes below the current folder.
#![allow(clippy::float_arithmetic, reason = "ratios and rates for people; no money here")]
#![allow(clippy::print_stdout, reason = "the tables are the program's result")]
#![allow(clippy::print_stderr, reason = "turns are told while they are measured")]

mod history;
mod live;
mod reads;
mod table;

use anyhow::Context;
use loadgen::cost::StolenTime;
use std::time::Duration;
use table::Table;

type Measure = fn(&Extent) -> anyhow::Result<Table>;

/// What grows, and who measures it.
const TABLES: [(&str, Measure); 5] = [
    ("merchants", live::by_merchants),
    ("connections", live::by_connections),
    ("shards", live::by_shards),
    ("reads", reads::beside_payments),
    ("history", history::by_length),
];

/// How far things grow, and how long each size is looked at.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Times that each size is measured.
    pub rounds: usize,
    /// The same beside those who read: a worst hundredth moves from turn to turn, and many say more than a few.
    pub rounds_with_readers: usize,
    /// Of those, how many must have been the machine's own for their table to say anything.
    pub turns_needed: usize,
    /// Length of one measurement.
    pub time: Duration,
    /// Merchants that share the load.
    pub merchants: Vec<u32>,
    /// Connections, each with one payment at a time.
    pub connections: Vec<usize>,
    /// Shard threads.
    pub shards: Vec<u16>,
    /// Payments a second beside those who read.
    pub payments_per_s: u32,
    /// What those read a second: customers of the vault, and searches.
    pub reads_per_s: [(u32, u32); 2],
    /// Transactions of the past.
    pub history: Vec<u32>,
}

impl Extent {
    fn full(history_most: u32) -> Extent {
        let history = [10_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|count| *count <= history_most).collect();
        Extent {
            rounds: 3,
            rounds_with_readers: 9,
            turns_needed: 1,
            time: Duration::from_secs(3),
            merchants: vec![1, 10, 100, 1_000],
            connections: vec![1, 4, 16, 64, 256, 1_000],
            shards: vec![1, 2, 3, 4],
            payments_per_s: 2_000,
            reads_per_s: [(0, 0), (1_000, 500)],
            history,
        }
    }

    fn smoke() -> Extent {
        Extent {
            rounds: 1,
            rounds_with_readers: 1,
            turns_needed: 0,
            time: Duration::from_millis(300),
            merchants: vec![1, 5],
            connections: vec![1, 8],
            shards: vec![1, 2],
            payments_per_s: 100,
            reads_per_s: [(0, 0), (20, 10)],
            history: vec![1_000],
        }
    }
}

fn main() -> anyhow::Result<()> {
    let (mut history_most, mut is_smoke, mut only) = (1_000_000, false, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--smoke" => is_smoke = true,
            "--history" => history_most = words.next().context("--history wants a number")?.parse()?,
            "--only" => only = Some(words.next().context("--only wants a table")?),
            _ => anyhow::bail!("{word} is no option of this program"),
        }
    }
    let extent = if is_smoke { Extent::smoke() } else { Extent::full(history_most) };
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let tables: Vec<_> = TABLES.iter().filter(|(name, _)| wanted(name)).collect();
    anyhow::ensure!(!tables.is_empty(), "--only takes one of {:?}", TABLES.map(|(name, _)| name));
    for (_, measure) in tables {
        let lost = StolenTime::since_now();
        println!("{}", measure(&extent)?);
        if let Some(percent) = lost.percent() {
            println!("Of all cores the hypervisor gave {percent} % to other machines meanwhile.\n");
        }
    }
    Ok(())
}
