//! The reading of events, each with what it tells.

use super::EventKind;
use crate::error::PersistenceError;
use crate::projection::StoredTransaction;
use crate::sql::{Fields, unsigned};
use crate::stores::Stores;
use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::any::AnyRow;

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
    /// A thing as its API shows it, a JSON object, and the id that was drawn for the event.
    Thing {
        /// The event's.
        id: Xid,
        /// JSON.
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

const SELECT: &str = "SELECT events.merchant AS merchant, events.sequence AS sequence, events.kind AS kind, \
    events.subject AS subject, events.lsn AS lsn, events.at AS at, events.id AS id, events.body AS told, versions.body AS older, \
    transactions.body AS newest FROM events \
    LEFT JOIN versions ON versions.transaction_id = events.subject AND versions.lsn = events.lsn \
    LEFT JOIN transactions ON transactions.id = events.subject AND transactions.lsn = events.lsn";

impl Event {
    /// The id by which receivers know a repeat. That of a transaction's event follows from the transaction and its version, so that
    /// it would be the same if the event had to be written again.
    pub fn id(&self) -> String {
        match &self.told {
            Told::Transaction(stored) => format!("evt_{}_{}", self.about, stored.transaction().version.get()),
            Told::Thing { id, .. } => format!("evt_{id}"),
        }
    }

    /// `None` while what it tells is not in the tables: they are being filled again from the journal.
    fn read(row: &AnyRow) -> Result<Option<Event>, PersistenceError> {
        let fields = Fields::of(row, "events");
        let fault = PersistenceError::StoredRow { table: "events", fault: "a kind is not known to this version" };
        let kind = EventKind::from_number(fields.narrow("kind")?).ok_or(fault)?;
        let told = match unsigned(fields.integer("lsn")?) {
            0 => Told::Thing { id: fields.id("id")?, body: fields.text("told")? },
            lsn => match fields.bytes_or_none("newest")?.or(fields.bytes_or_none("older")?) {
                None => return Ok(None),
                Some(body) => Told::Transaction(StoredTransaction::checked(lsn, body, "versions")?),
            },
        };
        Ok(Some(Event {
            merchant: fields.id("merchant")?,
            sequence: unsigned(fields.integer("sequence")?),
            kind,
            about: fields.id("subject")?,
            at: fields.time("at")?,
            told,
        }))
    }
}

impl Stores {
    /// A merchant's events behind a number, `limit` at most, in their order and without a gap.
    pub async fn events(&self, merchant: &Xid, after: u64, limit: u32) -> Result<EventPage, PersistenceError> {
        const OPERATION: &str = "read events";
        let select = format!("{SELECT} WHERE events.merchant = $1 AND events.sequence > $2 ORDER BY events.sequence LIMIT $3");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]);
        let select = select.bind(i64::try_from(after).unwrap_or(i64::MAX)).bind(i64::from(limit));
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            let Some(event) = Event::read(row)? else { break };
            events.push(event);
        }
        Ok(EventPage { events, newest: self.newest_event(merchant).await? })
    }

    /// One of a merchant's events by its number; `None` too while it can't be told.
    pub async fn event(&self, merchant: &Xid, sequence: u64) -> Result<Option<Event>, PersistenceError> {
        let page = self.events(merchant, sequence.saturating_sub(1), 1).await?;
        Ok(page.events.into_iter().find(|event| event.sequence == sequence))
    }

    /// The number of a merchant's newest event; 0 when it has none.
    pub async fn newest_event(&self, merchant: &Xid) -> Result<u64, PersistenceError> {
        let select = sqlx::query("SELECT newest FROM event_counters WHERE merchant = $1").bind(&merchant.0[..]);
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("count events"))?;
        row.map_or(Ok(0), |row| Fields::of(&row, "event_counters").integer("newest").map(unsigned))
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
