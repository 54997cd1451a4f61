//! Two results beside each other.

use std::fmt::Write;

use super::table::ms;
use super::{Report, Times, Verdict};

/// From how much of the cores' time on, percent, its loss to other machines is named among what makes results hard to compare.
const STOLEN_PERCENT_WORTH_SAYING: u64 = 3;

/// A table of both, with how much the second has changed; first, what makes them hard to compare.
pub fn compare(before: &Report, after: &Report) -> String {
    let mut out = String::new();
    for difference in differences(before, after) {
        // Writing to a string can't fail.
        let _ = writeln!(out, "not alike  {difference}");
    }
    let _ = writeln!(out, "\n{:<28}{:>12}{:>12}{:>10}", "", "before", "after", "change");
    row(&mut out, "answered a second", before.answered_per_s, after.answered_per_s, |value| format!("{value:.1}"));
    row(&mut out, "refused a second", before.refused_per_s, after.refused_per_s, |value| format!("{value:.1}"));
    let errors = |report: &Report| (report.counts.errors() + report.counts.unsent) as f64;
    row(&mut out, "errors and unsent", errors(before), errors(after), |value| format!("{value:.0}"));
    for (name, before, after) in [("latency", before.latency, after.latency), ("service", before.service, after.service)] {
        if let (Some(before), Some(after)) = (before, after) {
            times(&mut out, name, &before, &after);
        }
    }
    out
}

fn times(out: &mut String, name: &str, before: &Times, after: &Times) {
    for (quantile, of) in [
        ("p50", (|times| times.p50_ns) as fn(&Times) -> u64),
        ("p90", |times| times.p90_ns),
        ("p99", |times| times.p99_ns),
        ("p99.9", |times| times.p999_ns),
        ("max", |times| times.max_ns),
    ] {
        row(out, &format!("{name} {quantile}, ms"), of(before) as f64, of(after) as f64, |ns| ms(ns as u64));
    }
}

fn row(out: &mut String, name: &str, before: f64, after: f64, shown: impl Fn(f64) -> String) {
    let change = if before > 0.0 { format!("{:+.1} %", (after / before - 1.0) * 100.0) } else { "-".to_owned() };
    let _ = writeln!(out, "{name:<28}{:>12}{:>12}{change:>10}", shown(before), shown(after));
}

fn differences(before: &Report, after: &Report) -> Vec<String> {
    let mut found = Vec::new();
    for (which, report) in [("before", before), ("after", after)] {
        if report.verdict != Verdict::Valid {
            found.push(format!("{which}: the generator was saturated, and its latencies are not known"));
        }
        if let Some(percent) = report.machine.stolen_percent.filter(|percent| *percent >= STOLEN_PERCENT_WORTH_SAYING) {
            found.push(format!("{which}: the hypervisor gave {percent} % of the cores to other machines"));
        }
    }
    let (one, other) = (&before.shape, &after.shape);
    let load = |report: &Report| format!("{} {:?} {:?}", report.shape.loop_kind, report.shape.rate_per_s, report.shape.arrivals);
    let flight = |report: &Report| (report.shape.connections, report.shape.in_flight_each, report.shape.batch);
    let asked = |report: &Report| format!("{} by {}", report.shape.mix, report.shape.askers());
    let machine = |report: &Report| format!("{} cores, {}", report.machine.cores, report.machine.cpu);
    let mut note = |what: &str, before: String, after: String| {
        if before != after {
            found.push(format!("{what}: {before} before, {after} after"));
        }
    };
    note("load", load(before), load(after));
    note("connections, in flight, batch", format!("{:?}", flight(before)), format!("{:?}", flight(after)));
    note("asked", asked(before), asked(after));
    note("measured, ms", one.duration_ms.to_string(), other.duration_ms.to_string());
    note("machine", machine(before), machine(after));
    found
}
