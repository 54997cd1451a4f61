//! The story of one payment: what became of it, why it went where it went, every record and every request.

use super::lookup::Asked;
use super::{Console, figures, payments};
use crate::rest::Problem;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use maud::{Markup, html};
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::words::Status;
use serde_json::Value;

/// `GET /console/payments/{id}`
pub(super) async fn show(State(console): State<Console>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let viewer = match console.viewer(&headers) {
        Ok(viewer) => viewer,
        Err(response) => return *response,
    };
    let told = match id.parse::<Xid>() {
        Ok(wanted) => console.front.story(wanted).await,
        Err(_) => Err(Problem::NotFound),
    };
    let body = html! {
        (payments::search(&Asked { id, ..Asked::default() }))
        @match told {
            Ok(story) => (whole(&story)),
            Err(Problem::NotFound) => p.notice.bad { "There is no such transaction." },
            Err(problem) => p.notice.bad { (problem) },
        }
    };
    console.page(&viewer, "/console/payments", body)
}

/// A text of the story; empty for none.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

/// A value as it is read; a dash for none.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.is_empty() => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A moment of the story: date and time, to the millisecond.
fn moment(value: &Value) -> String {
    let text = value.as_str().unwrap_or("–");
    text.get(..23).map_or_else(|| text.to_owned(), |text| text.replace('T', " "))
}

/// Minor units of the story's currency, as people write them.
fn money(story: &Value, minor: &Value) -> String {
    minor.as_u64().map_or_else(|| "–".to_owned(), |minor| figures::money(minor, Currency::from_code(text(story, "currency"))))
}

/// A trace number as the host has it: six digits.
fn stan(number: &Value) -> String {
    number.as_u64().map_or_else(|| "–".to_owned(), |number| format!("{number:06}"))
}

fn colour_of_answer(outcome: &str) -> &'static str {
    match outcome {
        "approved" => "good",
        "declined" => "bad",
        "unknown" => "warn",
        _ => "off",
    }
}

fn colour(status: &str) -> &'static str {
    Status::ALL.iter().copied().find(|known| known.word() == status).map_or("off", payments::colour)
}

fn whole(story: &Value) -> Markup {
    let status = text(story, "status");
    html! {
        h1 { (text(story, "type")) " " code { (text(story, "transaction_id")) } span.pill.(colour(status)) #status { (status.replace('_', " ")) } }
        div.two {
            section.card { h2 { "What it is" } dl.facts {
                dt { "Amount" } dd { (money(story, &story["amount"])) }
                @for (name, field) in [("Merchant", "merchant_id"), ("Order", "order_id"), ("Card", "card"), ("RRN", "rrn"), ("Processor", "processor_name"),
                    ("Batch", "settlement_batch_id")] { dt { (name) } dd { (shown(&story[field])) } }
                @if let Some(of) = story["referenced_transaction_id"].as_str() { dt { "Of" } dd { a href={ "/console/payments/" (of) } { code { (of) } } } }
            } }
            section.card { h2 { "Why" } (why(&story["decided_by"], &story["decline"])) }
        }
        section { h2 { "Records" small { "each is the whole transaction as it stood" } } (versions(story)) }
        section { h2 { "Requests to the processor" } (requests(story)) }
        (reversal(&story["reversal"]))
    }
}

fn why(decided: &Value, decline: &Value) -> Markup {
    html! {
        ul.reasons {
            @if !decline.is_null() {
                li.bad { strong { "Not approved, by the " (text(decline, "by")) ": " } (text(decline, "because")) "." }
                @if let Some(of) = decline["duplicate_of"].as_str() { li { "The same as " a href={ "/console/payments/" (of) } { code { (of) } } "." } }
            }
            li { strong { "Route: " } (text(decided, "because")) "." }
            @if let Some(place) = decided["route"].as_u64() {
                li { "Route " (place) " of version " (shown(&decided["routes_version"])) (entry(&decided["route_entry"])) }
            }
            @for skip in decided["passed_over"].as_array().into_iter().flatten() {
                li { strong { (shown(&skip["processor"])) " was passed over: " } (text(skip, "because")) "." }
            }
            @for (stage, place, of, version) in [("Before the processor", "pre_rule", "pre_rule_entry", "rules_version"),
                ("After its answer", "post_rule", "post_rule_entry", "post_rules_version")] {
                @if let Some(place) = decided[place].as_u64() {
                    li { strong { (stage) ": " } "rule " (place) " of version " (shown(&decided[version])) " spoke" (entry(&decided[of])) }
                }
            }
            @if decided["pre_rule"].is_null() && decided["post_rule"].is_null() { li { "No rule spoke." } }
        }
    }
}

fn entry(entry: &Value) -> Markup {
    html! {
        @if entry.is_null() { "." } @else {
            details { summary { (text(entry, "name")) } pre { (serde_json::to_string_pretty(entry).unwrap_or_default()) } }
        }
    }
}

fn versions(story: &Value) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th.n { "LSN" } th { "at" } th { "record" } th { "status" } th.n { "code" } th.n { "authorized" } th.n { "captured" }
                th.n { "settled" } th.n { "refunded" } th { "told" } } }
            tbody {
                @for version in story["versions"].as_array().into_iter().flatten() {
                    @let status = text(version, "status");
                    tr {
                        td.n { (shown(&version["lsn"])) }
                        td { (moment(&version["at"])) }
                        td { (text(version, "event")) }
                        td { span.pill.(colour(status)) { (status.replace('_', " ")) } }
                        td.n { (shown(&version["response_code"])) }
                        @for amount in ["amount_authorized", "amount_captured", "amount_settled", "amount_refunded"] { td.n { (money(story, &version[amount])) } }
                        td { @if version["told_the_client"] == true { "the client" } }
                    }
                }
            }
        } }
    }
}

fn requests(story: &Value) -> Markup {
    let requests = story["requests"].as_array().map_or(&[][..], Vec::as_slice);
    html! {
        @if requests.is_empty() { p.hint { "None was made: it was decided here." } }
        div.cards { @for request in requests {
            article.card { header { h3 { (shown(&request["verb"])) small { (text(request, "leg")) } } span.pill.(colour_of_answer(text(request, "outcome"))) { (text(request, "outcome").replace('_', " ")) } }
                dl.facts {
                    dt { "STAN" } dd { (stan(&request["stan"])) }
                    dt { "Amount" } dd { (money(story, &request["amount"])) }
                    @for (name, field) in [("Answer", "processor_response_code"),
                        ("Text", "processor_response_text"), ("Approval", "auth_code"), ("Our code", "response_code"), ("AVS", "avs"), ("CVV", "cvv")] {
                        dt { (name) } dd { (shown(&request[field])) }
                    }
                    dt { "Sent" } dd { (moment(&request["sent_at"])) }
                    dt { "Deadline" } dd { (moment(&request["deadline"])) }
                } }
        } }
    }
}

fn reversal(reversal: &Value) -> Markup {
    html! {
        @if !reversal.is_null() {
            section.card { h2 { "Reversal" span.pill { (text(reversal, "state").replace('_', " ")) } }
                dl.facts {
                    dt { "Why" } dd { (text(reversal, "reason").replace('_', " ")) }
                    dt { "STAN" } dd { (stan(&reversal["stan"])) " for " (stan(&reversal["original_stan"])) }
                    dt { "Queued" } dd { (moment(&reversal["queued_at"])) }
                    dt { "Done" } dd { (moment(&reversal["done_at"])) }
                } }
        }
    }
}
