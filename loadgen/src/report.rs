//! What a run found, with the load's shape and what is left out, as a value, a table, JSON and a
//! percentile distribution.
//!
//! Percentiles come from histograms of single requests, never from other percentiles, and go up to
//! the maximum.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::plan::{Arrivals, Load, Plan};
use crate::record::{Counts, Recorder, nanos};

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
    /// The histogram behind `latency` (closed loop: `service`), whatever the verdict; not in the
    /// JSON.
    #[serde(skip)]
    pub histogram: Option<Histogram<u64>>,
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
}

/// The load's shape: enough to send the same again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// `cpu` is what the generator's thread has used in all its run, which took `wall`.
    pub(crate) fn new(plan: &Plan, seen: &Recorder, cpu: Duration, wall: Duration) -> Self {
        let busy_percent = nanos(cpu) * 100 / nanos(wall).max(1);
        let verdict = verdict(plan, &seen.send_lag, busy_percent);
        let per_s = |count: u64| (count as f64 / plan.duration.as_secs_f64() * 10.0).round() / 10.0;
        let believed = |histogram: &Histogram<u64>| (verdict == Verdict::Valid).then(|| Times::of(histogram));
        let open = plan.load != Load::Closed;
        Report {
            latency: if open { believed(&seen.latency) } else { None },
            service: believed(&seen.service),
            refused: believed(&seen.refused),
            refused_service: believed(&seen.refused_service),
            failed: believed(&seen.failed),
            verdict,
            machine: Machine::this(),
            shape: Shape::of(plan),
            counts: seen.counts,
            http_statuses: seen.http_statuses.clone(),
            response_codes: seen.response_codes.clone(),
            transport_errors: seen.faults.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
            answered_per_s: per_s(seen.answered_in_window),
            refused_per_s: per_s(seen.refused_in_window),
            send_lag: Times::of(&seen.send_lag),
            generator_cpu_ns_per_request: nanos(cpu) / seen.sent_all.max(1),
            generator_busy_percent: busy_percent,
            excluded: excluded(plan, &seen.counts),
            histogram: Some(if open { seen.latency.clone() } else { seen.service.clone() }),
        }
    }

    /// The result as a table for people.
    pub fn table(&self) -> String {
        let mut out = String::new();
        // Writing to a string can't fail.
        let _ = self.write_table(&mut out);
        out
    }

    fn write_table(&self, out: &mut String) -> std::fmt::Result {
        self.write_shape(out)?;
        self.write_counts(out)?;
        match self.verdict {
            Verdict::Valid => self.write_times(out)?,
            Verdict::GeneratorSaturated { send_lag_p99_ns, bound_ns } => writeln!(
                out,
                "\nGENERATOR SATURATED: it was itself {} ms late at p99 (bound {} ms) while connections were free.\n\
                 Latencies are withheld: they would show the generator, not the target. Lower the rate or free a core.",
                ms(send_lag_p99_ns),
                ms(bound_ns)
            )?,
            Verdict::GeneratorBusy { busy_percent } => writeln!(
                out,
                "\nGENERATOR SATURATED: its thread was busy for {busy_percent} % of the run. Latencies are withheld, and the rates\n\
                 are the generator's. Lower the rate or free a core."
            )?,
        }
        if self.fell_behind() {
            writeln!(out, "\nTHE TARGET FELL BEHIND: requests piled up, so latencies grow with the length of the run.")?;
        }
        let (per_request, busy) = (micros(self.generator_cpu_ns_per_request), self.generator_busy_percent);
        writeln!(out, "\ngenerator  {per_request} µs of CPU per request, {busy} % of a core")?;
        self.excluded.iter().try_for_each(|left_out| writeln!(out, "left out   {left_out}"))
    }

    /// Some requests never left, or every answer was a good one and yet a tenth of them came after the window.
    fn fell_behind(&self) -> bool {
        let requested = self.shape.rate_per_s.map_or(0.0, f64::from);
        let only_late = self.counts.errors() + self.counts.refused == 0 && self.answered_per_s < 0.9 * requested;
        self.counts.unsent > 0 || only_late
    }

    fn write_shape(&self, out: &mut String) -> std::fmt::Result {
        let shape = &self.shape;
        match (&shape.arrivals, shape.rate_per_s) {
            (Some(arrivals), Some(rate)) => write!(out, "open loop, {rate}/s, {arrivals} arrivals")?,
            _ => write!(out, "CLOSED LOOP (each connection waits for its answer: throughput, not latency under load)")?,
        }
        writeln!(
            out,
            ", {} connections with {} in flight, {} ms measured after {} ms of warm-up",
            shape.connections, shape.in_flight_each, shape.duration_ms, shape.warmup_ms
        )?;
        if shape.batch > 1 {
            writeln!(out, "frames     of {} requests", shape.batch)?;
        }
        writeln!(out, "target     {}", shape.target)?;
        writeln!(
            out,
            "machine    {} cores shared by both sides, {}, Linux {}",
            self.machine.cores, self.machine.cpu, self.machine.kernel
        )?;
        writeln!(out, "run        {}, seed {}\n", shape.run_id, shape.seed)
    }

    fn write_counts(&self, out: &mut String) -> std::fmt::Result {
        let counts = &self.counts;
        writeln!(out, "scheduled {:>10}   answered {:.1}/s", counts.scheduled, self.answered_per_s)?;
        writeln!(out, "ok        {:>10}", counts.approved)?;
        writeln!(out, "declined  {:>10}", counts.declined)?;
        writeln!(out, "undecided {:>10}", counts.undecided)?;
        writeln!(out, "refused   {:>10}   (503) {:.1}/s", counts.refused, self.refused_per_s)?;
        writeln!(out, "errors    {:>10}   time-outs {}", counts.errors(), counts.timeouts)?;
        writeln!(out, "unsent    {:>10}", counts.unsent)?;
        writeln!(out, "HTTP       {}", listed(&self.http_statuses))?;
        writeln!(out, "codes      {}", listed(&self.response_codes))?;
        writeln!(out, "transport  {}", listed(&self.transport_errors))
    }

    fn write_times(&self, out: &mut String) -> std::fmt::Result {
        let heads = ["min", "p50", "p90", "p99", "p99.9", "max"].map(|head| format!("{head:>9}")).concat();
        writeln!(out, "\nms                  {heads}     count")?;
        let rows = [
            ("latency (scheduled)", self.latency),
            ("service (sent)", self.service),
            ("refused (scheduled)", self.refused),
            ("refused (sent)", self.refused_service),
            ("failed (scheduled)", self.failed),
            ("generator's own lag", self.latency.map(|_| self.send_lag)),
        ];
        for (name, times) in rows.into_iter().filter_map(|(name, times)| times.map(|times| (name, times))) {
            if times.count > 0 {
                writeln!(out, "{name:<20}{} {:>9}", row(&times), times.count)?;
            }
        }
        Ok(())
    }

    /// The whole distribution in the text form that HdrHistogram plotters read (.hgrm), in
    /// milliseconds. None when withheld.
    pub fn distribution(&self) -> Option<String> {
        if self.verdict != Verdict::Valid {
            return None;
        }
        let histogram = self.histogram.as_ref()?;
        let mut out = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
        let mut total = 0;
        for step in histogram.iter_quantiles(5) {
            total += step.count_since_last_iteration();
            let value = ms(step.value_iterated_to());
            let quantile = step.quantile_iterated_to();
            let _ = writeln!(out, "{value:>12} {quantile:>14.12} {total:>10} {:>14.2}", 1.0 / (1.0 - quantile));
        }
        Some(out)
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
    fn this() -> Self {
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: model.unwrap_or("unknown processor").to_owned(),
            kernel: kernel.trim().to_owned(),
        }
    }
}

fn row(times: &Times) -> String {
    let columns = [times.min_ns, times.p50_ns, times.p90_ns, times.p99_ns, times.p999_ns, times.max_ns];
    columns.map(|ns| format!("{:>9}", ms(ns))).concat()
}

fn listed<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    counts.iter().map(|(what, count)| format!("{what}: {count}")).collect::<Vec<_>>().join("  ")
}

fn ms(ns: u64) -> String {
    format!("{:.3}", ns as f64 / 1e6)
}

fn micros(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1e3)
}
