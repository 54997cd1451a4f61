//! Routes as an operator types them: plain words and numbers, nothing checked.

use crate::conditions::typed::Condition;

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Route {
    /// What an explained choice names; unique among the routes of its scope.
    pub name: String,
    /// The account that it holds for; `None` for all.
    pub merchant_id: Option<String>,
    /// What a payment must be; all must hold. None at all holds for every payment.
    pub conditions: Vec<Condition>,
    /// Processors that share the payments.
    pub to: Vec<Share>,
    /// Processors that are taken when none of those can be, in this order.
    pub fail_over: Vec<String>,
}

/// One processor's part of a route's payments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Share {
    /// Id of the processor.
    pub processor_id: String,
    /// Its part of the sum of all weights; 0 drains it.
    pub weight: u64,
}
