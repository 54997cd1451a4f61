//! One thing that grows, and what it costs.

use std::fmt::Write;

/// A table whose lines are sizes.
pub struct Table {
    /// What grows.
    pub what: &'static str,
    /// What else there is to know of how it was measured.
    pub how: String,
    /// Columns behind the size, with their units.
    pub columns: Vec<&'static str>,
    lines: Vec<(String, Vec<Vec<f64>>)>,
}

impl Table {
    /// An empty one.
    pub fn new(what: &'static str, how: impl Into<String>, columns: &[&'static str]) -> Table {
        Table { what, how: how.into(), columns: columns.to_vec(), lines: Vec::new() }
    }

    /// Adds a measurement of a size.
    pub fn note(&mut self, size: impl ToString, values: Vec<f64>) {
        let size = size.to_string();
        match self.lines.iter_mut().find(|(known, _)| *known == size) {
            Some((_, rounds)) => rounds.push(values),
            None => self.lines.push((size, vec![values])),
        }
    }
}

/// In Markdown: medians, and in brackets how they stand to the first line's.
impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first: Vec<f64> = self.lines.first().map_or(Vec::new(), |(_, rounds)| medians(rounds));
        writeln!(f, "## {}\n\n{}\n\n| {} | {} |", self.what, self.how, self.what, self.columns.join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(self.columns.len()))?;
        for (size, rounds) in &self.lines {
            let mut line = format!("| {size} |");
            for (value, first) in medians(rounds).iter().zip(&first) {
                write!(line, " {value:.1} ({:.2}) |", value / first)?;
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

fn medians(rounds: &[Vec<f64>]) -> Vec<f64> {
    let columns = rounds.first().map_or(0, Vec::len);
    let median = |column: usize| {
        let mut values: Vec<f64> = rounds.iter().map(|round| round[column]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    (0..columns).map(median).collect()
}
