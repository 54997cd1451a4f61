//! The tables of rules and routes: from the operator's JSON to what shards obey.

use super::changes::{AS_CONFIGURED, Changes, InForce, Made, NotMade, PutInForce, Thing};
use super::{Operator, SandboxRules};
use crate::switch::door::{Door, Return};
use protocol::change::Area;
use protocol::id::Xid;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use switch_core::conditions::typed as conditions;
use switch_core::input::Input;
use switch_core::routing::{self, Breaker};
use switch_core::rules;

/// One of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Rules: accept, deny, flag.
    Rules,
    /// Routes: which processor takes a payment.
    Routes,
}

impl TableKind {
    /// The table as a thing that is changed.
    pub const fn thing(self) -> Thing {
        match self {
            TableKind::Rules => Thing::table(Area::Rules),
            TableKind::Routes => Thing::table(Area::Routes),
        }
    }

    /// The key of the list in the table's JSON.
    pub const fn key(self) -> &'static str {
        match self {
            TableKind::Rules => "rules",
            TableKind::Routes => "routes",
        }
    }
}

/// A table, checked and compiled.
#[derive(Debug, Clone)]
pub enum Compiled {
    /// Of rules.
    Rules(Arc<rules::Table>),
    /// Of routes.
    Routes(Arc<routing::Table>),
}

/// `{"rules": […]}`
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    rules: Vec<Rule>,
}

/// `{"routes": […]}`
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Routes {
    routes: Vec<Route>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    stage: String,
    #[serde(default)]
    merchant_id: Option<String>,
    #[serde(rename = "if", default)]
    conditions: Vec<Condition>,
    then: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    name: String,
    #[serde(default)]
    merchant_id: Option<String>,
    #[serde(rename = "if", default)]
    conditions: Vec<Condition>,
    to: Vec<Share>,
    #[serde(default)]
    fail_over: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Share {
    processor_id: String,
    weight: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    field: String,
    op: String,
    value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    per: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window_s: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Number(u64),
    Text(String),
    List(Vec<Value>),
}

impl Operator {
    /// A table as it is in force, and its JSON.
    pub async fn table(&self, kind: TableKind) -> InForce {
        let in_force = self.changes.in_force(kind.thing()).await;
        if &*in_force.text != AS_CONFIGURED {
            return in_force;
        }
        InForce { version: in_force.version, text: format!("{{\"{}\":[]}}", kind.key()).into() }
    }

    /// Reads, checks and compiles a table, and changes nothing. Gives its JSON in the form in which it is kept.
    pub fn compile(&self, kind: TableKind, version: u32, text: &str) -> Result<(Compiled, String), String> {
        let index_of = |id: &Xid| self.processor(id).map(|processor| processor.configured.index);
        compile(kind, version, text, index_of, &self.steered.sandbox_rules)
    }

    /// Puts a table in the place of the one in force, if that is the one that the caller has seen.
    pub async fn put_table(&self, kind: TableKind, text: &str, expected: Option<u32>) -> Result<Made, NotMade> {
        let (_, kept) = self.compile(kind, 1, text).map_err(NotMade::Invalid)?;
        self.change_table(kind, kept, expected, 0).await
    }

    pub(super) async fn change_table(
        &self,
        kind: TableKind,
        text: String,
        expected: Option<u32>,
        undoes: u32,
    ) -> Result<Made, NotMade> {
        let new = text.clone();
        let check = |version| {
            let (compiled, _) = self.compile(kind, version, &new)?;
            let doors = self.steered.doors.clone();
            Ok(Box::new(move || compiled.give_to(&doors)) as PutInForce)
        };
        self.changes.make(kind.thing(), text, expected, undoes, check).await
    }
}

/// The tables that are in force, for shards that begin with them.
/// Rules that can't be used refuse the start, for without them payments would pass that they deny.
pub async fn tables_in_force(
    changes: &Changes,
    index_of: impl Fn(&Xid) -> Option<u16>,
    sandbox_rules: &SandboxRules,
) -> Result<Vec<Compiled>, String> {
    let mut tables = Vec::new();
    for kind in [TableKind::Rules, TableKind::Routes] {
        let in_force = changes.in_force(kind.thing()).await;
        if in_force.version == 0 && (kind == TableKind::Routes || sandbox_rules.is_empty()) {
            continue;
        }
        match compile(kind, in_force.version, &in_force.text, &index_of, sandbox_rules) {
            Ok((compiled, _)) => tables.push(compiled),
            Err(error) if kind == TableKind::Rules => return Err(error),
            // It was good when it was made: a processor that it names is configured no more. Merchants' own processors serve.
            Err(error) => tracing::error!(%error, "the routes in force can't be used: none are"),
        }
    }
    Ok(tables)
}

fn compile(
    kind: TableKind,
    version: u32,
    text: &str,
    index_of: impl Fn(&Xid) -> Option<u16>,
    sandbox_rules: &SandboxRules,
) -> Result<(Compiled, String), String> {
    match kind {
        TableKind::Rules => {
            let table: Rules = if text == AS_CONFIGURED { Rules::default() } else { parse(text)? };
            let typed = sandbox_rules.behind(table.rules.iter().map(Rule::typed).collect());
            let compiled = rules::Table::compile(version, &typed).map_err(|error| error.to_string())?;
            Ok((Compiled::Rules(Arc::new(compiled)), kept(&table)?))
        }
        TableKind::Routes => {
            let table: Routes = if text == AS_CONFIGURED { Routes::default() } else { parse(text)? };
            let typed: Vec<routing::typed::Route> = table.routes.iter().map(Route::typed).collect();
            let index_of = |id: &str| index_of(&id.parse().ok()?);
            let compiled = routing::Table::compile(version, &typed, Breaker::default(), index_of);
            Ok((Compiled::Routes(Arc::new(compiled.map_err(|error| error.to_string())?)), kept(&table)?))
        }
    }
}

impl Compiled {
    /// For a shard that is not driven yet.
    pub fn input(&self) -> Input<'static> {
        match self {
            Compiled::Rules(table) => Input::Rules(Arc::clone(table)),
            Compiled::Routes(table) => Input::Routes(Arc::clone(table)),
        }
    }

    /// How far back payments must be counted, seconds.
    pub fn longest_window_s(&self) -> u32 {
        match self {
            Compiled::Rules(table) => table.longest_window_s(),
            Compiled::Routes(table) => table.longest_window_s(),
        }
    }

    /// Every shard obeys it from its next input on; one that has stopped needs none.
    fn give_to(&self, doors: &[Door]) {
        for door in doors {
            door.give(match self {
                Compiled::Rules(table) => Return::Rules(Arc::clone(table)),
                Compiled::Routes(table) => Return::Routes(Arc::clone(table)),
            });
        }
    }
}

/// The error names the place by its path: `rules[3].if[0].op`.
fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| error.to_string())?;
    json.end().map_err(|error| error.to_string())?;
    Ok(parsed)
}

fn kept(table: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(table).map_err(|error| error.to_string())
}

impl Rule {
    fn typed(&self) -> rules::typed::Rule {
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
    fn typed(&self) -> routing::typed::Route {
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
