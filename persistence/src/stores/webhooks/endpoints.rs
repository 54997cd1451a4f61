//! Endpoints: a merchant's addresses, and how far each has been told.

use super::Delivery;
use crate::error::PersistenceError;
use crate::sql::{Fields, signed, time_or_null, unsigned};
use crate::stores::Stores;
use crate::stores::events::take_turn;
use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::Executor;
use sqlx::any::AnyRow;

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id in the APIs.
    pub id: Xid,
    /// Whose.
    pub merchant: Xid,
    /// Where to.
    pub url: String,
    /// In the merchant's words.
    pub description: String,
    /// Which kinds of events it asks for, separated by commas.
    pub kinds: String,
    /// False is told nothing; it is told all that it missed when it is active again.
    pub active: bool,
    /// Why it is not active; empty when its merchant wants it so.
    pub reason: String,
    /// The number of the event behind which it is told: the newest when it was made, or an older one from which it was told again.
    pub began: u64,
    /// The number of the event up to which it has been told, but for its deliveries.
    pub told: u64,
    /// Since when nothing has arrived; none: the last did.
    pub failing_since: Micros,
    /// Which of its secrets signs; 0 is its merchant's.
    pub generation: u32,
    /// When the secret was changed; none: never.
    pub rotated_at: Micros,
    /// When it was made.
    pub created_at: Micros,
    /// When its merchant last changed it.
    pub updated_at: Micros,
}

impl Endpoint {
    fn read(row: &AnyRow) -> Result<Endpoint, PersistenceError> {
        let fields = Fields::of(row, "webhook_endpoints");
        Ok(Endpoint {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            url: fields.text("url")?,
            description: fields.text("description")?,
            kinds: fields.text("kinds")?,
            active: fields.integer("active")? != 0,
            reason: fields.text("reason")?,
            began: unsigned(fields.integer("began")?),
            told: unsigned(fields.integer("told")?),
            failing_since: fields.time_or_none("failing_since")?,
            generation: fields.narrow("generation")?,
            rotated_at: fields.time_or_none("rotated_at")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }
}

impl Stores {
    /// Adds an endpoint, unless its merchant has `max` already. It is told what happens from now on. False when there are too many.
    pub async fn add_endpoint(&self, endpoint: &Endpoint, max: u32) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "add a webhook endpoint";
        let mut transaction = self.begin_write(OPERATION).await?;
        // Nobody numbers an event between the reading of the newest number and the commit.
        take_turn(&mut transaction).await?;
        let insert = "INSERT INTO webhook_endpoints (id, merchant, url, description, kinds, active, reason, generation, created_at, \
                      updated_at, told, began) SELECT $1, $2, $3, $4, $5, 1, '', 0, $6, $6, COALESCE(MAX(sequence), 0), \
                      COALESCE(MAX(sequence), 0) FROM events \
                      WHERE merchant = $2 HAVING (SELECT COUNT(*) FROM webhook_endpoints WHERE merchant = $2) < $7";
        let insert = sqlx::query(insert).bind(&endpoint.id.0[..]).bind(&endpoint.merchant.0[..]).bind(&endpoint.url[..]);
        let insert =
            insert.bind(&endpoint.description[..]).bind(&endpoint.kinds[..]).bind(endpoint.created_at.0).bind(i64::from(max));
        let added = transaction.execute(insert).await.map_err(PersistenceError::sql(OPERATION))?;
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(added.rows_affected() == 1)
    }

    /// Changes what a merchant may change. False when it is not there.
    pub async fn change_endpoint(&self, endpoint: &Endpoint) -> Result<bool, PersistenceError> {
        let update = "UPDATE webhook_endpoints SET url = $3, description = $4, kinds = $5, active = $6, reason = $7, failing_since = $8, \
                      generation = $9, rotated_at = $10, updated_at = $11 WHERE id = $1 AND merchant = $2";
        let update = sqlx::query(update).bind(&endpoint.id.0[..]).bind(&endpoint.merchant.0[..]).bind(&endpoint.url[..]);
        let update = update.bind(&endpoint.description[..]).bind(&endpoint.kinds[..]).bind(i64::from(endpoint.active));
        let update = update.bind(&endpoint.reason[..]).bind(time_or_null(endpoint.failing_since.0));
        let update =
            update.bind(i64::from(endpoint.generation)).bind(time_or_null(endpoint.rotated_at.0)).bind(endpoint.updated_at.0);
        let done = update.execute(&self.database.pool).await.map_err(PersistenceError::sql("change a webhook endpoint"))?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes an endpoint and its deliveries. False when it is not there.
    pub async fn delete_endpoint(&self, merchant: &Xid, id: &Xid) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "remove a webhook endpoint";
        let mut transaction = self.begin_write(OPERATION).await?;
        let delete = "DELETE FROM webhook_endpoints WHERE id = $1 AND merchant = $2";
        let done = transaction.execute(sqlx::query(delete).bind(&id.0[..]).bind(&merchant.0[..])).await;
        let was_there = done.map_err(PersistenceError::sql(OPERATION))?.rows_affected() == 1;
        if was_there {
            let delete = sqlx::query("DELETE FROM webhook_deliveries WHERE endpoint = $1").bind(&id.0[..]);
            transaction.execute(delete).await.map_err(PersistenceError::sql(OPERATION))?;
        }
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(was_there)
    }

    /// A merchant's endpoints, oldest first.
    pub async fn endpoints(&self, merchant: &Xid) -> Result<Vec<Endpoint>, PersistenceError> {
        let select = "SELECT * FROM webhook_endpoints WHERE merchant = $1 ORDER BY created_at, id";
        let rows = sqlx::query(select).bind(&merchant.0[..]).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list webhook endpoints"))?.iter().map(Endpoint::read).collect()
    }

    /// One endpoint, whosever it is.
    pub async fn endpoint(&self, id: &Xid) -> Result<Option<Endpoint>, PersistenceError> {
        let select = sqlx::query("SELECT * FROM webhook_endpoints WHERE id = $1").bind(&id.0[..]);
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read a webhook endpoint"))?;
        row.as_ref().map(Endpoint::read).transpose()
    }

    /// The active endpoints of all merchants that have not been told everything.
    pub async fn endpoints_behind(&self) -> Result<Vec<Endpoint>, PersistenceError> {
        let select = "SELECT * FROM webhook_endpoints WHERE active = 1 AND told < \
                      (SELECT COALESCE(MAX(sequence), 0) FROM events WHERE events.merchant = webhook_endpoints.merchant) ORDER BY id";
        let rows = sqlx::query(select).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("find webhook endpoints that are behind"))?.iter().map(Endpoint::read).collect()
    }

