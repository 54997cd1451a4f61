//! A restart after `kill -9` on a past of a million transactions, 10,000 of them open, against reading once, in sequence, the bytes
//! that last: what a switch would do at least that had to read them all.

use crate::Effort;
use crate::table::{Row, median};
use benches::recovery::{Scene, measure};
use std::time::Duration;

/// One past, killed and started again so many times.
pub fn from_a_kill(effort: Effort) -> anyhow::Result<Row> {
    let folder = tempfile::tempdir_in(".")?;
    let (transactions, open) = if effort.rounds > 1 { (1_000_000, 10_000) } else { (2_000, 100) };
    let (days, behind, rounds, load, refunds) = (10, 0, effort.rounds, effort.under_load, 0);
    let figures = measure(folder.path(), &Scene { transactions, open, days, behind, rounds, load, database: None, refunds })?;
    let (bytes, read) = figures.lasting;
    let ready: Vec<Duration> = figures.killed.iter().map(|start| start.ready).collect();
    let seconds: Vec<f64> = ready.iter().map(Duration::as_secs_f64).collect();
    Ok(Row {
        what: format!(
            "recovery from kill -9 under load with {transactions} transactions in history, {open} open: process start to ready, \
             against reading all {} MiB that last",
            bytes >> 20
        ),
        ours: format!("{:.2} s", median(&seconds)),
        baseline: format!("{:.2} s", read.as_secs_f64()),
        ratios: seconds.iter().map(|ours| ours / read.as_secs_f64()).collect(),
        must: "≤ 3 s",
    })
}
