//! What a run has seen so far: counts by outcome and histograms of times. Only requests of the
//! measured window are recorded; the warm-up is not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::answer::{Judged, Outcome};
use crate::feed::Window;
use crate::timeline::Timeline;
use crate::work::Kind;

/// Recorded times are bounded: from 1 µs to an hour, three significant digits.
const TIME_NS_LEAST: u64 = 1_000;
const TIME_NS_MOST: u64 = 3_600_000_000_000;
const TIME_DIGITS: u8 = 3;
/// Histograms that are many, or are cleared several times a second, are kept small.
pub(crate) const COARSE_DIGITS: u8 = 2;

/// One request that is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) sequence: u64,
    /// When it should leave by the plan.
    pub(crate) scheduled: Instant,
    /// When the generator noticed that it is due.
    pub(crate) dispatched: Instant,
    /// Inside the measured window, not in the warm-up.
    pub(crate) measured: bool,
}

/// The times of one exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    pub(crate) slot: Slot,
    pub(crate) kind: Kind,
    /// Since when the connection was free.
    pub(crate) free_since: Instant,
    pub(crate) sent: Instant,
    pub(crate) done: Instant,
}

impl Exchange {
    /// How late the generator was by its own fault. Waiting because every connection was busy is
    /// the target's doing and is not counted: that part ends when this connection became free.
    fn own_lag(&self) -> Duration {
        let noticed_late = self.slot.dispatched.saturating_duration_since(self.slot.scheduled);
        let could_leave = self.slot.dispatched.max(self.free_since);
        noticed_late + self.sent.saturating_duration_since(could_leave)
    }
}

/// Counts of how requests of the measured window ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// Due in the window.
    pub scheduled: u64,
    /// 200, response code 1xx (or any 200 where only the status is checked).
    pub approved: u64,
    /// 200, response code 2xx or 3xx.
    pub declined: u64,
    /// 200, response code 4xx or 0: no decision by the processor.
    pub undecided: u64,
    /// 503.
    pub refused: u64,
    /// Any other HTTP status.
    pub http_errors: u64,
    /// 200 with an unexpected body.
    pub malformed: u64,
    /// No answer: connection faults and time-outs.
    pub transport_errors: u64,
    /// Of these, time-outs.
    pub timeouts: u64,
    /// Never sent: the backlog was full, or the run ended before a connection was free.
    pub unsent: u64,
}

impl Counts {
    /// Answers whose time is in the latency table.
    pub fn answered(&self) -> u64 {
        self.approved + self.declined + self.undecided
    }

    /// Everything that is neither answered nor refused nor unsent.
    pub fn errors(&self) -> u64 {
        self.http_errors + self.malformed + self.transport_errors
    }
}

/// Everything that a run has seen.
pub(crate) struct Recorder {
    pub(crate) counts: Counts,
    pub(crate) sent_all: u64,
    pub(crate) http_statuses: BTreeMap<u16, u64>,
    pub(crate) response_codes: BTreeMap<u16, u64>,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Of each kind that was asked: times of the answered, and how many were not.
    pub(crate) kinds: BTreeMap<Kind, OfKind>,
    pub(crate) timeline: Timeline,
    pub(crate) latency: Histogram<u64>,
    pub(crate) service: Histogram<u64>,
    pub(crate) refused: Histogram<u64>,
    pub(crate) refused_service: Histogram<u64>,
    pub(crate) failed: Histogram<u64>,
    pub(crate) send_lag: Histogram<u64>,
    /// Answers that arrived inside the window, also to requests of the warm-up: what the target got done in it.
    pub(crate) answered_in_window: u64,
    /// The same of refusals.
    pub(crate) refused_in_window: u64,
    window: Window,
    live: Option<Live>,
}

/// One kind of request.
pub(crate) struct OfKind {
    pub(crate) latency: Histogram<u64>,
    pub(crate) not_answered: u64,
}

/// Since the display last looked; the warm-up is in it.
struct Live {
    answered: u64,
    latency: Histogram<u64>,
}

impl Recorder {
    pub(crate) fn new(window: Window, live: bool) -> Self {
        Recorder {
            counts: Counts::default(),
            sent_all: 0,
            http_statuses: BTreeMap::new(),
            response_codes: BTreeMap::new(),
            faults: BTreeMap::new(),
            kinds: BTreeMap::new(),
            timeline: Timeline::new(window),
            latency: histogram(TIME_DIGITS),
            service: histogram(TIME_DIGITS),
            refused: histogram(TIME_DIGITS),
            refused_service: histogram(TIME_DIGITS),
            failed: histogram(TIME_DIGITS),
            send_lag: histogram(TIME_DIGITS),
            answered_in_window: 0,
            refused_in_window: 0,
            window,
            live: live.then(|| Live { answered: 0, latency: histogram(COARSE_DIGITS) }),
        }
    }

