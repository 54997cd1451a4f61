//! Whole switches in simulated worlds: a few seeds that are always the same, and a few that nobody has run before.
//!
//! `cargo run --release -p tests --bin simulate -- --seeds N` runs more of them, and longer ones.

use std::time::{SystemTime, UNIX_EPOCH};
use tests::dice::Dice;
use tests::simulator::world::{Length, Outcome, run};

/// Acts of the clients in each run.
const ACTS: u64 = 80;
/// Runs whose seed is fresh.
const FRESH: usize = 16;

#[expect(clippy::print_stdout, reason = "cargo shows it when the test fails")]
fn simulate(seed: u64) -> Outcome {
    let replay = format!("cargo run --release -p tests --bin simulate -- --seed {seed:#018x} --acts {ACTS}");
    println!("repeat with:\n  {replay}");
    run(seed, Length { acts: ACTS }, replay, false)
}

#[test]
fn one_seed_is_one_story() {
    for seed in [1, 2, 3] {
        let (first, second) = (simulate(seed), simulate(seed));
        assert_eq!((first.digest, first.lines, first.counts), (second.digest, second.lines, second.counts));
        assert_eq!(first.checked, second.checked);
        assert!(first.counts.records > 0 && first.checked.sum() > first.counts.commands, "a world in which nothing happens");
    }
}

#[test]
fn every_invariant_holds_in_worlds_that_nobody_has_seen() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let mut dice = Dice::of(clock.as_nanos() as u64);
    for _ in 0..FRESH {
        simulate(dice.draw());
    }
}
