//! A processor's health, from what became of its requests: too many failures open its circuit, and a few payments let through one
//! by one close it again.
//!
//! The circuit steers, it does not refuse: it is asked only where a route names another processor. Each shard judges by its own
//! payments, so that the same inputs give the same choices.

use core::ops::RangeInclusive;
use protocol::calendar::Micros;
use protocol::id::Xid;

/// Resultss of the window in which results are counted.
const SLICES: usize = 8;

/// When a circuit opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Over how long results are counted, seconds.
    pub window_s: u32,
    /// Results in the window before their shares mean anything.
    pub results_min: u32,
    /// Share of requests without an explicit answer that opens the circuit, percent.
    pub timeouts_percent: u32,
    /// Share of requests that failed in whatever way that opens the circuit, percent.
    pub failures_percent: u32,
    /// Failures with no success between them that open the circuit, however few results there are.
    pub in_a_row_max: u32,
    /// How long a circuit stays open the first time, milliseconds; doubled whenever a probe fails.
    pub open_ms: u32,
    /// Bound of that doubling, milliseconds.
    pub open_max_ms: u32,
    /// Probes that must succeed, one after the other, to close the circuit.
    pub probes: u32,
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker {
            window_s: 30,
            results_min: 20,
            timeouts_percent: 25,
            failures_percent: 50,
            in_a_row_max: 5,
            open_ms: 5_000,
            open_max_ms: 60_000,
            probes: 3,
        }
    }
}

impl Breaker {
    /// The first part that is out of its bounds: its name, what was found, and what is accepted.
    pub fn fault(&self) -> Option<(&'static str, u32, RangeInclusive<u32>)> {
        let parts = [
            ("window_s", self.window_s, 1..=3_600),
            ("results_min", self.results_min, 1..=1_000_000),
            ("timeouts_percent", self.timeouts_percent, 1..=100),
            ("failures_percent", self.failures_percent, 1..=100),
            ("in_a_row_max", self.in_a_row_max, 1..=1_000_000),
            ("open_ms", self.open_ms, 1..=3_600_000),
            ("open_max_ms", self.open_max_ms, self.open_ms..=86_400_000),
            ("probes", self.probes, 1..=1_000),
        ];
        parts.into_iter().find(|(_, found, accepted)| !accepted.contains(found))
    }
}

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An explicit answer, a decline too.
    Answered,
    /// An answer that says that the processor is not well.
    Failed,
    /// No explicit answer in time.
    TimedOut,
    /// Provably never written to it: it can't be reached.
    NotSent,
    /// Provably never written to it, for a reason of our own.
    NotTaken,
}

/// Where a circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// Payments go through.
    Closed,
    /// Payments go elsewhere.
    Open {
        /// From when one may go through to see how it fares.
        until: Micros,
        /// How long it is open this time, milliseconds.
        wait_ms: u32,
    },
    /// One payment at a time goes through.
    HalfOpen {
        /// The one that is under way; [`Xid::NONE`] when none is.
        probe: Xid,
        /// How many came back well so far.
        succeeded: u32,
        /// How long the circuit was open last, milliseconds.
        wait_ms: u32,
    },
}

/// What became of requests, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Results {
    /// Explicit answers, declines too.
    pub answered: u32,
    /// Answers that say that the processor is not well, and requests never written to it.
    pub failed: u32,
    /// No explicit answer in time.
    pub timed_out: u32,
}

/// One processor's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    circuit: Circuit,
    slices: [Results; SLICES],
    /// Number of the newest slice, counted from 1970.
    newest: i64,
    in_a_row: u32,
}

impl Default for Health {
    fn default() -> Health {
        Health { circuit: Circuit::Closed, slices: [Results::default(); SLICES], newest: 0, in_a_row: 0 }
    }
}

impl Health {
    /// Where the circuit stands.
    pub fn circuit(&self) -> Circuit {
        self.circuit
    }

    /// True when a payment that could go elsewhere may go through.
    pub fn lets_through(&self, now: Micros) -> bool {
        match self.circuit {
            Circuit::Closed => true,
            Circuit::Open { until, .. } => until <= now,
            Circuit::HalfOpen { probe, .. } => probe.is_none(),
        }
    }

    /// A payment is on its way: where the circuit is not closed, it is the probe, unless there is one.
    pub fn begin(&mut self, id: Xid, now: Micros) {
        match &mut self.circuit {
            Circuit::Closed => {}
            Circuit::Open { until, wait_ms } if *until <= now => {
                self.circuit = Circuit::HalfOpen { probe: id, succeeded: 0, wait_ms: *wait_ms };
            }
            Circuit::Open { .. } => {}
            Circuit::HalfOpen { probe, .. } => {
                if probe.is_none() {
                    *probe = id;
                }
            }
        }
    }

