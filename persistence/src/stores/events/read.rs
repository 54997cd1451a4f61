//! The reading of events, each with what it tells.

use super::{EventKind, RunEntry};
use crate::error::PersistenceError;
use crate::projection::StoredTransaction;
use crate::sql::{BulkStatement, BulkWriter, Fields, signed, unsigned};
use crate::stores::Stores;
use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Arguments};
use std::collections::HashMap;

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose.
    pub merchant: Xid,
    /// Its number among the merchant's, from 1.
    pub sequence: u64,
    /// What happened.
    pub kind: EventKind,
    /// The id of the thing that it is about.
    pub about: Xid,
    /// When.
    pub at: Micros,
    /// What it tells.
    pub told: Told,
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A transaction in the version that the event is of.
    Transaction(StoredTransaction),
    /// A thing as its API shows it.
    Thing {
        /// The id that was drawn for the event.
        id: Xid,
        /// A JSON object.
        body: String,
    },
}

/// Some events in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events, without a gap.
    pub events: Vec<Event>,
    /// How many the merchant has in all; the number of the newest.
    pub newest: u64,
}

/// An event before its version is read.
pub(super) enum Found {
    Transaction(u64, RunEntry),
    Thing(Event),
}

static VERSIONS: BulkStatement = BulkStatement::new(
    "read the versions that events tell",
    "SELECT lsn, body FROM versions WHERE (transaction_id, lsn) IN (VALUES",
    2,
    ")",
);
static NEWEST: BulkStatement = BulkStatement::new(
    "read the newest versions that events tell",
    "SELECT lsn, body FROM transactions WHERE (id, lsn) IN (VALUES",
    2,
    ")",
);

impl Event {
    /// The id by which receivers know a repeat. That of a transaction's event follows from the transaction and its version, so that
    /// it would be the same if the event had to be written again.
    pub fn id(&self) -> String {
        match &self.told {
            Told::Transaction(stored) => format!("evt_{}_{}", self.about, stored.transaction().version.get()),
            Told::Thing { id, .. } => format!("evt_{id}"),
        }
    }
}

/// The events of a row that come behind a number.
pub(super) fn found(merchant: &Xid, after: u64, row: &AnyRow) -> Result<Vec<Found>, PersistenceError> {
    let fields = Fields::of(row, "events");
    let sequence = unsigned(fields.integer("sequence")?);
    let Some(bytes) = fields.bytes_or_none("run")? else {
        let kind = kind(fields.narrow("kind")?)?;
        let told = Told::Thing { id: fields.id("id")?, body: fields.text("body")? };
        let (about, at) = (fields.id("subject")?, fields.time("at")?);
        return Ok(vec![Found::Thing(Event { merchant: *merchant, sequence, kind, about, at, told })]);
    };
    let fault = PersistenceError::StoredRow { table: "events", fault: "a run is not made of events" };
    let run = RunEntry::all(&bytes).ok_or(fault)?;
    let first = (sequence + 1).saturating_sub(run.len() as u64);
    let numbered = (first..).zip(run).filter(|(number, _)| *number > after);
    Ok(numbered.map(|(number, entry)| Found::Transaction(number, *entry)).collect())
}

fn kind(number: u16) -> Result<EventKind, PersistenceError> {
    let fault = PersistenceError::StoredRow { table: "events", fault: "a kind is not known to this version" };
    EventKind::from_number(number).ok_or(fault)
}

/// An event with its version; `None` while that is not in the tables: they are being filled again from the journal.
fn told(merchant: &Xid, found: Found, versions: &mut HashMap<u64, Vec<u8>>) -> Result<Option<Event>, PersistenceError> {
    let (sequence, entry) = match found {
        Found::Thing(event) => return Ok(Some(event)),
        Found::Transaction(sequence, entry) => (sequence, entry),
    };
    let lsn = entry.lsn.get();
    let Some(body) = versions.remove(&lsn) else { return Ok(None) };
    let stored = StoredTransaction::checked(lsn, body, "versions")?;
    let at = stored.transaction().updated_at();
    let kind = kind(entry.kind.get())?;
    Ok(Some(Event { merchant: *merchant, sequence, kind, about: entry.transaction, at, told: Told::Transaction(stored) }))
}

