//! Add-ons, discounts, plans and subscriptions.

use super::call::{Call, Gives, JSON, of};
use utoipa::ToSchema;

pub(super) const CALLS: &[Call] = &[
    Call::new("POST", "/api/recurring/addon", "Add an add-on", Gives::One(of::<Adjustment>))
        .takes(&[(JSON, of::<NewAdjustment>)]),
    Call::new("GET", "/api/recurring/addons", "All add-ons", Gives::ListOf(of::<Adjustment>)),
    Call::new("POST", "/api/recurring/addons", "The same", Gives::ListOf(of::<Adjustment>)),
    Call::new("GET", "/api/recurring/addon/{id}", "One add-on", Gives::One(of::<Adjustment>)),
    Call::new("POST", "/api/recurring/addon/{id}", "Change an add-on", Gives::One(of::<Adjustment>))
        .takes(&[(JSON, of::<NewAdjustment>)]),
    Call::new("DELETE", "/api/recurring/addon/{id}", "Remove an add-on", Gives::Nothing),
    Call::new("POST", "/api/recurring/discount", "Add a discount", Gives::One(of::<Adjustment>))
        .takes(&[(JSON, of::<NewAdjustment>)]),
    Call::new("GET", "/api/recurring/discounts", "All discounts", Gives::ListOf(of::<Adjustment>)),
    Call::new("POST", "/api/recurring/discounts", "The same", Gives::ListOf(of::<Adjustment>)),
    Call::new("GET", "/api/recurring/discount/{id}", "One discount", Gives::One(of::<Adjustment>)),
    Call::new("POST", "/api/recurring/discount/{id}", "Change a discount", Gives::One(of::<Adjustment>))
        .takes(&[(JSON, of::<NewAdjustment>)]),
    Call::new("DELETE", "/api/recurring/discount/{id}", "Remove a discount", Gives::Nothing),
    Call::new("POST", "/api/recurring/plan", "Add a plan", Gives::One(of::<Plan>)).takes(&[(JSON, of::<NewPlan>)]),
    Call::new("GET", "/api/recurring/plans", "All plans", Gives::ListOf(of::<Plan>)),
    Call::new("POST", "/api/recurring/plans", "The same", Gives::ListOf(of::<Plan>)),
    Call::new("GET", "/api/recurring/plan/{id}", "One plan", Gives::One(of::<Plan>)),
    Call::new("POST", "/api/recurring/plan/{id}", "Change a plan", Gives::One(of::<Plan>)).takes(&[(JSON, of::<NewPlan>)]),
    Call::new("DELETE", "/api/recurring/plan/{id}", "Remove a plan", Gives::Nothing),
    Call::new("POST", "/api/recurring/subscription", "Add a subscription", Gives::One(of::<Subscription>))
        .takes(&[(JSON, of::<NewSubscription>)]),
    Call::new("GET", "/api/recurring/subscriptions", "All subscriptions", Gives::ListOf(of::<Subscription>)),
    Call::new("GET", "/api/recurring/subscription/{id}", "One subscription", Gives::One(of::<Subscription>)),
    Call::new("GET", "/api/subscription/{id}", "As /api/recurring/subscription/{id}", Gives::One(of::<Subscription>)),
    Call::new("POST", "/api/subscription/{id}", "The same", Gives::One(of::<Subscription>)),
    Call::new("POST", "/api/recurring/subscription/{id}", "Change a subscription", Gives::One(of::<Subscription>))
        .takes(&[(JSON, of::<NewSubscription>)]),
    Call::new("DELETE", "/api/recurring/subscription/{id}", "Cancel a subscription", Gives::Nothing),
];

shapes! {
    /// An add-on or a discount as it is sent: an amount in minor units or a percentage in thousandths.
    NewAdjustment {
        name: Option<String>,
        description: Option<String>,
        amount: Option<u64>,
        percentage: Option<u64>,
        /// Bills; 0 is all.
        duration: Option<u32>,
    }
    /// An add-on or a discount.
    Adjustment {
        id: String,
        name: String,
        description: String,
        amount: Option<u64>,
        percentage: Option<u64>,
        duration: u32,
        #[schema(format = DateTime)] created_at: Option<String>,
        #[schema(format = DateTime)] updated_at: Option<String>,
    }
    /// An add-on or a discount that a plan or a subscription takes; what is left out is as it is kept.
    TakenAdjustment {
        id: Option<String>,
        name: Option<String>,
        description: Option<String>,
        amount: Option<u64>,
        percentage: Option<u64>,
        duration: Option<u32>,
    }
    /// A plan as it is sent.
    NewPlan {
        name: Option<String>,
        description: Option<String>,
        #[schema(example = 1000)] amount: Option<u64>,
        #[schema(example = 1)] billing_cycle_interval: Option<u64>,
        /// `daily`, `monthly` or `twice_monthly`.
        #[schema(example = "monthly")] billing_frequency: Option<String>,
        /// Days of the month, or for `daily` a number of days.
        #[schema(example = "15")] billing_days: Option<String>,
        duration: Option<u32>,
        add_ons: Option<Vec<TakenAdjustment>>,
        discounts: Option<Vec<TakenAdjustment>>,
    }
    /// A plan.
    Plan {
        #[schema(pattern = "^[0-9a-v]{20}$")] id: String,
        name: String,
        description: String,
        amount: u64,
        billing_cycle_interval: u32,
        billing_frequency: String,
        billing_days: String,
        total_add_ons: u64,
        total_discounts: u64,
        duration: u32,
        add_ons: Vec<Adjustment>,
        discounts: Vec<Adjustment>,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
    /// Who is billed.
    Billed { id: Option<String> }
    /// A subscription as it is sent; what is left out is its plan's.
    NewSubscription {
        plan_id: Option<String>,
        customer: Option<Billed>,
        description: Option<String>,
        amount: Option<u64>,
        billing_cycle_interval: Option<u64>,
        billing_frequency: Option<String>,
        billing_days: Option<String>,
        duration: Option<u32>,
        #[schema(format = Date)] next_bill_date: Option<String>,
        add_ons: Option<Vec<TakenAdjustment>>,
        discounts: Option<Vec<TakenAdjustment>>,
    }
    /// A subscription.
    Subscription {
        #[schema(pattern = "^[0-9a-v]{20}$")] id: String,
        plan_id: String,
        description: String,
        customer: Billed,
        amount: u64,
        billing_cycle_interval: u32,
        billing_frequency: String,
        billing_days: String,
        total_adds: u64,
        total_add_ons: u64,
        total_discounts: u64,
        duration: u32,
        add_ons: Option<Vec<Adjustment>>,
        discounts: Option<Vec<Adjustment>>,
        #[schema(format = Date)] next_bill_date: Option<String>,
        status: String,
        number_of_bills: u32,
        failed_attempts: u32,
        last_transaction_id: String,
        #[schema(format = DateTime)] created_at: String,
        #[schema(format = DateTime)] updated_at: String,
    }
}
