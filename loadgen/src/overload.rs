//! How a target bears more than it can carry: its capacity by a ladder of rates, then a multiple of it, open loop.
//!
//! Capacity is the most that was answered on a rung, and the ladder ends when the target does not carry two rungs in a row: a
//! request in a hundred is refused, fails or never leaves, or too many still wait at the end.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::plan::{Arrivals, Load, Plan, RATE_PER_S_MAX};
use crate::process::{Used, Watch};
use crate::report::{Report, Times, Verdict};
use crate::target::Target;

/// Each rung asks for so much more than the one before, percent.
const RUNG_GROWTH_PERCENT: u32 = 20;
/// Of what a rung asks for, at least so much is answered as long as the target carries it, percent.
const CARRIED_PERCENT_MIN: u64 = 99;
/// And so much of it before the rung ends: what is late piles up.
const IN_TIME_MIN: f64 = 0.95;
/// So many rungs in a row that are not carried end the ladder: one may be a neighbour's doing.
const FAILED_RUNGS_MAX: u32 = 2;
const RUNG_WARMUP: Duration = Duration::from_millis(300);

/// What is asked of the target.
#[derive(Clone, Debug)]
pub struct Overload {
    /// Where it is, and what it is sent.
    pub aim: Aim,
    /// The target's process on this machine; its CPU and memory are watched.
    pub process: Option<u32>,
    /// The first rung, requests per second.
    pub rate_per_s_first: u32,
    /// Length of a rung.
    pub rung: Duration,
    /// What is offered in the end: so many times the capacity, in hundredths.
    pub factor_percent: u32,
    /// For so long.
    pub duration: Duration,
    /// Keep-alive connections.
    pub connections: usize,
    /// Highest lag of the generator itself that is believed, at its 99th percentile.
    pub send_lag_p99_max: Duration,
}

/// Card sales at a place on this machine.
#[derive(Clone)]
pub struct Aim {
    /// Where.
    pub address: std::net::SocketAddr,
    /// Whose.
    pub api_key: String,
    /// Prefix of the idempotency keys of all runs.
    pub run_id: String,
    /// Of cards and amounts.
    pub seed: u64,
    /// Lowest and highest amount, minor units.
    pub amounts: (u64, u64),
}

/// Hand-written because an API key is a secret.
impl std::fmt::Debug for Aim {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Aim(http://{}, run {})", self.address, self.run_id)
    }
}

impl Aim {
    /// Sales under a run id of their own.
    fn sales(&self, run_id: &str) -> Result<Target, LoadError> {
        Target::sale(self.address, &self.api_key, run_id, self.seed, self.amounts)
    }
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
    /// What it used on the best rung.
    pub used_at_capacity: Option<Used>,
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
        for (when, used) in [("at it", self.used_at_capacity), ("over it", self.used)] {
            let Some(used) = used else { continue };
            let (before, most) = (used.rss_before_bytes >> 20, used.rss_max_bytes >> 20);
            let _ =
                writeln!(out, "{when:<10} the target used {} ms of CPU, {before} MiB before, {most} MiB at most", used.cpu_ms);
        }
        out
    }
}

/// A rung that was climbed.
struct Rung {
    report: Report,
    used: Option<Used>,
}

impl Overload {
    /// Climbs the ladder and goes over its end. `say` is told each rung.
    pub async fn run(&self, mut say: impl FnMut(&str)) -> Result<Borne, LoadError> {
        let best = self.climb(&mut say).await?;
        let capacity_per_s = best.report.answered_per_s;
        let offered_per_s = (capacity_per_s as u64 * u64::from(self.factor_percent) / 100).clamp(1, RATE_PER_S_MAX.into()) as u32;
        let over = self.offer("over", offered_per_s, self.duration, Duration::from_secs(1)).await?;
        let Rung { report, used } = over;
        Ok(Borne {
            capacity_per_s,
            offered_per_s,
            goodput_per_s: report.answered_per_s,
            refused_per_s: report.refused_per_s,
            latency: report.latency,
            refused: report.refused_service,
            used,
            used_at_capacity: best.used,
            report,
        })
    }

    async fn climb(&self, say: &mut impl FnMut(&str)) -> Result<Rung, LoadError> {
        let mut rate_per_s = self.rate_per_s_first.clamp(1, RATE_PER_S_MAX);
        let mut best = self.rung(rate_per_s, say).await?;
        let mut not_carried = u32::from(!best.is_carried());
        while not_carried < FAILED_RUNGS_MAX && rate_per_s < RATE_PER_S_MAX {
            rate_per_s = (rate_per_s + rate_per_s * RUNG_GROWTH_PERCENT / 100 + 1).min(RATE_PER_S_MAX);
            let rung = self.rung(rate_per_s, say).await?;
            not_carried = if rung.is_carried() { 0 } else { not_carried + 1 };
            if rung.report.answered_per_s > best.report.answered_per_s {
                best = rung;
            }
        }
        Ok(best)
    }

    async fn rung(&self, rate_per_s: u32, say: &mut impl FnMut(&str)) -> Result<Rung, LoadError> {
        let rung = self.offer(&rate_per_s.to_string(), rate_per_s, self.rung, RUNG_WARMUP).await?;
        let Report { answered_per_s, refused_per_s, verdict, .. } = &rung.report;
        say(&format!("offered {rate_per_s}/s: answered {answered_per_s}/s, refused {refused_per_s}/s, {verdict:?}\n"));
        Ok(rung)
    }

    async fn offer(&self, name: &str, rate_per_s: u32, duration: Duration, warmup: Duration) -> Result<Rung, LoadError> {
        let target = self.aim.sales(&format!("{}-{name}", self.aim.run_id))?;
        let plan = Plan {
            connections: self.connections,
            duration,
            warmup,
            // Who finds no connection free gives up soon: a long queue of our own would be sent after its time.
            backlog_max: self.connections,
            send_lag_p99_max: self.send_lag_p99_max,
            ..Plan::new(target, Load::Open { rate_per_s, arrivals: Arrivals::Grid })
        };
        let watch = self.process.map(Watch::begin).transpose()?;
        let report = crate::rest::run(plan).await?;
        Ok(Rung { report, used: watch.map(Watch::end).transpose()? })
    }
}

impl Rung {
    /// The generator kept its schedule and the target answered nearly all of it, most of it before the end.
    fn is_carried(&self) -> bool {
        let Report { counts, verdict, .. } = &self.report;
        let answered_in_window = self.report.answered_per_s * self.report.shape.duration_ms as f64 / 1e3;
        let all_but_few = counts.answered() * 100 >= counts.scheduled * CARRIED_PERCENT_MIN;
        *verdict == Verdict::Valid && all_but_few && answered_in_window >= counts.scheduled as f64 * IN_TIME_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_does_not_show_its_key() {
        let aim = Aim {
            address: "127.0.0.1:1".parse().unwrap(),
            api_key: "api_secret".into(),
            run_id: "r".into(),
            seed: 1,
            amounts: (10, 99),
        };
        assert!(!format!("{aim:?}").contains("secret"));
        assert_eq!(aim.sales("r-7").unwrap().key(3), "r-7-000000000003");
    }
}
