//! How many requests a key may make: so many a second, and so many at once after a rest.

use crate::switch::directory::LinkTerms;
use dashmap::DashMap;
use std::time::Instant;

/// A key's hash, which names its allowance.
type KeyHash = [u8; 32];

const SECOND_US: u64 = 1_000_000;

/// The allowances of all keys that have asked, which are no more than there are keys.
pub struct Rates {
    start: Instant,
    /// Microseconds since the start up to which a key has used its allowance: each request moves it on by one request's time.
    used_until: DashMap<KeyHash, u64>,
}

impl Rates {
    /// All rested.
    pub fn new() -> Rates {
        Rates { start: Instant::now(), used_until: DashMap::new() }
    }

    /// Takes one request out of a key's allowance, or says in how many seconds there is one.
    pub fn take(&self, key: &KeyHash, terms: &LinkTerms, now: Instant) -> Result<(), u32> {
        // The start is earlier than whatever it is asked with.
        let now_us = u64::try_from(now.duration_since(self.start).as_micros()).unwrap_or(u64::MAX);
        let request_us = SECOND_US / u64::from(terms.requests_per_s.max(1));
        let mut used = self.used_until.entry(*key).or_insert(0);
        let after = now_us.max(*used) + request_us;
        let over_us = (after - now_us).saturating_sub(request_us * u64::from(terms.requests_burst.max(1)));
        if over_us > 0 {
            return Err(u32::try_from(over_us.div_ceil(SECOND_US)).unwrap_or(u32::MAX));
        }
        *used = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_then_the_rate_and_other_keys_are_not_concerned() {
        let terms = LinkTerms { requests_per_s: 50, requests_burst: 100, ..LinkTerms::default() };
        let (rates, start) = (Rates::new(), Instant::now());
        assert!((0..100).all(|_| rates.take(&[1; 32], &terms, start).is_ok()));
        assert_eq!(rates.take(&[1; 32], &terms, start), Err(1));
        assert_eq!(rates.take(&[2; 32], &terms, start), Ok(()));
        let later = start + Duration::from_millis(100);
        let taken = (0..10).filter(|_| rates.take(&[1; 32], &terms, later).is_ok()).count();
        assert_eq!(taken, 5);
        let rested = start + Duration::from_secs(60);
        assert!((0..100).all(|_| rates.take(&[1; 32], &terms, rested).is_ok()));
        assert!(rates.take(&[1; 32], &terms, rested).is_err());
    }
}
