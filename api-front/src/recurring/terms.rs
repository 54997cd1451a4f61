//! From what a merchant asks to terms that can be billed: everything is checked here, so that no bill can fail for its terms.

use super::cadence::{Cadence, INTERVAL_MAX, WrongCadence};
use super::price::Adjustment;
use super::{Recurring, RecurringError};
use persistence::stores::{AdjustmentKind, BillingTerms};
use protocol::id::Xid;

/// What is billed and when, as it is asked for; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct TermsAsked {
    /// Base amount, minor units.
    pub amount: Option<u64>,
    /// Every so many cycles.
    pub interval: Option<u64>,
    /// The document's word.
    pub frequency: Option<String>,
    /// The document's text.
    pub days: Option<String>,
    /// How many bills; 0 until cancelled.
    pub duration: Option<u32>,
    /// Additions, all of them.
    pub add_ons: Option<Vec<AdjustmentAsked>>,
    /// Discounts, all of them.
    pub discounts: Option<Vec<AdjustmentAsked>>,
}

/// An add-on or discount of the merchant's, and what differs from it here.
#[derive(Debug, Clone, Default)]
pub struct AdjustmentAsked {
    /// Which one.
    pub id: Option<Xid>,
    /// Another name.
    pub name: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Another amount, minor units.
    pub amount: Option<u64>,
    /// Another percentage, thousandths.
    pub percentage: Option<u64>,
    /// Another duration.
    pub duration: Option<u32>,
}

impl Recurring {
    /// The terms that hold from here on: what is asked over what held before.
    pub(super) async fn terms(
        &self,
        merchant: &Xid,
        asked: TermsAsked,
        base: Option<BillingTerms>,
    ) -> Result<BillingTerms, RecurringError> {
        let base = base.unwrap_or_else(nothing_yet);
        let add_ons = self.copies(merchant, AdjustmentKind::AddOn, asked.add_ons, base.add_ons).await?;
        let discounts = self.copies(merchant, AdjustmentKind::Discount, asked.discounts, base.discounts).await?;
        let terms = BillingTerms {
            amount: asked.amount.unwrap_or(base.amount),
            interval: interval(asked.interval.unwrap_or(base.interval.into()))?,
            frequency: asked.frequency.unwrap_or(base.frequency),
            days: asked.days.unwrap_or(base.days),
            duration: asked.duration.unwrap_or(base.duration),
            add_ons,
            discounts,
        };
        if terms.amount == 0 {
            return Err(RecurringError::field("amount", "is required, in minor units (1299 is 12.99)"));
        }
        cadence(&terms)?;
        Ok(terms)
    }

    async fn copies(
        &self,
        merchant: &Xid,
        kind: AdjustmentKind,
        asked: Option<Vec<AdjustmentAsked>>,
        before: String,
    ) -> Result<String, RecurringError> {
        let Some(asked) = asked else { return Ok(before) };
        let list = match kind {
            AdjustmentKind::AddOn => "add_ons",
            AdjustmentKind::Discount => "discounts",
        };
        let mut copies = Vec::with_capacity(asked.len());
        for (place, asked) in asked.into_iter().enumerate() {
            let wrong = |name: &str, reason: &str| RecurringError::field(format!("{list}[{place}].{name}"), reason);
            copies.push(self.copy(merchant, kind, asked, wrong).await?);
        }
        // Texts and numbers only: there is nothing in it that could fail.
        Ok(serde_json::to_string(&copies).unwrap_or_default())
    }

    async fn copy(
        &self,
        merchant: &Xid,
        kind: AdjustmentKind,
        asked: AdjustmentAsked,
        wrong: impl Fn(&str, &str) -> RecurringError,
    ) -> Result<Adjustment, RecurringError> {
        let id = asked.id.ok_or_else(|| wrong("id", "is required"))?;
        let kept = self.stores().adjustment(merchant, kind, &id).await?;
        let kept = kept.ok_or_else(|| wrong("id", "no such one"))?;
        let (amount, percentage) = match (asked.amount, asked.percentage) {
            (Some(_), Some(_)) => return Err(wrong("amount", "must be absent when percentage is given")),
            (None, None) => (kept.amount, kept.percentage),
            given => given,
        };
        Ok(Adjustment {
            id: id.to_string(),
            name: asked.name.unwrap_or(kept.name),
            description: asked.description.unwrap_or(kept.description),
            amount,
            percentage,
            duration: asked.duration.unwrap_or(kept.duration),
        })
    }
}

/// What a new plan begins with. Its days must be said: there is no day of a month that is anybody's default.
fn nothing_yet() -> BillingTerms {
    BillingTerms {
        amount: 0,
        interval: 1,
        frequency: "monthly".to_owned(),
        days: String::new(),
        duration: 0,
        add_ons: "[]".to_owned(),
        discounts: "[]".to_owned(),
    }
}

fn interval(number: u64) -> Result<u32, RecurringError> {
    u32::try_from(number).map_err(|_| wrong(WrongCadence::Interval))
}

/// How the bills of these terms follow one another.
pub(super) fn cadence(terms: &BillingTerms) -> Result<Cadence, RecurringError> {
    Cadence::read(terms.interval.into(), &terms.frequency, &terms.days).map_err(wrong)
}

fn wrong(cadence: WrongCadence) -> RecurringError {
    match cadence {
        WrongCadence::Interval => RecurringError::field("billing_cycle_interval", format!("must be 1 to {INTERVAL_MAX}")),
        WrongCadence::Frequency => {
            RecurringError::field("billing_frequency", "must be \"daily\", \"monthly\" or \"twice_monthly\"")
        }
        WrongCadence::Days(accepted) => RecurringError::field("billing_days", format!("must be {accepted}")),
    }
}
