//! The books behind payment links: double entry. What a shopper has paid, what of it each merchant is owed, what we keep as our fee,
//! and what is on its way to a merchant or has arrived.
//!
//! A posting is written once for its cause, however often it is tried, and its legs sum to zero. Legs on a merchant's balance and on its
//! fees stand open until a payout or a fee invoice takes them; each is taken once. An account is a merchant and a purpose; credits are
//! positive. Must not live here: who gets what share and what the fee is, which the front decides.

use super::Stores;
use crate::error::PersistenceError;
use crate::sql::Fields;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;
use sqlx::{AnyConnection, Executor, Row};
use std::collections::BTreeMap;

/// What an account of a merchant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// What shoppers owe through their cards for the merchant's links; negative, as what is owed to us is.
    Shoppers = 1,
    /// What the merchant is owed and no payout has taken.
    Balance = 2,
    /// What was kept of the merchant's pay-ins as service fee.
    Fees = 3,
    /// What payouts under way carry.
    InTransit = 4,
    /// What payouts have brought.
    PaidOut = 5,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 5] = [Purpose::Shoppers, Purpose::Balance, Purpose::Fees, Purpose::InTransit, Purpose::PaidOut];

    /// True where legs stand open until something takes them.
    const fn is_taken_later(self) -> bool {
        match self {
            Purpose::Balance | Purpose::Fees => true,
            Purpose::Shoppers | Purpose::InTransit | Purpose::PaidOut => false,
        }
    }
}

/// Why money is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A shopper has paid.
    PayIn = 1,
    /// Our fee for a pay-in.
    ServiceFee = 2,
    /// A pay-in, or a part of it, went back to the shopper.
    Refund = 3,
    /// A payout has begun.
    PayoutMade = 4,
    /// A payout has arrived.
    PayoutPaid = 5,
}

/// What makes a posting the only one of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// The payment's transaction, or the payout.
    pub id: Xid,
    /// Why.
    pub kind: Kind,
    /// Tells causes of one kind apart; for a refund all that was refunded with it, minor units, which only grows.
    pub number: i64,
}

/// One side of a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// Whose account.
    pub merchant: Xid,
    /// Which of its accounts.
    pub purpose: Purpose,
    /// Minor units; a credit is positive.
    pub amount: i64,
}

/// Money that moves between accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Why.
    pub cause: Cause,
    /// Of all legs.
    pub currency: Currency,
    /// By the calendar: it decides which night and month it belongs to.
    pub at: Micros,
    /// They sum to zero.
    pub legs: Vec<Leg>,
}

