//! Switchyard beside what one would use instead, measured in one run and interleaved, one table.
//!
//! Each row alternates ours and its baseline several times and prints the median of the ratios with their spread, so that a machine
//! whose speed drifts does not favour either. `--smoke` runs everything once, briefly: it shows that the benches work, its
//! figures mean nothing. `--only rest` measures one part of the table, of those that [`PARTS`] names.
#![allow(clippy::float_arithmetic, reason = "ratios and rates for people; no money here")]
#![allow(clippy::print_stdout, reason = "the table is the program's result")]

mod binary;
mod codec;
mod journal;
mod latency;
mod pipeline;
mod recovery;
mod rest;
mod rows;
mod shard;
mod table;

use loadgen::cost::StolenTime;
use std::time::Duration;
use table::Row;

/// How long and how often each side of a row is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds; each measures ours and the baseline once.
    pub rounds: usize,
    /// Time of one measurement of something that runs in this process.
    pub in_process: Duration,
    /// Time of one measurement of a server under load.
    pub under_load: Duration,
}

const FULL: Effort = Effort { rounds: 5, in_process: Duration::from_millis(400), under_load: Duration::from_secs(4) };
const SMOKE: Effort = Effort { rounds: 1, in_process: Duration::from_millis(20), under_load: Duration::from_millis(500) };

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [rest::ECHO_WORD] => rest::serve_echo(),
        [binary::ECHO_WORD] => binary::serve_echo(),
        [] => measure(FULL, ""),
        ["--smoke"] => measure(SMOKE, ""),
        ["--only", part] if PARTS.iter().any(|(name, _)| *name == part) => measure(FULL, part),
        ["--help" | "-h"] => {
            println!("{}", usage());
            Ok(())
        }
        _ => anyhow::bail!(usage()),
    }
}

fn usage() -> String {
    let parts = PARTS.map(|(name, _)| name).join(", ");
    format!("side-by-side takes no argument, or --smoke, or --only and one of {parts}")
}

type Part = fn(Effort) -> anyhow::Result<Vec<Row>>;

/// The table's parts. The codec is the first, while no other thread runs: the peer reads the environment.
const PARTS: [(&str, Part); 9] = [
    ("codec", codec::both_ways),
    ("shard", |effort| Ok(shard::apply(effort))),
    ("journal", journal::appends),
    ("rest", rest::sale_beside_echo),
    ("latency", latency::at_half_of_capacity),
    ("binary", binary::sale_beside_echo),
    ("rows", rows::sale_beside_rows),
    ("frames", |effort| Ok(vec![pipeline::frames(effort)?])),
    ("recovery", |effort| Ok(vec![recovery::from_a_kill(effort)?])),
];

/// Measures the part of this name; all when it is empty. A part that fails takes no other's rows with it.
fn measure(effort: Effort, only: &str) -> anyhow::Result<()> {
    let (mut rows, mut stolen, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (name, part) in PARTS.iter().filter(|(name, _)| only.is_empty() || only == *name) {
        let lost = StolenTime::since_now();
        match part(effort) {
            Ok(more) => rows.extend(more),
            Err(error) => failed.push(format!("{name}: {error:#}")),
        }
        stolen.extend(lost.percent().map(|percent| format!("{name} {percent} %")));
    }
    println!("{}", table::render(&rows));
    if !stolen.is_empty() {
        println!("Of all cores the hypervisor gave to other machines meanwhile: {}.", stolen.join(", "));
    }
    anyhow::ensure!(failed.is_empty(), "not measured: {}", failed.join("; "));
    Ok(())
}
