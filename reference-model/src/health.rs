//! A processor's health: too many failures open its circuit, payments that come back well close it again.
//!
//! Results count for a window of eight slices, counted from 1970, the present one among them. A circuit that closes begins with none.

use protocol::calendar::Micros;
use protocol::id::Xid;
use switch_core::routing::{Breaker, Circuit, Outcome};

/// Slices of a window.
const SLICES: i64 = 8;

/// What became of a processor's requests, and where that has led its circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Health {
    circuit: Circuit,
    results: Vec<(Micros, Outcome)>,
}

impl Default for Health {
    fn default() -> Health {
        Health { circuit: Circuit::Closed, results: Vec::new() }
    }
}

impl Health {
    /// Whether a payment that could go elsewhere may go here.
    pub(crate) fn lets_through(&self, now: Micros) -> bool {
        match self.circuit {
            Circuit::Closed => true,
            Circuit::Open { until, .. } => until <= now,
            Circuit::HalfOpen { probe, .. } => probe.is_none(),
        }
    }

    /// A payment is on its way. The first one past the end of an open circuit's time is its probe, and so is the next after each.
    pub(crate) fn begin(&mut self, id: Xid, now: Micros) {
        match self.circuit {
            Circuit::Open { until, wait_ms } if until <= now => {
                self.circuit = Circuit::HalfOpen { probe: id, succeeded: 0, wait_ms };
            }
            Circuit::HalfOpen { probe, succeeded, wait_ms } if probe.is_none() => {
                self.circuit = Circuit::HalfOpen { probe: id, succeeded, wait_ms };
            }
            Circuit::Closed | Circuit::Open { .. } | Circuit::HalfOpen { .. } => {}
        }
    }

    /// A payment's request came to this. What was not even tried says nothing of the processor; if it was the probe, the next one is.
    pub(crate) fn note(&mut self, id: Xid, outcome: Outcome, now: Micros, breaker: &Breaker) {
        if outcome != Outcome::NotTaken {
            self.results.push((now, outcome));
        }
        match self.circuit {
            Circuit::Closed if outcome != Outcome::NotTaken && self.is_ill(now, breaker) => self.open(breaker.open_ms, now),
            Circuit::HalfOpen { probe, succeeded, wait_ms } if probe == id => match outcome {
                Outcome::Answered if succeeded + 1 >= breaker.probes => *self = Health::default(),
                Outcome::Answered => {
                    self.circuit = Circuit::HalfOpen { probe: Xid::NONE, succeeded: succeeded + 1, wait_ms };
                }
                Outcome::NotTaken => self.circuit = Circuit::HalfOpen { probe: Xid::NONE, succeeded, wait_ms },
                Outcome::Failed | Outcome::TimedOut | Outcome::NotSent => {
                    self.open(wait_ms.saturating_mul(2).min(breaker.open_max_ms), now);
                }
            },
            Circuit::Closed | Circuit::Open { .. } | Circuit::HalfOpen { .. } => {}
        }
    }

    /// Its link is up: what was open waits no longer for its probe.
    pub(crate) fn link_up(&mut self) {
        if let Circuit::Open { wait_ms, .. } = self.circuit {
            self.circuit = Circuit::HalfOpen { probe: Xid::NONE, succeeded: 0, wait_ms };
        }
    }

    /// Its link is gone.
    pub(crate) fn link_down(&mut self, now: Micros, breaker: &Breaker) {
        if !matches!(self.circuit, Circuit::Open { .. }) {
            self.open(breaker.open_ms, now);
        }
    }

    fn open(&mut self, wait_ms: u32, now: Micros) {
        self.circuit = Circuit::Open { until: now.plus_ms(wait_ms), wait_ms };
    }

    fn is_ill(&self, now: Micros, breaker: &Breaker) -> bool {
        let slice = |moment: Micros| moment.0.div_euclid(i64::from(breaker.window_s) * 1_000_000 / SLICES);
        let recent =
            || self.results.iter().filter(|(moment, _)| slice(*moment) + SLICES > slice(now)).map(|(_, outcome)| *outcome);
        let percent = |count: usize| count * 100 / recent().count().max(1);
        let timed_out = recent().filter(|outcome| *outcome == Outcome::TimedOut).count();
        let failed = recent().filter(|outcome| *outcome != Outcome::Answered).count();
        let in_a_row = self.results.iter().rev().take_while(|(_, outcome)| *outcome != Outcome::Answered).count();
        let shares_tell = recent().count() >= breaker.results_min as usize
            && (percent(timed_out) >= breaker.timeouts_percent as usize || percent(failed) >= breaker.failures_percent as usize);
        shares_tell || in_a_row >= breaker.in_a_row_max as usize
    }
}
