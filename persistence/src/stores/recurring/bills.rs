//! Bills: which transaction an attempt at a subscription's bill is, written before it is sent, so that no crash and no second
//! process can make it two.

use super::Subscription;
use crate::error::PersistenceError;
use crate::sql::{Fields, id_or_null, signed};
use crate::stores::Stores;
use crate::stores::events::{self, NewEvent};
use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::Executor;
use sqlx::any::AnyRow;

/// One attempt at one bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// The transaction that it is, or will be.
    pub transaction: Xid,
    /// Whose bill.
    pub subscription: Xid,
    /// Which of its bills, from 1.
    pub number: u32,
    /// Which attempt, from 0.
    pub attempt: u32,
    /// The midnight (UTC) that begins its day.
    pub due_at: Micros,
    /// What it comes to, minor units: fixed when the attempt begins, whatever is changed later.
    pub amount: u64,
    /// When the attempt began.
    pub begun_at: Micros,
    /// What became of it; 0 before the answer.
    pub response_code: u16,
}

const SELECT: &str =
    "SELECT transaction_id, subscription, number, attempt, due_at, amount, begun_at, response_code FROM subscription_bills";

impl Bill {
    fn read(row: &AnyRow) -> Result<Bill, PersistenceError> {
        let fields = Fields::of(row, "subscription_bills");
        Ok(Bill {
            transaction: fields.id("transaction_id")?,
            subscription: fields.id("subscription")?,
            number: fields.narrow("number")?,
            attempt: fields.narrow("attempt")?,
            due_at: fields.time("due_at")?,
            amount: fields.narrow("amount")?,
            begun_at: fields.time("begun_at")?,
            response_code: fields.narrow("response_code")?,
        })
    }
}

impl Stores {
    /// Writes down that an attempt begins, unless it has begun before. Gives the attempt as it stands: its transaction is the one that
    /// was written first.
    pub async fn begin_bill(&self, bill: &Bill) -> Result<Bill, PersistenceError> {
        const OPERATION: &str = "begin a bill";
        let insert = "INSERT INTO subscription_bills (transaction_id, subscription, number, attempt, due_at, amount, begun_at, \
                      response_code) VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT (subscription, number, attempt) DO NOTHING";
        let begin = sqlx::query(insert).bind(&bill.transaction.0[..]).bind(&bill.subscription.0[..]);
        let begin = begin.bind(i64::from(bill.number)).bind(i64::from(bill.attempt)).bind(bill.due_at.0);
        let begin = begin.bind(signed(bill.amount)).bind(bill.begun_at.0);
        begin.execute(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        let select = format!("{SELECT} WHERE subscription = $1 AND number = $2 AND attempt = $3");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&bill.subscription.0[..]);
        let select = select.bind(i64::from(bill.number)).bind(i64::from(bill.attempt));
        let row = select.fetch_one(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        Bill::read(&row)
    }

    /// Writes what became of an attempt, and how its subscription stands after it, in one transaction: once, however often it is called,
    /// for a subscription that has counted this attempt is left as it is. A paid bill is counted whatever was changed meanwhile. The
    /// events tell of it where it is counted.
    pub async fn end_bill(&self, bill: &Bill, after: &Subscription, told: &[NewEvent]) -> Result<(), PersistenceError> {
        const OPERATION: &str = "end a bill";
        let mut transaction = self.begin_write(OPERATION).await?;
        let update = "UPDATE subscription_bills SET response_code = $2 WHERE transaction_id = $1";
        let update = sqlx::query(update).bind(&bill.transaction.0[..]).bind(i64::from(bill.response_code));
        transaction.execute(update).await.map_err(PersistenceError::sql(OPERATION))?;
        let update = "UPDATE subscriptions SET standing = $2, next_bill_at = $3, next_attempt_at = $4, billed = $5, attempts = $6, \
                      last_transaction = $7, updated_at = $8 WHERE id = $1 AND billed = $9 AND (attempts = $10 OR $5 > $9)";
        let update = sqlx::query(update).bind(&bill.subscription.0[..]).bind(after.standing as i64);
        let update = update.bind(after.next_bill_at.0).bind(after.next_attempt_at.0).bind(i64::from(after.billed));
        let update = update.bind(i64::from(after.attempts)).bind(id_or_null(&after.last_transaction)).bind(after.updated_at.0);
        let update = update.bind(i64::from(bill.number) - 1).bind(i64::from(bill.attempt));
        let counted = transaction.execute(update).await.map_err(PersistenceError::sql(OPERATION))?;
        if counted.rows_affected() == 1 {
            for event in told {
                events::append(&mut transaction, event).await?;
            }
        }
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))
    }

    /// A subscription's bills and attempts, oldest first.
    pub async fn bills(&self, subscription: &Xid) -> Result<Vec<Bill>, PersistenceError> {
        let select = format!("{SELECT} WHERE subscription = $1 ORDER BY number, attempt");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&subscription.0[..]);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list bills"))?;
        rows.iter().map(Bill::read).collect()
    }
}
