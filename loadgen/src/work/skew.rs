//! How a run's requests are shared out among its merchants.

use crate::error::LoadError;

/// Most merchants of one run.
pub const MERCHANTS_MAX: u32 = 10_000;
/// Steepest skew.
const EXPONENT_MAX: f64 = 4.0;

/// Zipf's law: the merchant of rank `r` (from 1) gets a share in proportion to `1 / r^s`. With `s = 0` all get the same.
#[derive(Clone, Debug)]
pub struct Skew {
    exponent: f64,
    /// Share of all merchants up to and with each, ascending to 1.
    cumulated: Vec<f64>,
}

impl Skew {
    /// One merchant, who gets everything.
    pub fn none() -> Skew {
        Skew { exponent: 0.0, cumulated: vec![1.0] }
    }

    /// Among so many merchants.
    pub fn zipf(merchants: u32, exponent: f64) -> Result<Skew, LoadError> {
        if !(1..=MERCHANTS_MAX).contains(&merchants) {
            let (value, most) = (merchants.into(), MERCHANTS_MAX.into());
            return Err(LoadError::OutOfBounds { what: "merchants", value, least: 1, most });
        }
        if !(0.0..=EXPONENT_MAX).contains(&exponent) {
            return Err(LoadError::Skew { given: exponent, most: EXPONENT_MAX });
        }
        let weights: Vec<f64> = (1..=merchants).map(|rank| f64::from(rank).powf(-exponent)).collect();
        let whole: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let cumulated = weights.iter().map(|weight| {
            sum += weight / whole;
            sum
        });
        Ok(Skew { exponent, cumulated: cumulated.collect() })
    }

    /// How many merchants there are.
    pub fn merchants(&self) -> u32 {
        self.cumulated.len() as u32
    }

    /// The exponent `s`.
    pub fn exponent(&self) -> f64 {
        self.exponent
    }

    /// Place (from 0) of the merchant in whose share a number of [0, 1) lies.
    pub(crate) fn rank(&self, place: f64) -> u32 {
        let rank = self.cumulated.partition_point(|end| *end <= place);
        // The last sum may fall short of one by a rounding.
        (rank as u32).min(self.merchants() - 1)
    }
}
