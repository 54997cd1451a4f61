//! Why a table of rules or routes is refused: which entry, which condition, what was found and what is accepted.

use core::fmt;

/// Names the entry of a table that is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `rule` or `route`.
    pub kind: &'static str,
    /// Its place in the table, from 1.
    pub position: usize,
    /// Its name, as typed.
    pub name: String,
    /// The condition of it, from 1; `None` when the entry itself is meant.
    pub condition: Option<usize>,
}

/// What is wrong with one part of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The part, by its key in the table: `name`, `op`, `hour`.
    pub part: &'static str,
    /// What was found there.
    pub found: String,
    /// What is accepted there.
    pub accepted: String,
}

/// Why a table is refused. Nothing of it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableError {
    /// More entries than a table may have.
    TooMany {
        /// `rules` or `routes`.
        kinds: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// One entry is at fault.
    Entry(Box<Entry>, Box<Fault>),
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableError::TooMany { kinds, found, max } => {
                write!(f, "invalid {kinds}: {found} are given, at most {max} are accepted")
            }
            TableError::Entry(entry, fault) => {
                let Entry { kind, position, name, condition } = &**entry;
                let Fault { part, found, accepted } = &**fault;
                write!(f, "{kind} {position} {name:?}, ")?;
                if let Some(condition) = condition {
                    write!(f, "condition {condition}, ")?;
                }
                write!(f, "invalid {part}: {found}; accepted: {accepted}")
            }
        }
    }
}

impl core::error::Error for TableError {}

impl Fault {
    pub(crate) fn new(part: &'static str, found: impl fmt::Display, accepted: impl fmt::Display) -> Fault {
        Fault { part, found: found.to_string(), accepted: accepted.to_string() }
    }

    /// Says where it is.
    pub(super) fn at(self, kind: &'static str, position: usize, name: &str, condition: Option<usize>) -> TableError {
        let entry = Entry { kind, position, name: name.to_owned(), condition };
        TableError::Entry(Box::new(entry), Box::new(self))
    }
}
