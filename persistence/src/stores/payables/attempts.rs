//! Attempts at paying a payable: each is a row with the id of its transaction before it is a payment, so that no crash and no second
//! click can make it two.

use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::error::PersistenceError;
use crate::sql::{Fields, signed};
use crate::stores::Stores;

/// One attempt at paying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What it pays.
    pub payable: Xid,
    /// Which of its attempts, from 1.
    pub number: u32,
    /// The transaction that it is, or will be.
    pub transaction: Xid,
    /// What it is to pay, minor units.
    pub amount: u64,
    /// When it began.
    pub begun_at: Micros,
    /// What became of it; 0 before that is known.
    pub response_code: u16,
    /// What it has paid, minor units.
    pub paid: u64,
    /// What was given back of that, minor units.
    pub refunded: u64,
}

const SELECT: &str =
    "SELECT payable, number, transaction_id, amount, begun_at, response_code, paid, refunded FROM payable_attempts";

impl Attempt {
    fn read(row: &AnyRow) -> Result<Attempt, PersistenceError> {
        let fields = Fields::of(row, "payable_attempts");
        Ok(Attempt {
            payable: fields.id("payable")?,
            number: fields.narrow("number")?,
            transaction: fields.id("transaction_id")?,
            amount: fields.narrow("amount")?,
            begun_at: fields.time("begun_at")?,
            response_code: fields.narrow("response_code")?,
            paid: fields.narrow("paid")?,
            refunded: fields.narrow("refunded")?,
        })
    }
}

/// Writes an attempt that begins, or how far a known one has come.
pub(super) async fn write(connection: &mut AnyConnection, attempt: &Attempt) -> Result<(), sqlx::Error> {
    let upsert = "INSERT INTO payable_attempts (payable, number, transaction_id, amount, begun_at, response_code, paid, refunded) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (transaction_id) DO UPDATE SET \
                  response_code = excluded.response_code, paid = excluded.paid, refunded = excluded.refunded";
    let upsert = sqlx::query(upsert).bind(&attempt.payable.0[..]).bind(i64::from(attempt.number));
    let upsert = upsert.bind(&attempt.transaction.0[..]).bind(signed(attempt.amount)).bind(attempt.begun_at.0);
    let upsert = upsert.bind(i64::from(attempt.response_code)).bind(signed(attempt.paid)).bind(signed(attempt.refunded));
    upsert.execute(connection).await.map(drop)
}

impl Stores {
    /// A payable's attempts, oldest first.
    pub async fn attempts(&self, payable: &Xid) -> Result<Vec<Attempt>, PersistenceError> {
        let select = sqlx::AssertSqlSafe(format!("{SELECT} WHERE payable = $1 ORDER BY number"));
        let rows = sqlx::query(select).bind(&payable.0[..]).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list attempts at a payable"))?.iter().map(Attempt::read).collect()
    }

    /// Attempts of which nobody knows yet what became of them, oldest first, `limit` at most.
    pub async fn open_attempts(&self, limit: u32) -> Result<Vec<Attempt>, PersistenceError> {
        let select = sqlx::AssertSqlSafe(format!("{SELECT} WHERE response_code = 0 ORDER BY begun_at LIMIT {limit}"));
        let rows = sqlx::query(select).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list open attempts"))?.iter().map(Attempt::read).collect()
    }
}
