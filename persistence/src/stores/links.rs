//! Payment links beside their payables: their numbers, lists by what became of them, and what merchants have asked to be paid back.

use super::Stores;
use super::payables::{COLUMNS, Face, Payable, PayableState};
use crate::error::PersistenceError;
use crate::sql::{Fields, signed};
use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::any::AnyRow;
use sqlx::{Executor, Row};

/// Which links of a merchant are listed, in the order of their numbers.
#[derive(Debug, Clone, Copy)]
pub struct LinkSearch<'a> {
    /// Whose.
    pub merchant: Xid,
    /// In one of these states.
    pub states: &'a [PayableState],
    /// With a number above this one.
    pub after: u64,
    /// Paid at this moment or later, by the calendar; none: paid or not.
    pub paid_from: Micros,
    /// Paid before this moment.
    pub paid_to: Micros,
    /// So many at most.
    pub limit: u32,
}

/// How far a refund that was asked for has come. Numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundState {
    /// It can't be carried out yet, or was not tried.
    Waiting = 1,
    /// The shopper has it back.
    Done = 2,
    /// It will not be carried out.
    Refused = 3,
}

/// A refund that a merchant has asked for: a row before it is a step at the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRefund {
    /// Drawn for it; the step at the switch carries it.
    pub id: Xid,
    /// Who asks.
    pub merchant: Xid,
    /// Of what.
    pub payable: Xid,
    /// Minor units.
    pub amount: u64,
    /// How far it has come.
    pub state: RefundState,
    /// Why it was refused; empty otherwise.
    pub note: String,
    /// When it was asked for, by the calendar.
    pub created_at: Micros,
    /// When it was changed last.
    pub updated_at: Micros,
}

const REFUND_COLUMNS: &str = "id, merchant, payable, amount, state, note, created_at, updated_at";

impl LinkRefund {
    fn read(row: &AnyRow) -> Result<LinkRefund, PersistenceError> {
        const TABLE: &str = "link_refunds";
        let fields = Fields::of(row, TABLE);
        let state = match fields.integer("state")? {
            1 => RefundState::Waiting,
            2 => RefundState::Done,
            3 => RefundState::Refused,
            _ => return Err(PersistenceError::StoredRow { table: TABLE, fault: "the state is unknown" }),
        };
        Ok(LinkRefund {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            payable: fields.id("payable")?,
            amount: fields.narrow("amount")?,
            state,
            note: fields.text("note")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }
}

impl Stores {
    /// The next number of a merchant's links, from 1. One whose link is never made is left out.
    pub async fn next_link_number(&self, merchant: &Xid) -> Result<u64, PersistenceError> {
        let upsert = "INSERT INTO link_numbers (merchant, last) VALUES ($1, 1) \
                      ON CONFLICT (merchant) DO UPDATE SET last = link_numbers.last + 1 RETURNING last";
        let row = sqlx::query(upsert).bind(&merchant.0[..]).fetch_one(&self.database.pool).await;
        Fields::of(&row.map_err(PersistenceError::sql("number a link"))?, "link_numbers").narrow("last")
    }

    /// How many links match, and the first of them.
    pub async fn links(&self, search: &LinkSearch<'_>) -> Result<(u64, Vec<Payable>), PersistenceError> {
        const OPERATION: &str = "list links";
        let states: Vec<String> = search.states.iter().map(|state| (*state as i64).to_string()).collect();
        let paid = if search.paid_from.is_none() { "" } else { "AND paid_at >= $4 AND paid_at < $5" };
        let rows = |columns: &str, rest: String| {
            let select = format!(
                "SELECT {columns} FROM payables WHERE merchant = $1 AND face = $2 AND CAST(reference AS BIGINT) > $3 \
                 AND state IN ({}) {paid} {rest}",
                states.join(", ")
            );
            let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&search.merchant.0[..]).bind(Face::Link as i64);
            let select = select.bind(signed(search.after));
            let select = if paid.is_empty() { select } else { select.bind(search.paid_from.0).bind(search.paid_to.0) };
            select.fetch_all(&self.database.pool)
        };
        let count = rows("COUNT(*)", String::new()).await.map_err(PersistenceError::sql(OPERATION))?;
        let counted: Result<i64, _> = count.first().ok_or(sqlx::Error::RowNotFound).and_then(|row| row.try_get(0));
        let total = counted.map_err(PersistenceError::sql(OPERATION))?.unsigned_abs();
        let page = rows(COLUMNS, format!("ORDER BY CAST(reference AS BIGINT) LIMIT {}", search.limit));
        let page = page.await.map_err(PersistenceError::sql(OPERATION))?;
        Ok((total, page.iter().map(Payable::read).collect::<Result<_, _>>()?))
    }

    /// Writes down that a refund is asked for, unless it and those that wait already come to more than `left`, minor units. Gives what
    /// is left for more when they would.
    pub async fn add_link_refund(&self, refund: &LinkRefund, left: u64) -> Result<Result<(), u64>, PersistenceError> {
        const OPERATION: &str = "ask for a refund";
        let mut transaction = self.begin_write(OPERATION).await?;
        let select =
            "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) AS waiting FROM link_refunds WHERE payable = $1 AND state = 1";
        let waiting = transaction.fetch_one(sqlx::query(select).bind(&refund.payable.0[..])).await;
        let waiting = Fields::of(&waiting.map_err(PersistenceError::sql(OPERATION))?, "link_refunds").narrow("waiting")?;
        let left = left.saturating_sub(waiting);
        if refund.amount > left {
            return transaction.rollback().await.map(|()| Err(left)).map_err(PersistenceError::sql(OPERATION));
        }
        let insert = format!("INSERT INTO link_refunds ({REFUND_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
        let insert = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(&refund.id.0[..]).bind(&refund.merchant.0[..]);
        let insert = insert.bind(&refund.payable.0[..]).bind(signed(refund.amount)).bind(refund.state as i64);
        let insert = insert.bind(&refund.note[..]).bind(refund.created_at.0).bind(refund.updated_at.0);
        transaction.execute(insert).await.map_err(PersistenceError::sql(OPERATION))?;
        transaction.commit().await.map(Ok).map_err(PersistenceError::sql(OPERATION))
    }

    /// Writes down what became of a refund that waited.
    pub async fn end_link_refund(&self, refund: &LinkRefund) -> Result<(), PersistenceError> {
        let update = "UPDATE link_refunds SET state = $2, note = $3, updated_at = $4 WHERE id = $1 AND state = 1";
        let update = sqlx::query(update).bind(&refund.id.0[..]).bind(refund.state as i64).bind(&refund.note[..]);
        let ended = update.bind(refund.updated_at.0).execute(&self.database.pool).await;
        ended.map(drop).map_err(PersistenceError::sql("end a refund"))
    }

    /// Refunds that wait, behind one of them in the order of their ids.
    pub async fn waiting_link_refunds(&self, after: &Xid, limit: u32) -> Result<Vec<LinkRefund>, PersistenceError> {
        let select = format!("SELECT {REFUND_COLUMNS} FROM link_refunds WHERE state = 1 AND id > $1 ORDER BY id LIMIT {limit}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&after.0[..]).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list refunds that wait"))?.iter().map(LinkRefund::read).collect()
    }
}
