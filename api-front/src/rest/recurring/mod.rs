//! The recurring calls: add-ons, discounts, plans, subscriptions.

mod adjustments;
mod plans;
mod subscriptions;
mod terms;

pub(crate) use subscriptions::shown as shown_subscription;

use super::Front;
use super::bodies::Body;
use super::problem::Problem;
use crate::recurring::RecurringError;
use crate::switch::directory::Compat;
use axum::Router;
use axum::response::Response;
use serde_json::Value;

pub(super) const BODIES: &[Body] = &[
    ("adjustment", |bytes| adjustments::parse(bytes).map(drop)),
    ("plan", |bytes| plans::parse(bytes).map(drop)),
    ("subscription", |bytes| subscriptions::parse(bytes).map(drop)),
];

pub(super) fn routes() -> Router<Front> {
    adjustments::routes().merge(plans::routes()).merge(subscriptions::routes())
}

/// One add-on, discount or plan. Some clients in use know it as a list of one only.
fn one(shown: Value, compat: Compat) -> Response {
    super::envelope::data(if compat.arrays { Value::Array(vec![shown]) } else { shown })
}

impl From<RecurringError> for Problem {
    fn from(error: RecurringError) -> Problem {
        match error {
            RecurringError::Field { field, reason } => Problem::invalid(field, reason),
            RecurringError::NotFound => Problem::NotFound,
            RecurringError::Busy => Problem::Conflict(error.to_string()),
            RecurringError::Store(_) => {
                tracing::warn!(%error, "recurring");
                Problem::StoreUnavailable
            }
        }
    }
}
