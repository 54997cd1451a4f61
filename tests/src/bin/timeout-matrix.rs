//! Prints the time-out matrix: every trouble, every crash point, every verb, and how it ends.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to whoever runs it")]

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use tests::simulator::world::matrix::page::page;
use tests::simulator::world::matrix::{Case, Client, Death, Point, Trouble, VERBS, all, run};

/// Groups of records that `--case` knows how to name.
const GROUPS_NAMED: u32 = 12;

/// Runs the time-out matrix.
#[derive(Debug, Parser)]
#[command(name = "timeout-matrix", about = "Runs every case of the time-out matrix and prints how each ends")]
struct Arguments {
    /// Write the page here instead of printing it.
    #[arg(long)]
    write: Option<PathBuf>,
    /// Run one case, by its name, and print every step.
    #[arg(long)]
    case: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(name) = arguments.case {
        return run_named(&name);
    }
    let page = page(&all());
    let Some(path) = arguments.write else {
        print!("{page}");
        return ExitCode::SUCCESS;
    };
    match std::fs::write(&path, page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("writing {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn run_named(name: &str) -> ExitCode {
    let Some(case) = cases().find(|case| case.to_string() == name) else {
        eprintln!("no case is named {name:?}; one is 'sale, answer lost, gives up, crash 2c'");
        return ExitCode::FAILURE;
    };
    match run(case, true) {
        Some(end) => println!("told: {}; stands: {}; host: {}", end.told, end.stands, end.host),
        None => println!("the operation makes no such group of records"),
    }
    ExitCode::SUCCESS
}

/// Every case that can be named, those that never come to pass too.
fn cases() -> impl Iterator<Item = Case> {
    let groups = (0..GROUPS_NAMED).flat_map(|group| Point::ALL.map(|point| Some(Death { group, point })));
    let deaths: Vec<Option<Death>> = [None].into_iter().chain(groups).collect();
    VERBS.into_iter().flat_map(move |verb| {
        let deaths = deaths.clone();
        let pairs = Trouble::ALL.into_iter().flat_map(|trouble| Client::ALL.map(|client| (trouble, client)));
        pairs
            .flat_map(move |(trouble, client)| deaths.clone().into_iter().map(move |death| Case { verb, trouble, client, death }))
    })
}
