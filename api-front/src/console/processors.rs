//! Processors: a card for each on the overview, and a page on which they are told what to do.

use super::act::NotDone;
use super::session::{Role, Viewer};
use super::{Console, figures, page};
use crate::links::Control;
use crate::metrics::{Outcome, ProcessorReading, Reading};
use crate::operator::changes::Order;
use crate::operator::{actions, share_bp};
use crate::switch::directory::Processor;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use protocol::calendar::Micros;
use switch_core::input::ProcessorState;

/// What a processor can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Set(ProcessorState),
    Tell(Control),
    Settle,
}

/// All words: in the path, on the button, what it does.
const WORDS: [(&str, &str, Word, &str); 7] = [
    ("enable", "Enable", Word::Set(ProcessorState::Enabled), "Takes payments."),
    ("drain", "Drain", Word::Set(ProcessorState::Draining), "Nothing new; what it has goes on."),
    ("disable", "Disable", Word::Set(ProcessorState::Disabled), "Nothing new, and out of every route."),
    ("sign-on", "Sign on", Word::Tell(Control::SignOn), "Connects again."),
    ("sign-off", "Sign off", Word::Tell(Control::SignOff), "Drain first: what is in flight becomes unknown and is reversed."),
    ("cut-over", "Cut over", Word::Tell(Control::CutOver), "Tells the host that a new business day begins."),
    ("settle", "Settle", Word::Settle, "Closes its open batches and sends them."),
];

/// How a processor stands, in a word and a colour.
fn standing(processor: &ProcessorReading) -> (&'static str, &'static str) {
    match (processor.state, processor.signed_on, processor.standing.circuit()) {
        (ProcessorState::Disabled, _, _) => ("disabled", "off"),
        (_, false, _) => ("not signed on", "bad"),
        (_, true, "open") => ("circuit open", "bad"),
        (ProcessorState::Draining, true, _) => ("draining", "warn"),
        (ProcessorState::Enabled, true, "half_open") => ("half open", "warn"),
        (ProcessorState::Enabled, true, _) => ("enabled", "good"),
    }
}

/// A processor at a glance.
pub(super) fn card(viewer: &Viewer, processor: &ProcessorReading, now: Micros) -> Markup {
    let (word, class) = standing(processor);
    let minute = &processor.last_minute;
    let rate = share_bp(minute.counts.approved, minute.counts.approved + minute.counts.declined);
    let faults = minute.counts.lost + minute.counts.not_sent;
    html! {
        article.card.processor data-name=(processor.name) {
            header { h3 { a href={ "/console/processors#" (processor.name) } { (processor.name) } } span.pill.(class) { (word) } }
            dl.facts {
                dt { "Last minute" }
                dd { @if minute.counts.sent == 0 { "nothing sent" }
                    @else { (figures::count(minute.counts.sent)) " sent, " (figures::share(rate)) " approved" } }
                dt { "Answers in" }
                dd {
                    @if minute.counts.approved + minute.counts.declined == 0 { "–" } @else {
                        (figures::time(minute.p50_us)) ", p95 " (figures::time(minute.p95_us)) ", p99 " (figures::time(minute.p99_us))
                    }
                }
                dt { "In flight" }
                dd { (figures::count(processor.standing.in_flight)) " on " (figures::many(processor.connections.into(), "connection")) }
                dt { "Faults" }
                dd { @if faults == 0 { "none" } @else { span.bad { (figures::count(minute.counts.lost)) " lost, "
                     (figures::count(minute.counts.not_sent)) " not sent" } }
                     @if let Some(bp) = processor.standing.timeout_rate_bp().filter(|bp| *bp >= 10) {
                         ", " span.bad { (figures::share(Some(bp))) " timed out" } } }
                dt { "Reversals" }
                dd { (reversals(processor, now)) }
                dt { "Batches" }
                dd { (batches(processor)) }
            }
            @if viewer.role == Role::Operator {
                footer {
                    @if processor.state == ProcessorState::Enabled { (order(viewer, processor, "drain", "Drain")) }
                    @else { (order(viewer, processor, "enable", "Enable")) }
                }
            }
        }
    }
}

fn order(viewer: &Viewer, processor: &ProcessorReading, word: &str, name: &str) -> Markup {
    page::button(viewer, &format!("/console/processors/{}/{word}", processor.name), word, name)
}

fn reversals(processor: &ProcessorReading, now: Micros) -> Markup {
    let queued = processor.standing.reversals_queued;
    html! {
        @match processor.oldest_reversal_s(now) {
            None => "none wait",
            Some(age) => { a href="/console/reversals" { (figures::count(queued)) " wait" } ", the oldest "
                (figures::age(age.unsigned_abs())) },
        }
    }
}