    /// Moves the number up to which an endpoint was told, and writes what of that must be tried again, in one SQL transaction.
    pub async fn pass_events(&self, endpoint: &Endpoint, told: u64, failed: &[Delivery]) -> Result<(), PersistenceError> {
        const OPERATION: &str = "note what a webhook endpoint was told";
        let mut transaction = self.begin_write(OPERATION).await?;
        let update = "UPDATE webhook_endpoints SET told = $2 WHERE id = $1 AND told = $3";
        let update = sqlx::query(update).bind(&endpoint.id.0[..]).bind(signed(told)).bind(signed(endpoint.told));
        let moved = transaction.execute(update).await.map_err(PersistenceError::sql(OPERATION))?;
        // An endpoint that was removed meanwhile leaves no deliveries behind.
        if moved.rows_affected() == 1 {
            for delivery in failed {
                delivery.put(&mut transaction).await?;
            }
        }
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))
    }

    /// Tells an endpoint everything behind a number again. Gives how many events that is.
    pub async fn rewind_endpoint(&self, endpoint: &Endpoint, after: u64) -> Result<u64, PersistenceError> {
        let update = "UPDATE webhook_endpoints SET told = $2, began = CASE WHEN began > $2 THEN $2 ELSE began END \
                      WHERE id = $1 AND told > $2";
        let update = sqlx::query(update).bind(&endpoint.id.0[..]).bind(signed(after)).execute(&self.database.pool).await;
        let moved = update.map_err(PersistenceError::sql("tell a webhook endpoint again"))?.rows_affected();
        Ok(if moved == 0 { 0 } else { endpoint.told.saturating_sub(after) })
    }

    /// Notes since when nothing arrives at an endpoint, or that something has.
    pub async fn note_failing(&self, id: &Xid, since: Micros) -> Result<(), PersistenceError> {
        let update = sqlx::query("UPDATE webhook_endpoints SET failing_since = $2 WHERE id = $1");
        let update = update.bind(&id.0[..]).bind(time_or_null(since.0)).execute(&self.database.pool).await;
        update.map(drop).map_err(PersistenceError::sql("note how a webhook endpoint fares"))
    }

    /// Tells an endpoint nothing more, for a reason.
    pub async fn switch_endpoint_off(&self, id: &Xid, reason: &str) -> Result<(), PersistenceError> {
        let update = sqlx::query("UPDATE webhook_endpoints SET active = 0, reason = $2 WHERE id = $1");
        let update = update.bind(&id.0[..]).bind(reason).execute(&self.database.pool).await;
        update.map(drop).map_err(PersistenceError::sql("switch a webhook endpoint off"))
    }
}
