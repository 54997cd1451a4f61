//! Entries of an operator's table under the merchants that they hold for: some for all, some for one account.

use super::compiler::{Asked, Compiler, Condensed};
use super::error::{Fault, TableError};
use super::facts::Facts;
use super::gauge::Gauge;
use super::index::Index;
use super::typed::Condition;
use crate::limits::{ENTRY_CONDITIONS_MAX, ENTRY_NAME_MAX_BYTES};
use hashbrown::HashTable;
use protocol::id::Xid;

/// What a table is called in messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) entry: &'static str,
    pub(crate) entries: &'static str,
    pub(crate) entries_max: usize,
}

/// An entry as typed, what follows from it checked and compiled by its table.
pub(crate) struct Typed<'a, E> {
    pub(crate) name: &'a str,
    pub(crate) merchant_id: Option<&'a str>,
    pub(crate) conditions: &'a [Condition],
    pub(crate) asked: Asked,
    pub(crate) entry: Result<E, Fault>,
}

/// Entries that are asked one after the other.
#[derive(Debug)]
struct Sequence<E> {
    index: Index,
    entries: Vec<E>,
}

/// The entries of one scope, in their order.
#[derive(Debug)]
pub(crate) struct Scope<E> {
    before: Sequence<E>,
    after: Sequence<E>,
    /// Counts that the entries for all ask for, then those that these ask for besides.
    pub(crate) gauges: Vec<Gauge>,
    pub(crate) reads_tail: bool,
}

impl<E> Default for Sequence<E> {
    fn default() -> Sequence<E> {
        Sequence { index: Index::default(), entries: Vec::new() }
    }
}

impl<E> Default for Scope<E> {
    fn default() -> Scope<E> {
        Scope { before: Sequence::default(), after: Sequence::default(), gauges: Vec::new(), reads_tail: false }
    }
}

impl<E> Scope<E> {
    /// The first entry whose conditions hold.
    pub(crate) fn first_match(&self, asked: Asked, facts: &Facts) -> Option<&E> {
        let sequence = self.sequence(asked);
        sequence.index.first_match(facts).map(|place| &sequence.entries[place])
    }

    pub(crate) fn asks(&self, asked: Asked) -> bool {
        !self.sequence(asked).entries.is_empty()
    }

    fn sequence(&self, asked: Asked) -> &Sequence<E> {
        match asked {
            Asked::BeforeAnswer => &self.before,
            Asked::AfterAnswer => &self.after,
        }
    }
}

/// A table's entries.
#[derive(Debug)]
pub(crate) struct Scoped<E> {
    names: Vec<Box<str>>,
    pub(crate) for_all: Scope<E>,
    own: HashTable<(Xid, Scope<E>)>,
}

impl<E> Default for Scoped<E> {
    fn default() -> Scoped<E> {
        Scoped { names: Vec::new(), for_all: Scope::default(), own: HashTable::new() }
    }
}

struct Checked<'a, E> {
    position: usize,
    name: &'a str,
    merchant: Option<Xid>,
    conditions: &'a [Condition],
    asked: Asked,
    entry: E,
}

impl<E: Clone> Scoped<E> {
    /// Checks and compiles entries, in their order. All are taken, or none.
    pub(crate) fn compile(kind: Kind, entries: Vec<Typed<'_, E>>) -> Result<Scoped<E>, TableError> {
        let Kind { entries: kinds, entries_max: max, .. } = kind;
        if entries.len() > max {
            return Err(TableError::TooMany { kinds, found: entries.len(), max });
        }
        let checked = entries.into_iter().enumerate().map(|(place, typed)| check(kind, place + 1, typed));
        let checked = checked.collect::<Result<Vec<_>, _>>()?;
        check_names(kind, &checked)?;
        let of = |merchant| checked.iter().filter(move |entry| entry.merchant == merchant);
        let for_all = compile_scope(kind, &Scope::default(), of(None))?;
        let mut merchants: Vec<Xid> = checked.iter().filter_map(|entry| entry.merchant).collect();
        merchants.sort_unstable();
        merchants.dedup();
        let mut own = HashTable::with_capacity(merchants.len());
        for merchant in merchants {
            let scope = compile_scope(kind, &for_all, of(Some(merchant)))?;
            own.insert_unique(merchant.hash64(), (merchant, scope), |(merchant, _)| merchant.hash64());
        }
        let names = checked.iter().map(|entry| entry.name.into()).collect();
        Ok(Scoped { names, for_all, own })
    }
}

