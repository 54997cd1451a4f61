//! Runs whole switches in simulated worlds: hours of their time in seconds of ours, trouble of every kind, every step checked.
//!
//! A seed decides everything. A run that breaks an invariant prints what it was, the story that led there, and the command that
//! repeats it.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to whoever runs it")]

use clap::Parser;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tests::dice::Dice;
use tests::simulator::check;
use tests::simulator::faults::PerFault;
use tests::simulator::stage::Counts;
use tests::simulator::story;
use tests::simulator::world::{Length, Outcome, run};

/// Lines of the story that are printed when a run fails.
const LINES_SHOWN: usize = 60;

/// Runs simulated worlds.
#[derive(Debug, Parser)]
#[command(
    name = "simulate",
    about = "Runs the real shards, journal, links and recovery in simulated worlds and checks every step"
)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Run this seed alone, as a failed run has printed it.
    #[arg(long, value_parser = seed)]
    seed: Option<u64>,
    /// Acts of the clients in each run, before trouble stops and everything must drain.
    #[arg(long, default_value_t = 400)]
    acts: u64,
    /// Run each seed twice: both must tell the same story.
    #[arg(long)]
    twice: bool,
    /// Print every line of the story as it happens.
    #[arg(long)]
    aloud: bool,
}

fn seed(text: &str) -> Result<u64, String> {
    let parsed = text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16));
    parsed.map_err(|error| error.to_string())
}

/// All runs together.
#[derive(Default)]
struct Sum {
    runs: u64,
    simulated_us: u64,
    counts: Counts,
    struck: PerFault,
    checked: check::Counts,
}

impl Sum {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.simulated_us += outcome.simulated_us;
        self.counts.add(&outcome.counts);
        self.struck.add(&outcome.struck);
        self.checked.add(&outcome.checked);
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    show_failures();
    let began = Instant::now();
    let mut sum = Sum::default();
    for seed in seeds(&arguments) {
        let outcome = repeatable(seed, &arguments);
        println!(
            "seed {seed:#018x}: {} s simulated, {} commands, {} records, {} starts, {} checks, story {:016x}",
            outcome.simulated_us / 1_000_000,
            outcome.counts.commands,
            outcome.counts.records,
            outcome.counts.starts,
            outcome.checked.sum(),
            outcome.digest
        );
        sum.add(&outcome);
    }
    print_sum(&sum, began);
    ExitCode::SUCCESS
}

fn seeds(arguments: &Arguments) -> Vec<u64> {
    if let Some(seed) = arguments.seed {
        return vec![seed];
    }
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let mut dice = Dice::of(clock);
    (0..arguments.seeds).map(|_| dice.draw()).collect()
}

fn repeatable(seed: u64, arguments: &Arguments) -> Outcome {
    let length = Length { acts: arguments.acts };
    let replay = format!("cargo run --release -p tests --bin simulate -- --seed {seed:#018x} --acts {}", arguments.acts);
    let outcome = run(seed, length, replay.clone(), arguments.aloud);
    if arguments.twice {
        let again = run(seed, length, replay, false);
        assert_eq!((outcome.digest, outcome.lines), (again.digest, again.lines), "I7: one seed tells two stories");
        assert_eq!((outcome.checked, outcome.counts), (again.checked, again.counts), "I7: one seed counts two ways");
    }
    outcome
}

/// The process ends at a failed check: before, it says what led there and how to see it again.
fn show_failures() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        for line in story::last_lines(LINES_SHOWN) {
            eprintln!("{line}");
        }
        usual(info);
        if let Some(replay) = story::replay() {
            eprintln!("\nrepeat with:\n  {replay}");
        }
    }));
}

fn print_sum(sum: &Sum, began: Instant) {
    let Counts { commands, answers, records, frames, starts, batches, hydrations, archived } = sum.counts;
    let simulated_s = sum.simulated_us / 1_000_000;
    println!("\n{} seeds, {} h {} min simulated in {:.1?}", sum.runs, simulated_s / 3600, simulated_s / 60 % 60, began.elapsed());
    println!(
        "{commands} commands, {answers} answers, {records} records, {frames} frames at hosts, {starts} starts, {batches} batches, {hydrations} readings of the past, {archived} segments archived"
    );
    println!("looked at: {}", sum.checked);
    println!("trouble:");
    for (fault, times) in sum.struck.iter() {
        println!("  {times:>7} {fault}");
    }
}
