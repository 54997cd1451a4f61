//! The rules that make the gateway's own declines reachable in a sandbox: each denies one amount to the sandbox's merchant. They
//! stand behind the operator's own, are not listed among them, and stay when those are replaced.

use protocol::id::Xid;
use std::sync::Arc;
use switch_core::conditions::typed::{Condition, Value};
use switch_core::limits::RULES_MAX;
use switch_core::rules::typed::Rule;

/// The rules; none without a sandbox.
#[derive(Debug, Clone, Default)]
pub struct SandboxRules(Arc<[Rule]>);

impl SandboxRules {
    /// Those of the sandbox's merchant.
    pub fn of(merchant: &Xid) -> SandboxRules {
        let rule = |&(minor, code): &(u64, protocol::response_code::ResponseCode)| Rule {
            name: format!("sandbox: amount {minor}"),
            stage: "pre".to_owned(),
            merchant_id: Some(merchant.to_string()),
            conditions: vec![Condition {
                field: "amount".to_owned(),
                op: "=".to_owned(),
                value: Value::Number(minor),
                per: None,
                window_s: None,
            }],
            then: "deny".to_owned(),
            code: Some(code.0),
        };
        SandboxRules(sandbox::triggers::DENIED_AMOUNTS.iter().map(rule).collect())
    }

    /// True without a sandbox.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An operator's rules with these behind them, as far as a table has room.
    pub(super) fn behind(&self, mut own: Vec<Rule>) -> Vec<Rule> {
        let room = RULES_MAX.saturating_sub(own.len());
        own.extend(self.0.iter().take(room).cloned());
        own
    }
}