    /// Notes what became of a payment's request.
    pub fn note(&mut self, id: Xid, outcome: Outcome, now: Micros, breaker: &Breaker) {
        if outcome == Outcome::NotTaken {
            return self.withdraw(id);
        }
        self.count(outcome, now, breaker);
        match self.circuit {
            Circuit::Closed => {
                if self.is_ill(breaker) {
                    self.open(breaker.open_ms, now);
                }
            }
            // What was under way when the circuit opened tells nothing new.
            Circuit::Open { .. } => {}
            Circuit::HalfOpen { probe, succeeded, wait_ms } if probe == id => match outcome {
                Outcome::Answered if succeeded + 1 >= breaker.probes => *self = Health::default(),
                Outcome::Answered => {
                    self.circuit = Circuit::HalfOpen { probe: Xid::NONE, succeeded: succeeded + 1, wait_ms };
                }
                Outcome::Failed | Outcome::TimedOut | Outcome::NotSent | Outcome::NotTaken => {
                    self.open(wait_ms.saturating_mul(2).min(breaker.open_max_ms), now);
                }
            },
            Circuit::HalfOpen { .. } => {}
        }
    }

    /// A payment was never on its way: if it was the probe, the next one is.
    fn withdraw(&mut self, id: Xid) {
        if let Circuit::HalfOpen { probe, .. } = &mut self.circuit
            && *probe == id
        {
            *probe = Xid::NONE;
        }
    }

    /// Its link is signed on: an open circuit need not wait any longer for its probe.
    pub fn link_up(&mut self) {
        if let Circuit::Open { wait_ms, .. } = self.circuit {
            self.circuit = Circuit::HalfOpen { probe: Xid::NONE, succeeded: 0, wait_ms };
        }
    }

    /// Its link is gone: nothing can be sent, so nothing needs to fail first.
    pub fn link_down(&mut self, now: Micros, breaker: &Breaker) {
        match self.circuit {
            Circuit::Closed | Circuit::HalfOpen { .. } => self.open(breaker.open_ms, now),
            Circuit::Open { .. } => {}
        }
    }

    fn open(&mut self, wait_ms: u32, now: Micros) {
        self.circuit = Circuit::Open { until: now.plus_ms(wait_ms), wait_ms };
    }

    fn count(&mut self, outcome: Outcome, now: Micros, breaker: &Breaker) {
        let slice = slice_of(now, breaker);
        let begun = (slice - self.newest).clamp(0, SLICES as i64);
        (0..begun).for_each(|back| self.slices[place(slice - back)] = Results::default());
        self.newest = self.newest.max(slice);
        let counts = &mut self.slices[place(self.newest)];
        match outcome {
            Outcome::Answered => counts.answered += 1,
            Outcome::Failed | Outcome::NotSent => counts.failed += 1,
            Outcome::NotTaken => {}
            Outcome::TimedOut => counts.timed_out += 1,
        }
        self.in_a_row = if outcome == Outcome::Answered { 0 } else { self.in_a_row.saturating_add(1) };
    }

    /// What became of the requests of the window that ends now.
    pub fn results(&self, now: Micros, breaker: &Breaker) -> Results {
        let over = (slice_of(now, breaker) - self.newest).clamp(0, SLICES as i64);
        let mut sum = Results::default();
        for back in 0..SLICES as i64 - over {
            let Results { answered, failed, timed_out } = self.slices[place(self.newest - back)];
            sum.answered += answered;
            sum.failed += failed;
            sum.timed_out += timed_out;
        }
        sum
    }

    fn is_ill(&self, breaker: &Breaker) -> bool {
        let sum = |part: fn(&Results) -> u32| self.slices.iter().map(|slice| u64::from(part(slice))).sum::<u64>();
        let (answered, failed, timed_out) =
            (sum(|slice| slice.answered), sum(|slice| slice.failed), sum(|slice| slice.timed_out));
        let all = answered + failed + timed_out;
        let is_share = |part: u64, percent: u32| part * 100 >= all * u64::from(percent);
        let shares_tell = all >= u64::from(breaker.results_min)
            && (is_share(timed_out, breaker.timeouts_percent) || is_share(failed + timed_out, breaker.failures_percent));
        shares_tell || self.in_a_row >= breaker.in_a_row_max
    }
}

/// Number of a moment's slice, counted from 1970.
fn slice_of(moment: Micros, breaker: &Breaker) -> i64 {
    let slice_us = i64::from(breaker.window_s) * 1_000_000 / SLICES as i64;
    moment.0.div_euclid(slice_us.max(1))
}

fn place(slice: i64) -> usize {
    slice.rem_euclid(SLICES as i64) as usize
}
