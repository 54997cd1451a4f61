//! Many rows in one statement: `INSERT … VALUES (…), (…) ON CONFLICT …`.
//!
//! A statement is prepared once per table and number of rows, so the numbers are few: a batch of rows is cut into the
//! sizes below, largest first.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use sqlx::AnyConnection;
use sqlx::any::AnyArguments;

use super::Dialect;

/// Rows per statement. 256 rows of the widest table are 6,656 parameters; SQLite takes 32,766 and PostgreSQL 65,535.
const ROWS_PER_STATEMENT: [usize; 3] = [256, 16, 1];

/// A table as it is written to.
#[derive(Debug)]
pub(crate) struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
    /// What stands behind the values: how a row that is already there is treated.
    pub on_conflict: &'static str,
    /// Names the write in errors.
    pub operation: &'static str,
}

/// Writes rows, and remembers the statements.
#[derive(Debug)]
pub(crate) struct BulkWriter {
    dialect: Dialect,
    statements: HashMap<(&'static str, usize), Arc<str>>,
}

impl BulkWriter {
    pub(crate) fn new(dialect: Dialect) -> BulkWriter {
        BulkWriter { dialect, statements: HashMap::new() }
    }

    /// Writes all rows; `bind` gives a row's values in the order of the table's columns. No two rows may have one key:
    /// PostgreSQL refuses to change a row twice in a statement.
    pub(crate) async fn write<Row>(
        &mut self,
        connection: &mut AnyConnection,
        table: &'static Table,
        mut rows: &[Row],
        bind: impl Fn(&Row, &mut AnyArguments) -> Result<(), sqlx::error::BoxDynError>,
    ) -> Result<(), sqlx::Error> {
        for size in ROWS_PER_STATEMENT {
            while let Some((now, later)) = rows.split_at_checked(size) {
                let mut arguments = AnyArguments::default();
                now.iter().try_for_each(|row| bind(row, &mut arguments)).map_err(sqlx::Error::Encode)?;
                let statement = sqlx::AssertSqlSafe(self.statement(table, size));
                sqlx::query_with(statement, arguments).execute(&mut *connection).await?;
                rows = later;
            }
        }
        Ok(())
    }

    fn statement(&mut self, table: &'static Table, rows: usize) -> Arc<str> {
        let dialect = self.dialect;
        Arc::clone(self.statements.entry((table.name, rows)).or_insert_with(|| text(dialect, table, rows).into()))
    }
}

fn text(dialect: Dialect, table: &Table, rows: usize) -> String {
    let mut text = format!("INSERT INTO {} ({}) VALUES ", table.name, table.columns.join(", "));
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..table.columns.len() {
            let comma = if column == 0 { "" } else { ", " };
            // SQLite looks numbered parameters up one by one, in time that grows with the square of their number.
            let written = match dialect {
                Dialect::Sqlite => write!(text, "{comma}?"),
                Dialect::Postgres => write!(text, "{comma}${}", row * table.columns.len() + column + 1),
            };
            written.expect("a string takes everything");
        }
        text.push(')');
    }
    text.push(' ');
    text.push_str(table.on_conflict);
    text
}
