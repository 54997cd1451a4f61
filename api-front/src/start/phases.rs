//! How long each part of a start took: one line that an operator, or a bench, can read.

use std::fmt;
use std::time::{Duration, Instant};

/// The parts of a start, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Addresses taken, keys read, the SQL home reached.
    Database,
    /// The journal's end found; what the SQL home has not seen yet, verified.
    Journal,
    /// That taken into the SQL home.
    CatchUp,
    /// Processors, merchants and their keys brought together.
    Enrolment,
    /// What is open, read back and given to the shards.
    Shards,
    /// Threads, and links up to their first sign-on.
    SignOn,
}

/// A stopwatch that is read at the end of each part.
pub(super) struct Phases {
    began: Instant,
    lap: Instant,
    laps: Vec<(Phase, Duration)>,
}

impl Phases {
    pub(super) fn begin() -> Phases {
        let now = Instant::now();
        Phases { began: now, lap: now, laps: Vec::new() }
    }

    /// The part is over, the next begins.
    pub(super) fn over(&mut self, phase: Phase) {
        let now = Instant::now();
        self.laps.push((phase, now - self.lap));
        self.lap = now;
    }
}

/// `database_ms=3.1 journal_ms=44.0 … total_ms=120.9`
impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (phase, took) in &self.laps {
            write!(f, "{}_ms={} ", phase.word(), Milliseconds(*took))?;
        }
        write!(f, "total_ms={}", Milliseconds(self.lap - self.began))
    }
}

/// With one decimal.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.as_micros() / 100;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

impl Phase {
    const fn word(self) -> &'static str {
        match self {
            Phase::Database => "database",
            Phase::Journal => "journal",
            Phase::CatchUp => "catch_up",
            Phase::Enrolment => "enrolment",
            Phase::Shards => "shards",
            Phase::SignOn => "sign_on",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_said_in_their_order_and_the_whole_last() {
        let mut phases = Phases::begin();
        phases.over(Phase::Database);
        phases.over(Phase::Journal);
        phases.laps[0].1 = Duration::from_micros(3_190);
        phases.lap = phases.began + Duration::from_micros(120_950);
        let said = phases.to_string();
        assert!(said.starts_with("database_ms=3.1 journal_ms=") && said.ends_with(" total_ms=120.9"), "{said}");
    }
}
