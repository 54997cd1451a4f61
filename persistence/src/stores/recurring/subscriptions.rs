//! Subscriptions: a customer, what is billed and when, and how far the bills have come.

use super::BillingTerms;
use crate::error::PersistenceError;
use crate::sql::{Fields, id_or_null, signed};
use crate::stores::Stores;
use crate::stores::events::{self, NewEvent};
use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::Executor;
use sqlx::any::AnyRow;

/// Where a subscription stands. Numbers are stored: never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum Standing {
    /// Bills come.
    Active = 1,
    /// The last bill was declined and is tried again.
    PastDue = 2,
    /// All its bills are paid.
    Completed = 3,
    /// A bill was declined for good, or too often: no more come until the subscription is changed.
    Failed = 4,
    /// The cardholder's bank wants no more bills (261, 262).
    Stopped = 5,
}

impl Standing {
    const ALL: [Standing; 5] = [Standing::Active, Standing::PastDue, Standing::Completed, Standing::Failed, Standing::Stopped];

    /// The word in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Standing::Active => "active",
            Standing::PastDue => "past_due",
            Standing::Completed => "completed",
            Standing::Failed => "failed",
            Standing::Stopped => "stopped",
        }
    }
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: Xid,
    /// Whose it is.
    pub merchant: Xid,
    /// The plan that it was made from; none for none.
    pub plan: Xid,
    /// Who is billed.
    pub customer: Xid,
    /// Its description.
    pub description: String,
    /// What is billed and when.
    pub terms: BillingTerms,
    /// Where it stands.
    pub standing: Standing,
    /// The midnight (UTC) that begins the day of the next bill.
    pub next_bill_at: Micros,
    /// When that bill is tried next: later than its day after a decline. [`Micros::NEVER`] when no bill comes any more.
    pub next_attempt_at: Micros,
    /// Bills that are paid.
    pub billed: u32,
    /// How often the next bill was declined.
    pub attempts: u32,
    /// The transaction of the last attempt; none before the first.
    pub last_transaction: Xid,
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed last.
    pub updated_at: Micros,
}

const SELECT: &str = "SELECT id, merchant, plan, customer, description, amount, billing_interval, frequency, days, duration, add_ons, \
                      discounts, standing, next_bill_at, next_attempt_at, billed, attempts, last_transaction, created_at, updated_at \
                      FROM subscriptions";

