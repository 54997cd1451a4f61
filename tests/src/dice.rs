//! Random numbers that repeat: SplitMix64, from a seed that is printed.

use std::time::{SystemTime, UNIX_EPOCH};

/// Repeats a run when it is set to the seed that a failed run has printed.
const SEED: &str = "SWITCHYARD_TEST_SEED";

/// The generator.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// From `SWITCHYARD_TEST_SEED`, else from the clock. Prints the command that repeats the run; cargo shows it on failure.
    #[expect(clippy::print_stderr, reason = "cargo shows it when the test fails")]
    pub fn announced(test: &str) -> Dice {
        let fixed = std::env::var(SEED).ok().map(|text| text.parse().expect("the seed is a number"));
        let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_nanos() as u64;
        let seed = fixed.unwrap_or_else(drawn);
        eprintln!("repeat with: {SEED}={seed} cargo test -p tests {test}");
        Dice(seed)
    }

    /// From a seed that somebody else announces.
    pub fn of(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Another generator, for a thread of its own.
    pub fn split(&mut self) -> Dice {
        Dice(self.draw())
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from the first to the last, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.draw() % (last - first + 1)
    }

    /// True so many times in a million.
    pub fn hits(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.draw() % 1_000_000 < u64::from(per_million)
    }

    /// One of them.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.draw() as usize % all.len()]
    }
}
