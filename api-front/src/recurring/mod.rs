//! Recurring billing: add-ons, discounts, plans and subscriptions, and the scheduler that bills them.
//!
//! Lives here: what a subscription's terms may be, on which days it is billed ([`cadence`]), what a bill comes to ([`price`]), and what
//! an answer to a bill means for its subscription ([`dunning`]). Must not live here: JSON and HTTP, SQL, the way of a payment.
//!
//! A bill is a payment like any other. What makes it come once is that its transaction's id is written down before it is sent: see
//! [`scheduler`].

pub mod cadence;
pub mod dunning;
pub mod price;
pub mod scheduler;
mod subscriptions;
mod terms;
mod told;

#[cfg(test)]
mod tests;

pub use subscriptions::SubscriptionAsked;
pub use terms::{AdjustmentAsked, TermsAsked};

use crate::switch::handle::Switch;
use persistence::error::PersistenceError;
use persistence::stores::{AdjustmentKind, KeptAdjustment, Plan, Stores};
use price::Adjustment;
use protocol::id::Xid;
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::Notify;

/// Add-ons, or discounts, of one plan or subscription at most.
pub const ADJUSTMENTS_MAX: usize = 50;

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum RecurringError {
    /// A field can't be accepted.
    #[error("{field}: {reason}")]
    Field {
        /// Its path.
        field: Cow<'static, str>,
        /// What is accepted.
        reason: String,
    },
    /// It is not there, or another merchant's.
    #[error("not there")]
    NotFound,
    /// It was changed, or billed, at the same moment.
    #[error("it was changed or billed at this moment; try again")]
    Busy,
    /// The SQL home could not be asked.
    #[error(transparent)]
    Store(#[from] PersistenceError),
}

impl RecurringError {
    fn field(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> RecurringError {
        RecurringError::Field { field: field.into(), reason: reason.into() }
    }
}

/// An add-on or a discount as it is asked for; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct KeptAsked {
    /// Its name.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Minor units.
    pub amount: Option<u64>,
    /// Thousandths of a percent.
    pub percentage: Option<u64>,
    /// For how many bills; 0 for all.
    pub duration: Option<u32>,
}

/// A plan as it is asked for; what is `None` stays as it is.
#[derive(Debug, Default)]
pub struct PlanAsked {
    /// Its name.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// What is billed and when.
    pub terms: TermsAsked,
}

/// The room. Cheap to clone.
#[derive(Clone)]
pub struct Recurring {
    switch: Switch,
    /// Told when a subscription was made or changed: its bill may be the next one.
    changed: Arc<Notify>,
}

impl Recurring {
    /// The room over a switch's stores.
    pub fn new(switch: Switch) -> Recurring {
        Recurring { switch, changed: Arc::default() }
    }

    fn wake_scheduler(&self) {
        self.changed.notify_one();
    }

    fn stores(&self) -> &Stores {
        self.switch.stores()
    }

    /// Makes an add-on or discount.
    pub async fn create_adjustment(
        &self,
        merchant: Xid,
        kind: AdjustmentKind,
        asked: KeptAsked,
    ) -> Result<KeptAdjustment, RecurringError> {
        let now = self.switch.calendar().now();
        let fresh = KeptAdjustment {
            id: self.switch.draw_id(),
            merchant,
            kind,
            name: String::new(),
            description: String::new(),
            amount: None,
            percentage: None,
            duration: 0,
            created_at: now,
            updated_at: now,
        };
        self.keep_adjustment(fresh, asked).await
    }

    /// Changes an add-on or discount. What has copied it stays as it is.
    pub async fn change_adjustment(
        &self,
        merchant: &Xid,
        kind: AdjustmentKind,
        id: &Xid,
        asked: KeptAsked,
    ) -> Result<KeptAdjustment, RecurringError> {
        let mut kept = self.adjustment(merchant, kind, id).await?;
        kept.updated_at = self.switch.calendar().now();
        self.keep_adjustment(kept, asked).await
    }

    async fn keep_adjustment(&self, mut kept: KeptAdjustment, asked: KeptAsked) -> Result<KeptAdjustment, RecurringError> {
        (kept.amount, kept.percentage) = match (asked.amount, asked.percentage) {
            (Some(_), Some(_)) => return Err(RecurringError::field("amount", "must be absent when percentage is given")),
            (None, None) if kept.amount.is_none() && kept.percentage.is_none() => {
                return Err(RecurringError::field("amount", "is required, or percentage"));
            }
            (None, None) => (kept.amount, kept.percentage),
            given => given,
        };
        kept.name = asked.name.unwrap_or(kept.name);
        kept.description = asked.description.unwrap_or(kept.description);
        kept.duration = asked.duration.unwrap_or(kept.duration);
        self.stores().put_adjustment(&kept).await?;
        Ok(kept)
    }

    /// One add-on or discount.
    pub async fn adjustment(&self, merchant: &Xid, kind: AdjustmentKind, id: &Xid) -> Result<KeptAdjustment, RecurringError> {
        self.stores().adjustment(merchant, kind, id).await?.ok_or(RecurringError::NotFound)
    }

    /// All add-ons or discounts of a merchant, oldest first.
    pub async fn adjustments(&self, merchant: &Xid, kind: AdjustmentKind) -> Result<Vec<KeptAdjustment>, RecurringError> {
        Ok(self.stores().adjustments(merchant, kind).await?)
    }

    /// Removes one. What has copied it stays as it is.
    pub async fn delete_adjustment(&self, merchant: &Xid, kind: AdjustmentKind, id: &Xid) -> Result<(), RecurringError> {
        let was_there = self.stores().delete_adjustment(merchant, kind, id).await?;
        if was_there { Ok(()) } else { Err(RecurringError::NotFound) }
    }

    /// Makes a plan.
    pub async fn create_plan(&self, merchant: Xid, asked: PlanAsked) -> Result<Plan, RecurringError> {
        let now = self.switch.calendar().now();
        let plan = Plan {
            id: self.switch.draw_id(),
            merchant,
            name: asked.name.unwrap_or_default(),
            description: asked.description.unwrap_or_default(),
            terms: self.terms(&merchant, asked.terms, None).await?,
            created_at: now,
            updated_at: now,
        };
        self.stores().put_plan(&plan).await?;
        Ok(plan)
    }

    /// Changes a plan. Its subscriptions stay as they are.
    pub async fn change_plan(&self, merchant: &Xid, id: &Xid, asked: PlanAsked) -> Result<Plan, RecurringError> {
        let mut plan = self.plan(merchant, id).await?;
        plan.name = asked.name.unwrap_or(plan.name);
        plan.description = asked.description.unwrap_or(plan.description);
        plan.terms = self.terms(merchant, asked.terms, Some(plan.terms)).await?;
        plan.updated_at = self.switch.calendar().now();
        self.stores().put_plan(&plan).await?;
        Ok(plan)
    }

    /// One plan.
    pub async fn plan(&self, merchant: &Xid, id: &Xid) -> Result<Plan, RecurringError> {
        self.stores().plan(merchant, id).await?.ok_or(RecurringError::NotFound)
    }

    /// All plans of a merchant, oldest first.
    pub async fn plans(&self, merchant: &Xid) -> Result<Vec<Plan>, RecurringError> {
        Ok(self.stores().plans(merchant).await?)
    }

    /// Removes a plan. Its subscriptions go on.
    pub async fn delete_plan(&self, merchant: &Xid, id: &Xid) -> Result<(), RecurringError> {
        if self.stores().delete_plan(merchant, id).await? { Ok(()) } else { Err(RecurringError::NotFound) }
    }
}

/// The list that a plan's or subscription's text holds.
pub fn adjustments_of(text: &str) -> Vec<Adjustment> {
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::error!(%error, "a plan's or subscription's list can't be read; it counts as empty");
        Vec::new()
    })
}
