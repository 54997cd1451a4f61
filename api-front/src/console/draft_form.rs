//! A draft as a form: every entry's fields, the buttons that move it, and room for one more.

use super::draft::{Draft, items, text, value_text};
use crate::operator::TableKind;
use maud::{Markup, html};
use serde_json::Value;
use switch_core::conditions::field_words;

/// How conditions compare.
const OPERATORS: [&str; 5] = ["=", "!=", "<", ">", "in"];
/// Whose payments a velocity counts.
const VELOCITIES_PER: [&str; 4] = ["card", "ip", "email", "merchant"];

/// What a list offers: value and name.
pub(super) type Choices = Vec<(String, String)>;

/// What the lists of a form offer.
pub(super) struct Offers {
    /// Merchants: id and name.
    pub(super) merchants: Choices,
    /// Processors.
    pub(super) processors: Choices,
}

/// All entries.
pub(super) fn entries(draft: &Draft, offers: &Offers) -> Markup {
    html! {
        ol.entries {
            @for (place, entry) in draft.entries.iter().enumerate() {
                li.card.entry {
                    div.head {
                        span.place { (place + 1) }
                        label.grow { "Name" input name={ (place) ".name" } value=(text(entry, "name")) required; }
                        label { "Merchant" (list(&format!("{place}.merchant_id"), text(entry, "merchant_id"), "all", &offers.merchants)) }
                        (moves(place))
                    }
                    (conditions(place, entry))
                    @match draft.kind {
                        TableKind::Rules => (verdict(place, entry)),
                        TableKind::Routes => (targets(place, entry, &offers.processors)),
                    }
                }
            }
        }
    }
}

fn moves(place: usize) -> Markup {
    html! {
        span.moves {
            button.quiet name="do" value={ "up." (place) } title="Earlier" formnovalidate { "↑" }
            button.quiet name="do" value={ "down." (place) } title="Later" formnovalidate { "↓" }
            button.quiet.bad name="do" value={ "remove." (place) } title="Remove" formnovalidate { "✕" }
        }
    }
}

/// A list to choose from; `none` is what the empty choice is called.
fn list(name: &str, chosen: &str, none: &str, choices: &[(String, String)]) -> Markup {
    let is_known = chosen.is_empty() || choices.iter().any(|(value, _)| value == chosen);
    html! {
        select name=(name) {
            option value="" selected[chosen.is_empty()] { (none) }
            @for (value, title) in choices { option value=(value) selected[value == chosen] { (title) } }
            @if !is_known { option value=(chosen) selected { (chosen) } }
        }
    }
}

fn words(name: &str, chosen: &str, words: &[&str]) -> Markup {
    html! { select name=(name) { @for word in words { option value=(word) selected[*word == chosen] { (word) } } } }
}

fn conditions(place: usize, entry: &Value) -> Markup {
    let fields: Choices =
        field_words().map(|(word, _)| word).chain(["velocity"]).map(|word| (word.to_owned(), word.replace('_', " "))).collect();
    let conditions = items(entry, "if");
    html! {
        div.conditions {
            @if conditions.is_empty() { p.hint { "Every payment." } }
            @for (at, condition) in conditions.iter().enumerate() {
                @let path = format!("{place}.if.{at}");
                @let is_velocity = text(condition, "field") == "velocity";
                div.condition {
                    span.word { @if at == 0 { "if" } @else { "and" } }
                    (list(&format!("{path}.field"), text(condition, "field"), "– no condition –", &fields))
                    @if is_velocity {
                        span.word { "per" }
                        (words(&format!("{path}.per"), text(condition, "per"), &VELOCITIES_PER))
                        span.word { "in" }
                        input.short name={ (path) ".window_s" } value=(value_text(&condition["window_s"])) inputmode="numeric";
                        span.word { "s" }
                    }
                    (words(&format!("{path}.op"), text(condition, "op"), &OPERATORS))
                    input name={ (path) ".value" } value=(value_text(&condition["value"])) placeholder="value, or values, apart by commas";
                    @if !is_velocity && text(condition, "field").is_empty() {
                        input type="hidden" name={ (path) ".per" } value="card";
                        input type="hidden" name={ (path) ".window_s" } value="3600";
                    }
                }
            }
            button.quiet name="do" value={ "condition." (place) } formnovalidate { "+ condition" }
        }
    }
}

fn verdict(place: usize, entry: &Value) -> Markup {
    html! {
        div.verdict {
            label { "When" select name={ (place) ".stage" } {
                option value="pre" selected[text(entry, "stage") == "pre"] { "before the processor" }
                option value="post" selected[text(entry, "stage") == "post"] { "after its answer" }
            } }
            label { "Then" (words(&format!("{place}.then"), text(entry, "then"), &["deny", "flag", "accept"])) }
            label { "Code of a denial" input.short name={ (place) ".code" } placeholder="310" inputmode="numeric"
                value=(entry["code"].as_u64().map(|code| code.to_string()).unwrap_or_default()); }
        }
    }
}

fn targets(place: usize, entry: &Value, processors: &[(String, String)]) -> Markup {
    let shares = items(entry, "to");
    let total: u64 = shares.iter().filter_map(|share| share["weight"].as_u64()).sum();
    let fail_over = items(entry, "fail_over");
    html! {
        div.targets {
            @for (at, share) in shares.iter().enumerate() {
                @let path = format!("{place}.to.{at}");
                @let weight = share["weight"].as_u64().unwrap_or(0);
                div.share {
                    label { "Processor" (list(&format!("{path}.processor_id"), text(share, "processor_id"), "– none –", processors)) }
                    label { "Weight" input.short name={ (path) ".weight" } value=(value_text(&share["weight"])) inputmode="numeric"; }
                    span.part { @if total > 0 { (weight * 100 / total) " %" } }
                    (super::chart::bar("fill", weight, total))
                }
            }
            button.quiet name="do" value={ "share." (place) } formnovalidate { "+ processor" }
            div.fail-over {
                @for at in 0..=fail_over.len() {
                    @let chosen = fail_over.get(at).map(value_text).unwrap_or_default();
                    label { @if at == 0 { "If all of them are ill" } @else { "else" }
                        (list(&format!("{place}.fail_over.{at}.processor_id"), &chosen, "– none –", processors)) }
                }
            }
        }
    }
}
