//! What a run takes of the machine, and what other machines take of it meanwhile.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Time of all cores that the hypervisor gave to other machines, from [`StolenTime::since_now`] on: what was measured meanwhile says more
/// of them than of what was measured.
#[derive(Clone, Copy, Debug)]
pub struct StolenTime(Option<CoreTimes>);

/// Ticks of all cores since the machine's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CoreTimes {
    stolen: u64,
    all: u64,
}

impl StolenTime {
    /// Begins to count.
    pub fn since_now() -> Self {
        StolenTime(CoreTimes::now())
    }

    /// The share of all cores' time that was stolen, percent; none when the system does not tell.
    pub fn percent(self) -> Option<u64> {
        let (before, now) = (self.0?, CoreTimes::now()?);
        // Where no tick passes, or is counted, nothing is known.
        let stolen = now.stolen.saturating_sub(before.stolen) * 100;
        stolen.checked_div(now.all.saturating_sub(before.all))
    }
}

impl CoreTimes {
    fn now() -> Option<Self> {
        CoreTimes::read(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// The first line of `proc_stat(5)`: user, nice, system, idle, iowait, irq, softirq, steal. What follows is part of the first two.
    fn read(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let times: Vec<u64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let [.., stolen] = times[..] else { return None };
        (times.len() == 8).then(|| CoreTimes { stolen, all: times.iter().sum() })
    }
}

/// A run's meter: the calling thread's CPU, the time that passes, and what is stolen.
pub(crate) struct Meter {
    cpu: Duration,
    begun: Instant,
    stolen: StolenTime,
}

/// What a run has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// CPU of the generator's thread.
    pub cpu: Duration,
    pub wall: Duration,
    pub stolen_percent: Option<u64>,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Meter { cpu: thread_cpu(), begun: Instant::now(), stolen: StolenTime::since_now() }
    }

    /// Of the thread that started it.
    pub(crate) fn read(&self) -> Cost {
        Cost { cpu: thread_cpu() - self.cpu, wall: self.begun.elapsed(), stolen_percent: self.stolen.percent() }
    }
}

/// CPU time that the calling thread has used, user and system.
fn thread_cpu() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_counted_once() {
        let times = CoreTimes::read("cpu  100 20 30 400 5 6 7 32 50 3\ncpu0 1 2 3 4 5 6 7 8 9 10\n");
        assert_eq!(times, Some(CoreTimes { stolen: 32, all: 600 }));
    }

    #[test]
    fn what_is_no_such_line_tells_nothing() {
        for stat in ["", "intr 1 2 3\n", "cpu  1 2 3\n", "cpu  1 2 3 4 5 6 7 x\n"] {
            assert_eq!(CoreTimes::read(stat), None, "{stat:?}");
        }
    }
}
