//! How a processor stands in all shards together.

use protocol::calendar::Micros;
use switch_core::routing::{Circuit, Results};
use switch_core::{BatchCounts, ProcessorReport};

/// The shards' reports, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Requests that are not decided.
    pub in_flight: u64,
    /// Requests that became unknown, since the start.
    pub unknowns: u64,
    /// Answers that came after their deadline, since the start.
    pub late_answers: u64,
    /// Reversals sent, repeats included, since the start.
    pub reversals_sent: u64,
    /// Reversals acknowledged since the start.
    pub reversals_done: u64,
    /// Reversals that wait: the depth of its store-and-forward queue.
    pub reversals_queued: u64,
    /// Of those, the ones that wait for too long.
    pub reversals_stuck: u64,
    /// When the oldest of those was queued; [`Micros::NONE`] when none waits.
    pub oldest_reversal_at: Micros,
    /// Shards by their circuit: closed, half open, open.
    pub circuits: [u32; 3],
    /// What became of its latest requests.
    pub results: Results,
    /// Its batches that are not complete.
    pub batches: BatchCounts,
}

impl Standing {
    /// Of all shards' reports.
    pub fn of(reports: &[ProcessorReport]) -> Standing {
        reports.iter().fold(Standing::default(), Standing::with)
    }

    fn with(mut self, report: &ProcessorReport) -> Standing {
        let ProcessorReport { state: _, circuit, counts, reversals_queued, reversals_stuck, .. } = *report;
        self.in_flight += u64::from(counts.in_flight);
        self.unknowns += counts.unknowns;
        self.late_answers += counts.late_answers;
        self.reversals_sent += counts.reversals_sent;
        self.reversals_done += counts.reversals_done;
        self.reversals_queued += u64::from(reversals_queued);
        self.reversals_stuck += u64::from(reversals_stuck);
        self.oldest_reversal_at = older(self.oldest_reversal_at, report.oldest_reversal_at);
        self.circuits[place(&circuit)] += 1;
        self.add_results(&report.results);
        self.add_batches(&report.batches);
        self
    }

    fn add_results(&mut self, Results { answered, failed, timed_out }: &Results) {
        self.results.answered += answered;
        self.results.failed += failed;
        self.results.timed_out += timed_out;
    }

    fn add_batches(&mut self, BatchCounts { open, closing, accepted, rejected, members }: &BatchCounts) {
        self.batches.open += open;
        self.batches.closing += closing;
        self.batches.accepted += accepted;
        self.batches.rejected += rejected;
        self.batches.members += members;
    }

    /// How the shards' circuits stand, in one word: that of the shard that is worst off.
    pub fn circuit(&self) -> &'static str {
        match self.circuits {
            [_, 0, 0] => "closed",
            [_, _, 0] => "half_open",
            [_, _, _] => "open",
        }
    }

    /// Requests without an explicit answer in time among the latest ones, hundredths of a percent; `None` when there were none.
    pub fn timeout_rate_bp(&self) -> Option<u64> {
        let Results { answered, failed, timed_out } = self.results;
        share_bp(timed_out.into(), u64::from(answered) + u64::from(failed) + u64::from(timed_out))
    }
}

/// A share in hundredths of a percent; `None` of nothing.
pub fn share_bp(part: u64, whole: u64) -> Option<u64> {
    part.saturating_mul(10_000).checked_div(whole)
}

fn older(one: Micros, other: Micros) -> Micros {
    match (one.is_none(), other.is_none()) {
        (true, _) => other,
        (false, true) => one,
        (false, false) => one.min(other),
    }
}

fn place(circuit: &Circuit) -> usize {
    match circuit {
        Circuit::Closed => 0,
        Circuit::HalfOpen { .. } => 1,
        Circuit::Open { .. } => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switch_core::ProcessorCounts;
    use switch_core::input::ProcessorState;

    fn report(queued: u32, oldest: i64, circuit: Circuit) -> ProcessorReport {
        ProcessorReport {
            state: ProcessorState::Enabled,
            circuit,
            counts: ProcessorCounts { in_flight: 2, late_answers: 1, ..ProcessorCounts::default() },
            reversals_queued: queued,
            reversals_stuck: queued,
            oldest_reversal_at: Micros(oldest),
            results: Results { answered: 9, failed: 0, timed_out: 1 },
            batches: BatchCounts { open: 1, members: 4, ..BatchCounts::default() },
        }
    }

    #[test]
    fn the_worst_circuit_and_the_oldest_reversal_are_told() {
        let open = Circuit::Open { until: Micros(9), wait_ms: 1 };
        let standing = Standing::of(&[report(0, 0, Circuit::Closed), report(2, 50, open), report(1, 40, Circuit::Closed)]);
        assert_eq!((standing.in_flight, standing.late_answers, standing.reversals_queued), (6, 3, 3));
        assert_eq!((standing.oldest_reversal_at, standing.circuit()), (Micros(40), "open"));
        assert_eq!((standing.timeout_rate_bp(), standing.batches.members), (Some(1_000), 12));
        let none = Standing::of(&[]);
        assert_eq!((none.circuit(), none.timeout_rate_bp()), ("closed", None));
    }
}
