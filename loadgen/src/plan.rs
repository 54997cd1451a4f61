//! What one run is to do, as a checked value, and every limit it must respect.
//!
//! Nothing here opens a socket or reads a clock.

use std::path::PathBuf;
use std::time::Duration;

use protocol::id::Xid;

use crate::error::LoadError;
use crate::target::Target;
use crate::work::{Kind, Mix, Skew};

/// Highest open-loop rate that a plan may ask for, in requests per second.
pub const RATE_PER_S_MAX: u32 = 500_000;
/// Longest measured window, in seconds; the warm-up is bounded by it too.
pub const DURATION_S_MAX: u64 = 600;
/// Most keep-alive connections, and so most requests in flight: there is one at a time on each.
pub const CONNECTIONS_MAX: usize = 1_024;
/// Most requests that may be due and still wait for a free connection; past it they are counted as
/// unsent.
pub const BACKLOG_MAX: usize = 1_000_000;
/// Longest answer (head and body) that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Longest time-out of one request, in seconds.
pub const TIMEOUT_S_MAX: u64 = 300;
/// Longest run id, in bytes: with `-` and twelve digits it stays inside the 64 of an idempotency
/// key.
pub const RUN_ID_BYTES_MAX: usize = 40;
/// How late the generator itself may be at its 99th percentile before its latencies are no longer
/// believed, in ms.
pub const SEND_LAG_P99_DEFAULT_MS: u64 = 5;

const _: () = assert!(RUN_ID_BYTES_MAX + 1 + crate::target::SEQUENCE_DIGITS <= 64);
const _: () = assert!(CONNECTIONS_MAX < BACKLOG_MAX);

/// How the send times of an open loop are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Request `i` is due at exactly `i / rate`.
    Grid,
    /// Independent exponential gaps with mean `1 / rate`, drawn from the plan's seed: bursts as
    /// strangers make them.
    Poisson,
}

/// What decides when the next request leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Send times are fixed beforehand, whether or not the target keeps up; latency counts from
    /// them.
    Open {
        /// Requests per second.
        rate_per_s: u32,
        /// Their spread.
        arrivals: Arrivals,
    },
    /// Each connection sends again as soon as it was answered. Shows the highest throughput; its
    /// latencies are service times only, because a slow target is asked less often.
    Closed,
}

/// How the run shows itself on stderr while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Not at all (library use).
    Silent,
    /// One plain line each second.
    Lines,
    /// A bar that is redrawn; for terminals.
    Bar,
}

/// One run, whole.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to, what is sent, how an answer is judged.
    pub target: Target,
    /// What is asked.
    pub mix: Mix,
    /// Of which merchants; as many as the target has API keys of.
    pub skew: Skew,
    /// Settled transactions that refunds may take from, with the merchants' places.
    pub settled: Vec<(u32, Xid)>,
    /// Open or closed loop.
    pub load: Load,
    /// Keep-alive connections; also the bound on requests in flight.
    pub connections: usize,
    /// Sent and answered like the rest, then left out of every figure but the ledger of answers.
    pub warmup: Duration,
    /// The measured window.
    pub duration: Duration,
    /// From the first byte sent to the last byte read of one request.
    pub timeout: Duration,
    /// Due requests that may wait for a connection; see [`BACKLOG_MAX`].
    pub backlog_max: usize,
    /// Bound on the generator's own lag at its 99th percentile; see [`SEND_LAG_P99_DEFAULT_MS`].
    pub send_lag_p99_max: Duration,
    /// Seed of Poisson gaps. What a request holds is drawn from the target's own.
    pub seed: u64,
    /// The ledger of answers: one JSON line is appended for each, as it arrives.
    pub answers: Option<PathBuf>,
    /// Live display.
    pub show: Show,
}

impl Plan {
    /// A plan with the defaults of the command line: 64 connections, 1 s of warm-up, 10 s measured,
    /// 5 s time-out, silent.
    pub fn new(target: Target, load: Load) -> Self {
        Plan {
            seed: target.seed(),
            target,
            mix: Mix::default(),
            skew: Skew::none(),
            settled: Vec::new(),
            load,
            connections: 64,
            warmup: Duration::from_secs(1),
            duration: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            backlog_max: 100_000,
            send_lag_p99_max: Duration::from_millis(SEND_LAG_P99_DEFAULT_MS),
            answers: None,
            show: Show::Silent,
        }
    }

    /// Refuses a plan outside its limits, naming the value and the bound.
    pub fn check(&self) -> Result<(), LoadError> {
        within("shares of the mix", u64::from(self.mix.total()), 0, 100)?;
        within("merchants", self.skew.merchants().into(), 1, self.target.merchants().max(1) as u64)?;
        if let Some(kind) = Kind::ALL.into_iter().find(|kind| self.mix.has(*kind) && !self.target.has(*kind)) {
            return Err(LoadError::Kind { kind: kind.name() });
        }
        if let Load::Open { rate_per_s, .. } = self.load {
            within("rate per second", u64::from(rate_per_s), 1, u64::from(RATE_PER_S_MAX))?;
        }
        within("connections", self.connections as u64, 1, CONNECTIONS_MAX as u64)?;
        within("backlog", self.backlog_max as u64, 1, BACKLOG_MAX as u64)?;
        within("duration in ms", millis(self.duration), 1, DURATION_S_MAX * 1_000)?;
        within("warm-up in ms", millis(self.warmup), 0, DURATION_S_MAX * 1_000)?;
        within("time-out in ms", millis(self.timeout), 1, TIMEOUT_S_MAX * 1_000)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn within(what: &'static str, value: u64, least: u64, most: u64) -> Result<(), LoadError> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(LoadError::OutOfBounds { what, value, least, most }) }
}
