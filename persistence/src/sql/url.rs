//! Where the database is, as an operator writes it.

use core::fmt;
use std::path::Path;

use super::Dialect;
use crate::error::PersistenceError;

const SQLITE_FILE: &str = "switchyard.db";

/// The address of a database: `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`. Printing it hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    dialect: Dialect,
    address: String,
}

impl DatabaseUrl {
    /// Reads an address. Whether somebody answers there shows when it is opened.
    pub fn parse(text: &str) -> Result<DatabaseUrl, PersistenceError> {
        let address = text.to_owned();
        if let Some(path) = text.strip_prefix("sqlite://") {
            return match path {
                "" => Err(PersistenceError::DatabaseUrl { fault: "the path is missing" }),
                // Every connection would get a database of its own.
                ":memory:" => Err(PersistenceError::DatabaseUrl { fault: "a database in memory does not last" }),
                _ => Ok(DatabaseUrl { dialect: Dialect::Sqlite, address }),
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(DatabaseUrl { dialect: Dialect::Postgres, address });
        }
        Err(PersistenceError::DatabaseUrl { fault: "the scheme is unknown" })
    }

    /// The default: a SQLite file in the data folder.
    pub fn sqlite_in(folder: &Path) -> DatabaseUrl {
        let path = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).join(SQLITE_FILE);
        DatabaseUrl { dialect: Dialect::Sqlite, address: format!("sqlite://{}", percent_encoded(&path)) }
    }

    /// True for a server, which can be away; a file is as near as the journal.
    pub fn is_server(&self) -> bool {
        self.dialect() == Dialect::Postgres
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The address as the driver wants it: SQLite must be told that it may make the file.
    pub(super) fn driver_address(&self) -> String {
        match self.dialect {
            Dialect::Postgres => self.address.clone(),
            Dialect::Sqlite if self.address.contains('?') => self.address.clone(),
            Dialect::Sqlite => format!("{}?mode=rwc", self.address),
        }
    }
}

/// Paths may hold what a URL reads as its own: a space, `?`, `#`, `%`.
fn percent_encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.address.split_once("://").unwrap_or(("", &self.address));
        match (self.dialect, rest.rsplit_once('@')) {
            (Dialect::Postgres, Some((_, place))) => write!(f, "{scheme}://***@{}", without_parameters(place)),
            (Dialect::Postgres, None) => write!(f, "{scheme}://{}", without_parameters(rest)),
            (Dialect::Sqlite, _) => f.write_str(&self.address),
        }
    }
}

/// PostgreSQL takes a password as a parameter, too.
fn without_parameters(place: &str) -> &str {
    place.split_once('?').map_or(place, |(place, _)| place)
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
