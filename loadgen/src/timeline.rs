//! A run cut into equal slices of time: what was answered in each, and how long it took.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::answer::Outcome;
use crate::feed::Window;
use crate::record::{COARSE_DIGITS, histogram, nanos};

/// Slices of a run, about.
const SLICES: u32 = 100;
/// Shortest slice: with fewer answers in it a percentile says little.
const SLICE_LEAST: Duration = Duration::from_millis(250);

/// One slice of the measured window, by the time at which answers came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Its beginning, ms since the measured window began.
    pub from_ms: u64,
    /// Its length, ms.
    pub length_ms: u64,
    /// Answers.
    pub answered: u64,
    /// Refusals.
    pub refused: u64,
    /// Neither.
    pub failed: u64,
    /// Median of the answers' times from the schedule (closed loop: from the sending), ns; 0 without answers.
    pub p50_ns: u64,
    /// Their 99th percentile, ns.
    pub p99_ns: u64,
    /// The longest, ns.
    pub max_ns: u64,
}

/// The slices, as they fill.
pub(crate) struct Timeline {
    window: Window,
    length: Duration,
    done: Vec<Slice>,
    current: Slice,
    place: u64,
    times: Histogram<u64>,
}

impl Timeline {
    pub(crate) fn new(window: Window) -> Timeline {
        let length = ((window.end - window.measured_from) / SLICES).max(SLICE_LEAST);
        Timeline { window, length, done: Vec::new(), current: Slice::default(), place: 0, times: histogram(COARSE_DIGITS) }
    }

    /// Answers come in the order of their times, but for neighbours that cross: those are counted in the later slice.
    pub(crate) fn record(&mut self, done: Instant, latency_ns: u64, outcome: Outcome) {
        if !self.window.measures(done) {
            return;
        }
        let place = nanos(done - self.window.measured_from) / nanos(self.length);
        while self.place < place {
            self.close();
        }
        match outcome {
            Outcome::Approved | Outcome::Declined | Outcome::Undecided => {
                self.current.answered += 1;
                self.times.saturating_record(latency_ns);
            }
            Outcome::Refused => self.current.refused += 1,
            Outcome::HttpError | Outcome::Malformed | Outcome::Failed(_) => self.current.failed += 1,
        }
    }

    fn close(&mut self) {
        let slice = self.closed();
        self.done.push(slice);
        self.place += 1;
        self.current = Slice::default();
        self.times.reset();
    }

    fn closed(&self) -> Slice {
        let length_ms = nanos(self.length) / 1_000_000;
        let time = |quantile| self.times.value_at_quantile(quantile);
        let times = if self.times.is_empty() { [0; 3] } else { [time(0.5), time(0.99), self.times.max()] };
        let [p50_ns, p99_ns, max_ns] = times;
        Slice { from_ms: self.place * length_ms, length_ms, p50_ns, p99_ns, max_ns, ..self.current }
    }

    /// All slices, the one under way too.
    pub(crate) fn slices(&self) -> Vec<Slice> {
        self.done.iter().copied().chain([self.closed()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_in_the_slice_of_their_time_and_a_silence_is_an_empty_one() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let window = Window { start, measured_from: at(1_000), end: at(26_000), give_up: at(27_000) };
        let mut timeline = Timeline::new(window);
        for (ms, outcome) in [
            (999, Outcome::Approved),
            (1_000, Outcome::Approved),
            (1_249, Outcome::Refused),
            (1_800, Outcome::Declined),
            (1_790, Outcome::Malformed),
            (26_000, Outcome::Approved),
        ] {
            timeline.record(at(ms), ms * 1_000, outcome);
        }
        let slices = timeline.slices();
        let counts: Vec<_> = slices.iter().map(|slice| (slice.from_ms, slice.answered, slice.refused, slice.failed)).collect();
        assert_eq!(counts, [(0, 1, 1, 0), (250, 0, 0, 0), (500, 0, 0, 0), (750, 1, 0, 1)]);
        assert_eq!((slices[1].p99_ns, slices[0].length_ms), (0, 250));
        assert!((990_000..=1_010_000).contains(&slices[0].p50_ns), "{:?}", slices[0]);
    }
}
