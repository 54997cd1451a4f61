//! Why a payment went where it went, and why it was declined: the tables' entries as they were when they were asked, and sentences.

use super::id_or_null;
use crate::operator::TableKind;
use crate::rest::Front;
use crate::rest::problem::Problem;
use persistence::projection::Deeds;
use protocol::response_code::{RULE_DECLINES, ResponseCode};
use protocol::tail::{Tail, tag};
use protocol::transaction::Transaction;
use protocol::words::{Basis, ExchangeState, ReversalReason, SkipReason, Status};
use serde_json::{Value, json};

impl Front {
    /// Why it went to its processor, and which rules spoke of it.
    pub(super) async fn decided_by(&self, transaction: &Transaction, tail: Tail<'_>) -> Result<Value, Problem> {
        let choice = &transaction.choice;
        let (rules, post_rules) = (choice.rules_version.get(), transaction.post_rules_version.get());
        let route = self.entry(TableKind::Routes, choice.routes_version.get(), choice.route.get()).await?;
        let pre_rule = self.entry(TableKind::Rules, rules, choice.pre_rule.get()).await?;
        let post_rule = self.entry(TableKind::Rules, post_rules, choice.post_rule.get()).await?;
        let skips = choice.skips().map(|skip| {
            json!({
                "processor": self.name_of(skip.processor),
                "reason": skip.reason.map(|reason| reason.word()),
                "because": skip.reason.map(sentence_of_skip),
            })
        });
        Ok(json!({
            "basis": choice.basis().word(),
            "because": sentence_of_basis(choice.basis()),
            "routes_version": choice.routes_version.get(),
            "route": place(choice.route.get()),
            "route_entry": route,
            "passed_over": skips.collect::<Vec<_>>(),
            "passed_over_count": choice.skipped_count,
            "rules_version": rules,
            "pre_rule": place(choice.pre_rule.get()),
            "pre_rule_entry": pre_rule,
            "post_rules_version": post_rules,
            "post_rule": place(choice.post_rule.get()),
            "post_rule_entry": post_rule,
            "rule": tail.text(tag::RULE_NAME),
        }))
    }

    /// An entry of a table as it was in a version; `null` where the payment met none, or one that stands in no operator's table.
    async fn entry(&self, kind: TableKind, version: u32, place: u16) -> Result<Value, Problem> {
        if place == 0 {
            return Ok(Value::Null);
        }
        let changes = match version.checked_sub(1) {
            Some(before) => self.switch.past().changes(Deeds::All, before, 1).await.map_err(Problem::Unavailable)?,
            None => Vec::new(),
        };
        let text = changes.first().map(|change| String::from_utf8_lossy(&change.text));
        Ok(self.switch.operator().entry(kind, text.as_deref(), place).unwrap_or(Value::Null))
    }

    fn name_of(&self, processor: u16) -> Option<&str> {
        self.switch.processors().by_index(processor).map(|processor| processor.name.as_str())
    }
}

/// Why it was declined, or is not approved; `null` for one that is.
pub(super) fn decline(transaction: &Transaction, tail: Tail<'_>) -> Value {
    let code = transaction.response_code();
    let Some((by, because)) = said_by(transaction, tail) else { return Value::Null };
    json!({
        "by": by,
        "because": because,
        "response_code": code.0,
        "response_text": code.text(),
        "duplicate_of": id_or_null(&transaction.duplicate_of),
    })
}

/// Who declined, and the sentence that says why.
fn said_by(transaction: &Transaction, tail: Tail<'_>) -> Option<(&'static str, String)> {
    let code = transaction.response_code();
    let choice = &transaction.choice;
    let is_ended = matches!(transaction.status(), Status::Declined | Status::Unknown | Status::Reversed);
    if !is_ended || code == ResponseCode::APPROVED {
        return None;
    }
    let spoke = choice.pre_rule.get() != 0 || choice.post_rule.get() != 0;
    if spoke && RULE_DECLINES.contains(&code) {
        return Some(("rule", sentence_of_rule(transaction, tail)));
    }
    Some(match (code, transaction.original.state()) {
        (ResponseCode::DUPLICATE_TRANSACTION, _) => {
            ("gateway", "the same was asked for within the merchant's duplicate window, and was not declined".to_owned())
        }
        (_, ExchangeState::None) => ("gateway", format!("it was declined before a processor was asked: {}", code.text())),
        (_, ExchangeState::NotSent) => ("switch", "no processor could be reached: nothing of it was sent".to_owned()),
        (_, ExchangeState::Unknown | ExchangeState::InFlight) => ("switch", sentence_of_reversal(transaction)),
        (_, ExchangeState::Approved | ExchangeState::Declined) => ("processor", sentence_of_answer(transaction)),
    })
}

fn sentence_of_rule(transaction: &Transaction, tail: Tail<'_>) -> String {
    let choice = &transaction.choice;
    let name = tail.text(tag::RULE_NAME);
    match choice.post_rule.get() {
        0 => format!("rule {} ({name:?}) denied it before a processor was asked", choice.pre_rule.get()),
        place => format!("rule {place} ({name:?}) denied it after the processor's answer; an approval is reversed"),
    }
}

fn sentence_of_answer(transaction: &Transaction) -> String {
    let exchange = &transaction.original;
    if transaction.reversal.reason() == ReversalReason::PartialNotAllowed {
        return "it was approved in part, which the request did not allow: the part is reversed".to_owned();
    }
    format!("the processor answered {} {:?}", exchange.processor_code(), exchange.text().trim())
}

fn sentence_of_reversal(transaction: &Transaction) -> String {
    let why = match transaction.reversal.reason() {
        ReversalReason::None | ReversalReason::Timeout => "no answer came in time",
        ReversalReason::Lost => "its connection was lost, or the switch restarted, before an answer came",
        ReversalReason::PartialNotAllowed => "it was approved in part, which the request did not allow",
        ReversalReason::DeniedByRule => "a rule denied it after the answer",
    };
    format!("{why}: whatever the processor holds of it is reversed")
}

fn sentence_of_basis(basis: Basis) -> &'static str {
    match basis {
        Basis::None => "no processor was chosen",
        Basis::Named => "the request names the processor",
        Basis::Weight => "the route matches, and its weights draw this processor for this payment",
        Basis::FailOver => "the route matches, and falls back on this processor",
        Basis::Merchant => "no route matches: it is the merchant's own processor",
        Basis::LastResort => "the route matches, and all that it names are ill: this one is the least bad",
    }
}

fn sentence_of_skip(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::NotThere => "this switch does not know it any more",
        SkipReason::Off => "it takes no new payments: it is drained or disabled",
        SkipReason::CircuitOpen => "its circuit is open: too many of its latest requests failed",
        SkipReason::AtItsLimit => "as many of its requests are under way as have trace numbers",
        SkipReason::NotSent => "the payment was offered to it, and provably nothing of it was sent",
        SkipReason::OtherMethod => "it does not take this means of payment",
    }
}

fn place(place: u16) -> Option<u16> {
    (place != 0).then_some(place)
}
