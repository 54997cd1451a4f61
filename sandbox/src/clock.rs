//! A host's clock: the machine's, and as far ahead of it as somebody has put it. Ledger rows, days and cut-overs go by it;
//! delays and time-outs do not.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use protocol::calendar::Micros;
use serde::Deserialize;

/// A clock that never goes back.
#[derive(Debug, Default)]
pub struct HostClock {
    /// How far ahead of the machine's clock, in microseconds.
    ahead_us: AtomicI64,
}

/// What `POST /clock` takes: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClockMove {
    /// To this moment, RFC 3339. An earlier one than the clock shows is ignored.
    Now(String),
    /// By so many seconds.
    AdvanceSeconds(u32),
}

impl HostClock {
    /// What it shows.
    pub fn now(&self) -> Micros {
        Micros(machine_us().saturating_add(self.ahead_us.load(Ordering::Relaxed)))
    }

    /// Moves it; the error says what is wrong with a moment.
    pub fn advance(&self, by: &ClockMove) -> Result<(), String> {
        let ahead_us = match by {
            ClockMove::AdvanceSeconds(seconds) => {
                let added = i64::from(*seconds) * 1_000_000;
                self.ahead_us.fetch_add(added, Ordering::Relaxed);
                return Ok(());
            }
            ClockMove::Now(text) => {
                let moment: jiff::Timestamp = text.parse().map_err(|error| format!("now: {error}"))?;
                moment.as_microsecond().saturating_sub(machine_us())
            }
        };
        self.ahead_us.fetch_max(ahead_us, Ordering::Relaxed);
        Ok(())
    }
}

fn machine_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_ahead_and_never_back() {
        let clock = HostClock::default();
        let began = clock.now();
        clock.advance(&ClockMove::AdvanceSeconds(3600)).unwrap();
        assert!(clock.now() >= began.plus_s(3600));
        clock.advance(&ClockMove::Now("2000-01-01T00:00:00Z".to_owned())).unwrap();
        assert!(clock.now() >= began.plus_s(3600));
        clock.advance(&ClockMove::Now("2100-01-01T00:00:00.5Z".to_owned())).unwrap();
        assert_eq!(clock.now().civil().year, 2100);
        assert!(clock.advance(&ClockMove::Now("yesterday".to_owned())).unwrap_err().starts_with("now: "));
    }
}
