//! Rules and routes as an operator types them, in JSON or in the configuration file.
//!
//! Lives here: their shape, and how it becomes switch-core's. Must not live here: what is accepted, which the tables' compilers say.

use crate::accounts::{merchant_id_of, processor_id_of};
use protocol::id::Xid;
use protocol::words::PaymentMethod;
use serde::{Deserialize, Serialize};
use switch_core::conditions::typed as conditions;
use switch_core::{routing, rules};

/// `{"rules": […]}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// In their order.
    pub rules: Vec<Rule>,
}

/// `{"routes": […]}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routes {
    /// In their order.
    pub routes: Vec<Route>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    name: String,
    stage: String,
    #[serde(default)]
    pub(crate) merchant_id: Option<String>,
    #[serde(rename = "if", default)]
    conditions: Vec<Condition>,
    then: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    name: String,
    #[serde(default)]
    merchant_id: Option<String>,
    #[serde(rename = "if", default)]
    conditions: Vec<Condition>,
    to: Vec<Share>,
    #[serde(default)]
    pub(crate) fail_over: Vec<String>,
}

/// A processor and its weight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    processor_id: String,
    weight: u64,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    field: String,
    op: String,
    value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    per: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_s: Option<u64>,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "must be a text, a whole number of at least 0, or a list of them")]
pub enum Value {
    /// A number.
    Number(u64),
    /// A word.
    Text(String),
    /// Several, for `in`.
    List(Vec<Value>),
}

impl Rule {
    pub(super) fn typed(&self) -> rules::typed::Rule {
        rules::typed::Rule {
            name: self.name.clone(),
            stage: self.stage.clone(),
            merchant_id: self.merchant_id.clone(),
            conditions: self.conditions.iter().map(Condition::typed).collect(),
            then: self.then.clone(),
            code: self.code,
        }
    }
}

impl Route {
    pub(super) fn typed(&self) -> routing::typed::Route {
        let share = |share: &Share| routing::typed::Share { processor_id: share.processor_id.clone(), weight: share.weight };
        routing::typed::Route {
            name: self.name.clone(),
            merchant_id: self.merchant_id.clone(),
            conditions: self.conditions.iter().map(Condition::typed).collect(),
            to: self.to.iter().map(share).collect(),
            fail_over: self.fail_over.clone(),
        }
    }
}

/// The configuration speaks of merchants by their names, whose ids follow from them; an id is an id.
fn merchant_id(named: &mut Option<String>, names: &[&str]) {
    if let Some(name) = named.as_deref().filter(|name| names.contains(name)) {
        *named = Some(merchant_id_of(name).to_string());
    }
}

fn processor_id(named: &mut String, names: &[&str]) {
    if names.contains(&named.as_str()) {
        *named = processor_id_of(named).to_string();
    }
}

impl Rules {
    /// With ids in place of names.
    pub fn with_ids(mut self, merchants: &[&str]) -> Rules {
        self.rules.iter_mut().for_each(|rule| merchant_id(&mut rule.merchant_id, merchants));
        self
    }
}

impl Routes {
    /// With ids in place of names.
    pub fn with_ids(mut self, merchants: &[&str], processors: &[&str]) -> Routes {
        for route in &mut self.routes {
            merchant_id(&mut route.merchant_id, merchants);
            route.to.iter_mut().for_each(|share| processor_id(&mut share.processor_id, processors));
            route.fail_over.iter_mut().for_each(|named| processor_id(named, processors));
        }
        self
    }

    /// The first processor that could never take what its route matches: the route says so itself, by its conditions.
    pub fn misdirected(&self, method_of: impl Fn(&Xid) -> Option<PaymentMethod>) -> Option<String> {
        let method_of = |named: &str| method_of(&named.parse().ok()?);
        (1..).zip(&self.routes).find_map(|(position, route)| {
            let named = route.to.iter().map(|share| &share.processor_id).chain(&route.fail_over);
            let (id, method) = named.filter_map(|id| Some((id, method_of(id)?))).find(|(_, method)| !route.may_match(*method))?;
            let (name, word) = (&route.name, method.word());
            Some(format!("route {position} ({name:?}): processor {id} takes {word} payments, and the route matches none of them"))
        })
    }
}

impl Route {
    /// False when a condition rules this means of payment out.
    fn may_match(&self, method: PaymentMethod) -> bool {
        self.conditions.iter().all(|condition| condition.may_match(method))
    }
}

impl Condition {
    fn may_match(&self, method: PaymentMethod) -> bool {
        if self.field != "payment_method" {
            return true;
        }
        let word = Value::Text(method.word().to_owned());
        match (self.op.as_str(), &self.value) {
            ("=", value) => *value == word,
            ("!=", value) => *value != word,
            ("in", Value::List(words)) => words.contains(&word),
            // What else there may be is refused by the compiler.
            _ => true,
        }
    }
}

impl Condition {
    fn typed(&self) -> conditions::Condition {
        conditions::Condition {
            field: self.field.clone(),
            op: self.op.clone(),
            value: self.value.typed(),
            per: self.per.clone(),
            window_s: self.window_s,
        }
    }
}

impl Value {
    fn typed(&self) -> conditions::Value {
        match self {
            Value::Number(number) => conditions::Value::Number(*number),
            Value::Text(text) => conditions::Value::Text(text.clone()),
            Value::List(values) => conditions::Value::List(values.iter().map(Value::typed).collect()),
        }
    }
}
