//! Rules as an operator types them: plain words, nothing checked.

use crate::conditions::typed::Condition;

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// What a denial names; unique among the rules of its scope.
    pub name: String,
    /// `pre`, before the processor is asked, or `post`, after its answer.
    pub stage: String,
    /// The account that it holds for; `None` for all.
    pub merchant_id: Option<String>,
    /// What a payment must be; all must hold. None at all holds for every payment.
    pub conditions: Vec<Condition>,
    /// `accept`, `deny` or `flag`.
    pub then: String,
    /// What a denial answers: 310 when none is given, else one of [`protocol::response_code::RULE_DECLINES`].
    pub code: Option<u16>,
}