fn batches(processor: &ProcessorReading) -> Markup {
    let batches = &processor.standing.batches;
    html! {
        @if batches.open == 0 { "none open" } @else { (batches.open) " open with " (figures::many(batches.members, "payment")) }
        @if batches.closing > 0 { ", " (batches.closing) " closing" }
        @if batches.rejected > 0 { ", " span.bad { (batches.rejected) " rejected" } }
    }
}

/// `GET /console/processors`
pub(super) async fn show(State(console): State<Console>, headers: HeaderMap) -> Response {
    let viewer = match console.viewer(&headers) {
        Ok(viewer) => viewer,
        Err(response) => return *response,
    };
    let reading = Reading::take(console.front.switch()).await;
    let body = html! {
        h1 { "Processors" }
        @for processor in &reading.processors { (console.whole(&viewer, processor, &reading)) }
    };
    console.page(&viewer, "/console/processors", body)
}

/// `POST /console/processors/{name}/{what}`
pub(super) async fn tell(
    State(console): State<Console>,
    Path((name, what)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (viewer, _) = match console.ordered(request).await {
        Ok(ordered) => ordered,
        Err(response) => return *response,
    };
    let processor = console.front.switch().processors().by_name(&name);
    let word = WORDS.iter().find(|(word, ..)| *word == what);
    let (Some(processor), Some((_, title, word, _))) = (processor, word) else { return StatusCode::NOT_FOUND.into_response() };
    let done = console.obey(&viewer, processor, *word).await.map(|told| format!("{title} {name}: {told}"));
    console.done(&viewer, "/console/processors", &format!("{what} {name}"), done)
}

impl Console {
    async fn obey(&self, viewer: &Viewer, processor: &Processor, word: Word) -> Result<String, NotDone> {
        let switch = self.front.switch();
        match word {
            Word::Set(state) => {
                let steered = switch.operator().processor(&processor.id).ok_or(actions::NotDone::NoLink)?;
                let made = switch.operator().set_processor_state(steered, state, Order::of(viewer.by)).await?;
                Ok(format!("done, as change {}", made.version))
            }
            Word::Tell(control) => {
                actions::tell(switch, processor, control, viewer.by).await?;
                Ok("the link was told".to_owned())
            }
            Word::Settle => {
                let settled = actions::settle(switch, processor, viewer.by).await?;
                Ok(format!("{} closed, {} answered so far", figures::many(settled.closed.into(), "batch"), settled.batches.len()))
            }
        }
    }

    fn whole(&self, viewer: &Viewer, processor: &ProcessorReading, reading: &Reading) -> Markup {
        let (word, class) = standing(processor);
        let operator = self.front.switch().operator();
        let cut_over = operator.cut_over(processor.index).map(|cut_over| cut_over.to_string());
        let (counts, standing) = (processor.totals.counts, &processor.standing);
        html! {
            section.card #(processor.name) data-name=(processor.name) {
                header { h2 { (processor.name) small { (processor.kind.word()) } } span.pill.(class) { (word) } }
                div.two {
                    dl.facts {
                        dt { "Id" } dd { code { (processor.id) } }
                        dt { "Circuit" } dd { (standing.circuit().replace('_', " ")) }
                        dt { "Connections" } dd { (processor.connections) " signed on" }
                        dt { "In flight" } dd { (figures::count(standing.in_flight)) }
                        dt { "Cut-over" } dd { (cut_over.as_deref().unwrap_or("by command")) }
                        dt { "Batches" } dd { (batches(processor)) }
                        dt { "Reversals" } dd { (reversals(processor, reading.at)) ", "
                            (figures::count(standing.reversals_sent)) " sent, " (figures::count(standing.reversals_done)) " acknowledged" }
                    }
                    dl.facts {
                        dt { "Since the start" }
                        dd { @for outcome in Outcome::ALL { span.shard { (figures::count(processor.outcomes.of(outcome))) " " (outcome.word()) } } }
                        dt { "Over the link" } dd { (figures::count(counts.sent)) " sent, " (figures::count(counts.lost)) " lost, "
                            (figures::count(counts.not_sent)) " not sent" }
                        dt { "Unknown" } dd { (figures::count(standing.unknowns)) }
                        dt { "Late answers" } dd { (figures::count(standing.late_answers)) }
                        dt { "Unmatched" } dd { (figures::count(processor.unmatched)) }
                        dt { "Slowest" } dd { @if processor.last_minute.max_us == 0 { "–" } @else { (figures::time(processor.last_minute.max_us)) " in the last minute" } }
                    }
                }
                @if viewer.role == Role::Operator {
                    div.orders {
                        @for (word, name, _, meaning) in WORDS.iter().filter(|(_, _, word, _)| *word != Word::Set(processor.state)) {
                            div { (order(viewer, processor, word, name)) small { (meaning) } }
                        }
                    }
                }
            }
        }
    }
}
