//! The tables of rules and routes: from the operator's JSON to what shards obey.

use super::changes::{AS_CONFIGURED, Changes, InForce, Made, NotMade, Order, PutInForce, Thing};
use super::typed::{Route, Routes, Rule, Rules};
use super::{Operator, SandboxRules};
use crate::switch::door::{Door, Return};
use protocol::change::Area;
use protocol::id::Xid;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
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
}

/// A table, checked and compiled.
#[derive(Debug, Clone)]
pub enum Compiled {
    /// Of rules.
    Rules(Arc<rules::Table>),
    /// Of routes.
    Routes(Arc<routing::Table>),
}

impl Operator {
    /// A table as it is in force, and its JSON.
    pub async fn table(&self, kind: TableKind) -> Result<InForce, String> {
        let in_force = self.changes.in_force(kind.thing()).await;
        if &*in_force.text != AS_CONFIGURED {
            return Ok(in_force);
        }
        Ok(InForce { version: in_force.version, text: self.steered.tables.text(kind)?.into() })
    }

    /// A table as the configuration has it.
    pub fn configured_table(&self, kind: TableKind) -> Result<String, String> {
        self.steered.tables.text(kind)
    }

    /// Reads, checks and compiles a table, and changes nothing. Gives its JSON in the form in which it is kept.
    pub fn compile(&self, kind: TableKind, version: u32, text: &str) -> Result<(Compiled, String), String> {
        let terms_of = |id: &Xid| self.processor(id).map(|processor| processor.configured);
        let method_of = |id: &Xid| terms_of(id).map(|terms| terms.method);
        let tables = &self.steered.tables;
        if kind == TableKind::Routes
            && let Some(fault) = tables.routes(text)?.misdirected(method_of)
        {
            return Err(fault);
        }
        tables.compile(kind, version, text, |id| terms_of(id).map(|terms| terms.index))
    }

    /// An entry of a table by its place, from 1, as a text has it; without a text as configured.
    pub fn entry(&self, kind: TableKind, text: Option<&str>, place: u16) -> Option<serde_json::Value> {
        let place = usize::from(place).checked_sub(1)?;
        let (text, tables) = (text.unwrap_or(AS_CONFIGURED), &self.steered.tables);
        let entry = match kind {
            TableKind::Rules => serde_json::to_value(tables.rules(text).ok()?.rules.get(place)?),
            TableKind::Routes => serde_json::to_value(tables.routes(text).ok()?.routes.get(place)?),
        };
        entry.ok()
    }

    /// Puts a table in the place of the one in force.
    pub async fn put_table(&self, kind: TableKind, text: &str, order: Order) -> Result<Made, NotMade> {
        let (_, kept) = self.compile(kind, 1, text).map_err(NotMade::Invalid)?;
        self.change_table(kind, kept, order).await
    }

    pub(super) async fn change_table(&self, kind: TableKind, text: String, order: Order) -> Result<Made, NotMade> {
        let new = text.clone();
        let check = |version| {
            let (compiled, _) = self.compile(kind, version, &new)?;
            let doors = self.steered.doors.clone();
            Ok(Box::new(move || compiled.give_to(&doors)) as PutInForce)
        };
        self.changes.make(kind.thing(), text, order, check).await
    }
}

/// The tables as the configuration has them, for as long as an operator says nothing else.
#[derive(Debug, Clone, Default)]
pub struct ConfiguredTables {
    /// `[[rule]]`.
    pub rules: Rules,
    /// `[[route]]`.
    pub routes: Routes,
    /// What stands behind an operator's rules.
    pub sandbox_rules: SandboxRules,
}

impl ConfiguredTables {
    /// The tables that are in force, for shards that begin with them.
    /// Rules that can't be used refuse the start, for without them payments would pass that they deny.
    pub async fn in_force(&self, changes: &Changes, index_of: impl Fn(&Xid) -> Option<u16>) -> Result<Vec<Compiled>, String> {
        let mut tables = Vec::new();
        for kind in [TableKind::Rules, TableKind::Routes] {
            let in_force = changes.in_force(kind.thing()).await;
            if in_force.version == 0 && self.is_empty(kind) {
                continue;
            }
            match self.compile(kind, in_force.version, &in_force.text, &index_of) {
                Ok((compiled, _)) => tables.push(compiled),
                Err(error) if kind == TableKind::Rules => return Err(error),
                // It was good when it was made: a processor that it names is configured no more. Merchants' own processors serve.
                Err(error) => tracing::error!(%error, "the routes in force can't be used: none are"),
            }
        }
        Ok(tables)
    }

    /// Checks what the configuration says, before there are processors.
    pub fn check(&self, index_of: impl Fn(&Xid) -> Option<u16>) -> Result<(), String> {
        for kind in [TableKind::Rules, TableKind::Routes] {
            self.compile(kind, 1, AS_CONFIGURED, &index_of)?;
        }
        Ok(())
    }

    fn is_empty(&self, kind: TableKind) -> bool {
        match kind {
            TableKind::Rules => self.rules.rules.is_empty() && self.sandbox_rules.is_empty(),
            TableKind::Routes => self.routes.routes.is_empty(),
        }
    }

    /// What the configuration says of a table.
    fn text(&self, kind: TableKind) -> Result<String, String> {
        match kind {
            TableKind::Rules => kept(&self.rules),
            TableKind::Routes => kept(&self.routes),
        }
    }

    fn rules(&self, text: &str) -> Result<Rules, String> {
        if text == AS_CONFIGURED { Ok(self.rules.clone()) } else { parse(text) }
    }

    fn routes(&self, text: &str) -> Result<Routes, String> {
        if text == AS_CONFIGURED { Ok(self.routes.clone()) } else { parse(text) }
    }

    /// Reads, checks and compiles a table; gives its JSON in the form in which it is kept.
    pub(crate) fn compile(
        &self,
        kind: TableKind,
        version: u32,
        text: &str,
        index_of: impl Fn(&Xid) -> Option<u16>,
    ) -> Result<(Compiled, String), String> {
        match kind {
            TableKind::Rules => {
                let table = self.rules(text)?;
                let typed = self.sandbox_rules.behind(table.rules.iter().map(Rule::typed).collect());
                let compiled = rules::Table::compile(version, &typed).map_err(|error| error.to_string())?;
                Ok((Compiled::Rules(Arc::new(compiled)), kept(&table)?))
            }
            TableKind::Routes => {
                let table = self.routes(text)?;
                let typed: Vec<routing::typed::Route> = table.routes.iter().map(Route::typed).collect();
                let index_of = |id: &str| index_of(&id.parse().ok()?);
                let compiled = routing::Table::compile(version, &typed, Breaker::default(), index_of);
                Ok((Compiled::Routes(Arc::new(compiled.map_err(|error| error.to_string())?)), kept(&table)?))
            }
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
