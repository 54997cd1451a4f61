//! The result as text: a table for people, and the distribution for plotters.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Report, Shape, Times, Verdict};

impl Report {
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
    pub(super) fn fell_behind(&self) -> bool {
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
        writeln!(out, "asked      {} (hundredths) by {}", shape.mix, shape.askers())?;
        writeln!(
            out,
            "machine    {} cores shared by both sides{}, {}, Linux {}",
            self.machine.cores,
            self.machine.stolen(),
            self.machine.cpu,
            self.machine.kernel
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
        self.write_kinds(out)
    }

    fn write_kinds(&self, out: &mut String) -> std::fmt::Result {
        if self.kinds.len() < 2 {
            return Ok(());
        }
        writeln!(out, "\nms                  {:>9}{:>9}  answered       not", "p50", "p99")?;
        for (kind, times) in &self.kinds {
            let [p50, p99] = [times.p50_ns, times.p99_ns].map(|ns| ns.map_or("-".to_owned(), ms));
            writeln!(out, "{:<20}{p50:>9}{p99:>9} {:>9} {:>9}", kind.name(), times.answered, times.not_answered)?;
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

impl Shape {
    /// Who asked, in words.
    pub(super) fn askers(&self) -> String {
        match self.merchants {
            0 | 1 => "one merchant".to_owned(),
            merchants => format!("{merchants} merchants, Zipf {}", self.zipf),
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

pub(super) fn ms(ns: u64) -> String {
    format!("{:.3}", ns as f64 / 1e6)
}

fn micros(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1e3)
}
