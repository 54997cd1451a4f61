//! The one clock of the switch. Everything else is told the time.

use protocol::calendar::Micros;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall time as of the start, advanced by the monotonic clock: it never steps, so that a deadline always comes, and comes
/// once. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_at: Micros,
}

impl Clock {
    /// Reads the wall clock once. A run never begins before the second after the newest record of the run before: ids, RRNs, and
    /// trace numbers with their DE7 count within a second, and a second that is lived twice would give them twice. So after
    /// a quick restart the clock is ahead by less than a second, and after the wall clock was set back, by as much as that.
    pub fn start_after(newest_record: Micros) -> Clock {
        // A machine whose clock stands before 1970 has no time at all; zero keeps the switch's own order.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let next_second = Micros(newest_record.seconds().saturating_add(1).saturating_mul(1_000_000));
        Clock { started: Instant::now(), started_at: next_second.max(Micros(whole_micros(since_1970))) }
    }

    /// Now.
    pub fn now(&self) -> Micros {
        Micros(self.started_at.0 + whole_micros(self.started.elapsed()))
    }

    /// How long until a moment; zero when it is past.
    pub fn until(&self, moment: Micros) -> Duration {
        let wait_us = moment.0.saturating_sub(self.now().0);
        Duration::from_micros(u64::try_from(wait_us).unwrap_or(0))
    }
}

fn whole_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_moment_is_no_wait_and_a_far_one_does_not_overflow() {
        let clock = Clock::start_after(Micros::NONE);
        assert_eq!(clock.until(Micros(0)), Duration::ZERO);
        assert!(clock.until(Micros::NEVER) > Duration::from_secs(1 << 30));
        assert!(clock.until(clock.now().plus_ms(60_000)) <= Duration::from_secs(60));
    }

    #[test]
    fn a_second_of_the_run_before_is_not_lived_again() {
        let before = Clock::start_after(Micros::NONE).now();
        let clock = Clock::start_after(before);
        assert_eq!(clock.now().seconds(), before.seconds() + 1);
        let set_back = Clock::start_after(before.plus_s(3600));
        assert!(set_back.now() > before.plus_s(3600));
    }
}
