//! How often the follower commits: soon for whoever waits, and seldom, because a commit costs the same pages and messages for one payment
//! as for hundreds.

use std::time::{Duration, Instant};

/// From one commit to the next records are gathered this long, unless somebody waits for them. Milliseconds.
const GATHER_MS: u64 = 25;
/// The same while records are many. A payment whose two records come to one commit is one new row; in two commits it is a row that is
/// made, and then taken apart and made anew.
const GATHER_BUSY_MS: u64 = 100;
/// From so many records in the time of gathering on they are many.
const BUSY_RECORDS: u64 = 64;
/// While records are many, those who wait for some are served at most so often, milliseconds. A commit for each of hundreds of readers a
/// second would write the pages of the newest rows each time, on the disk on which the journal syncs.
const SERVE_BUSY_MS: u64 = 40;

const _: () = assert!(GATHER_MS < GATHER_BUSY_MS && SERVE_BUSY_MS < GATHER_BUSY_MS);

/// When the last commit was, and what it says of the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    committed: Instant,
    /// Records that were committed since then: one commit of a moment says nothing of a pace.
    counted: u64,
    counted_since: Instant,
    /// Whether records are many.
    is_busy: bool,
}

impl Pace {
    /// Nothing is known yet.
    pub(super) fn new(now: Instant) -> Pace {
        Pace { committed: now, counted: 0, counted_since: now, is_busy: false }
    }

    /// How long the next commit waits for more, whoever asks for it.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        let rest_ms = if self.is_busy { SERVE_BUSY_MS } else { 0 };
        Duration::from_millis(rest_ms).saturating_sub(self.since(now))
    }

    /// How long it waits where nobody asks.
    pub(super) fn gather(&self, now: Instant) -> Duration {
        Duration::from_millis(self.gather_ms()).saturating_sub(self.since(now))
    }

    /// A commit of so many records. A pace that readers have cut into small commits is the same pace.
    pub(super) fn has_committed(&mut self, count: usize, now: Instant) {
        self.committed = now;
        self.counted += count as u64;
        let took = now.saturating_duration_since(self.counted_since);
        if took >= Duration::from_millis(GATHER_MS) {
            let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            self.is_busy = self.counted.saturating_mul(self.gather_ms() * 1_000) >= took_us.saturating_mul(BUSY_RECORDS);
            (self.counted, self.counted_since) = (0, now);
        }
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.committed)
    }

    const fn gather_ms(&self) -> u64 {
        if self.is_busy { GATHER_BUSY_MS } else { GATHER_MS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// A pace after a commit of so many records, so many milliseconds after the one before.
    fn after(pace: &mut Pace, now: &mut Instant, count: usize, ms: u64) -> (Duration, Duration) {
        *now += MS(ms);
        pace.has_committed(count, *now);
        (pace.rest(*now), pace.gather(*now))
    }

    #[test]
    fn who_pays_and_reads_by_turns_never_waits_and_many_are_gathered_whoever_reads() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(after(&mut pace, &mut now, 2, 3), (MS(0), MS(25)), "one client's payments and readings");
        assert_eq!(after(&mut pace, &mut now, 50, 2), (MS(0), MS(25)), "several clients' in one moment");
        assert_eq!(after(&mut pace, &mut now, 25, 25), (MS(40), MS(100)), "many");
        assert_eq!(pace.rest(now + MS(35)), MS(5));
        assert_eq!(pace.gather(now + MS(200)), MS(0));
        assert_eq!(after(&mut pace, &mut now, 80, 40), (MS(40), MS(100)), "in small commits they are as many");
        assert_eq!(after(&mut pace, &mut now, 63, 100), (MS(0), MS(25)), "no longer");
        assert_eq!(after(&mut pace, &mut now, 500, 10_000), (MS(0), MS(25)), "after a pause");
    }
}