impl<E> Scoped<E> {
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// The name of the entry at a place, counted from 1; empty when there is none.
    pub(crate) fn name(&self, position: u16) -> &str {
        let place = usize::from(position).checked_sub(1);
        place.and_then(|place| self.names.get(place)).map_or("", |name| name)
    }

    /// A merchant's own entries.
    pub(crate) fn own(&self, merchant: Xid) -> Option<&Scope<E>> {
        if self.own.is_empty() {
            return None;
        }
        self.own.find(merchant.hash64(), |(id, _)| *id == merchant).map(|(_, scope)| scope)
    }

    /// A merchant's own scope, which knows what the one for all asks for; that one when it has none.
    pub(crate) fn own_or_for_all(&self, merchant: Xid) -> &Scope<E> {
        self.own(merchant).unwrap_or(&self.for_all)
    }

    /// The longest window that is counted for any merchant, seconds; 0 when nothing is counted.
    pub(crate) fn longest_window_s(&self) -> u32 {
        let scopes = self.own.iter().map(|(_, scope)| scope).chain([&self.for_all]);
        scopes.flat_map(|scope| &scope.gauges).map(|gauge| gauge.window_s).max().unwrap_or(0)
    }
}

fn check<'a, E>(kind: Kind, position: usize, typed: Typed<'a, E>) -> Result<Checked<'a, E>, TableError> {
    let Typed { name, merchant_id, conditions, asked, entry } = typed;
    let words = || {
        check_name(name)?;
        check_count(conditions.len())?;
        let merchant = merchant_id.map(parse_merchant).transpose()?;
        Ok(Checked { position, name, merchant, conditions, asked, entry: entry? })
    };
    words().map_err(|fault: Fault| fault.at(kind.entry, position, name, None))
}

fn check_name(name: &str) -> Result<(), Fault> {
    let printable = name.chars().all(|character| !character.is_control());
    if !name.is_empty() && name.len() <= ENTRY_NAME_MAX_BYTES && printable {
        return Ok(());
    }
    let accepted = format!("1 to {ENTRY_NAME_MAX_BYTES} bytes without control characters");
    Err(Fault::new("name", format!("{} bytes", name.len()), accepted))
}

fn check_count(conditions: usize) -> Result<(), Fault> {
    if conditions <= ENTRY_CONDITIONS_MAX {
        return Ok(());
    }
    Err(Fault::new("if", format!("{conditions} conditions"), format!("at most {ENTRY_CONDITIONS_MAX}")))
}

fn parse_merchant(text: &str) -> Result<Xid, Fault> {
    text.parse().map_err(|_| Fault::new("merchant_id", format!("{text:?}"), "the id of a merchant account, or null for all"))
}

/// A name says which entry it was: twice the same in one scope would not.
fn check_names<E>(kind: Kind, entries: &[Checked<'_, E>]) -> Result<(), TableError> {
    let mut names: Vec<_> = entries.iter().map(|entry| (entry.merchant, entry.name, entry.position)).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
        None => Ok(()),
        Some(pair) => {
            let fault = Fault::new("name", format!("the name of {} {}", kind.entry, pair[0].2), "a name of its own");
            Err(fault.at(kind.entry, pair[1].2, pair[1].1, None))
        }
    }
}

fn compile_scope<'a, E: Clone + 'a>(
    kind: Kind,
    for_all: &Scope<E>,
    entries: impl Iterator<Item = &'a Checked<'a, E>> + Clone,
) -> Result<Scope<E>, TableError> {
    let mut compiler = Compiler { gauges: for_all.gauges.clone(), reads_tail: for_all.reads_tail };
    let mut sequence = |asked| {
        let asked = entries.clone().filter(move |entry| entry.asked == asked);
        let conditions = asked.clone().map(|entry| compile_entry(kind, &mut compiler, entry));
        let index = Index::of(&conditions.collect::<Result<Vec<_>, _>>()?);
        Ok(Sequence { index, entries: asked.map(|entry| entry.entry.clone()).collect() })
    };
    let (before, after) = (sequence(Asked::BeforeAnswer)?, sequence(Asked::AfterAnswer)?);
    let Compiler { gauges, reads_tail } = compiler;
    Ok(Scope { before, after, gauges, reads_tail })
}

fn compile_entry<E>(kind: Kind, compiler: &mut Compiler, entry: &Checked<'_, E>) -> Result<Vec<Condensed>, TableError> {
    let conditions = (1..).zip(entry.conditions);
    let compiled = conditions.map(|(number, condition)| {
        let condensed = compiler.condition(condition, entry.asked);
        condensed.map_err(|fault| fault.at(kind.entry, entry.position, entry.name, Some(number)))
    });
    compiled.collect()
}
