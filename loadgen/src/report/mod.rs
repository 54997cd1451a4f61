//! What a run found, with the load's shape and what is left out, as a value, a table, JSON and a
//! percentile distribution.
//!
//! Percentiles come from histograms of single requests, never from other percentiles, and go up to
//! the maximum.

mod compare;
mod page;
mod plot;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::cost::Cost;
use crate::plan::{Arrivals, Load, Plan};
use crate::record::{Counts, OfKind, Recorder, nanos};
use crate::timeline::Slice;
use crate::work::Kind;
pub use compare::compare;
pub use page::page;

/// A run's result.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Whether the times may be believed.
    pub verdict: Verdict,
    /// The machine that both sides shared.
    pub machine: Machine,
    /// The load's shape.
    pub shape: Shape,
    /// How requests ended.
    pub counts: Counts,
    /// Answers by HTTP status.
    pub http_statuses: BTreeMap<u16, u64>,
    /// Transactions by gateway response code.
    pub response_codes: BTreeMap<u16, u64>,
    /// Requests without an answer, by kind of fault.
    pub transport_errors: BTreeMap<String, u64>,
    /// Answers (not refusals) that arrived inside the window, over its length, rounded to a tenth. Answers to requests of
    /// the warm-up are among them and late ones are not: it is what the target got done.
    pub answered_per_s: f64,
    /// The same of refusals.
    pub refused_per_s: f64,
    /// From the scheduled send time to the last byte of the answer; open loop only. None when the
    /// generator was saturated.
    pub latency: Option<Times>,
    /// From the actual send time. None when the generator was saturated.
    pub service: Option<Times>,
    /// Of the 503s, from the scheduled time (closed loop: from the send). None when the generator
    /// was saturated.
    pub refused: Option<Times>,
    /// Of the 503s, from the actual send time: how soon it was said, without the wait for a free connection.
    pub refused_service: Option<Times>,
    /// Of requests that were neither answered nor refused, until they were known to have failed; from the scheduled time.
    pub failed: Option<Times>,
    /// How late the generator was by its own fault; always there.
    pub send_lag: Times,
    /// CPU of the generator's thread per request sent, warm-up included; ns.
    pub generator_cpu_ns_per_request: u64,
    /// CPU of the generator's thread over the run's length, percent.
    pub generator_busy_percent: u64,
    /// What the figures leave out.
    pub excluded: Vec<String>,
    /// Each kind of request that was sent.
    #[serde(default)]
    pub kinds: BTreeMap<Kind, KindTimes>,
    /// `latency` (closed loop: `service`) by percentile; empty when the generator was saturated.
    #[serde(default)]
    pub curve: Vec<Quantile>,
    /// The measured window in slices; empty when the generator was saturated.
    #[serde(default)]
    pub timeline: Vec<Slice>,
    /// The histogram behind `latency` (closed loop: `service`), whatever the verdict; not in the
    /// JSON.
    #[serde(skip)]
    pub histogram: Option<Histogram<u64>>,
}

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindTimes {
    /// Answered.
    pub answered: u64,
    /// Refused or failed.
    pub not_answered: u64,
    /// Median of the answered, from the scheduled time (closed loop: from the send), ns; none when the generator was saturated.
    pub p50_ns: Option<u64>,
    /// Their 99th percentile, ns.
    pub p99_ns: Option<u64>,
}

impl KindTimes {
    fn of(seen: &OfKind, is_valid: bool) -> KindTimes {
        let time = |quantile| (is_valid && !seen.latency.is_empty()).then(|| seen.latency.value_at_quantile(quantile));
        let (answered, not_answered) = (seen.latency.len(), seen.not_answered);
        KindTimes { answered, not_answered, p50_ns: time(0.5), p99_ns: time(0.99) }
    }
}

/// A point of the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// From 0 to 1.
    pub quantile: f64,
    /// So much or less took that part of all, ns.
    pub ns: u64,
}

/// Steps of the curve for each halving of what is left above.
const CURVE_TICKS: u32 = 5;

