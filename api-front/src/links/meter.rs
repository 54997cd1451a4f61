//! What a link has seen lately: answers by kind, and how long they took.
//!
//! The last minute is kept in slots of ten seconds, so that percentiles are of the present and old slots cost nothing.

use crate::limits::{METER_SLOT_S, METER_SLOTS};
use crate::metrics::Distribution;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use protocol::calendar::Micros;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use switch_core::input::Verdict;

/// Longest time that is told apart, microseconds: a terminal's person may take minutes.
const LONGEST_US: u64 = 600_000_000;
/// Digits that a reading is exact to.
const SIGNIFICANT_DIGITS: u8 = 2;

/// Counts of a link, shared by who writes and who reads.
#[derive(Debug, Default)]
pub struct Meter {
    seen: Mutex<Seen>,
    unmatched: AtomicU64,
}

#[derive(Debug, Default)]
struct Seen {
    slots: VecDeque<Slot>,
    totals: Totals,
}

/// What a link has seen since the start.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// What was counted.
    pub counts: Counts,
    /// How long answers took.
    pub waits: Distribution,
}

#[derive(Debug)]
struct Slot {
    begun_at: Micros,
    counts: Counts,
    waits_us: Histogram<u32>,
}

/// Requests by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Given to the connection.
    pub sent: u64,
    /// Approved, in part too, and reversals and totals that were taken.
    pub approved: u64,
    /// Declined or refused.
    pub declined: u64,
    /// Their connection went before an answer came.
    pub lost: u64,
    /// Never written: no connection, no room, no time left.
    pub not_sent: u64,
}

/// The last minute of a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// What was counted.
    pub counts: Counts,
    /// Half of the answers came within this, microseconds.
    pub p50_us: u64,
    /// 95 of 100.
    pub p95_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// All of them.
    pub max_us: u64,
}

impl Meter {
    /// A request was given to the connection.
    pub fn sent(&self, now: Micros) {
        self.count(now, |counts| counts.sent += 1);
    }

    /// An answer came after so long.
    pub fn answered(&self, now: Micros, verdict: Verdict, waited_us: u64) {
        let mut seen = self.seen.lock();
        seen.current(now).waits_us.saturating_record(waited_us.clamp(1, LONGEST_US));
        seen.totals.waits.record(waited_us);
        seen.count(now, |counts| match verdict {
            Verdict::Approved
            | Verdict::AwaitsCustomer
            | Verdict::WithTip { .. }
            | Verdict::Partial { .. }
            | Verdict::Receipt => counts.approved += 1,
            Verdict::Declined(_) | Verdict::TryLater => counts.declined += 1,
        });
    }

    /// A request's connection went.
    pub fn lost(&self, now: Micros) {
        self.count(now, |counts| counts.lost += 1);
    }

    /// A request was given back.
    pub fn not_sent(&self, now: Micros) {
        self.count(now, |counts| counts.not_sent += 1);
    }

    /// So many answers came that belonged to no request, or without the code that authenticates them.
    pub fn unmatched_came(&self, count: u64) {
        self.unmatched.fetch_add(count, Ordering::Relaxed);
    }

    /// Answers since the start that belonged to no request, or were not authenticated.
    pub fn unmatched(&self) -> u64 {
        self.unmatched.load(Ordering::Relaxed)
    }

    fn count(&self, now: Micros, count: impl Fn(&mut Counts)) {
        self.seen.lock().count(now, count);
    }

    /// Everything since the start.
    pub fn totals(&self) -> Totals {
        self.seen.lock().totals.clone()
    }

    /// What the last minute was like.
    pub fn read(&self, now: Micros) -> Reading {
        let (mut reading, mut waits_us) = (Reading::default(), histogram());
        for slot in self.seen.lock().slots.iter().filter(|slot| now < slot.begun_at.plus_s(METER_SLOT_S * METER_SLOTS as u32)) {
            reading.counts.add(&slot.counts);
            // Both have one range and one precision.
            waits_us += &slot.waits_us;
        }
        [reading.p50_us, reading.p95_us, reading.p99_us] = [50, 95, 99].map(|percent| value_at(&waits_us, percent));
        reading.max_us = waits_us.max();
        reading
    }
}

impl Seen {
    fn count(&mut self, now: Micros, count: impl Fn(&mut Counts)) {
        count(&mut self.current(now).counts);
        count(&mut self.totals.counts);
    }

    /// The slot of this moment.
    fn current(&mut self, now: Micros) -> &mut Slot {
        let has_current = self.slots.back().is_some_and(|slot| now < slot.begun_at.plus_s(METER_SLOT_S));
        if !has_current && self.slots.len() == METER_SLOTS {
            self.slots.pop_front();
        }
        match self.slots.pop_back() {
            Some(current) if has_current => self.slots.push_back(current),
            before => {
                self.slots.extend(before);
                self.slots.push_back(Slot::begin(now));
            }
        }
        let last = self.slots.len() - 1;
        &mut self.slots[last]
    }
}

impl Slot {
    fn begin(now: Micros) -> Slot {
        Slot { begun_at: now, counts: Counts::default(), waits_us: histogram() }
    }
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.sent += other.sent;
        self.approved += other.approved;
        self.declined += other.declined;
        self.lost += other.lost;
        self.not_sent += other.not_sent;
    }
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LONGEST_US, SIGNIFICANT_DIGITS).expect("the bounds are constants that fit")
}

#[expect(clippy::float_arithmetic, reason = "the histogram takes quantiles as floats; no money comes near")]
fn value_at(waits_us: &Histogram<u32>, percent: u8) -> u64 {
    if waits_us.is_empty() { 0 } else { waits_us.value_at_quantile(f64::from(percent) / 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::response_code::ResponseCode;

    #[test]
    fn the_last_minute_is_read_and_what_was_before_is_not() {
        let meter = Meter::default();
        meter.answered(Micros(0), Verdict::Declined(ResponseCode(200)), 5_000_000);
        for wait in 1..=100 {
            meter.sent(Micros(61_000_000));
            meter.answered(Micros(61_000_000), Verdict::Approved, wait * 100);
        }
        meter.lost(Micros(75_000_000));
        let reading = meter.read(Micros(76_000_000));
        let counts = Counts { sent: 100, approved: 100, declined: 0, lost: 1, not_sent: 0 };
        assert_eq!(reading.counts, counts);
        assert!((4_950..=5_050).contains(&reading.p50_us) && (9_900..=10_100).contains(&reading.max_us), "{reading:?}");
        assert_eq!(meter.read(Micros(200_000_000)), Reading::default());
        let totals = meter.totals();
        assert_eq!((totals.counts.declined, totals.counts.lost, totals.waits.count()), (1, 1, 101), "totals forget nothing");
    }
}
