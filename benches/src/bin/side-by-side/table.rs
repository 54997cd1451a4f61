//! Rows of ratios, and their table.

use std::fmt::Write;

/// One comparison.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Ours, with its unit; the median round.
    pub ours: String,
    /// The baseline, with its unit; the median round.
    pub baseline: String,
    /// Ours over the baseline, per round.
    pub ratios: Vec<f64>,
    /// What the design asks of the ratio.
    pub must: &'static str,
}

/// The table in Markdown.
pub fn render(rows: &[Row]) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut out = format!("\n{cores} cores; medians of interleaved rounds; ratio = ours / baseline (least … most)\n\n");
    out.push_str("| what | ours | baseline | ratio | must |\n|---|---|---|---|---|\n");
    for Row { what, ours, baseline, ratios, must } in rows {
        let (least, median, most) = spread(ratios);
        let _ = writeln!(out, "| {what} | {ours} | {baseline} | {median:.2} ({least:.2} … {most:.2}) | {must} |");
    }
    out
}

/// Least, median and most.
pub fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.as_slice() {
        [] => (f64::NAN, f64::NAN, f64::NAN),
        [least, .., most] => (*least, sorted[sorted.len() / 2], *most),
        [one] => (*one, *one, *one),
    }
}

/// The median.
pub fn median(values: &[f64]) -> f64 {
    spread(values).1
}
