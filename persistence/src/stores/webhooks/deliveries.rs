//! Deliveries: the outbox.

use crate::error::PersistenceError;
use crate::sql::{Fields, signed, time_or_null, unsigned};
use crate::stores::Stores;
use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

/// Where a delivery stands. Numbers are stored, so they are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DeliveryState {
    /// It is tried when its time has come, and what is about the same thing waits behind it.
    Pending = 1,
    /// The receiver has said that it has it.
    Delivered = 2,
    /// Given up.
    Dead = 3,
}

impl DeliveryState {
    /// The word in the APIs.
    pub const fn word(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
        }
    }

    fn from_number(number: i64) -> Option<DeliveryState> {
        [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Dead].into_iter().find(|state| *state as i64 == number)
    }
}

/// Which event for whom: names a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Whose event.
    pub merchant: Xid,
    /// Its number.
    pub sequence: u64,
    /// To which endpoint; the absent id where the address came with the thing.
    pub endpoint: Xid,
}

/// Where an event goes, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// To the endpoint, as an event.
    Endpoint,
    /// To an address that came with the thing.
    Address {
        /// Where to.
        url: String,
        /// Whether the body is a form; else it is JSON.
        form: bool,
        /// What is sent; none: the event.
        body: Option<String>,
    },
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which event for whom.
    pub place: Place,
    /// The thing that the event is about.
    pub about: Xid,
    /// Where to.
    pub to: To,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: u32,
    /// When it is tried next, by the calendar.
    pub next_attempt_at: Micros,
    /// When it was tried first; none: it was not.
    pub first_attempt_at: Micros,
    /// When it was tried last.
    pub last_attempt_at: Micros,
    /// HTTP status of the last answer; 0 for none.
    pub status: u16,
    /// What was wrong at the last try; empty for nothing.
    pub fault: String,
}

impl Delivery {
    /// One that has not been tried.
    pub fn fresh(place: Place, about: Xid, now: Micros) -> Delivery {
        Delivery {
            place,
            about,
            to: To::Endpoint,
            state: DeliveryState::Pending,
            attempts: 0,
            next_attempt_at: now,
            first_attempt_at: Micros::NONE,
            last_attempt_at: Micros::NONE,
            status: 0,
            fault: String::new(),
        }
    }

    fn read(row: &AnyRow) -> Result<Delivery, PersistenceError> {
        const TABLE: &str = "webhook_deliveries";
        let fields = Fields::of(row, TABLE);
        let fault = PersistenceError::StoredRow { table: TABLE, fault: "a state is not known to this version" };
        let to = match fields.text_or_none("url")? {
            None => To::Endpoint,
            Some(url) => To::Address { url, form: fields.integer("form")? != 0, body: fields.text_or_none("body")? },
        };
        let place = Place {
            merchant: fields.id("merchant")?,
            sequence: unsigned(fields.integer("sequence")?),
            endpoint: fields.id("endpoint")?,
        };
        Ok(Delivery {
            place,
            about: fields.id("subject")?,
            to,
            state: DeliveryState::from_number(fields.integer("state")?).ok_or(fault)?,
            attempts: fields.narrow("attempts")?,
            next_attempt_at: fields.time("next_attempt_at")?,
            first_attempt_at: fields.time_or_none("first_attempt_at")?,
            last_attempt_at: fields.time_or_none("last_attempt_at")?,
            status: u16::try_from(fields.time_or_none("status")?.0).unwrap_or(0),
            fault: fields.text("fault")?,
        })
    }

    /// Writes it, in place of what is known of it. Its address stays as it came.
    pub(super) async fn put(&self, connection: &mut AnyConnection) -> Result<(), PersistenceError> {
        let upsert = "INSERT INTO webhook_deliveries (merchant, sequence, endpoint, subject, state, attempts, next_attempt_at, \
                      first_attempt_at, last_attempt_at, status, fault) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                      ON CONFLICT (merchant, sequence, endpoint) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, \
                      next_attempt_at = excluded.next_attempt_at, first_attempt_at = excluded.first_attempt_at, \
                      last_attempt_at = excluded.last_attempt_at, status = excluded.status, fault = excluded.fault";
        let put = sqlx::query(upsert).bind(&self.place.merchant.0[..]).bind(signed(self.place.sequence));
        let put = put.bind(&self.place.endpoint.0[..]).bind(&self.about.0[..]).bind(self.state as i64);
        let put = put.bind(i64::from(self.attempts)).bind(self.next_attempt_at.0).bind(time_or_null(self.first_attempt_at.0));
        let put = put.bind(time_or_null(self.last_attempt_at.0)).bind(time_or_null(i64::from(self.status))).bind(&self.fault[..]);
        put.execute(connection).await.map(drop).map_err(PersistenceError::sql("note a webhook delivery"))
    }
}

/// What may be tried: its time has come, nothing about the same thing waits before it, and its endpoint wants to be told.
const DUE: &str = "SELECT * FROM webhook_deliveries AS due WHERE state = 1 AND next_attempt_at <= $1 AND NOT EXISTS (\
    SELECT 1 FROM webhook_deliveries AS before WHERE before.endpoint = due.endpoint AND before.subject = due.subject \
    AND before.sequence < due.sequence AND before.state = 1) AND (url IS NOT NULL OR EXISTS (\
    SELECT 1 FROM webhook_endpoints WHERE webhook_endpoints.id = due.endpoint AND active = 1)) \
    ORDER BY next_attempt_at, sequence LIMIT $2";

