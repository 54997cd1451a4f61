//! A ladder of rates: each rung asks for more than the one before, until the target carries no more. Then the knee is looked for between
//! the last rung that was carried and the first that was not.
//!
//! A rung is carried when the generator kept its schedule and nearly all of it was answered, most of it before the rung ended: a
//! queue that only grows is no carrying.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::binary::Shape;
use crate::error::LoadError;
use crate::plan::{Arrivals, Load, Plan, RATE_PER_S_MAX};
use crate::process::{Used, Watch};
use crate::report::{Report, Times, Verdict};

/// Each rung asks for so much more than the one before, percent.
const RUNG_GROWTH_PERCENT: u32 = 20;
/// Of what a rung asks for, at least so much is answered as long as the target carries it, percent.
const CARRIED_PERCENT_MIN: u64 = 99;
/// And so much of it before the rung ends: what is late piles up.
const IN_TIME_MIN: f64 = 0.95;
/// So many rungs in a row that are not carried end the ladder: one may be a neighbour's doing.
const FAILED_RUNGS_MAX: u32 = 2;
/// Halvings of the last step.
const HALVINGS: u32 = 2;
const RUNG_WARMUP: Duration = Duration::from_millis(300);

/// Over which protocol a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Over {
    /// HTTP.
    Rest,
    /// The binary protocol.
    Binary(Shape),
}

impl Over {
    /// Carries a plan out.
    pub async fn run(self, plan: Plan) -> Result<Report, LoadError> {
        let shape = match self {
            Over::Rest => return crate::rest::run(plan).await,
            Over::Binary(shape) => shape,
        };
        let body = move || crate::binary::run(&plan, &shape);
        let thread = std::thread::Builder::new().name("loadgen".into()).spawn(body).map_err(LoadError::Start)?;
        thread.join().map_err(|_| LoadError::Lost)?
    }
}

/// How it is climbed.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// What is sent, by whom, over how many connections. Rate, length and run id are each rung's own.
    pub plan: Plan,
    /// The protocol.
    pub over: Over,
    /// The target's process on this machine; its CPU and memory are watched.
    pub process: Option<u32>,
    /// The first rung, requests per second.
    pub rate_per_s_first: u32,
    /// Length of a rung.
    pub rung: Duration,
}

/// A rung that was climbed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rung {
    /// Asked for, per second.
    pub offered_per_s: u32,
    /// Answered before its end, per second.
    pub answered_per_s: f64,
    /// Refused, per second.
    pub refused_per_s: f64,
    /// Of the answered, from the scheduled time; none when the generator was saturated.
    pub latency: Option<Times>,
    /// True when the target carried it.
    pub carried: bool,
    /// Whether the generator kept its schedule.
    pub verdict: Verdict,
}

/// Where a target's capacity ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Knee {
    /// The highest rate that was carried.
    At {
        /// Requests per second.
        rate_per_s: u32,
    },
    /// The generator gave out first: the target carries this, and how much more is not known.
    BeyondGenerator {
        /// Requests per second.
        rate_per_s: u32,
    },
    /// Not even the first rung was carried.
    BelowFirst,
}

/// What was found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Climbed {
    /// In the order in which they were climbed.
    pub rungs: Vec<Rung>,
    /// Where the capacity ends.
    pub knee: Knee,
    /// The rung with the most answers.
    pub best: Report,
    /// What the target's process used on it.
    pub used: Option<Used>,
}

impl Climbed {
    /// What was found, in a sentence.
    pub fn words(&self) -> String {
        match self.knee {
            Knee::At { rate_per_s } => {
                format!(
                    "The knee is at {rate_per_s} requests a second: the highest rate of which nearly all was answered in time."
                )
            }
            Knee::BeyondGenerator { rate_per_s } => format!(
                "{rate_per_s} requests a second were carried. Above that the generator could not keep its own schedule, so that the knee \
                 was not measured."
            ),
            Knee::BelowFirst => "Not even the first rung was carried: begin lower.".to_owned(),
        }
    }

    /// The rungs as a table.
    pub fn table(&self) -> String {
        let mut out =
            format!("{:>9} {:>10} {:>9} {:>9} {:>9} {:>9}\n", "offered", "answered", "refused", "p50 ms", "p99 ms", "max ms");
        let mut rungs: Vec<&Rung> = self.rungs.iter().collect();
        rungs.sort_by_key(|rung| rung.offered_per_s);
        for rung in rungs {
            let time =
                |of: fn(&Times) -> u64| rung.latency.map_or("-".to_owned(), |times| format!("{:.3}", of(&times) as f64 / 1e6));
            let [p50, p99, max] = [time(|times| times.p50_ns), time(|times| times.p99_ns), time(|times| times.max_ns)];
            let mark = match (rung.verdict.clone(), rung.carried) {
                (Verdict::Valid, true) => "",
                (Verdict::Valid, false) => "  not carried",
                (Verdict::GeneratorSaturated { .. } | Verdict::GeneratorBusy { .. }, _) => "  generator saturated",
            };
            let Rung { offered_per_s, answered_per_s, refused_per_s, .. } = rung;
            out.push_str(&format!(
                "{offered_per_s:>9} {answered_per_s:>10.1} {refused_per_s:>9.1} {p50:>9} {p99:>9} {max:>9}{mark}\n"
            ));
        }
        format!("{out}\n{}\n", self.words())
    }
}

/// The ladder as far as it was climbed.
struct Climb<'a, S> {
    ladder: &'a Ladder,
    rungs: Vec<Rung>,
    best: Option<(Report, Option<Used>)>,
    say: S,
}