/// Writes a posting, unless its cause has one. False when it had.
///
/// # Panics
///
/// When the legs do not sum to zero: money would be made of nothing.
pub async fn post(connection: &mut AnyConnection, posting: &Posting) -> Result<bool, PersistenceError> {
    let sum: i128 = posting.legs.iter().map(|leg| i128::from(leg.amount)).sum();
    assert!(sum == 0, "a posting's legs sum to {sum}: {posting:?}");
    // What nobody takes later is taken by its own cause, and so is what a payout takes off a balance: neither stands open.
    let is_taker = posting.cause.kind == Kind::PayoutMade;
    for (place, leg) in posting.legs.iter().enumerate() {
        let taken_by = (is_taker || !leg.purpose.is_taken_later()).then_some(&posting.cause.id.0[..]);
        let insert = sqlx::query(
            "INSERT INTO ledger (cause, kind, number, place, merchant, purpose, amount, currency, at, taken_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (cause, kind, number, place) DO NOTHING",
        );
        let insert = insert.bind(&posting.cause.id.0[..]).bind(posting.cause.kind as i64).bind(posting.cause.number);
        let insert = insert.bind(place as i64).bind(&leg.merchant.0[..]).bind(leg.purpose as i64).bind(leg.amount);
        let insert = insert.bind(i64::from(posting.currency.numeric())).bind(posting.at.0).bind(taken_by);
        let inserted = connection.execute(insert).await.map_err(PersistenceError::sql("post to the ledger"))?;
        if place == 0 && inserted.rows_affected() == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives a merchant's open legs of a purpose, posted before a moment, to what takes them.
pub(super) async fn take(
    connection: &mut AnyConnection,
    taker: &Xid,
    (merchant, purpose, currency): (&Xid, Purpose, Currency),
    before: Micros,
) -> Result<(), PersistenceError> {
    let update = "UPDATE ledger SET taken_by = $1 \
                  WHERE purpose = $2 AND merchant = $3 AND at < $4 AND currency = $5 AND taken_by IS NULL";
    let update = sqlx::query(update).bind(&taker.0[..]).bind(purpose as i64).bind(&merchant.0[..]).bind(before.0);
    let update = update.bind(i64::from(currency.numeric()));
    connection.execute(update).await.map(drop).map_err(PersistenceError::sql("take legs of the ledger"))
}

/// What a taker has taken of one kind: how many legs, and their sum.
pub(super) async fn taken(
    connection: &mut AnyConnection,
    taker: &Xid,
    purpose: Purpose,
    kinds: &[Kind],
) -> Result<(i64, i64), PersistenceError> {
    let (mut count, mut sum) = (0, 0);
    for kind in kinds {
        let select = "SELECT COUNT(*) AS legs, CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS total FROM ledger \
                      WHERE taken_by = $1 AND purpose = $2 AND kind = $3";
        let select = sqlx::query(select).bind(&taker.0[..]).bind(purpose as i64).bind(*kind as i64);
        let row = connection.fetch_one(select).await.map_err(PersistenceError::sql("sum legs of the ledger"))?;
        let fields = Fields::of(&row, "ledger");
        count += fields.integer("legs")?;
        sum += fields.integer("total")?;
    }
    Ok((count, sum))
}

impl Stores {
    /// Merchants with open legs of a purpose.
    pub async fn merchants_with_open_legs(&self, purpose: Purpose) -> Result<Vec<Xid>, PersistenceError> {
        let select = "SELECT DISTINCT merchant FROM ledger WHERE purpose = $1 AND taken_by IS NULL ORDER BY merchant";
        let rows = sqlx::query(select).bind(purpose as i64).fetch_all(&self.database.pool).await;
        let rows = rows.map_err(PersistenceError::sql("look for open legs of the ledger"))?;
        rows.iter().map(|row| Fields::of(row, "ledger").id("merchant")).collect()
    }

    /// When the first open leg of a merchant's account was posted, from a moment on.
    pub async fn first_open_leg(
        &self,
        merchant: &Xid,
        purpose: Purpose,
        from: Micros,
    ) -> Result<Option<Micros>, PersistenceError> {
        let select = "SELECT at FROM ledger WHERE purpose = $1 AND merchant = $2 AND at >= $3 AND taken_by IS NULL \
                      ORDER BY at LIMIT 1";
        let select = sqlx::query(select).bind(purpose as i64).bind(&merchant.0[..]).bind(from.0);
        let row = select.fetch_optional(&self.database.pool).await;
        let row = row.map_err(PersistenceError::sql("look for an open leg of the ledger"))?;
        row.map(|row| Fields::of(&row, "ledger").time("at")).transpose()
    }

    /// What stands on the accounts of all merchants that have any, minor units, in the order of [`Purpose::ALL`].
    pub async fn books(&self, currency: Currency) -> Result<BTreeMap<Xid, [i64; 5]>, PersistenceError> {
        let select = "SELECT merchant, purpose, CAST(SUM(amount) AS BIGINT) AS total FROM ledger \
                      WHERE currency = $1 GROUP BY merchant, purpose";
        let rows = sqlx::query(select).bind(i64::from(currency.numeric())).fetch_all(&self.database.pool).await;
        let mut books: BTreeMap<Xid, [i64; 5]> = BTreeMap::new();
        for row in rows.map_err(PersistenceError::sql("sum the ledger"))? {
            let fields = Fields::of(&row, "ledger");
            let (merchant, purpose, total) = (fields.id("merchant")?, fields.integer("purpose")?, fields.integer("total")?);
            let place = Purpose::ALL.iter().position(|known| *known as i64 == purpose);
            let unknown = PersistenceError::StoredRow { table: "ledger", fault: "the purpose is unknown" };
            books.entry(merchant).or_default()[place.ok_or(unknown)?] = total;
        }
        Ok(books)
    }

    /// Sums that are not zero, over each posting and over each currency: none, while the books are sound.
    pub async fn unbalanced_postings(&self) -> Result<u64, PersistenceError> {
        const OPERATION: &str = "check the ledger";
        let select = "SELECT COUNT(*) FROM (SELECT 1 AS one FROM ledger GROUP BY cause, kind, number HAVING SUM(amount) <> 0 \
                      UNION ALL SELECT 1 FROM ledger GROUP BY currency HAVING SUM(amount) <> 0) AS unbalanced";
        let row = sqlx::query(select).fetch_one(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        let count: i64 = row.try_get(0).map_err(PersistenceError::sql(OPERATION))?;
        Ok(count.unsigned_abs())
    }
}

#[cfg(test)]
mod tests;
