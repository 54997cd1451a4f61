//! What is told of a subscription: an event for each change, and for what became of each bill.

use super::Recurring;
use crate::rest::shown_subscription;
use persistence::stores::events::{Became, EventKind, NewEvent, Subject};
use persistence::stores::{Standing, Subscription};

impl Recurring {
    /// The event of what became of a subscription, to be written with it.
    pub(super) fn event(&self, subscription: &Subscription, became: Became) -> NewEvent {
        NewEvent {
            id: self.switch.draw_id(),
            merchant: subscription.merchant,
            kind: EventKind::new(Subject::Subscription, became),
            about: subscription.id,
            at: subscription.updated_at,
            body: shown_subscription(subscription).to_string(),
            callback: None,
        }
    }
}

/// What a bill has made of its subscription: it is paid, and may have been the last; or it was declined, for now or for good.
pub(super) fn of_bill(before: &Subscription, after: &Subscription) -> Vec<Became> {
    match after.standing {
        Standing::Completed => vec![Became::Paid, Became::Ended],
        _ if after.billed > before.billed => vec![Became::Paid],
        Standing::Failed | Standing::Stopped => vec![Became::Failed],
        Standing::Active | Standing::PastDue => vec![Became::Declined],
    }
}