impl Subscription {
    fn read(row: &AnyRow) -> Result<Subscription, PersistenceError> {
        let fields = Fields::of(row, "subscriptions");
        let number = fields.integer("standing")?;
        let standing = Standing::ALL.into_iter().find(|standing| *standing as i64 == number);
        Ok(Subscription {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            plan: fields.id_or_none("plan")?,
            customer: fields.id("customer")?,
            description: fields.text("description")?,
            terms: BillingTerms::read(&fields)?,
            standing: standing.ok_or(PersistenceError::StoredRow { table: "subscriptions", fault: "the standing is unknown" })?,
            next_bill_at: fields.time("next_bill_at")?,
            next_attempt_at: fields.time("next_attempt_at")?,
            billed: fields.narrow("billed")?,
            attempts: fields.narrow("attempts")?,
            last_transaction: fields.id_or_none("last_transaction")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }
}

impl Stores {
    /// Adds a subscription, and the event that tells of it.
    pub async fn add_subscription(&self, subscription: &Subscription, told: &NewEvent) -> Result<(), PersistenceError> {
        const OPERATION: &str = "add a subscription";
        let insert = "INSERT INTO subscriptions (id, merchant, plan, customer, description, amount, billing_interval, frequency, days, \
                      duration, add_ons, discounts, standing, next_bill_at, next_attempt_at, billed, attempts, last_transaction, \
                      created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
                      $18, $19, $20)";
        let Subscription { terms, .. } = subscription;
        let add = sqlx::query(insert).bind(&subscription.id.0[..]).bind(&subscription.merchant.0[..]);
        let add = add.bind(id_or_null(&subscription.plan)).bind(&subscription.customer.0[..]).bind(&subscription.description[..]);
        let add = add.bind(signed(terms.amount)).bind(i64::from(terms.interval)).bind(&terms.frequency[..]).bind(&terms.days[..]);
        let add = add.bind(i64::from(terms.duration)).bind(&terms.add_ons[..]).bind(&terms.discounts[..]);
        let add = add.bind(subscription.standing as i64).bind(subscription.next_bill_at.0).bind(subscription.next_attempt_at.0);
        let add = add.bind(i64::from(subscription.billed)).bind(i64::from(subscription.attempts));
        let add =
            add.bind(id_or_null(&subscription.last_transaction)).bind(subscription.created_at.0).bind(subscription.updated_at.0);
        let mut transaction = self.begin_write(OPERATION).await?;
        transaction.execute(add).await.map_err(PersistenceError::sql(OPERATION))?;
        events::append(&mut transaction, told).await?;
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))
    }

    /// Changes a subscription, if nothing has billed or changed it since `seen_at`. False, and nothing done, when something has. How often
    /// its next bill was tried stays: each attempt is one transaction, and none is ever used twice.
    pub async fn change_subscription(
        &self,
        subscription: &Subscription,
        seen_at: Micros,
        told: &NewEvent,
    ) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "change a subscription";
        let update = "UPDATE subscriptions SET plan = $3, customer = $4, description = $5, amount = $6, billing_interval = $7, \
                      frequency = $8, days = $9, duration = $10, add_ons = $11, discounts = $12, standing = $13, \
                      next_bill_at = $14, next_attempt_at = $15, updated_at = $16 WHERE merchant = $1 AND id = $2 AND updated_at = $17";
        let Subscription { terms, .. } = subscription;
        let change = sqlx::query(update).bind(&subscription.merchant.0[..]).bind(&subscription.id.0[..]);
        let change = change.bind(id_or_null(&subscription.plan)).bind(&subscription.customer.0[..]);
        let change = change.bind(&subscription.description[..]).bind(signed(terms.amount)).bind(i64::from(terms.interval));
        let change = change.bind(&terms.frequency[..]).bind(&terms.days[..]).bind(i64::from(terms.duration));
        let change = change.bind(&terms.add_ons[..]).bind(&terms.discounts[..]).bind(subscription.standing as i64);
        let change = change.bind(subscription.next_bill_at.0).bind(subscription.next_attempt_at.0);
        let change = change.bind(subscription.updated_at.0).bind(seen_at.0);
        let mut transaction = self.begin_write(OPERATION).await?;
        let changed = transaction.execute(change).await.map_err(PersistenceError::sql(OPERATION))?;
        if changed.rows_affected() == 1 {
            events::append(&mut transaction, told).await?;
        }
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(changed.rows_affected() == 1)
    }

    /// One of a merchant's subscriptions.
    pub async fn subscription(&self, merchant: &Xid, id: &Xid) -> Result<Option<Subscription>, PersistenceError> {
        let select = format!("{SELECT} WHERE merchant = $1 AND id = $2");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]).bind(&id.0[..]);
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read a subscription"))?;
        row.as_ref().map(Subscription::read).transpose()
    }

    /// A merchant's subscriptions, oldest first.
    pub async fn subscriptions(&self, merchant: &Xid) -> Result<Vec<Subscription>, PersistenceError> {
        let select = format!("{SELECT} WHERE merchant = $1 ORDER BY created_at, id");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list subscriptions"))?;
        rows.iter().map(Subscription::read).collect()
    }

    /// Removes a subscription: no bill comes any more. Its bills stay. False when it is not there.
    pub async fn delete_subscription(&self, merchant: &Xid, id: &Xid, told: &NewEvent) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "remove a subscription";
        let delete = sqlx::query("DELETE FROM subscriptions WHERE merchant = $1 AND id = $2");
        let delete = delete.bind(&merchant.0[..]).bind(&id.0[..]);
        let mut transaction = self.begin_write(OPERATION).await?;
        let deleted = transaction.execute(delete).await.map_err(PersistenceError::sql(OPERATION))?;
        if deleted.rows_affected() == 1 {
            events::append(&mut transaction, told).await?;
        }
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(deleted.rows_affected() == 1)
    }

    /// Subscriptions whose next bill is due by `now`, the longest due first, at most `limit`, from behind the place of `after` on.
    pub async fn due_subscriptions(
        &self,
        now: Micros,
        after: (Micros, Xid),
        limit: u32,
    ) -> Result<Vec<Subscription>, PersistenceError> {
        let select = format!(
            "{SELECT} WHERE next_attempt_at <= $1 AND (next_attempt_at > $2 OR (next_attempt_at = $2 AND id > $3)) \
             ORDER BY next_attempt_at, id LIMIT $4"
        );
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(now.0).bind(after.0.0);
        let select = select.bind(&after.1.0[..]).bind(i64::from(limit));
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list due subscriptions"))?;
        rows.iter().map(Subscription::read).collect()
    }

    /// When the next bill of all is due; [`Micros::NEVER`] when none is.
    pub async fn next_bill_due(&self) -> Result<Micros, PersistenceError> {
        let select = sqlx::query("SELECT next_attempt_at FROM subscriptions ORDER BY next_attempt_at LIMIT 1");
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("find the next bill"))?;
        row.map_or(Ok(Micros::NEVER), |row| Fields::of(&row, "subscriptions").time("next_attempt_at"))
    }
}
