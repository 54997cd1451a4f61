//! When each request of an open loop is due, counted from the start of the run.
//!
//! Pure arithmetic: the same plan gives the same send times on every machine.

use std::time::Duration;

use crate::plan::Arrivals;

const NS_PER_S: u64 = 1_000_000_000;

/// Offsets of the send times, ascending, up to but not including the end.
pub(crate) struct Schedule {
    spread: Spread,
    end_ns: u64,
}

enum Spread {
    Grid { rate_per_s: u32, sent: u64 },
    Poisson { mean_gap_ns: f64, at_ns: f64, random: SplitMix },
}

impl Schedule {
    pub(crate) fn new(rate_per_s: u32, arrivals: Arrivals, seed: u64, length: Duration) -> Self {
        let spread = match arrivals {
            Arrivals::Grid => Spread::Grid { rate_per_s, sent: 0 },
            Arrivals::Poisson => {
                Spread::Poisson { mean_gap_ns: NS_PER_S as f64 / f64::from(rate_per_s), at_ns: 0.0, random: SplitMix(seed) }
            }
        };
        Schedule { spread, end_ns: crate::record::nanos(length) }
    }
}

impl Iterator for Schedule {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let offset_ns = match &mut self.spread {
            // Multiplied afresh each time: adding up a rounded gap would drift off the rate.
            Spread::Grid { rate_per_s, sent } => {
                let offset = u128::from(*sent) * u128::from(NS_PER_S) / u128::from(*rate_per_s);
                *sent += 1;
                u64::try_from(offset).ok()?
            }
            Spread::Poisson { mean_gap_ns, at_ns, random } => {
                *at_ns -= *mean_gap_ns * (1.0 - random.unit()).ln();
                *at_ns as u64
            }
        };
        (offset_ns < self.end_ns).then(|| Duration::from_nanos(offset_ns))
    }
}

/// SplitMix64: small, seedable, and good enough to spread arrivals, amounts and cards.
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In [0, 1), from the upper 53 bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_S: Duration = Duration::from_secs(10);

    #[test]
    fn a_grid_neither_drifts_nor_runs_past_its_end() {
        // 3 per second does not divide a second: a summed gap would be off by the end.
        let due: Vec<_> = Schedule::new(3, Arrivals::Grid, 0, TEN_S).collect();
        assert_eq!(due.len(), 30);
        assert_eq!(due[27], Duration::from_secs(9));
        assert_eq!(due[29], Duration::from_nanos(9_666_666_666));
    }

    #[test]
    fn poisson_keeps_the_mean_rate_and_the_spread_of_an_exponential() {
        let seed = 7;
        let due: Vec<_> = Schedule::new(2_000, Arrivals::Poisson, seed, TEN_S).collect();
        // 20 000 expected, standard deviation 141: five of them either way.
        assert!((19_293..=20_707).contains(&due.len()), "seed {seed}: {} arrivals", due.len());
        let gap_ns = 500_000;
        let longer = due.windows(2).filter(|pair| (pair[1] - pair[0]).as_nanos() > gap_ns).count();
        // 1/e of the gaps are longer than the mean; on a grid none would be.
        assert!((6_800..=7_900).contains(&longer), "seed {seed}: {longer} long gaps");
    }

    #[test]
    fn the_same_seed_gives_the_same_arrivals() {
        let draw = |seed| Schedule::new(500, Arrivals::Poisson, seed, TEN_S).collect::<Vec<_>>();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