impl Stores {
    /// Deliveries that may be tried now, those that have waited longest first.
    pub async fn due_deliveries(&self, now: Micros, limit: u32) -> Result<Vec<Delivery>, PersistenceError> {
        let rows = sqlx::query(DUE).bind(now.0).bind(i64::from(limit)).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("find due webhook deliveries"))?.iter().map(Delivery::read).collect()
    }

    /// The things of which something waits for an endpoint.
    pub async fn waiting_about(&self, endpoint: &Xid) -> Result<Vec<Xid>, PersistenceError> {
        let select = sqlx::query("SELECT DISTINCT subject FROM webhook_deliveries WHERE endpoint = $1 AND state = 1");
        let rows = select.bind(&endpoint.0[..]).fetch_all(&self.database.pool).await;
        let rows = rows.map_err(PersistenceError::sql("find what waits for a webhook endpoint"))?;
        rows.iter().map(|row| Fields::of(row, "webhook_deliveries").id("subject")).collect()
    }

    /// Writes what became of a try, unless the delivery is gone.
    pub async fn note_delivery(&self, delivery: &Delivery) -> Result<(), PersistenceError> {
        let update = "UPDATE webhook_deliveries SET state = $4, attempts = $5, next_attempt_at = $6, first_attempt_at = $7, \
                      last_attempt_at = $8, status = $9, fault = $10 WHERE merchant = $1 AND sequence = $2 AND endpoint = $3";
        let put = sqlx::query(update).bind(&delivery.place.merchant.0[..]).bind(signed(delivery.place.sequence));
        let put = put.bind(&delivery.place.endpoint.0[..]).bind(delivery.state as i64).bind(i64::from(delivery.attempts));
        let put = put.bind(delivery.next_attempt_at.0).bind(time_or_null(delivery.first_attempt_at.0));
        let put = put.bind(time_or_null(delivery.last_attempt_at.0)).bind(time_or_null(i64::from(delivery.status)));
        let put = put.bind(&delivery.fault[..]).execute(&self.database.pool).await;
        put.map(drop).map_err(PersistenceError::sql("note a webhook delivery"))
    }

    /// Queues an event for an endpoint once more, whatever became of it before.
    pub async fn send_again(&self, delivery: &Delivery) -> Result<(), PersistenceError> {
        let mut connection = self.database.pool.acquire().await.map_err(PersistenceError::sql("note a webhook delivery"))?;
        delivery.put(&mut connection).await
    }

    /// An endpoint's deliveries that have rows, of events behind a number and up to another, in their order.
    pub async fn deliveries(&self, endpoint: &Xid, after: u64, until: u64) -> Result<Vec<Delivery>, PersistenceError> {
        let select =
            "SELECT * FROM webhook_deliveries WHERE endpoint = $1 AND sequence > $2 AND sequence <= $3 ORDER BY sequence";
        let select = sqlx::query(select).bind(&endpoint.0[..]).bind(signed(after)).bind(signed(until));
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list webhook deliveries"))?;
        rows.iter().map(Delivery::read).collect()
    }
}

impl Stores {
    /// Tries a delivery to an address that came with a thing again, as if for the first time. False when there is none.
    pub async fn revive_callback(&self, merchant: &Xid, sequence: u64, now: Micros) -> Result<bool, PersistenceError> {
        let update = "UPDATE webhook_deliveries SET state = 1, attempts = 0, first_attempt_at = NULL, next_attempt_at = $4 \
                      WHERE merchant = $1 AND sequence = $2 AND endpoint = $3";
        let update = sqlx::query(update).bind(&merchant.0[..]).bind(signed(sequence)).bind(&Xid::NONE.0[..]).bind(now.0);
        let update = update.execute(&self.database.pool).await;
        Ok(update.map_err(PersistenceError::sql("send a callback again"))?.rows_affected() == 1)
    }

    /// A merchant's deliveries to addresses that came with a thing, of events behind a number, in their order.
    pub async fn callbacks(&self, merchant: &Xid, after: u64, limit: u32) -> Result<Vec<Delivery>, PersistenceError> {
        let select = "SELECT * FROM webhook_deliveries WHERE merchant = $1 AND sequence > $2 AND endpoint = $3 \
                      ORDER BY sequence LIMIT $4";
        let select = sqlx::query(select).bind(&merchant.0[..]).bind(signed(after)).bind(&Xid::NONE.0[..]).bind(i64::from(limit));
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list callbacks"))?;
        rows.iter().map(Delivery::read).collect()
    }

    /// Forgets what was delivered before a moment. Gives how many they were.
    pub async fn forget_delivered(&self, before: Micros) -> Result<u64, PersistenceError> {
        let delete = sqlx::query("DELETE FROM webhook_deliveries WHERE state = 2 AND last_attempt_at < $1").bind(before.0);
        let deleted = delete.execute(&self.database.pool).await;
        Ok(deleted.map_err(PersistenceError::sql("forget delivered webhooks"))?.rows_affected())
    }

    /// Tries what was given up for a merchant's endpoint again, as if for the first time. Gives how many they are. The absent id is the
    /// endpoint of whatever came with its own address.
    pub async fn revive_deliveries(&self, merchant: &Xid, endpoint: &Xid, now: Micros) -> Result<u64, PersistenceError> {
        let update = "UPDATE webhook_deliveries SET state = 1, attempts = 0, first_attempt_at = NULL, next_attempt_at = $2 \
                      WHERE endpoint = $1 AND state = 3 AND merchant = $3";
        let update = sqlx::query(update).bind(&endpoint.0[..]).bind(now.0).bind(&merchant.0[..]);
        let update = update.execute(&self.database.pool).await;
        Ok(update.map_err(PersistenceError::sql("send dead webhook deliveries again"))?.rows_affected())
    }
}