fn curve(histogram: &Histogram<u64>) -> Vec<Quantile> {
    let step = |ns, quantile| Quantile { quantile, ns };
    histogram.iter_quantiles(CURVE_TICKS).map(|at| step(at.value_iterated_to(), at.quantile_iterated_to())).collect()
}

/// Whether the generator kept its own schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Verdict {
    /// It did.
    Valid,
    /// It did not, and that was not because all connections were busy: times are withheld.
    GeneratorSaturated {
        /// Its lag at the 99th percentile, ns.
        send_lag_p99_ns: u64,
        /// The bound, ns.
        bound_ns: u64,
    },
    /// Its thread never waited: what it sent and read was all that it could, and the figures are its own.
    GeneratorBusy {
        /// CPU over the run's length, percent.
        busy_percent: u64,
    },
}

/// From here on the generator's thread counts as never waiting, percent.
const BUSY_PERCENT_MAX: u64 = 95;

/// Where the run took place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Model name of the first core, if the system tells.
    pub cpu: String,
    /// Kernel release, if the system tells.
    pub kernel: String,
    /// Of all cores' time, what the hypervisor gave to other machines during the run, warm-up included; none where the system does not
    /// tell. Percentiles of a run that lost much of its time are those of the neighbours.
    #[serde(default)]
    pub stolen_percent: Option<u64>,
}

/// The load's shape: enough to send the same again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// `open` or `closed`.
    #[serde(rename = "loop")]
    pub loop_kind: String,
    /// `grid` or `poisson`; none in a closed loop.
    pub arrivals: Option<String>,
    /// Requested; none in a closed loop.
    pub rate_per_s: Option<u32>,
    /// Keep-alive connections.
    pub connections: usize,
    /// Requests in flight on each at most.
    pub in_flight_each: u32,
    /// Requests of one frame; 1 over REST.
    pub batch: u16,
    /// What was asked, in hundredths.
    #[serde(default)]
    pub mix: String,
    /// Merchants that asked.
    #[serde(default)]
    pub merchants: u32,
    /// Exponent of their skew (Zipf); 0 for all alike.
    #[serde(default)]
    pub zipf: f64,
    /// Measured window, ms.
    pub duration_ms: u64,
    /// Excluded before it, ms.
    pub warmup_ms: u64,
    /// Of one request, ms.
    pub timeout_ms: u64,
    /// Due requests that may wait for a connection.
    pub backlog_max: usize,
    /// Of arrivals, cards and amounts.
    pub seed: u64,
    /// Prefix of the run's idempotency keys.
    pub run_id: String,
    /// Where to.
    pub target: String,
}

/// One histogram's percentiles, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Requests in it.
    pub count: u64,
    /// Lowest.
    pub min_ns: u64,
    /// Median.
    pub p50_ns: u64,
    /// 90th percentile.
    pub p90_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Highest.
    pub max_ns: u64,
}

impl Times {
    fn of(histogram: &Histogram<u64>) -> Self {
        Times {
            count: histogram.len(),
            min_ns: histogram.min(),
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        }
    }
}

