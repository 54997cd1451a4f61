//! The table: rules checked, compiled, and searched in order. The rules for all merchants come first, then the merchant's own.

use super::typed;
use crate::conditions::{Asked, Facts, Fault, Gauge, Kind, Scoped, TableError, Typed};
use crate::limits::RULES_MAX;
use protocol::id::Xid;
use protocol::response_code::{RULE_DECLINES, ResponseCode};

const KIND: Kind = Kind { entry: "rule", entries: "rules", entries_max: RULES_MAX };

/// When a rule is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the processor is.
    Pre,
    /// After the processor's answer: an approval that is denied is reversed.
    Post,
}

impl Stage {
    fn asked(self) -> Asked {
        match self {
            Stage::Pre => Asked::BeforeAnswer,
            Stage::Post => Asked::AfterAnswer,
        }
    }
}

/// What a rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The payment goes on, and no later rule of the stage is asked.
    Accept,
    /// The payment is declined, with this code.
    Deny(ResponseCode),
    /// The payment goes on, marked, and no later rule of the stage is asked.
    Flag,
}

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Its place in the table, from 1.
    pub position: u16,
    /// What it decides.
    pub verdict: Verdict,
}

/// A table of rules, checked and compiled. The same for every shard.
#[derive(Debug, Default)]
pub struct Table {
    version: u32,
    rules: Scoped<Match>,
}

impl Table {
    /// Checks and compiles rules, in their order, as version `version` of the table: 1 or more, so that a record can say that there
    /// was none. All of them are taken, or none.
    pub fn compile(version: u32, rules: &[typed::Rule]) -> Result<Table, TableError> {
        let typed = (1..).zip(rules).map(|(position, rule)| Typed {
            name: &rule.name,
            merchant_id: rule.merchant_id.as_deref(),
            conditions: &rule.conditions,
            asked: if rule.stage == "post" { Asked::AfterAnswer } else { Asked::BeforeAnswer },
            entry: parse_words(position, rule),
        });
        Ok(Table { version, rules: Scoped::compile(KIND, typed.collect())? })
    }

    /// Which version of the operator's table this is; 0 when there is none.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True when every payment passes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the rule at a place, counted from 1; empty when there is none.
    pub fn name(&self, position: u16) -> &str {
        self.rules.name(position)
    }

    /// What must be counted for a payment of this merchant, in the order in which its facts hold the counts.
    pub fn gauges(&self, merchant: Xid) -> &[Gauge] {
        &self.rules.own_or_for_all(merchant).gauges
    }

    /// True when a rule that holds for this merchant asks for something that stands in the tail.
    pub fn reads_tail(&self, merchant: Xid) -> bool {
        self.rules.own_or_for_all(merchant).reads_tail
    }

    /// True when there is a rule of this stage that holds for this merchant.
    pub fn asks(&self, stage: Stage, merchant: Xid) -> bool {
        let asked = stage.asked();
        self.rules.for_all.asks(asked) || self.rules.own(merchant).is_some_and(|own| own.asks(asked))
    }

    /// The first rule of a stage that matches a payment. Its velocities, if any are asked for, are in its facts.
    pub fn first_match(&self, stage: Stage, merchant: Xid, facts: &Facts) -> Option<Match> {
        let asked = stage.asked();
        let own = || self.rules.own(merchant)?.first_match(asked, facts);
        self.rules.for_all.first_match(asked, facts).or_else(own).copied()
    }

    /// The longest window that is counted for any merchant, seconds: how far back recovery must count; 0 when nothing is counted.
    pub fn longest_window_s(&self) -> u32 {
        self.rules.longest_window_s()
    }
}

fn parse_words(position: u16, rule: &typed::Rule) -> Result<Match, Fault> {
    if !matches!(rule.stage.as_str(), "pre" | "post") {
        return Err(Fault::new("stage", format!("{:?}", rule.stage), "pre or post"));
    }
    let verdict = match rule.then.as_str() {
        "accept" => Verdict::Accept,
        "deny" => Verdict::Deny(denial(rule)?),
        "flag" => Verdict::Flag,
        word => return Err(Fault::new("then", format!("{word:?}"), "accept, deny or flag")),
    };
    if let Some(code) = rule.code
        && !matches!(verdict, Verdict::Deny(_))
    {
        return Err(Fault::new("code", format!("{code} beside {:?}", rule.then), "no code but beside deny"));
    }
    Ok(Match { position, verdict })
}

fn denial(rule: &typed::Rule) -> Result<ResponseCode, Fault> {
    let Some(number) = rule.code else { return Ok(ResponseCode::RULE_ENGINE_DECLINE) };
    let known = RULE_DECLINES.into_iter().find(|code| code.0 == number);
    known.ok_or_else(|| Fault::new("code", number.to_string(), "300, 310, 320, 321, 322 or 323"))
}
