//! How often an address may ask for a mail.

use super::AccountError;
use super::limits::{RATED_ADDRESSES_MAX, RECOVERIES_MAX, RECOVERY_WINDOW};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Instant;

/// Requests of the last window, by address.
#[derive(Default)]
pub(super) struct Rates(Mutex<HashMap<String, Window>>);

#[derive(Clone, Copy)]
struct Window {
    since: Instant,
    requests: u32,
}

impl Rates {
    /// Counts a request of an address: a client's, or the mailbox that a mail would go to.
    pub(super) fn take(&self, address: &str, now: Instant) -> Result<(), AccountError> {
        let mut windows = self.0.lock();
        if windows.len() >= RATED_ADDRESSES_MAX && !windows.contains_key(address) {
            windows.retain(|_, window| is_running(window, now));
            if windows.len() >= RATED_ADDRESSES_MAX {
                return Err(AccountError::TooMany { retry_after_s: RECOVERY_WINDOW.as_secs() as u32 });
            }
        }
        let window = windows.entry(address.to_owned()).or_insert(Window { since: now, requests: 0 });
        if !is_running(window, now) {
            *window = Window { since: now, requests: 0 };
        }
        if window.requests >= RECOVERIES_MAX {
            let left = RECOVERY_WINDOW.saturating_sub(now.duration_since(window.since));
            return Err(AccountError::TooMany { retry_after_s: left.as_secs() as u32 + 1 });
        }
        window.requests += 1;
        Ok(())
    }
}

fn is_running(window: &Window, now: Instant) -> bool {
    now.duration_since(window.since) < RECOVERY_WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_then_a_wait_and_others_are_not_concerned() {
        let (rates, start) = (Rates::default(), Instant::now());
        assert!((0..RECOVERIES_MAX).all(|_| rates.take("203.0.113.9", start).is_ok()));
        let refused = rates.take("203.0.113.9", start + RECOVERY_WINDOW / 2);
        assert!(matches!(refused, Err(AccountError::TooMany { retry_after_s: 31 })), "{refused:?}");
        assert!(rates.take("203.0.113.10", start).is_ok());
        assert!(rates.take("203.0.113.9", start + RECOVERY_WINDOW).is_ok());
    }

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let (rates, start) = (Rates::default(), Instant::now());
        assert!((0..RATED_ADDRESSES_MAX).all(|number| rates.take(&number.to_string(), start).is_ok()));
        assert!(rates.take("one more", start).is_err());
        assert!(rates.take("one more", start + RECOVERY_WINDOW).is_ok());
        assert_eq!(rates.0.lock().len(), 1);
    }
}
