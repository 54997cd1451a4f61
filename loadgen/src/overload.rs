//! How a target bears more than it can carry: its capacity by a ladder of rates, then a multiple of it, open loop.
//!
//! Capacity is the most that was answered on a rung.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::ladder::{Climbed, Ladder};
use crate::plan::RATE_PER_S_MAX;
use crate::process::Used;
use crate::report::{Report, Times};

const WARMUP: Duration = Duration::from_secs(1);

/// What is asked of the target.
#[derive(Clone, Debug)]
pub struct Overload {
    /// How its capacity is found.
    pub ladder: Ladder,
    /// What is offered in the end: so many times the capacity, in hundredths.
    pub factor_percent: u32,
    /// For so long.
    pub duration: Duration,
}

/// What was found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Borne {
    /// Most answered on a rung, per second.
    pub capacity_per_s: f64,
    /// Offered then, per second.
    pub offered_per_s: u32,
    /// Answered then, per second.
    pub goodput_per_s: f64,
    /// Refused then, per second.
    pub refused_per_s: f64,
    /// Of the answered, from the scheduled time.
    pub latency: Option<Times>,
    /// Of the refused, from the time at which they were sent.
    pub refused: Option<Times>,
    /// What the target's process used meanwhile.
    pub used: Option<Used>,
    /// The ladder.
    pub climbed: Climbed,
    /// The run over capacity.
    pub report: Report,
}

impl Borne {
    /// What is still answered over capacity, of what was answered at it, whole percent.
    pub fn goodput_percent(&self) -> u32 {
        (self.goodput_per_s * 100.0 / self.capacity_per_s) as u32
    }

    /// What was found, for people: the run over capacity, and how it stands to the capacity.
    pub fn table(&self) -> String {
        let Borne { capacity_per_s, offered_per_s, goodput_per_s, refused_per_s, .. } = self;
        let mut out = self.report.table();
        // Writing to a string can't fail.
        let _ = writeln!(out, "\ncapacity   {capacity_per_s:.0}/s, the most that was answered on a rung");
        let _ = writeln!(out, "offered    {offered_per_s}/s: refused {refused_per_s:.0}/s, goodput {goodput_per_s:.0}/s");
        let _ = writeln!(out, "goodput    {} % of the capacity", self.goodput_percent());
        for (when, used) in [("at it", self.climbed.used), ("over it", self.used)] {
            let Some(used) = used else { continue };
            let (before, most) = (used.rss_before_bytes >> 20, used.rss_max_bytes >> 20);
            let _ =
                writeln!(out, "{when:<10} the target used {} ms of CPU, {before} MiB before, {most} MiB at most", used.cpu_ms);
        }
        out
    }
}

impl Overload {
    /// Climbs the ladder and goes over its end. `say` is told each rung.
    pub async fn run(&self, say: impl FnMut(&str)) -> Result<Borne, LoadError> {
        let climbed = self.ladder.climb(say).await?;
        let capacity_per_s = climbed.best.answered_per_s;
        let offered_per_s = (capacity_per_s as u64 * u64::from(self.factor_percent) / 100).clamp(1, RATE_PER_S_MAX.into()) as u32;
        let (report, used) = self.ladder.offer("over", offered_per_s, self.duration, WARMUP).await?;
        Ok(Borne {
            capacity_per_s,
            offered_per_s,
            goodput_per_s: report.answered_per_s,
            refused_per_s: report.refused_per_s,
            latency: report.latency,
            refused: report.refused_service,
            used,
            climbed,
            report,
        })
    }
}
