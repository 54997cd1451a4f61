//! Distributions of times: buckets whose width is at most a quarter of their lower bound, so that a percentile read from them is too high by
//! a fifth at most, never too low. Times above the last bucket count in it, and their sum stays exact.

use std::sync::atomic::{AtomicU64, Ordering};

/// Each power of two is cut into so many buckets.
const PARTS: usize = 4;
/// Powers of two that are told apart: up to 2^30 µs, some 18 minutes.
const POWERS: usize = 30;
/// How many buckets there are.
pub const BUCKETS: usize = (POWERS - 1) * PARTS;

/// How many times fell into which bucket, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    counts: [u64; BUCKETS],
    sum_us: u64,
}

impl Default for Distribution {
    fn default() -> Distribution {
        Distribution { counts: [0; BUCKETS], sum_us: 0 }
    }
}

/// The bucket of a time.
fn place(us: u64) -> usize {
    if us < PARTS as u64 {
        return us as usize;
    }
    let power = us.ilog2() as usize;
    let part = (us >> (power - 2)) as usize % PARTS;
    ((power - 1) * PARTS + part).min(BUCKETS - 1)
}

/// The first time that is above a bucket, microseconds.
pub const fn bound_us(place: usize) -> u64 {
    let above = place + 1;
    if above < PARTS {
        return above as u64;
    }
    let (power, part) = (above / PARTS + 1, above % PARTS);
    ((PARTS + part) as u64) << (power - 2)
}

impl Distribution {
    /// Counts a time.
    pub fn record(&mut self, us: u64) {
        self.counts[place(us)] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What they come to together, microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// So many of each bucket, the shortest first.
    pub fn counts(&self) -> &[u64; BUCKETS] {
        &self.counts
    }

    /// The time that so many of a thousand were below, microseconds; 0 when none was counted.
    pub fn at_per_mille(&self, per_mille: u64) -> u64 {
        let wanted = (self.count() * per_mille).div_ceil(1_000).max(1);
        let mut below = 0;
        let found = self.counts.iter().position(|count| {
            below += count;
            below >= wanted
        });
        found.map_or(0, bound_us)
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Distribution) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, more)| *own += more);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// What was counted after an earlier reading of the same.
    pub fn since(&self, earlier: &Distribution) -> Distribution {
        let counts = std::array::from_fn(|place| self.counts[place].saturating_sub(earlier.counts[place]));
        Distribution { counts, sum_us: self.sum_us.saturating_sub(earlier.sum_us) }
    }
}

/// A distribution that one thread writes while others read it.
#[derive(Debug)]
pub struct Buckets {
    counts: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Default for Buckets {
    fn default() -> Buckets {
        Buckets { counts: [const { AtomicU64::new(0) }; BUCKETS], sum_us: AtomicU64::new(0) }
    }
}

/// With one writer an addition needs no lock of the bus.
pub(super) fn add(cell: &AtomicU64, more: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}

impl Buckets {
    /// Counts a time, for so many at once. By the one writer only.
    pub fn record(&self, us: u64, times: u64) {
        add(&self.counts[place(us)], times);
        add(&self.sum_us, us.saturating_mul(times));
    }

    /// What was counted so far.
    pub fn read(&self) -> Distribution {
        let counts = std::array::from_fn(|place| self.counts[place].load(Ordering::Relaxed));
        Distribution { counts, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}
