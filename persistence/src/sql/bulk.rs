//! Many rows in one statement: `INSERT … VALUES (…),(…)`, `… IN ((…),(…))`.
//!
//! A statement is prepared once per number of rows, so the numbers are few: rows are cut into powers of two, the largest
//! first. Each statement is a message to the driver's thread and one back, which costs more than several rows do.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use sqlx::AnyConnection;
use sqlx::Arguments;
use sqlx::any::{AnyArguments, AnyRow};

use super::Dialect;

/// Rows per statement at most on a server, where each statement is a way there and back. A power of two.
const ROWS_PER_STATEMENT_MAX: usize = 1_024;
/// The same where the database is in this process: SQLite's program for so many rows stays in a core's cache.
const EMBEDDED_ROWS_PER_STATEMENT_MAX: usize = 64;
/// Values in one statement that SQLite takes; PostgreSQL takes 65,535.
const VALUES_PER_STATEMENT_MAX: usize = 32_766;

const _: () = assert!(ROWS_PER_STATEMENT_MAX.is_power_of_two() && EMBEDDED_ROWS_PER_STATEMENT_MAX.is_power_of_two());
const _: () = assert!(EMBEDDED_ROWS_PER_STATEMENT_MAX <= ROWS_PER_STATEMENT_MAX);

/// A statement in which a list of rows stands.
#[derive(Debug)]
pub(crate) struct BulkStatement {
    /// What makes rows that can't be there yet; [`BulkStatement::of_new_rows`].
    makes: bool,
    /// What stands before the rows.
    before: &'static str,
    /// Values in a row.
    values_per_row: usize,
    /// What stands behind them.
    after: &'static str,
    /// Names the statement in errors; no two share it.
    pub operation: &'static str,
}

impl BulkStatement {
    /// # Panics
    /// When the largest statement would hold more values than a database takes.
    pub(crate) const fn new(
        operation: &'static str,
        before: &'static str,
        values_per_row: usize,
        after: &'static str,
    ) -> BulkStatement {
        assert!(values_per_row * ROWS_PER_STATEMENT_MAX <= VALUES_PER_STATEMENT_MAX);
        BulkStatement { makes: false, before, values_per_row, after, operation }
    }

    /// Rows that can't be there yet, inserted `into` a table: one that is there is an error, and the whole SQL transaction is given up.
    ///
    /// SQLite is told not to keep the rest of the statement undoable by itself: it would copy each page that the statement touches
    /// beforehand, at a sixth of what the rows cost.
    pub(crate) const fn of_new_rows(operation: &'static str, into: &'static str, values_per_row: usize) -> BulkStatement {
        BulkStatement { makes: true, ..BulkStatement::new(operation, into, values_per_row, "") }
    }
}

/// Runs bulk statements, and remembers their texts.
#[derive(Debug)]
pub(crate) struct BulkWriter {
    dialect: Dialect,
    texts: HashMap<(&'static str, usize), Arc<str>>,
}

impl BulkWriter {
    pub(crate) fn new(dialect: Dialect) -> BulkWriter {
        BulkWriter { dialect, texts: HashMap::new() }
    }

    /// Writes all rows; `bind` gives a row's values in their order. No two rows may have one key: PostgreSQL refuses to
    /// change a row twice in a statement.
    pub(crate) async fn write<Row>(
        &mut self,
        connection: &mut AnyConnection,
        statement: &'static BulkStatement,
        rows: &[Row],
        bind: impl Fn(&Row, &mut AnyArguments) -> Result<(), sqlx::error::BoxDynError>,
    ) -> Result<(), sqlx::Error> {
        for part in parts(rows, self.rows_max()) {
            let text = sqlx::AssertSqlSafe(self.text(statement, part.len()));
            sqlx::query_with(text, arguments(statement, part, &bind)?).execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// The same for a statement that gives rows back.
    pub(crate) async fn write_returning<Row>(
        &mut self,
        connection: &mut AnyConnection,
        statement: &'static BulkStatement,
        rows: &[Row],
        bind: impl Fn(&Row, &mut AnyArguments) -> Result<(), sqlx::error::BoxDynError>,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        let mut returned = Vec::with_capacity(rows.len());
        for part in parts(rows, self.rows_max()) {
            let text = sqlx::AssertSqlSafe(self.text(statement, part.len()));
            returned.extend(sqlx::query_with(text, arguments(statement, part, &bind)?).fetch_all(&mut *connection).await?);
        }
        Ok(returned)
    }

    fn rows_max(&self) -> usize {
        match self.dialect {
            Dialect::Sqlite => EMBEDDED_ROWS_PER_STATEMENT_MAX,
            Dialect::Postgres => ROWS_PER_STATEMENT_MAX,
        }
    }

    fn text(&mut self, statement: &'static BulkStatement, rows: usize) -> Arc<str> {
        let dialect = self.dialect;
        Arc::clone(self.texts.entry((statement.operation, rows)).or_insert_with(|| text(dialect, statement, rows).into()))
    }
}

/// Rows cut into statements of at most so many, a power of two.
fn parts<Row>(mut rows: &[Row], most: usize) -> impl Iterator<Item = &[Row]> {
    std::iter::from_fn(move || {
        let power = rows.len().checked_ilog2()?;
        let (now, later) = rows.split_at(most.min(1 << power));
        rows = later;
        Some(now)
    })
}

fn arguments<Row>(
    statement: &BulkStatement,
    rows: &[Row],
    bind: &impl Fn(&Row, &mut AnyArguments) -> Result<(), sqlx::error::BoxDynError>,
) -> Result<AnyArguments, sqlx::Error> {
    let mut arguments = AnyArguments::default();
    arguments.reserve(rows.len() * statement.values_per_row, 0);
    rows.iter().try_for_each(|row| bind(row, &mut arguments)).map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

/// Without spaces between the values: the driver hashes the whole text each time to find what it has prepared.
fn text(dialect: Dialect, statement: &BulkStatement, rows: usize) -> String {
    let makes = match dialect {
        Dialect::Sqlite => "INSERT OR FAIL ",
        Dialect::Postgres => "INSERT ",
    };
    let mut text = format!("{}{} ", if statement.makes { makes } else { "" }, statement.before);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for value in 0..statement.values_per_row {
            let comma = if value == 0 { "" } else { "," };
            // SQLite looks numbered parameters up one by one, in time that grows with the square of their number.
            let written = match dialect {
                Dialect::Sqlite => write!(text, "{comma}?"),
                Dialect::Postgres => write!(text, "{comma}${}", row * statement.values_per_row + value + 1),
            };
            written.expect("a string takes everything");
        }
        text.push(')');
    }
    text.push(' ');
    text.push_str(statement.after);
    text
}
