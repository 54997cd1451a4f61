//! Recurring billing: what may be added or taken off, plans, and subscriptions with their bills.
//!
//! The lists that a plan or subscription carries are text here, written and read by the room that knows them.

mod adjustments;
mod bills;
mod plans;
mod subscriptions;

pub use adjustments::{AdjustmentKind, KeptAdjustment};
pub use bills::Bill;
pub use plans::Plan;
pub use subscriptions::{Standing, Subscription};

use crate::error::PersistenceError;
use crate::sql::Fields;

/// What is billed and when: the part that a plan and a subscription share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingTerms {
    /// Base amount, minor units.
    pub amount: u64,
    /// Every so many cycles.
    pub interval: u32,
    /// What a cycle is: the gateway document's word.
    pub frequency: String,
    /// Its days, as the document writes them.
    pub days: String,
    /// How many bills; 0 until it is cancelled.
    pub duration: u32,
    /// Copies of add-ons.
    pub add_ons: String,
    /// Copies of discounts.
    pub discounts: String,
}

impl BillingTerms {
    fn read(fields: &Fields<'_>) -> Result<BillingTerms, PersistenceError> {
        Ok(BillingTerms {
            amount: fields.narrow("amount")?,
            interval: fields.narrow("billing_interval")?,
            frequency: fields.text("frequency")?,
            days: fields.text("days")?,
            duration: fields.narrow("duration")?,
            add_ons: fields.text("add_ons")?,
            discounts: fields.text("discounts")?,
        })
    }
}
