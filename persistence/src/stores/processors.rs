//! Processors: the index that transactions carry, and the id that the APIs speak.

use protocol::id::Xid;
use sqlx::any::AnyRow;

use super::Stores;
use crate::error::PersistenceError;
use crate::sql::Fields;

/// A processor as transactions refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    /// The number in records, from 1. It stays the processor's for good: old transactions carry it.
    pub index: u16,
    /// The id in the APIs.
    pub id: Xid,
    /// As people call it.
    pub name: String,
    /// Which connector speaks to it.
    pub kind: String,
}

impl Processor {
    fn read(row: &AnyRow) -> Result<Processor, PersistenceError> {
        let fields = Fields::of(row, "processors");
        Ok(Processor {
            index: fields.narrow("number")?,
            id: fields.id("id")?,
            name: fields.text("name")?,
            kind: fields.text("kind")?,
        })
    }
}

impl Stores {
    /// Adds a processor, or changes the name and kind of the one with this index and id. False, and nothing done, when the
    /// index is another processor's: it never passes on, for old transactions carry it.
    pub async fn put_processor(&self, processor: &Processor) -> Result<bool, PersistenceError> {
        let upsert = "INSERT INTO processors (number, id, name, kind) VALUES ($1, $2, $3, $4) ON CONFLICT (number) DO UPDATE \
                      SET name = excluded.name, kind = excluded.kind WHERE processors.id = excluded.id";
        let put = sqlx::query(upsert).bind(i64::from(processor.index)).bind(&processor.id.0[..]);
        let put = put.bind(&processor.name[..]).bind(&processor.kind[..]).execute(&self.database.pool).await;
        Ok(put.map_err(PersistenceError::sql("store a processor"))?.rows_affected() == 1)
    }

    /// All processors, by index.
    pub async fn processors(&self) -> Result<Vec<Processor>, PersistenceError> {
        let select = sqlx::query("SELECT number, id, name, kind FROM processors ORDER BY number");
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list processors"))?;
        rows.iter().map(Processor::read).collect()
    }
}
