//! What a REST sale takes at half of what the switch can do, beyond the two durable writes that it waits for: its intent before the
//! host is asked, its outcome before the caller hears. The host answers at once.
//!
//! The writes are those of one block to a pre-written file on the same disk, two and two, measured between the rounds.

use crate::Effort;
use crate::table::{Row, median};
use benches::stage::{API_KEY, Stage};
use loadgen::plan::{Arrivals, Load, Plan};
use loadgen::target::{AMOUNTS_DEFAULT, Target};
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const CONNECTIONS: usize = 64;
const BLOCK_BYTES: usize = 4096;
const BLOCKS: u64 = 1_024;
/// Rounds are as many times longer than those of throughput: what the SQL home writes at once must fall into each.
const LENGTHS: u32 = 2;
/// Added microseconds that the design allows at the median, and at the 99th percentile.
const BOUNDS_US: [f64; 2] = [300.0, 2_000.0];

/// Median and 99th percentile, microseconds.
type Times = [f64; 2];

/// Both quantiles of what is added.
pub fn at_half_of_capacity(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let stage = Stage::set()?;
    let address = stage.switch.address("http")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let capacity = run(&runtime, address, "capacity", Load::Closed, effort.under_load)?.0;
    let rate_per_s = (capacity / 2.0) as u32;
    let (mut sales, mut writes) = (vec![], vec![]);
    for round in 0..effort.rounds {
        writes.push(durable_writes(effort.in_process)?);
        let load = Load::Open { rate_per_s, arrivals: Arrivals::Poisson };
        // None where the generator itself was late: such a round says nothing of the switch.
        sales.push(run(&runtime, address, &format!("half-{round}"), load, effort.under_load * LENGTHS)?.1);
    }
    Ok(["p50", "p99"].into_iter().enumerate().map(|(place, name)| row(place, name, rate_per_s, &sales, &writes)).collect())
}

fn row(place: usize, name: &str, rate_per_s: u32, sales: &[Option<Times>], writes: &[Times]) -> Row {
    let rounds = sales.iter().zip(writes).filter_map(|(sale, write)| Some((sale.as_ref()?[place], write[place])));
    let (sales, writes): (Vec<f64>, Vec<f64>) = rounds.unzip();
    let bound = BOUNDS_US[place];
    Row {
        what: format!(
            "REST sale, {rate_per_s} a second (half of capacity), {name}: what it takes beyond two durable writes at that quantile, \
             against {bound} µs"
        ),
        ours: format!("{:.0} µs", median(&sales)),
        baseline: format!("{:.0} + {bound} µs", median(&writes)),
        ratios: sales.iter().zip(&writes).map(|(sale, writes)| (sale - writes) / bound).collect(),
        must: "≤ 1",
    }
}

/// Answers a second, and how long they took where that could be told.
fn run(
    runtime: &Runtime,
    address: SocketAddr,
    name: &str,
    load: Load,
    duration: Duration,
) -> anyhow::Result<(f64, Option<Times>)> {
    let target = Target::sale(address, API_KEY, &format!("{name}-{}", std::process::id()), 1, AMOUNTS_DEFAULT)?;
    let plan = Plan { connections: CONNECTIONS, duration, ..Plan::new(target, load) };
    let report = runtime.block_on(loadgen::rest::run(plan))?;
    let times = report.latency.map(|times| [times.p50_ns, times.p99_ns].map(|ns| ns as f64 / 1e3));
    Ok((report.answered_per_s, times))
}

/// What two blocks take, one durable before the other is written.
fn durable_writes(time: Duration) -> anyhow::Result<Times> {
    let folder = tempfile::tempdir_in(".")?;
    let path = folder.path().join("raw");
    std::fs::write(&path, vec![0; BLOCKS as usize * BLOCK_BYTES])?;
    let file = OpenOptions::new().write(true).open(path)?;
    file.sync_all()?;
    let (begun, mut taken_us) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let (first, writes) = (2 * taken_us.len() as u64 % BLOCKS, Instant::now());
        for block in [first, first + 1] {
            file.write_all_at(&[0; BLOCK_BYTES], block * BLOCK_BYTES as u64)?;
            file.sync_data()?;
        }
        taken_us.push(writes.elapsed().as_secs_f64() * 1e6);
    }
    taken_us.sort_by(f64::total_cmp);
    let quantile = |of_hundred: usize| taken_us[taken_us.len() * of_hundred / 100];
    Ok([quantile(50), quantile(99)])
}
