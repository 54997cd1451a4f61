//! How an operator finds a payment of which a receipt, a host or a shopper names something. No index is kept for these questions, for
//! every payment would pay for it: they are asked within a stretch of time, or follow what merchants' searches have.

use std::fmt::Write;
use std::mem::offset_of;

use protocol::calendar::Micros;
use protocol::exchange::{Exchange, Reversal};
use protocol::id::Xid;
use protocol::transaction::Transaction;
use sqlx::AssertSqlSafe;

use super::queries::{Queries, StoredTransaction};
use crate::error::PersistenceError;
use crate::sql::signed;

/// Merchants that are asked about in one statement.
const MERCHANTS_AT_ONCE: usize = 256;

/// What is known of a payment, beside the stretch of time in which it was made. All that is said must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Not before.
    pub from: Micros,
    /// Before.
    pub until: Micros,
    /// Trace number of its request, of its latest step, or of its reversal.
    pub stan: Option<u32>,
    /// Last four digits of the card.
    pub last_four: Option<u16>,
    /// What was asked for, minor units.
    pub amount: Option<u64>,
}

/// Where the trace numbers stand in a stored transaction, from 1 as SQL counts.
const STANS_AT: [usize; 3] = [
    offset_of!(Transaction, original) + offset_of!(Exchange, stan) + 1,
    offset_of!(Transaction, step) + offset_of!(Exchange, stan) + 1,
    offset_of!(Transaction, reversal) + offset_of!(Reversal, stan) + 1,
];

impl Queries {
    /// Transactions of whatever merchant that were seen so, newest first, so many at most.
    pub async fn sighted(&self, sighting: &Sighting, limit: u32) -> Result<Vec<StoredTransaction>, PersistenceError> {
        let Sighting { from, until, stan, last_four, amount } = sighting;
        let mut numbers = vec![from.0, until.0, i64::from(limit)];
        let mut text = "SELECT lsn, body FROM transactions WHERE created_at >= $1 AND created_at < $2".to_owned();
        for (column, value) in [("last_four", last_four.map(i64::from)), ("amount", amount.map(signed))] {
            if let Some(value) = value {
                numbers.push(value);
                // Writing to a string can't fail.
                let _ = write!(text, " AND {column} = ${}", numbers.len());
            }
        }
        if stan.is_some() {
            let place = numbers.len() + 1;
            let same = STANS_AT.map(|at| format!("substr(body, {at}, 4) = ${place}"));
            let _ = write!(text, " AND ({})", same.join(" OR "));
        }
        text.push_str(" ORDER BY created_at DESC, id DESC LIMIT $3");
        let mut select = sqlx::query(AssertSqlSafe(text));
        for number in numbers {
            select = select.bind(number);
        }
        if let Some(stan) = stan {
            select = select.bind(stan.to_le_bytes().to_vec());
        }
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("look a transaction up"))?;
        rows.iter().map(|row| StoredTransaction::read(row, "transactions")).collect()
    }

    /// Transactions with this order number, those of the merchants named first before the others', so many at most.
    pub async fn of_order(&self, merchants: &[Xid], order: &str, limit: u32) -> Result<Vec<StoredTransaction>, PersistenceError> {
        let mut found = Vec::new();
        for some in merchants.chunks(MERCHANTS_AT_ONCE) {
            let places: Vec<String> = (3..some.len() + 3).map(|place| format!("${place}")).collect();
            let text = format!(
                "SELECT lsn, body FROM transactions WHERE merchant IN ({}) AND order_id = $1 \
                 ORDER BY created_at DESC, id DESC LIMIT $2",
                places.join(", ")
            );
            let mut select = sqlx::query(AssertSqlSafe(text)).bind(order.to_owned()).bind(i64::from(limit));
            for merchant in some {
                select = select.bind(merchant.0.to_vec());
            }
            let rows = select.fetch_all(&self.database.pool).await;
            let rows = rows.map_err(PersistenceError::sql("look an order's transactions up"))?;
            for row in &rows {
                found.push(StoredTransaction::read(row, "transactions")?);
            }
            if found.len() >= limit as usize {
                break;
            }
        }
        found.truncate(limit as usize);
        Ok(found)
    }
}
