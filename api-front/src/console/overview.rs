//! The overview: what needs somebody, what goes through, how long it takes, and how each processor stands.

use super::monitor::Seen;
use super::session::Viewer;
use super::{Console, chart, figures, processors};
use crate::metrics::{Distribution, Outcome, Outcomes, ProcessorReading, Reading, Stage};
use crate::operator::share_bp;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use maud::{Markup, html};
use switch_core::input::ProcessorState;

/// Records behind from which the SQL home needs somebody.
const BEHIND_MAX: u64 = 100_000;
/// A reversal that waits for longer, seconds, needs somebody.
const REVERSAL_AGE_MAX_S: i64 = 300;

/// `GET /console`
pub(super) async fn show(State(console): State<Console>, headers: HeaderMap) -> Response {
    let viewer = match console.viewer(&headers) {
        Ok(viewer) => viewer,
        Err(response) => return *response,
    };
    let body = html! {
        div #live {
            @match console.monitor.seen() {
                Some(seen) => (body(&viewer, &seen)),
                None => p { "The first reading comes in a second." },
            }
        }
    };
    console.page(&viewer, "/console", body)
}

/// What is kept fresh.
pub(super) fn body(viewer: &Viewer, seen: &Seen) -> Markup {
    let now = seen.now();
    html! {
        (attention(now))
        (tiles(seen))
        (charts(seen))
        section {
            h2 { "Processors" }
            div.cards { @for processor in &now.processors { (processors::card(viewer, processor, now.at)) } }
        }
        div.two {
            section { h2 { "Where the time goes" small { "last minute" } } (stages(seen)) }
            section { h2 { "Inside" } (inside(seen)) }
        }
    }
}

/// What needs somebody, in sentences; each names its page of the runbook's alert.
pub(super) fn needs(reading: &Reading) -> Vec<String> {
    let readiness = &reading.readiness;
    let mut needs = Vec::new();
    if readiness.draining {
        needs.push("The switch is told to stop: it finishes what is under way and takes nothing new.".to_owned());
    }
    if !readiness.journal_writable {
        needs.push("The journal can't be written: no payment is taken. Make room on its disk and restart.".to_owned());
    } else if !readiness.disk_ample {
        needs.push("The journal's disk is nearly full: new payments are refused, what is under way is finished.".to_owned());
    }
    if let Some(error) = &readiness.projection.error {
        needs.push(format!("The database does not follow: {error}. Payments go on; look-ups and refunds of old ones do not."));
    } else if readiness.projection.behind > BEHIND_MAX {
        needs.push(format!("The database is {} records behind.", figures::count(readiness.projection.behind)));
    }
    needs.extend(reading.processors.iter().flat_map(|processor| needs_of(processor, reading)));
    needs
}

fn needs_of(processor: &ProcessorReading, reading: &Reading) -> Vec<String> {
    let (name, standing) = (&processor.name, &processor.standing);
    let mut needs = Vec::new();
    if !processor.signed_on && processor.state != ProcessorState::Disabled {
        needs.push(format!("{name} is not signed on: nothing can be sent there."));
    }
    if processor.state == ProcessorState::Draining {
        needs.push(format!("{name} is draining: payments that have no other route are refused."));
    }
    match standing.circuit() {
        "open" => needs.push(format!("{name}'s circuit is open: too many of its latest requests failed.")),
        "half_open" => needs.push(format!("{name}'s circuit is half open: it is being tried again.")),
        _ => {}
    }
    if let Some(age) = processor.oldest_reversal_s(reading.at).filter(|age| *age > REVERSAL_AGE_MAX_S) {
        let queued = figures::count(standing.reversals_queued);
        let age = figures::age(age.unsigned_abs());
        needs.push(format!("{queued} reversals wait for {name}, the oldest for {age}."));
    }
    if standing.batches.rejected > 0 {
        needs.push(format!("{} of {name}'s batches are rejected.", standing.batches.rejected));
    }
    needs
}

fn attention(reading: &Reading) -> Markup {
    let needs = needs(reading);
    html! {
        @if needs.is_empty() {
            p.attention.good { "Nothing needs you." }
        } @else {
            div.attention.bad {
                strong { (needs.len()) @if needs.len() == 1 { " thing needs you" } @else { " things need you" } }
                ul { @for need in &needs { li { (need) } } }
            }
        }
    }
}

/// Of the answers that processors gave or should have given; what the gateway refused itself says nothing of them.
fn approval_bp(outcomes: &Outcomes) -> Option<u64> {
    share_bp(outcomes.of(Outcome::Approved), outcomes.total() - outcomes.of(Outcome::Refused))
}

