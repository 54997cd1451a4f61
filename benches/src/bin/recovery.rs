//! Times restarts on a long past and prints them: see [`benches::recovery`].
//!
//! `cargo run --release -p benches --bin recovery -- [--transactions N] [--open N] [--days N] [--behind N] [--rounds N]
//! [--postgres URL] [--rebuild]`. The default is a million transactions over ten days, 10,000 open. The past takes a minute or two
//! and about four gigabytes below the current folder, and goes when the program ends.
#![allow(clippy::print_stdout, reason = "the figures are the program's result")]

use anyhow::Context;
use benches::recovery::{Figures, Scene, Start, measure, rebuild};
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    let mut scene = Scene {
        transactions: 1_000_000,
        open: 10_000,
        days: 10,
        behind: 100_000,
        rounds: 5,
        load: Duration::from_secs(2),
        database: None,
        refunds: 1_000,
    };
    let mut loses_database = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} wants a value"));
        match word.as_str() {
            "--transactions" => scene.transactions = value()?.parse()?,
            "--open" => scene.open = value()?.parse()?,
            "--days" => scene.days = value()?.parse()?,
            "--behind" => scene.behind = value()?.parse()?,
            "--rounds" => scene.rounds = value()?.parse()?,
            "--postgres" => scene.database = Some(value()?),
            "--rebuild" => loses_database = true,
            _ => anyhow::bail!("{word} is no option of this program"),
        }
    }
    let folder = tempfile::tempdir_in(".")?;
    let figures = measure(folder.path(), &scene)?;
    print(&scene, &figures);
    if loses_database && scene.database.is_none() {
        print_start("SQL home lost, rebuilt from the journal", &rebuild(folder.path())?);
    }
    Ok(())
}

fn print(scene: &Scene, figures: &Figures) {
    let Figures { made, lasting: (bytes, read), empty, lagging, killed, cold, warm } = figures;
    println!(
        "{} transactions over {} days, {} open, {} records; {} MiB last, read in sequence in {read:.1?}",
        made.transactions,
        scene.days,
        made.open,
        made.last_lsn,
        bytes >> 20
    );
    print_start("empty folder", empty);
    print_start(&format!("SQL home behind by {}", scene.behind), lagging);
    for (round, start) in killed.iter().enumerate() {
        print_start(&format!("kill -9 under load, {} open, round {}", start.open, round + 1), start);
    }
    for (what, times) in [("cold", cold), ("warm", warm)] {
        if let Some(most) = times.last() {
            let at = |percent: usize| times[(times.len() - 1) * percent / 100];
            println!("refund, {what}: p50 {:.2?}  p99 {:.2?}  max {most:.2?} of {}", at(50), at(99), times.len());
        }
    }
}

fn print_start(what: &str, start: &Start) {
    let Start { ready, parts, first_payment, resident_kib, open: _ } = start;
    println!("{what}: ready after {ready:.1?}, first payment {first_payment:.1?}, {} MiB resident; {parts}", resident_kib >> 10);
}
