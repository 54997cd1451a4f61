//! Wrong sign-ins, counted for each client's address: guessing from one place ends, and shuts nobody else out.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Wrong sign-ins that an address has in a window; past them it waits for the window's end.
const WRONG_MAX: u32 = 10;
/// Begins with an address's first wrong sign-in.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Addresses that are counted; past them the window that began first is forgotten.
const ADDRESSES_MAX: usize = 4_096;

#[derive(Debug, Clone, Copy)]
struct Wrong {
    times: u32,
    since: Instant,
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Wrong>>);

impl Attempts {
    /// How long an address must wait before it may try again; `None` when it may.
    pub(super) fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let wrong = self.0.lock().get(&address).copied()?;
        let left = WINDOW.saturating_sub(now.duration_since(wrong.since));
        (wrong.times >= WRONG_MAX && !left.is_zero()).then_some(left)
    }

    /// It was wrong.
    pub(super) fn was_wrong(&self, address: IpAddr, now: Instant) {
        let mut counts = self.0.lock();
        counts.retain(|_, wrong| now.duration_since(wrong.since) < WINDOW);
        if counts.len() >= ADDRESSES_MAX && !counts.contains_key(&address) {
            let oldest = counts.iter().min_by_key(|(_, wrong)| wrong.since).map(|(address, _)| *address);
            oldest.and_then(|address| counts.remove(&address));
        }
        counts.entry(address).or_insert(Wrong { times: 0, since: now }).times += 1;
    }

    /// It was right: what went before was a slip.
    pub(super) fn was_right(&self, address: IpAddr) {
        self.0.lock().remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn one_who_guesses_waits_and_nobody_else_does() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        (1..WRONG_MAX).for_each(|_| attempts.was_wrong(ONE, now));
        assert_eq!(attempts.wait(ONE, now), None);
        attempts.was_wrong(ONE, now + WINDOW / 2);
        assert_eq!(attempts.wait(ONE, now + WINDOW / 2), Some(WINDOW / 2));
        assert_eq!((attempts.wait(OTHER, now), attempts.wait(ONE, now + WINDOW)), (None, None));
        attempts.was_right(ONE);
        assert_eq!(attempts.wait(ONE, now), None);
    }

    #[test]
    fn more_addresses_than_are_counted_forget_the_first() {
        let (attempts, now) = (Attempts::default(), Instant::now());
        let address = |number: usize| IpAddr::V6((number as u128).into());
        (0..=ADDRESSES_MAX).for_each(|number| attempts.was_wrong(address(number), now + Duration::from_micros(number as u64)));
        let counts = attempts.0.lock();
        assert_eq!((counts.len(), counts.contains_key(&address(0))), (ADDRESSES_MAX, false));
    }
}
