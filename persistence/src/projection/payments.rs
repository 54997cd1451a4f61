//! Payments in the order in which they were made: what a dry run goes through.

use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::transaction::Transaction;
use protocol::words::Verb;

use super::queries::{Queries, StoredTransaction};
use crate::error::PersistenceError;
use crate::sql::Fields;

/// Where a payment stands among all: by the moment of its making, then by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was made.
    pub at: Micros,
    /// Its id.
    pub id: Xid,
}

impl Place {
    /// Where a transaction stands.
    pub fn of(transaction: &Transaction) -> Place {
        Place { at: Micros(transaction.created_at.get()), id: transaction.id }
    }

    /// The place right behind this one.
    pub fn behind(self) -> Place {
        let mut id = self.id;
        for byte in id.0.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return Place { id, ..self };
            }
        }
        Place::at(Micros(self.at.0.saturating_add(1)))
    }

    /// Before all that were made at a moment or later.
    pub const fn at(at: Micros) -> Place {
        Place { at, id: Xid::NONE }
    }
}

/// Refunds are transactions, and no payments.
fn refund() -> i64 {
    i64::from(Verb::Refund.number())
}

impl Queries {
    /// Where the oldest of the `newest` newest payments of all merchants stands; `None` when there are fewer.
    pub async fn payments_begin(&self, newest: u32) -> Result<Option<Place>, PersistenceError> {
        let select = sqlx::query(
            "SELECT created_at, id FROM transactions WHERE verb <> $1 ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $2",
        );
        let select = select.bind(refund()).bind(i64::from(newest.saturating_sub(1)));
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("count payments back"))?;
        row.map(|row| {
            let fields = Fields::of(&row, "transactions");
            Ok(Place { at: fields.time("created_at")?, id: fields.id("id")? })
        })
        .transpose()
    }

    /// Payments from a place on, oldest first, so many at most, each in its newest version.
    pub async fn payments(&self, from: Place, limit: u32) -> Result<Vec<StoredTransaction>, PersistenceError> {
        let select = sqlx::query(
            "SELECT lsn, body FROM transactions WHERE verb <> $1 AND (created_at, id) >= ($2, $3) ORDER BY created_at, id LIMIT $4",
        );
        let select = select.bind(refund()).bind(from.at.0).bind(&from.id.0[..]).bind(i64::from(limit));
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("read payments in their order"))?;
        rows.iter().map(|row| StoredTransaction::read(row, "transactions")).collect()
    }
}
