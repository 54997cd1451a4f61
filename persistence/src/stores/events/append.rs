//! The writing of an event, beside the change that it tells of.

use super::{Message, NewEvent};
use crate::error::PersistenceError;
use crate::sql::Fields;
use crate::stores::webhooks::DeliveryState;
use protocol::id::Xid;
use sqlx::{AnyConnection, Executor};

/// Taken in PostgreSQL by whoever gives numbers; the number is ours, nothing else locks it.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(721900412)";

/// Waits until nobody else gives numbers; the turn ends with the SQL transaction. A SQLite writer is alone from its beginning.
pub(crate) async fn take_turn(connection: &mut AnyConnection) -> Result<(), PersistenceError> {
    if connection.backend_name() == "PostgreSQL" {
        connection.execute(POSTGRES_LOCK).await.map_err(PersistenceError::sql("wait for the turn to number events"))?;
    }
    Ok(())
}

/// Writes an event into the SQL transaction of its change. Gives its number. Others wait for their numbers until that transaction ends, so
/// events are written last.
pub async fn append(connection: &mut AnyConnection, event: &NewEvent) -> Result<u64, PersistenceError> {
    const OPERATION: &str = "write an event";
    take_turn(connection).await?;
    let insert = "INSERT INTO events (merchant, sequence, lsn, kind, subject, at, id, body) \
                  SELECT $1, COALESCE(MAX(sequence), 0) + 1, 0, $2, $3, $4, $5, $6 FROM events WHERE merchant = $1 RETURNING sequence";
    let insert = sqlx::query(insert).bind(&event.merchant.0[..]).bind(i64::from(event.kind.number()));
    let insert = insert.bind(&event.about.0[..]).bind(event.at.0).bind(&event.id.0[..]).bind(&event.body[..]);
    let row = insert.fetch_one(&mut *connection).await.map_err(PersistenceError::sql(OPERATION))?;
    let sequence = Fields::of(&row, "events").integer("sequence")?;
    queue_callback(connection, event, sequence).await?;
    Ok(sequence.unsigned_abs())
}

/// One row in the outbox, due at once, in the same SQL transaction.
async fn queue_callback(connection: &mut AnyConnection, event: &NewEvent, sequence: i64) -> Result<(), PersistenceError> {
    let Some(callback) = &event.callback else { return Ok(()) };
    let (form, body) = match &callback.message {
        Message::Event => (0_i64, None),
        Message::Json(text) => (0, Some(&text[..])),
        Message::Form(text) => (1, Some(&text[..])),
    };
    let insert = "INSERT INTO webhook_deliveries (merchant, sequence, endpoint, subject, url, form, body, state, attempts, \
                  next_attempt_at, fault) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, '')";
    let insert = sqlx::query(insert).bind(&event.merchant.0[..]).bind(sequence).bind(&Xid::NONE.0[..]);
    let insert = insert.bind(&event.about.0[..]).bind(&callback.url[..]).bind(form).bind(body);
    let insert = insert.bind(DeliveryState::Pending as i64).bind(event.at.0);
    insert.execute(connection).await.map(drop).map_err(PersistenceError::sql("queue a callback"))
}
