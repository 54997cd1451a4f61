//! The result as one self-contained page: figures, plots, and what is left out. No script, nothing loaded from elsewhere.

use std::fmt::Write;

use super::plot::{Axis, Line, Plot, Scale, escaped};
use super::table::ms;
use super::{Report, Times, Verdict};
use crate::ladder::{Climbed, Knee};
use crate::timeline::Slice;

const STYLE: &str = include_str!("page.css");
/// The distribution is shown up to one request in so many.
const ONE_IN_MOST: f64 = 1e6;

/// A run's page; of a ladder with its rungs.
pub fn page(report: &Report, ladder: Option<&Climbed>) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Load on {}</title>\n<style>\n{STYLE}</style>\n<main>\n",
        escaped(&report.shape.target)
    );
    // Writing to a string can't fail.
    let _ = write_page(&mut out, report, ladder);
    out.push_str("</main>\n</html>\n");
    out
}

fn write_page(out: &mut String, report: &Report, ladder: Option<&Climbed>) -> std::fmt::Result {
    writeln!(out, "<h1>Load on {}</h1>", escaped(&report.shape.target))?;
    if let Some(ladder) = ladder {
        write_ladder(out, ladder)?;
        writeln!(out, "<h2>The best rung</h2>")?;
    }
    write_shape(out, report)?;
    write_verdict(out, report)?;
    write_figures(out, report)?;
    if report.verdict == Verdict::Valid {
        out.push_str(&by_percentile(report).svg());
        out.push_str(&over_time(&report.timeline).svg());
        out.push_str(&rates_over_time(&report.timeline).svg());
        write_kinds(out, report)?;
    }
    writeln!(out, "<h2>Left out</h2>\n<ul>")?;
    report.excluded.iter().try_for_each(|left_out| writeln!(out, "<li>{}</li>", escaped(left_out)))?;
    writeln!(out, "</ul>")
}

fn write_shape(out: &mut String, report: &Report) -> std::fmt::Result {
    let (shape, machine) = (&report.shape, &report.machine);
    let load = match (&shape.arrivals, shape.rate_per_s) {
        (Some(arrivals), Some(rate)) => {
            format!("open loop, {rate} requests a second, {arrivals} arrivals; latency counts from the schedule")
        }
        _ => "closed loop: each connection asks again when answered, so that these are no latencies under load".to_owned(),
    };
    writeln!(
        out,
        "<p>{load}.<br>{} connections with {} in flight, frames of {}; {} ms measured after {} ms of warm-up.<br>\
         Asked: {} (hundredths) by {}.<br>{} cores shared by both sides{}, {}, Linux {}. Run {}, seed {}.</p>",
        shape.connections,
        shape.in_flight_each,
        shape.batch,
        shape.duration_ms,
        shape.warmup_ms,
        escaped(&shape.mix),
        shape.askers(),
        machine.cores,
        machine.stolen(),
        escaped(&machine.cpu),
        escaped(&machine.kernel),
        escaped(&shape.run_id),
        shape.seed
    )
}

fn write_verdict(out: &mut String, report: &Report) -> std::fmt::Result {
    match report.verdict {
        Verdict::Valid => {}
        Verdict::GeneratorSaturated { send_lag_p99_ns, bound_ns } => writeln!(
            out,
            "<p class=\"warning\">The generator was itself {} ms late at p99 (bound {} ms). Latencies are withheld: they would show \
             the generator.</p>",
            ms(send_lag_p99_ns),
            ms(bound_ns)
        )?,
        Verdict::GeneratorBusy { busy_percent } => writeln!(
            out,
            "<p class=\"warning\">The generator's thread was busy for {busy_percent} % of the run. Latencies are withheld, and the \
             rates are the generator's.</p>"
        )?,
    }
    if report.fell_behind() {
        writeln!(out, "<p class=\"warning\">The target fell behind: latencies grow with the length of the run.</p>")?;
    }
    Ok(())
}

