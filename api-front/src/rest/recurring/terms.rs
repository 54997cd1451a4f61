//! What plans and subscriptions have in common in their bodies.

use crate::recurring::price::{self, PERCENTAGE_MAX};
use crate::recurring::{ADJUSTMENTS_MAX, AdjustmentAsked, TermsAsked, adjustments_of};
use crate::rest::json::Scope;
use crate::rest::limits::{DESCRIPTION_MAX_CHARS, NAME_MAX_CHARS};
use crate::rest::problem::Problem;
use crate::rest::request::checks;
use crate::rest::users::text;
use persistence::stores::BillingTerms;
use price::Adjustment;
use protocol::calendar::Micros;
use protocol::id::Xid;
use serde_json::{Map, Value, json};

/// Bills at most, where their number is given.
const DURATION_MAX: u64 = 10_000;
/// Longest word or list of days.
const WORD_MAX_CHARS: usize = 20;

pub(super) fn read(body: Scope<'_, '_>) -> Result<TermsAsked, Problem> {
    Ok(TermsAsked {
        amount: body.amount("amount")?,
        interval: body.integer("billing_cycle_interval")?,
        frequency: text(body, "billing_frequency", WORD_MAX_CHARS, checks::printable, "a word")?,
        days: days(body)?,
        duration: duration(body)?,
        add_ons: adjustments(body, "add_ons", "add_ons[#].")?,
        discounts: adjustments(body, "discounts", "discounts[#].")?,
    })
}

/// A text in the document; clients with one day send it as a number too.
fn days(body: Scope<'_, '_>) -> Result<Option<String>, Problem> {
    match body.integer("billing_days") {
        Ok(number) => Ok(number.map(|number| number.to_string())),
        Err(_) => text(body, "billing_days", WORD_MAX_CHARS, checks::printable, "days such as 1,15"),
    }
}

pub(super) fn duration(body: Scope<'_, '_>) -> Result<Option<u32>, Problem> {
    let Some(number) = body.integer("duration")? else { return Ok(None) };
    let bounded = u32::try_from(number).ok().filter(|number| u64::from(*number) <= DURATION_MAX);
    bounded.map(Some).ok_or_else(|| body.invalid("duration", format!("must be 0 to {DURATION_MAX} bills; 0 is without end")))
}

pub(super) fn percentage(body: Scope<'_, '_>) -> Result<Option<u64>, Problem> {
    match body.integer("percentage")? {
        Some(percentage) if percentage > PERCENTAGE_MAX => {
            Err(body.invalid("percentage", format!("must be at most {PERCENTAGE_MAX}, in thousandths: 1000 is 1 %")))
        }
        percentage => Ok(percentage),
    }
}

pub(super) fn name(body: Scope<'_, '_>) -> Result<Option<String>, Problem> {
    text(body, "name", NAME_MAX_CHARS, checks::printable, "printable characters")
}

pub(super) fn description(body: Scope<'_, '_>) -> Result<Option<String>, Problem> {
    text(body, "description", DESCRIPTION_MAX_CHARS, checks::lines, "text without control characters")
}

pub(super) fn id(scope: Scope<'_, '_>, name: &str) -> Result<Option<Xid>, Problem> {
    let Some(text) = scope.text(name)? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| scope.invalid(name, "must be an id of 20 characters"))
}

fn adjustments(body: Scope<'_, '_>, name_of_list: &str, prefix: &'static str) -> Result<Option<Vec<AdjustmentAsked>>, Problem> {
    let Some(items) = body.objects(name_of_list, prefix, ADJUSTMENTS_MAX)? else { return Ok(None) };
    let read = |item: Scope<'_, '_>| -> Result<AdjustmentAsked, Problem> {
        Ok(AdjustmentAsked {
            id: id(item, "id")?,
            name: name(item)?,
            description: description(item)?,
            amount: item.amount("amount")?,
            percentage: percentage(item)?,
            duration: duration(item)?,
        })
    };
    items.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// Shows terms; `total_add_ons` is what the next bill, counted from 1, has of them.
pub(super) fn show(terms: &BillingTerms, bill: u32, names: &Names, out: &mut Map<String, Value>) {
    let (add_ons, discounts) = (adjustments_of(&terms.add_ons), adjustments_of(&terms.discounts));
    out.insert("amount".into(), terms.amount.into());
    out.insert("billing_cycle_interval".into(), terms.interval.into());
    out.insert("billing_frequency".into(), terms.frequency.clone().into());
    out.insert("billing_days".into(), terms.days.clone().into());
    for name in names.total_add_ons {
        out.insert((*name).into(), price::total(&add_ons, terms.amount, bill).into());
    }
    out.insert("total_discounts".into(), price::total(&discounts, terms.amount, bill).into());
    out.insert("duration".into(), terms.duration.into());
    out.insert("add_ons".into(), (names.list)(&add_ons));
    out.insert("discounts".into(), (names.list)(&discounts));
}

/// Where a plan and a subscription are shown differently.
pub(super) struct Names {
    /// Under which names the sum of the additions stands.
    pub total_add_ons: &'static [&'static str],
    /// How a list is shown.
    pub list: fn(&[Adjustment]) -> Value,
}

/// An adjustment as a plan shows it: it has no moments of its own.
pub(super) fn copied(adjustment: &Adjustment) -> Value {
    json!({
        "id": adjustment.id,
        "name": adjustment.name,
        "description": adjustment.description,
        "amount": adjustment.amount,
        "percentage": adjustment.percentage,
        "duration": adjustment.duration,
        "created_at": null,
        "updated_at": null,
    })
}

/// A day as the document writes it; the day on which nothing comes any more is null.
pub(super) fn date(midnight: Micros) -> Value {
    let text = midnight.to_string();
    text.split_once('T').map_or(Value::Null, |(date, _)| date.into())
}
