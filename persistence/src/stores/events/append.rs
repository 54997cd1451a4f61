//! The writing of an event, beside the change that it tells of.

use super::{Message, NewEvent};
use crate::error::PersistenceError;
use crate::sql::Fields;
use crate::stores::webhooks::DeliveryState;
use protocol::id::Xid;
use sqlx::AnyConnection;

/// The next number of a merchant. Its row is locked by this until the SQL transaction ends.
const COUNT: &str = "INSERT INTO event_counters (merchant, newest) VALUES ($1, 1) \
                     ON CONFLICT (merchant) DO UPDATE SET newest = event_counters.newest + 1 RETURNING newest";

/// Writes an event into the SQL transaction of its change. Gives its number. Whoever writes several of several merchants sorts
/// them by merchant, so that no two writers wait for each other.
pub async fn append(connection: &mut AnyConnection, event: &NewEvent) -> Result<u64, PersistenceError> {
    const OPERATION: &str = "write an event";
    let count = sqlx::query(COUNT).bind(&event.merchant.0[..]).fetch_one(&mut *connection).await;
    let sequence = Fields::of(&count.map_err(PersistenceError::sql(OPERATION))?, "event_counters").integer("newest")?;
    let insert =
        "INSERT INTO events (merchant, sequence, lsn, kind, subject, at, id, body) VALUES ($1, $2, 0, $3, $4, $5, $6, $7)";
    let insert = sqlx::query(insert).bind(&event.merchant.0[..]).bind(sequence).bind(i64::from(event.kind.number()));
    let insert = insert.bind(&event.about.0[..]).bind(event.at.0).bind(&event.id.0[..]).bind(&event.body[..]);
    insert.execute(&mut *connection).await.map_err(PersistenceError::sql(OPERATION))?;
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