    pub(crate) fn exchange(&mut self, exchange: &Exchange, judged: &Judged<'_>) {
        self.sent_all += 1;
        let latency_ns = nanos(exchange.done.saturating_duration_since(exchange.slot.scheduled));
        if let Some(live) = &mut self.live {
            live.answered += u64::from(!matches!(judged.outcome, Outcome::Failed(_)));
            live.latency.saturating_record(latency_ns);
        }
        let answered = matches!(judged.outcome, Outcome::Approved | Outcome::Declined | Outcome::Undecided);
        let in_window = self.window.measures(exchange.done);
        self.timeline.record(exchange.done, latency_ns, judged.outcome);
        self.answered_in_window += u64::from(answered && in_window);
        self.refused_in_window += u64::from(judged.outcome == Outcome::Refused && in_window);
        if !exchange.slot.measured {
            return;
        }
        self.send_lag.saturating_record(nanos(exchange.own_lag()));
        self.count(judged);
        self.count_kind(exchange.kind, answered.then_some(latency_ns));
        let service_ns = nanos(exchange.done.saturating_duration_since(exchange.sent));
        match judged.outcome {
            Outcome::Approved | Outcome::Declined | Outcome::Undecided => {
                self.latency.saturating_record(latency_ns);
                self.service.saturating_record(service_ns);
            }
            Outcome::Refused => {
                self.refused.saturating_record(latency_ns);
                self.refused_service.saturating_record(service_ns);
            }
            Outcome::HttpError | Outcome::Malformed | Outcome::Failed(_) => self.failed.saturating_record(latency_ns),
        }
    }

    fn count_kind(&mut self, kind: Kind, latency_ns: Option<u64>) {
        let fresh = || OfKind { latency: histogram(COARSE_DIGITS), not_answered: 0 };
        let of_kind = self.kinds.entry(kind).or_insert_with(fresh);
        match latency_ns {
            Some(latency_ns) => of_kind.latency.saturating_record(latency_ns),
            None => of_kind.not_answered += 1,
        }
    }

    fn count(&mut self, judged: &Judged<'_>) {
        if let Some(status) = judged.http_status {
            *self.http_statuses.entry(status).or_default() += 1;
        }
        if let Some(sale) = &judged.sale {
            *self.response_codes.entry(sale.response_code).or_default() += 1;
        }
        let counts = &mut self.counts;
        match judged.outcome {
            Outcome::Approved => counts.approved += 1,
            Outcome::Declined => counts.declined += 1,
            Outcome::Undecided => counts.undecided += 1,
            Outcome::Refused => counts.refused += 1,
            Outcome::HttpError => counts.http_errors += 1,
            Outcome::Malformed => counts.malformed += 1,
            Outcome::Failed(fault) => {
                counts.transport_errors += 1;
                counts.timeouts += u64::from(fault == crate::http::Fault::Timeout);
                *self.faults.entry(fault.name()).or_default() += 1;
            }
        }
    }

    /// Answers and their 99th percentile in ns since the last look; then starts afresh.
    pub(crate) fn take_live(&mut self) -> (u64, u64) {
        let Some(live) = &mut self.live else {
            return (0, 0);
        };
        let seen = (live.answered, live.latency.value_at_quantile(0.99));
        live.answered = 0;
        live.latency.reset();
        seen
    }
}

/// A span in whole nanoseconds; spans here are minutes at most.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(TIME_NS_LEAST, TIME_NS_MOST, digits).expect("the bounds are constants that the histogram accepts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_the_generators_own_when_idle_and_the_targets_when_all_connections_were_busy() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let slot = |dispatched| Slot { sequence: 0, scheduled: at(10), dispatched: at(dispatched), measured: true };
        let lag_ms = |dispatched, free_since, sent| {
            let exchange =
                Exchange { slot: slot(dispatched), kind: Kind::Sale, free_since: at(free_since), sent: at(sent), done: at(100) };
            exchange.own_lag().as_millis()
        };
        assert_eq!(lag_ms(10, 0, 10), 0, "on time");
        assert_eq!(lag_ms(30, 0, 30), 20, "noticed late while a connection was idle");
        assert_eq!(lag_ms(10, 0, 30), 20, "noticed in time, sent late by an idle connection");
        assert_eq!(lag_ms(10, 50, 50), 0, "waited for a busy connection");
        assert_eq!(lag_ms(30, 50, 57), 27, "noticed late, and late again after the connection was free");
    }
}
