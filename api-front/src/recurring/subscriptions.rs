//! Subscriptions: made from a plan or from terms of their own, changed, removed.

use super::terms::{TermsAsked, cadence};
use super::{Recurring, RecurringError};
use jiff::civil::Date;
use persistence::stores::events::Became;
use persistence::stores::{Standing, Subscription};
use protocol::calendar::Micros;
use protocol::id::Xid;

/// How often a change is made anew when the subscription is billed in between: the first bill may fall due with its making.
const CHANGE_TRIES_MAX: u32 = 8;

/// A subscription as it is asked for; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionAsked {
    /// The plan whose terms hold where the request says none.
    pub plan: Option<Xid>,
    /// Who is billed.
    pub customer: Option<Xid>,
    /// Its description.
    pub description: Option<String>,
    /// What is billed and when.
    pub terms: TermsAsked,
    /// The day of the next bill.
    pub next_bill_date: Option<Date>,
}

impl Recurring {
    /// Makes a subscription. Its first bill comes on the day that was asked for, or on the first day that its terms name; where that
    /// day is past, on the next one of its cadence.
    pub async fn create_subscription(&self, merchant: Xid, asked: SubscriptionAsked) -> Result<Subscription, RecurringError> {
        let customer = asked.customer.ok_or_else(|| RecurringError::field("customer.id", "is required"))?;
        self.check_customer(&merchant, &customer).await?;
        let base = match &asked.plan {
            None => None,
            Some(plan) => Some(self.plan_of_subscription(&merchant, plan).await?),
        };
        let terms = self.terms(&merchant, asked.terms, base).await?;
        let now = self.switch.calendar().now();
        let (cadence, today) = (cadence(&terms)?, date_of(now));
        let first = match asked.next_bill_date {
            Some(date) => cadence.first_asked(date, today),
            None => cadence.first_from(today),
        };
        let subscription = Subscription {
            id: self.switch.draw_id(),
            merchant,
            plan: asked.plan.unwrap_or(Xid::NONE),
            customer,
            description: asked.description.unwrap_or_default(),
            terms,
            standing: Standing::Active,
            next_bill_at: midnight(first),
            next_attempt_at: midnight(first),
            billed: 0,
            attempts: 0,
            last_transaction: Xid::NONE,
            created_at: now,
            updated_at: now,
        };
        self.stores().add_subscription(&subscription, &self.event(&subscription, Became::Created)).await?;
        self.wake_scheduler();
        Ok(subscription)
    }

    /// Changes a subscription. One that had come to an end because a bill was declined begins anew: its next bill is tried again.
    pub async fn change_subscription(
        &self,
        merchant: &Xid,
        id: &Xid,
        asked: SubscriptionAsked,
    ) -> Result<Subscription, RecurringError> {
        for _ in 0..CHANGE_TRIES_MAX {
            if let Some(changed) = self.try_change(merchant, id, asked.clone()).await? {
                return Ok(changed);
            }
        }
        Err(RecurringError::Busy)
    }

    /// `None` when it was changed or billed in between.
    async fn try_change(
        &self,
        merchant: &Xid,
        id: &Xid,
        asked: SubscriptionAsked,
    ) -> Result<Option<Subscription>, RecurringError> {
        let mut subscription = self.subscription(merchant, id).await?;
        let seen_at = subscription.updated_at;
        if let Some(customer) = asked.customer {
            self.check_customer(merchant, &customer).await?;
            subscription.customer = customer;
        }
        if let Some(plan) = asked.plan.filter(|plan| *plan != subscription.plan) {
            // Another plan's terms hold where the request says none.
            subscription.terms = self.plan_of_subscription(merchant, &plan).await?;
            subscription.plan = plan;
        }
        subscription.terms = self.terms(merchant, asked.terms, Some(subscription.terms)).await?;
        subscription.description = asked.description.unwrap_or(subscription.description);
        // The day that stands may be overdue: a merchant that sends it along changes nothing of it.
        if let Some(date) = asked.next_bill_date.filter(|date| midnight(*date) != subscription.next_bill_at) {
            let today = date_of(self.switch.calendar().now());
            subscription.next_bill_at = midnight(cadence(&subscription.terms)?.first_asked(date, today));
        }
        subscription.standing = match subscription.terms.duration {
            duration if duration != 0 && subscription.billed >= duration => Standing::Completed,
            _ => Standing::Active,
        };
        subscription.next_attempt_at = match subscription.standing {
            Standing::Active | Standing::PastDue => subscription.next_bill_at,
            Standing::Completed | Standing::Failed | Standing::Stopped => Micros::NEVER,
        };
        subscription.updated_at = self.switch.calendar().now().max(Micros(seen_at.0 + 1));
        let told = self.event(&subscription, Became::Changed);
        if !self.stores().change_subscription(&subscription, seen_at, &told).await? {
            return Ok(None);
        }
        self.wake_scheduler();
        Ok(Some(subscription))
    }

    /// One subscription.
    pub async fn subscription(&self, merchant: &Xid, id: &Xid) -> Result<Subscription, RecurringError> {
        self.stores().subscription(merchant, id).await?.ok_or(RecurringError::NotFound)
    }

    /// All subscriptions of a merchant, oldest first.
    pub async fn subscriptions(&self, merchant: &Xid) -> Result<Vec<Subscription>, RecurringError> {
        Ok(self.stores().subscriptions(merchant).await?)
    }

    /// Removes a subscription: no bill comes any more.
    pub async fn delete_subscription(&self, merchant: &Xid, id: &Xid) -> Result<(), RecurringError> {
        let mut last = self.subscription(merchant, id).await?;
        last.updated_at = self.switch.calendar().now();
        let told = self.event(&last, Became::Cancelled);
        if self.stores().delete_subscription(merchant, id, &told).await? { Ok(()) } else { Err(RecurringError::NotFound) }
    }

    async fn plan_of_subscription(&self, merchant: &Xid, id: &Xid) -> Result<persistence::stores::BillingTerms, RecurringError> {
        let plan = self.stores().plan(merchant, id).await?;
        plan.map(|plan| plan.terms).ok_or_else(|| RecurringError::field("plan_id", "no such plan"))
    }

    async fn check_customer(&self, merchant: &Xid, id: &Xid) -> Result<(), RecurringError> {
        match self.stores().customer(merchant, id).await? {
            Some(_) => Ok(()),
            None => Err(RecurringError::field("customer.id", "no such customer")),
        }
    }
}

/// The midnight (UTC) that begins a day.
pub(super) fn midnight(date: Date) -> Micros {
    Micros::from_date(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
}

/// The day (UTC) of a moment. Years beyond 9999 are that year's.
pub(super) fn date_of(moment: Micros) -> Date {
    let civil = moment.civil();
    let year = i16::try_from(civil.year).unwrap_or(9999).clamp(-9999, 9999);
    let parts = (i8::try_from(civil.month), i8::try_from(civil.day));
    match parts {
        (Ok(month), Ok(day)) => Date::new(year, month, day).unwrap_or(Date::MAX),
        _ => Date::MAX,
    }
}