impl Stores {
    /// A merchant's events behind a number, `limit` at most, in their order and without a gap.
    pub async fn events(&self, merchant: &Xid, after: u64, limit: u32) -> Result<EventPage, PersistenceError> {
        const OPERATION: &str = "read events";
        let fault = || PersistenceError::sql(OPERATION);
        let begun = self.database.pool.begin_with(self.database.dialect.begin_snapshot()).await;
        let mut snapshot = begun.map_err(fault())?;
        let newest = newest_event(&mut snapshot, merchant).await?;
        let mut rest = self.found(&mut snapshot, merchant, after, limit).await?;
        let mut versions = self.versions(&mut snapshot, &rest).await?;
        let mut events = Vec::with_capacity(rest.len());
        for found in rest.drain(..) {
            let Some(event) = told(merchant, found, &mut versions)? else { break };
            events.push(event);
        }
        snapshot.commit().await.map_err(fault())?;
        Ok(EventPage { events, newest })
    }

    async fn found(
        &self,
        connection: &mut AnyConnection,
        merchant: &Xid,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Found>, PersistenceError> {
        let (limit, mut found_events, mut place) = (limit as usize, Vec::new(), after);
        // A row is one event or many: rows are read a few at a time until there are enough.
        const ROWS: i64 = 8;
        while found_events.len() < limit {
            let select = "SELECT sequence, run, kind, subject, at, id, body FROM events \
                          WHERE merchant = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
            let select = sqlx::query(select).bind(&merchant.0[..]).bind(signed(place)).bind(ROWS);
            let rows = select.fetch_all(&mut *connection).await.map_err(PersistenceError::sql("read events"))?;
            let Some(last) = rows.last() else { break };
            place = unsigned(Fields::of(last, "events").integer("sequence")?);
            for row in &rows {
                found_events.extend(found(merchant, after, row)?);
            }
        }
        found_events.truncate(limit);
        Ok(found_events)
    }

    /// The bodies of the versions that events tell, by LSN.
    async fn versions(
        &self,
        connection: &mut AnyConnection,
        events: &[Found],
    ) -> Result<HashMap<u64, Vec<u8>>, PersistenceError> {
        let entry = |found: &Found| match found {
            Found::Transaction(_, entry) => Some(*entry),
            Found::Thing(_) => None,
        };
        let entries: Vec<RunEntry> = events.iter().filter_map(entry).collect();
        let (mut reader, mut bodies) = (BulkWriter::new(self.database.dialect), HashMap::new());
        for statement in [&VERSIONS, &NEWEST] {
            let read = reader.write_returning(connection, statement, &entries, |entry, out| {
                out.add(&entry.transaction.0[..])?;
                out.add(signed(entry.lsn.get()))
            });
            for row in read.await.map_err(PersistenceError::sql(statement.operation))? {
                let fields = Fields::of(&row, "versions");
                bodies.insert(unsigned(fields.integer("lsn")?), fields.bytes("body")?);
            }
        }
        Ok(bodies)
    }

    /// One of a merchant's events by its number; `None` too while it can't be told.
    pub async fn event(&self, merchant: &Xid, sequence: u64) -> Result<Option<Event>, PersistenceError> {
        let page = self.events(merchant, sequence.saturating_sub(1), 1).await?;
        Ok(page.events.into_iter().find(|event| event.sequence == sequence))
    }

    /// The number of a merchant's newest event; 0 when it has none.
    pub async fn newest_event(&self, merchant: &Xid) -> Result<u64, PersistenceError> {
        let mut connection = self.database.pool.acquire().await.map_err(PersistenceError::sql("count events"))?;
        newest_event(&mut connection, merchant).await
    }

    /// Writes an event that comes with no other change.
    pub async fn add_event(&self, event: &super::NewEvent) -> Result<u64, PersistenceError> {
        const OPERATION: &str = "write an event";
        let mut transaction = self.begin_write(OPERATION).await?;
        let sequence = super::append(&mut transaction, event).await?;
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(sequence)
    }
}

async fn newest_event(connection: &mut AnyConnection, merchant: &Xid) -> Result<u64, PersistenceError> {
    let select = "SELECT sequence FROM events WHERE merchant = $1 ORDER BY sequence DESC LIMIT 1";
    let row = sqlx::query(select).bind(&merchant.0[..]).fetch_optional(connection).await;
    let row = row.map_err(PersistenceError::sql("count events"))?;
    row.map_or(Ok(0), |row| Fields::of(&row, "events").integer("sequence").map(unsigned))
}