impl Ladder {
    /// Climbs it. `say` is told each rung.
    pub async fn climb(&self, say: impl FnMut(&str)) -> Result<Climbed, LoadError> {
        let mut climb = Climb { ladder: self, rungs: Vec::new(), best: None, say };
        let (mut rate_per_s, mut not_carried) = (self.rate_per_s_first.clamp(1, RATE_PER_S_MAX), 0);
        loop {
            not_carried = if climb.rung(rate_per_s).await? { 0 } else { not_carried + 1 };
            if not_carried == FAILED_RUNGS_MAX || rate_per_s == RATE_PER_S_MAX {
                break;
            }
            rate_per_s = (rate_per_s + rate_per_s * RUNG_GROWTH_PERCENT / 100 + 1).min(RATE_PER_S_MAX);
        }
        climb.narrow().await?;
        let knee = knee(&climb.rungs);
        let (best, used) = climb.best.ok_or(LoadError::Lost)?;
        Ok(Climbed { rungs: climb.rungs, knee, best, used })
    }

    /// One rung, and what the target's process used for it.
    pub async fn offer(
        &self,
        name: &str,
        rate_per_s: u32,
        duration: Duration,
        warmup: Duration,
    ) -> Result<(Report, Option<Used>), LoadError> {
        let load = Load::Open { rate_per_s, arrivals: Arrivals::Grid };
        let target = self.plan.target.under(&format!("{}-{name}", self.plan.target.run_id()))?;
        // Who finds no connection free gives up soon: a long queue of our own would be sent after its time.
        let in_flight_each = match self.over {
            Over::Rest => 1,
            Over::Binary(shape) => shape.in_flight as usize,
        };
        let backlog_max = self.plan.connections * in_flight_each;
        let plan = Plan { target, load, duration, warmup, backlog_max, ..self.plan.clone() };
        let watch = self.process.map(Watch::begin).transpose()?;
        let report = self.over.run(plan).await?;
        Ok((report, watch.map(Watch::end).transpose()?))
    }
}

impl<S: FnMut(&str)> Climb<'_, S> {
    /// True when it was carried.
    async fn rung(&mut self, rate_per_s: u32) -> Result<bool, LoadError> {
        // Counted, because the search may come by a rate twice and its keys must be new ones.
        let name = format!("{}-{rate_per_s}", self.rungs.len());
        let (report, used) = self.ladder.offer(&name, rate_per_s, self.ladder.rung, RUNG_WARMUP).await?;
        let Report { answered_per_s, refused_per_s, latency, verdict, .. } = &report;
        (self.say)(&format!("offered {rate_per_s}/s: answered {answered_per_s}/s, refused {refused_per_s}/s, {verdict:?}\n"));
        let carried = is_carried(&report);
        self.rungs.push(Rung {
            offered_per_s: rate_per_s,
            answered_per_s: *answered_per_s,
            refused_per_s: *refused_per_s,
            latency: *latency,
            carried,
            verdict: verdict.clone(),
        });
        if self.best.as_ref().is_none_or(|(best, _)| best.answered_per_s < *answered_per_s) {
            self.best = Some((report, used));
        }
        Ok(carried)
    }

    /// Halves what lies between the highest rung that was carried and the next one.
    async fn narrow(&mut self) -> Result<(), LoadError> {
        for _ in 0..HALVINGS {
            let Some(carried) = highest_carried(&self.rungs) else { return Ok(()) };
            let above = self.rungs.iter().map(|rung| rung.offered_per_s).filter(|rate| *rate > carried).min();
            let Some(above) = above.filter(|above| above - carried > 1) else { return Ok(()) };
            self.rung(carried.midpoint(above)).await?;
        }
        Ok(())
    }
}

fn highest_carried(rungs: &[Rung]) -> Option<u32> {
    rungs.iter().filter(|rung| rung.carried).map(|rung| rung.offered_per_s).max()
}

fn knee(rungs: &[Rung]) -> Knee {
    let Some(rate_per_s) = highest_carried(rungs) else { return Knee::BelowFirst };
    // What the target did not carry is known only of rungs on which the generator did its part.
    let is_known = rungs.iter().any(|rung| rung.offered_per_s > rate_per_s && rung.verdict == Verdict::Valid);
    if is_known { Knee::At { rate_per_s } } else { Knee::BeyondGenerator { rate_per_s } }
}

/// The generator kept its schedule and the target answered nearly all of it, most of it before the end.
fn is_carried(report: &Report) -> bool {
    let Report { counts, verdict, .. } = report;
    let answered_in_window = report.answered_per_s * report.shape.duration_ms as f64 / 1e3;
    let all_but_few = counts.answered() * 100 >= counts.scheduled * CARRIED_PERCENT_MIN;
    *verdict == Verdict::Valid && all_but_few && answered_in_window >= counts.scheduled as f64 * IN_TIME_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(offered_per_s: u32, carried: bool, verdict: Verdict) -> Rung {
        Rung { offered_per_s, answered_per_s: 1.0, refused_per_s: 0.0, latency: None, carried, verdict }
    }

    #[test]
    fn a_knee_is_said_only_where_the_target_and_not_the_generator_gave_out() {
        let busy = || Verdict::GeneratorBusy { busy_percent: 99 };
        let carried = || rung(100, true, Verdict::Valid);
        assert_eq!(knee(&[carried(), rung(120, false, Verdict::Valid)]), Knee::At { rate_per_s: 100 });
        assert_eq!(knee(&[carried(), rung(120, false, busy())]), Knee::BeyondGenerator { rate_per_s: 100 });
        assert_eq!(knee(&[rung(100, false, Verdict::Valid)]), Knee::BelowFirst);
    }
}
