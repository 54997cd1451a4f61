//! The last five minutes: a reading every second, for the overview.

use crate::metrics::{Distribution, Outcomes, Reading};
use crate::switch::handle::Switch;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// How often the switch is read.
const EVERY: Duration = Duration::from_secs(1);
/// Readings that are kept: five minutes of them.
const KEPT: usize = 301;
/// Percentiles are of so many of the latest readings: a minute.
const MINUTE: usize = 60;

/// Keeps readings. Clones are the same.
#[derive(Clone)]
pub struct Monitor {
    readings: Arc<Mutex<VecDeque<Arc<Reading>>>>,
    came: watch::Receiver<u64>,
}

/// What the overview shows: the newest reading, and what led to it.
#[derive(Clone)]
pub(crate) struct Seen {
    /// Oldest first, one a second; at least one.
    readings: Vec<Arc<Reading>>,
}

impl Monitor {
    /// Reads the switch from now on, until it has gone.
    pub fn start(switch: Switch) -> Monitor {
        let (tell, came) = watch::channel(0);
        let readings = Arc::new(Mutex::new(VecDeque::with_capacity(KEPT)));
        tokio::spawn(keep(switch, Arc::clone(&readings), tell));
        Monitor { readings, came }
    }

    /// Turns with every reading.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.came.clone()
    }

    /// What was read so far; `None` in the first moment of a run.
    pub(crate) fn seen(&self) -> Option<Seen> {
        let readings: Vec<_> = self.readings.lock().iter().cloned().collect();
        (!readings.is_empty()).then_some(Seen { readings })
    }
}

async fn keep(switch: Switch, readings: Arc<Mutex<VecDeque<Arc<Reading>>>>, tell: watch::Sender<u64>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let reading = Arc::new(Reading::take(&switch).await);
        let is_last = reading.readiness.draining;
        {
            let mut readings = readings.lock();
            if readings.len() == KEPT {
                readings.pop_front();
            }
            readings.push_back(reading);
        }
        tell.send_modify(|turn| *turn += 1);
        // Whoever watches ends too, and does not hold up the switch's own end.
        if is_last {
            return;
        }
    }
}

impl Seen {
    /// The newest reading.
    pub(crate) fn now(&self) -> &Reading {
        &self.readings[self.readings.len() - 1]
    }

    /// The reading a minute before it, or the first.
    pub(crate) fn minute_ago(&self) -> &Reading {
        &self.readings[self.readings.len().saturating_sub(MINUTE + 1)]
    }

    /// What was answered between each reading and the next, oldest first, and the milliseconds that it took.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (Outcomes, u64)> + '_ {
        self.readings.windows(2).map(|pair| {
            let took_ms = pair[1].at.0.saturating_sub(pair[0].at.0).max(1) as u64 / 1_000;
            (pair[1].outcomes.since(&pair[0].outcomes), took_ms.max(1))
        })
    }

    /// The last minute of a distribution.
    pub(crate) fn minute_of(&self, of: impl Fn(&Reading) -> Distribution) -> Distribution {
        of(self.now()).since(&of(self.minute_ago()))
    }

    /// A distribution between each reading and the next, oldest first.
    pub(crate) fn each(&self, of: impl Fn(&Reading) -> Distribution) -> Vec<Distribution> {
        let read: Vec<Distribution> = self.readings.iter().map(|reading| of(reading)).collect();
        read.windows(2).map(|pair| pair[1].since(&pair[0])).collect()
    }
}
