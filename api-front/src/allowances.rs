//! Allowances: how often somebody may do something, one each so often, and so many at once after a rest.

use dashmap::DashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Whoever is noted beyond so many is looked through, and those who have rested are forgotten.
const NOTED_MAX: usize = 1 << 16;

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The time after which there is one more.
    pub one_each: Duration,
    /// How many there are after a rest; at least one.
    pub at_once: u32,
}

/// What everybody has used of an allowance.
pub struct Allowances<Who> {
    start: Instant,
    /// Microseconds since the start up to which somebody has used the allowance: each one moves it on by one's time.
    used_until: DashMap<Who, u64>,
}

impl<Who: Eq + Hash> Allowances<Who> {
    /// All rested.
    pub fn new() -> Allowances<Who> {
        Allowances { start: Instant::now(), used_until: DashMap::new() }
    }

    /// Takes one, or says in how many seconds there is one.
    pub fn take(&self, who: Who, allowance: Allowance, now: Instant) -> Result<(), u32> {
        // The start is earlier than whatever it is asked with.
        let now_us = micros(now.duration_since(self.start));
        self.forget_rested(now_us);
        let one_us = micros(allowance.one_each);
        let mut used = self.used_until.entry(who).or_insert(0);
        let after = now_us.max(*used) + one_us;
        let over_us = (after - now_us).saturating_sub(one_us * u64::from(allowance.at_once.max(1)));
        if over_us > 0 {
            return Err(u32::try_from(over_us.div_ceil(1_000_000)).unwrap_or(u32::MAX));
        }
        *used = after;
        Ok(())
    }

    /// Gives back one that was taken: what came of it does not count.
    pub fn give_back(&self, who: &Who, allowance: Allowance) {
        if let Some(mut used) = self.used_until.get_mut(who) {
            *used = used.saturating_sub(micros(allowance.one_each));
        }
    }

    fn forget_rested(&self, now_us: u64) {
        if self.used_until.len() >= NOTED_MAX {
            self.used_until.retain(|_, used| *used > now_us);
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWENTY_MS: Duration = Duration::from_millis(20);

    #[test]
    fn a_burst_then_the_rate_and_others_are_not_concerned() {
        let allowance = Allowance { one_each: TWENTY_MS, at_once: 100 };
        let (allowances, start) = (Allowances::new(), Instant::now());
        assert!((0..100).all(|_| allowances.take(1, allowance, start).is_ok()));
        assert_eq!(allowances.take(1, allowance, start), Err(1));
        assert_eq!(allowances.take(2, allowance, start), Ok(()));
        let later = start + Duration::from_millis(100);
        let taken = (0..10).filter(|_| allowances.take(1, allowance, later).is_ok()).count();
        assert_eq!(taken, 5);
        let rested = start + Duration::from_secs(60);
        assert!((0..100).all(|_| allowances.take(1, allowance, rested).is_ok()));
        assert!(allowances.take(1, allowance, rested).is_err());
    }

    #[test]
    fn what_is_given_back_may_be_taken_again_and_is_no_saving() {
        let allowance = Allowance { one_each: Duration::from_secs(30), at_once: 2 };
        let (allowances, start) = (Allowances::new(), Instant::now());
        for _ in 0..10 {
            assert_eq!(allowances.take("honest", allowance, start), Ok(()));
            allowances.give_back(&"honest", allowance);
        }
        assert_eq!([(); 3].map(|()| allowances.take("honest", allowance, start)), [Ok(()), Ok(()), Err(30)]);
    }

    #[test]
    fn whoever_has_rested_is_forgotten() {
        let allowance = Allowance { one_each: TWENTY_MS, at_once: 1 };
        let (allowances, start) = (Allowances::new(), Instant::now());
        assert!((0..NOTED_MAX).all(|who| allowances.take(who, allowance, start).is_ok()));
        assert_eq!(allowances.take(NOTED_MAX, allowance, start + Duration::from_secs(1)), Ok(()));
        assert_eq!(allowances.used_until.len(), 1);
    }
}