fn write_figures(out: &mut String, report: &Report) -> std::fmt::Result {
    let counts = &report.counts;
    writeln!(out, "<dl>")?;
    for (name, value) in [
        ("answered a second", format!("{:.0}", report.answered_per_s)),
        ("approved", counts.approved.to_string()),
        ("declined", counts.declined.to_string()),
        ("undecided", counts.undecided.to_string()),
        ("refused", counts.refused.to_string()),
        ("errors", counts.errors().to_string()),
        ("unsent", counts.unsent.to_string()),
    ] {
        writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
    }
    writeln!(out, "</dl>")?;
    let rows = [
        ("latency, from the schedule", report.latency),
        ("service, from the sending", report.service),
        ("refused", report.refused),
    ];
    let rows: Vec<(&str, Times)> = rows.iter().filter_map(|(name, times)| Some((*name, (*times)?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<table><tr><th>ms</th><th>min</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th><th>count</th></tr>"
    )?;
    for (name, times) in rows.iter().filter(|(_, times)| times.count > 0) {
        let cells = [times.min_ns, times.p50_ns, times.p90_ns, times.p99_ns, times.p999_ns, times.max_ns].map(ms);
        writeln!(out, "<tr><th>{name}</th><td>{}</td><td>{}</td></tr>", cells.join("</td><td>"), times.count)?;
    }
    writeln!(out, "</table>")
}

fn write_kinds(out: &mut String, report: &Report) -> std::fmt::Result {
    if report.kinds.len() < 2 {
        return Ok(());
    }
    writeln!(out, "<table><tr><th>kind</th><th>answered</th><th>not</th><th>p50 ms</th><th>p99 ms</th></tr>")?;
    for (kind, times) in &report.kinds {
        let [p50, p99] = [times.p50_ns, times.p99_ns].map(|ns| ns.map_or("-".to_owned(), ms));
        let (name, answered, not) = (kind.name(), times.answered, times.not_answered);
        writeln!(out, "<tr><th>{name}</th><td>{answered}</td><td>{not}</td><td>{p50}</td><td>{p99}</td></tr>")?;
    }
    writeln!(out, "</table>")
}

fn write_ladder(out: &mut String, ladder: &Climbed) -> std::fmt::Result {
    writeln!(out, "<h2>Ladder of rates</h2>\n<p>{}</p>", ladder.words())?;
    let most = |value: fn(&crate::ladder::Rung) -> f64| ladder.rungs.iter().map(value).fold(0.0, f64::max);
    let points = |value: fn(&crate::ladder::Rung) -> f64| {
        let mut points: Vec<(f64, f64)> = ladder.rungs.iter().map(|rung| (f64::from(rung.offered_per_s), value(rung))).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points
    };
    let offered_most = most(|rung| f64::from(rung.offered_per_s));
    let x = || Axis::linear("offered, requests a second", offered_most);
    let mark = || match ladder.knee {
        Knee::At { rate_per_s } => Some((f64::from(rate_per_s), "knee".to_owned())),
        Knee::BeyondGenerator { .. } | Knee::BelowFirst => None,
    };
    let lines = vec![
        Line { name: "answered", points: points(|rung| rung.answered_per_s) },
        Line { name: "refused", points: points(|rung| rung.refused_per_s) },
    ];
    let y = Axis::linear("a second", most(|rung| rung.answered_per_s.max(rung.refused_per_s)));
    let title = "Answered by what was offered".to_owned();
    out.push_str(&Plot { title, x: x(), y, lines, mark: mark() }.svg());
    let timed = |value: fn(&Times) -> u64| {
        let of = |rung: &crate::ladder::Rung| Some((f64::from(rung.offered_per_s), value(&rung.latency?) as f64 / 1e6));
        let mut points: Vec<(f64, f64)> = ladder.rungs.iter().filter_map(of).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points
    };
    let lines = vec![
        Line { name: "p50", points: timed(|times| times.p50_ns) },
        Line { name: "p99", points: timed(|times| times.p99_ns) },
        Line { name: "max", points: timed(|times| times.max_ns) },
    ];
    let y = Axis::logarithmic("latency, ms", lines.iter().flat_map(|line| line.points.iter().map(|point| point.1)));
    let title = "Latency by what was offered".to_owned();
    out.push_str(&Plot { title, x: x(), y, lines, mark: mark() }.svg());
    Ok(())
}

/// Requests above each percentile are a tenth of those above the one before: the tail has as much room as the rest.
fn by_percentile(report: &Report) -> Plot {
    let shown = report.curve.iter().filter(|at| at.quantile < 1.0 - 1.0 / ONE_IN_MOST);
    let points: Vec<(f64, f64)> = shown.map(|at| (1.0 / (1.0 - at.quantile), at.ns as f64 / 1e6)).collect();
    let most = points.last().map_or(10.0, |point| point.0).max(10.0);
    let names = ["0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"];
    let ticks = names.iter().zip(0..).map(|(name, decade)| (10_f64.powi(decade), (*name).to_owned()));
    let ticks = ticks.filter(|(value, _)| *value <= most).collect();
    let x = Axis { label: "requests up to".to_owned(), scale: Scale::Logarithmic, least: 1.0, most, ticks };
    let y = Axis::logarithmic("ms", points.iter().map(|point| point.1));
    let lines = vec![Line { name: "latency", points }];
    Plot { title: "Latency by percentile".to_owned(), x, y, lines, mark: None }
}

fn seconds(slices: &[Slice]) -> Axis {
    let most = slices.last().map_or(0, |slice| slice.from_ms + slice.length_ms);
    Axis::linear("seconds of the measured window", most as f64 / 1e3)
}

fn middle(slice: &Slice) -> f64 {
    (slice.from_ms as f64 + slice.length_ms as f64 / 2.0) / 1e3
}

fn over_time(slices: &[Slice]) -> Plot {
    let timed = |value: fn(&Slice) -> u64| {
        let answered = slices.iter().filter(|slice| slice.answered > 0);
        answered.map(|slice| (middle(slice), value(slice) as f64 / 1e6)).collect::<Vec<_>>()
    };
    let lines = vec![
        Line { name: "p50", points: timed(|slice| slice.p50_ns) },
        Line { name: "p99", points: timed(|slice| slice.p99_ns) },
        Line { name: "max", points: timed(|slice| slice.max_ns) },
    ];
    let y = Axis::logarithmic("ms", lines.iter().flat_map(|line| line.points.iter().map(|point| point.1)));
    Plot { title: "Latency over time".to_owned(), x: seconds(slices), y, lines, mark: None }
}

fn rates_over_time(slices: &[Slice]) -> Plot {
    // The last slice may be cut short by the end of the window; its rate would be too low.
    let whole = &slices[..slices.len().saturating_sub(1)];
    let rate = |count: fn(&Slice) -> u64| {
        whole.iter().map(|slice| (middle(slice), count(slice) as f64 * 1e3 / slice.length_ms.max(1) as f64)).collect::<Vec<_>>()
    };
    let lines = vec![
        Line { name: "answered", points: rate(|slice| slice.answered) },
        Line { name: "refused", points: rate(|slice| slice.refused) },
        Line { name: "failed", points: rate(|slice| slice.failed) },
    ];
    let most = lines.iter().flat_map(|line| line.points.iter().map(|point| point.1)).fold(0.0, f64::max);
    Plot { title: "Rates over time".to_owned(), x: seconds(slices), y: Axis::linear("a second", most), lines, mark: None }
}