impl Report {
    /// `cost` is that of the whole run.
    pub(crate) fn new(plan: &Plan, seen: &Recorder, cost: &Cost) -> Self {
        let busy_percent = nanos(cost.cpu) * 100 / nanos(cost.wall).max(1);
        let verdict = verdict(plan, &seen.send_lag, busy_percent);
        let per_s = |count: u64| (count as f64 / plan.duration.as_secs_f64() * 10.0).round() / 10.0;
        let believed = |histogram: &Histogram<u64>| (verdict == Verdict::Valid).then(|| Times::of(histogram));
        let open = plan.load != Load::Closed;
        let is_valid = verdict == Verdict::Valid;
        let histogram = if open { &seen.latency } else { &seen.service };
        Report {
            kinds: seen.kinds.iter().map(|(kind, seen)| (*kind, KindTimes::of(seen, is_valid))).collect(),
            curve: if is_valid { curve(histogram) } else { Vec::new() },
            timeline: if is_valid { seen.timeline.slices() } else { Vec::new() },
            latency: if open { believed(&seen.latency) } else { None },
            service: believed(&seen.service),
            refused: believed(&seen.refused),
            refused_service: believed(&seen.refused_service),
            failed: believed(&seen.failed),
            verdict,
            machine: Machine { stolen_percent: cost.stolen_percent, ..Machine::this() },
            shape: Shape::of(plan),
            counts: seen.counts,
            http_statuses: seen.http_statuses.clone(),
            response_codes: seen.response_codes.clone(),
            transport_errors: seen.faults.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
            answered_per_s: per_s(seen.answered_in_window),
            refused_per_s: per_s(seen.refused_in_window),
            send_lag: Times::of(&seen.send_lag),
            generator_cpu_ns_per_request: nanos(cost.cpu) / seen.sent_all.max(1),
            generator_busy_percent: busy_percent,
            excluded: excluded(plan, &seen.counts),
            histogram: Some(histogram.clone()),
        }
    }
}

fn verdict(plan: &Plan, send_lag: &Histogram<u64>, busy_percent: u64) -> Verdict {
    if busy_percent >= BUSY_PERCENT_MAX {
        return Verdict::GeneratorBusy { busy_percent };
    }
    let send_lag_p99_ns = send_lag.value_at_quantile(0.99);
    let bound_ns = nanos(plan.send_lag_p99_max);
    // A closed loop has no schedule to be late for.
    if plan.load == Load::Closed || send_lag_p99_ns <= bound_ns {
        Verdict::Valid
    } else {
        Verdict::GeneratorSaturated { send_lag_p99_ns, bound_ns }
    }
}

fn excluded(plan: &Plan, counts: &Counts) -> Vec<String> {
    let mut excluded = vec![
        format!("the first {} ms (warm-up)", plan.warmup.as_millis()),
        "opening of connections before the run".to_owned(),
        "network: both sides are on one machine".to_owned(),
    ];
    let without_time = counts.errors() + counts.unsent;
    if without_time > 0 {
        excluded.push(format!(
            "{without_time} requests without a usable answer have no time in the tables: read the percentiles as lower bounds"
        ));
    }
    excluded
}

impl Shape {
    fn of(plan: &Plan) -> Self {
        let (arrivals, rate_per_s) = match plan.load {
            Load::Open { rate_per_s, arrivals: Arrivals::Grid } => (Some("grid"), Some(rate_per_s)),
            Load::Open { rate_per_s, arrivals: Arrivals::Poisson } => (Some("poisson"), Some(rate_per_s)),
            Load::Closed => (None, None),
        };
        let whole_ms = |span: Duration| nanos(span) / 1_000_000;
        Shape {
            loop_kind: if rate_per_s.is_some() { "open" } else { "closed" }.to_owned(),
            arrivals: arrivals.map(str::to_owned),
            rate_per_s,
            connections: plan.connections,
            in_flight_each: 1,
            batch: 1,
            mix: plan.mix.to_string(),
            merchants: plan.skew.merchants(),
            zipf: plan.skew.exponent(),
            duration_ms: whole_ms(plan.duration),
            warmup_ms: whole_ms(plan.warmup),
            timeout_ms: whole_ms(plan.timeout),
            backlog_max: plan.backlog_max,
            seed: plan.seed,
            run_id: plan.target.run_id().to_owned(),
            target: plan.target.url(),
        }
    }
}

impl Machine {
    /// What is the same in every run.
    fn this() -> Self {
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: model.unwrap_or("unknown processor").to_owned(),
            kernel: kernel.trim().to_owned(),
            stolen_percent: None,
        }
    }

    /// To stand behind the number of cores.
    fn stolen(&self) -> String {
        self.stolen_percent.map_or(String::new(), |percent| format!(", {percent} % of them given to other machines meanwhile"))
    }
}