fn tiles(seen: &Seen) -> Markup {
    let (now, before) = (seen.now(), seen.minute_ago());
    let minute = now.outcomes.since(&before.outcomes);
    let took_ms = (now.at.0 - before.at.0).max(1_000) as u64 / 1_000;
    let total = seen.minute_of(|reading| reading.stage(Stage::Total).clone());
    let (latest, latest_ms) = seen.steps().last().unwrap_or_default();
    let refused = now.refused - before.refused;
    html! {
        div.tiles {
            (tile("Payments a second", &figures::rate(latest.total(), latest_ms.max(1)), "", html! {
                (figures::rate(minute.total(), took_ms)) " over the last minute" }))
            (tile("Approved", &figures::share(approval_bp(&minute)), worst(approval_bp(&minute)), html! {
                (figures::count(minute.of(Outcome::Declined))) " declined, "
                (figures::count(minute.of(Outcome::Refused))) " refused by rules, "
                (figures::count(minute.of(Outcome::Failed) + minute.of(Outcome::Unknown))) " failed or unknown" }))
            (tile("Answered within", &figures::time(total.at_per_mille(500)), "", html! {
                "half of them; p95 " (figures::time(total.at_per_mille(950))) ", p99 " (figures::time(total.at_per_mille(990))) }))
            (tile("Under way", &figures::count(now.under_way.into()), "", html! {
                (chart::bar("fill", now.under_way.into(), now.places.into()))
                "of " (figures::count(now.places.into())) "; " (figures::count(refused)) " refused in the last minute" }))
        }
    }
}

fn worst(approval_bp: Option<u64>) -> &'static str {
    match approval_bp {
        Some(0..5_000) => "bad",
        Some(5_000..8_000) => "warn",
        Some(8_000..) | None => "",
    }
}

fn tile(title: &str, figure: &str, class: &str, below: Markup) -> Markup {
    html! { div.tile { h3 { (title) } p.figure.(class) { (figure) } p.below { (below) } } }
}

fn charts(seen: &Seen) -> Markup {
    let steps: Vec<(Outcomes, u64)> = seen.steps().collect();
    let per_s = |outcomes: &[Outcome]| {
        let many = |step: &Outcomes| outcomes.iter().map(|outcome| step.of(*outcome)).sum::<u64>();
        steps.iter().map(|(step, took_ms)| many(step) * 1_000 / took_ms).collect::<Vec<u64>>()
    };
    let bands = [
        ("approved", per_s(&[Outcome::Approved])),
        ("declined", per_s(&[Outcome::Declined, Outcome::Refused])),
        ("failed", per_s(&[Outcome::Failed, Outcome::Unknown])),
    ];
    let total = seen.each(|reading| reading.stage(Stage::Total).clone());
    let at = |per_mille| total.iter().map(|step| step.at_per_mille(per_mille)).collect::<Vec<u64>>();
    html! {
        div.two {
            (chart::stacked(&bands, "/s", "Payments"))
            (chart::lines(&[("p50", at(500)), ("p99", at(990))], figures::time, "Time to the answer"))
        }
    }
}

fn stages(seen: &Seen) -> Markup {
    let own = [(Stage::Queue, "waits for its shard"), (Stage::Apply, "is decided"), (Stage::Journal, "becomes durable")];
    let mut rows: Vec<(&str, &str, Distribution)> = Vec::new();
    for (stage, meaning) in own {
        rows.push((stage.word(), meaning, seen.minute_of(|reading| reading.stage(stage).clone())));
    }
    rows.push(("processor", "the processor answers", seen.minute_of(Reading::processors_took)));
    rows.push(("total", "from the front to the answer", seen.minute_of(|reading| reading.stage(Stage::Total).clone())));
    let most = rows.iter().map(|(_, _, times)| times.at_per_mille(990)).max().unwrap_or(1);
    html! {
        div.scroll-x { table.stages {
            thead { tr { th { "stage" } th.wide {} th.n { "p50" } th.n { "p95" } th.n { "p99" } } }
            tbody {
                @for (word, meaning, times) in &rows {
                    tr {
                        td { (word) small { (meaning) } }
                        td.wide { (chart::bar("fill", times.at_per_mille(990), most)) }
                        @for per_mille in [500, 950, 990] {
                            td.n { @if times.count() == 0 { "–" } @else { (figures::time(times.at_per_mille(per_mille))) } }
                        }
                    }
                }
            }
        } }
    }
}

fn inside(seen: &Seen) -> Markup {
    let (now, before) = (seen.now(), seen.minute_ago());
    let took_ms = (now.at.0 - before.at.0).max(1_000) as u64 / 1_000;
    let records = figures::rate(now.durable_lsn - before.durable_lsn, took_ms);
    let cpu_bp = share_bp(now.process.cpu_ms - before.process.cpu_ms, took_ms);
    let projection = &now.readiness.projection;
    html! {
        dl.facts {
            dt { "Journal" }
            dd { "LSN " (figures::count(now.durable_lsn)) ", " (records) " records a second" }
            dt { "Its disk" }
            dd { @match now.disk_free_bytes { Some(free) => { (figures::bytes(free)) " free" }, None => "unknown" } }
            dt { "Database" }
            dd {
                @if projection.following { "follows, " (figures::count(projection.behind)) " records behind" }
                @else { span.bad { "does not follow" } }
            }
            dt { "Shards" }
            dd {
                @for (place, shard) in now.shards.iter().enumerate() {
                    span.shard { (place) ": " (figures::count(shard.answered)) " answered, " (shard.waiting) " wait" }
                }
            }
            dt { "Process" }
            dd { (figures::share(cpu_bp)) " of a core, " (figures::bytes(now.process.resident_bytes)) }
        }
    }
}
