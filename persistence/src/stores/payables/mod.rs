//! Payables: what somebody is asked to pay, whichever call asked for it, and each attempt at paying it.
//!
//! A payable is changed by one call, [`Stores::change_payable`]: the row, the attempt behind it and all that follows from the change
//! stand or fall in one SQL transaction. Whoever changes one has read it before, and says which version.

mod attempts;
mod news;

#[cfg(test)]
mod tests;

pub use attempts::Attempt;
pub use news::PayableNews;

use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::Stores;
use super::balances::{Posting, post};
use super::events::{self, NewEvent};
use super::invoices::{self, StoredInvoice};
use crate::error::PersistenceError;
use crate::sql::{Fields, id_or_null, signed, time_or_null};

/// Which API asks for the money. Numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    /// The gateway's invoices.
    Invoice = 1,
    /// Orders.
    Order = 2,
    /// Payment requests.
    Request = 3,
    /// Payment links, split ones too.
    Link = 4,
}

/// How far a payable has come. Numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayableState {
    /// It may be paid.
    Open = 1,
    /// An attempt is under way.
    Paying = 2,
    /// All of it is paid.
    Paid = 3,
    /// Paid, and part of it given back.
    PartiallyRefunded = 4,
    /// Paid, and all of it given back.
    Refunded = 5,
    /// Whoever asked has withdrawn it.
    Cancelled = 6,
    /// Its time is over.
    Expired = 7,
}

/// Something that somebody is asked to pay.
#[derive(Clone, PartialEq, Eq)]
pub struct Payable {
    /// Its id.
    pub id: Xid,
    /// Who asks.
    pub merchant: Xid,
    /// By which API.
    pub face: Face,
    /// That API's own id of it, unique per merchant and face: a merchant's order id, a link's number.
    pub reference: String,
    /// The name of its page, which nobody can guess.
    pub public_id: String,
    /// All of it, minor units.
    pub amount: u64,
    /// Of all its amounts.
    pub currency: Currency,
    /// How far it has come.
    pub state: PayableState,
    /// What its page shows, JSON that only the front reads.
    pub page: String,
    /// What else its face keeps of it, JSON that only the front reads.
    pub body: String,
    /// When it expires, by the calendar; none: never.
    pub expires_at: Micros,
    /// Attempts at paying it that have begun.
    pub attempts: u32,
    /// The transaction that paid it last; none before.
    pub transaction: Xid,
    /// Sum of what its attempts have paid, minor units.
    pub amount_paid: u64,
    /// Sum of what was given back of it, minor units.
    pub amount_refunded: u64,
    /// Counts its changes, from 1.
    pub version: u64,
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed last.
    pub updated_at: Micros,
    /// When it was paid; none before.
    pub paid_at: Micros,
}

/// Without the persons' data and without the page's name.
impl core::fmt::Debug for Payable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Payable")
            .field("id", &self.id)
            .field("face", &self.face)
            .field("state", &self.state)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// What is written in the SQL transaction of a payable's change.
#[derive(Debug, Default)]
pub struct Aftermath {
    /// The attempt that begins, or that has come further.
    pub attempt: Option<Attempt>,
    /// The invoice that it is, changed by its merchant, and when it was read.
    pub invoice: Option<(StoredInvoice, Micros)>,
    /// What is told of it, in the order in which it happened.
    pub events: Vec<NewEvent>,
    /// What of the money is whose, where that is ours to account for.
    pub postings: Vec<Posting>,
}

pub(super) const COLUMNS: &str = "id, merchant, face, reference, public_id, amount, currency, state, page, body, expires_at, attempts, \
                       transaction_id, amount_paid, amount_refunded, version, created_at, updated_at, paid_at";

impl Face {
    fn of_number(number: i64) -> Option<Face> {
        [Face::Invoice, Face::Order, Face::Request, Face::Link].into_iter().find(|face| *face as i64 == number)
    }
}

impl PayableState {
    /// All there are.
    pub const ALL: [PayableState; 7] = [
        PayableState::Open,
        PayableState::Paying,
        PayableState::Paid,
        PayableState::PartiallyRefunded,
        PayableState::Refunded,
        PayableState::Cancelled,
        PayableState::Expired,
    ];

    fn of_number(number: i64) -> Option<PayableState> {
        PayableState::ALL.into_iter().find(|state| *state as i64 == number)
    }
}

impl Payable {
    /// What is left to pay, minor units.
    pub fn due(&self) -> u64 {
        self.amount.saturating_sub(self.amount_paid)
    }

    pub(super) fn read(row: &AnyRow) -> Result<Payable, PersistenceError> {
        const TABLE: &str = "payables";
        let fields = Fields::of(row, TABLE);
        let fault = |fault| PersistenceError::StoredRow { table: TABLE, fault };
        Ok(Payable {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            face: Face::of_number(fields.integer("face")?).ok_or(fault("the face is unknown"))?,
            reference: fields.text("reference")?,
            public_id: fields.text("public_id")?,
            amount: fields.narrow("amount")?,
            currency: Currency::from_numeric(fields.narrow("currency")?).ok_or(fault("the currency is unknown"))?,
            state: PayableState::of_number(fields.integer("state")?).ok_or(fault("the state is unknown"))?,
            page: fields.text("page")?,
            body: fields.text("body")?,
            expires_at: fields.time_or_none("expires_at")?,
            attempts: fields.narrow("attempts")?,
            transaction: fields.id_or_none("transaction_id")?,
            amount_paid: fields.narrow("amount_paid")?,
            amount_refunded: fields.narrow("amount_refunded")?,
            version: fields.narrow("version")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
            paid_at: fields.time_or_none("paid_at")?,
        })
    }

    /// The invoice that it is.
    fn invoice(&self) -> Option<Xid> {
        (self.face == Face::Invoice).then(|| self.reference.parse().ok()).flatten()
    }
}

impl Stores {
    /// Adds a payable with what follows from it. False, and nothing done, when its merchant has one of this face and reference.
    pub async fn add_payable(&self, payable: &Payable, aftermath: &Aftermath) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "add a payable";
        let mut transaction = self.begin_write(OPERATION).await?;
        let insert = format!(
            "INSERT INTO payables ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
             $17, $18, $19) ON CONFLICT (merchant, face, reference) DO NOTHING"
        );
        let insert = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(&payable.id.0[..]).bind(&payable.merchant.0[..]);
        let insert = insert.bind(payable.face as i64).bind(&payable.reference[..]).bind(&payable.public_id[..]);
        let insert = insert.bind(signed(payable.amount)).bind(i64::from(payable.currency.numeric())).bind(payable.state as i64);
        let insert = insert.bind(&payable.page[..]).bind(&payable.body[..]).bind(time_or_null(payable.expires_at.0));
        let insert = insert.bind(i64::from(payable.attempts)).bind(id_or_null(&payable.transaction));
        let insert = insert.bind(signed(payable.amount_paid)).bind(signed(payable.amount_refunded)).bind(signed(payable.version));
        let insert = insert.bind(payable.created_at.0).bind(payable.updated_at.0).bind(time_or_null(payable.paid_at.0));
        let added = insert.execute(&mut *transaction).await.map_err(PersistenceError::sql(OPERATION))?;
        if added.rows_affected() == 0 {
            return Ok(false);
        }
        self.write_aftermath(&mut transaction, aftermath).await?;
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(true)
    }

    /// Changes a payable that is still at `read_version`, with the attempt and all that follows from it. False, and nothing done,
    /// when it is not. `payable.version` is the new one, and all of `payable` but its names and its birth is written.
    pub async fn change_payable(
        &self,
        payable: &Payable,
        read_version: u64,
        aftermath: &Aftermath,
    ) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "change a payable";
        let mut transaction = self.begin_write(OPERATION).await?;
        if !write_change(&mut transaction, payable, read_version).await.map_err(PersistenceError::sql(OPERATION))? {
            return Ok(false);
        }
        if let Some((invoice, read_at)) = &aftermath.invoice
            && !invoices::write_change(&mut transaction, invoice, *read_at).await.map_err(PersistenceError::sql(OPERATION))?
        {
            return Ok(false);
        }
        self.write_aftermath(&mut transaction, aftermath).await?;
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(true)
    }

    /// Gives the reference of a payable that was withdrawn or has expired free for another one; its page keeps its name.
    pub async fn free_payable_reference(&self, id: &Xid) -> Result<(), PersistenceError> {
        let update = "UPDATE payables SET reference = reference || '~' || public_id WHERE id = $1 AND state IN (6, 7)";
        let freed = sqlx::query(update).bind(&id.0[..]).execute(&self.database.pool).await;
        freed.map(drop).map_err(PersistenceError::sql("free a payable's reference"))
    }

    async fn write_aftermath(&self, connection: &mut AnyConnection, aftermath: &Aftermath) -> Result<(), PersistenceError> {
        if let Some(attempt) = &aftermath.attempt {
            attempts::write(connection, attempt).await.map_err(PersistenceError::sql("write an attempt at a payable"))?;
        }
        for event in &aftermath.events {
            events::append(connection, event).await?;
        }
        for posting in &aftermath.postings {
            post(connection, posting).await?;
        }
        Ok(())
    }

    /// The payable with this id.
    pub async fn payable(&self, id: &Xid) -> Result<Option<Payable>, PersistenceError> {
        let select = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM payables WHERE id = $1"));
        let row = sqlx::query(select).bind(&id.0[..]).fetch_optional(&self.database.pool).await;
        row.map_err(PersistenceError::sql("look a payable up"))?.as_ref().map(Payable::read).transpose()
    }

    /// The payable whose page has this name.
    pub async fn payable_of_page(&self, public_id: &str) -> Result<Option<Payable>, PersistenceError> {
        let select = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM payables WHERE public_id = $1"));
        let row = sqlx::query(select).bind(public_id).fetch_optional(&self.database.pool).await;
        row.map_err(PersistenceError::sql("look a payable up by its page"))?.as_ref().map(Payable::read).transpose()
    }

    /// A merchant's payable by its face's own id.
    pub async fn payable_of_reference(
        &self,
        merchant: &Xid,
        face: Face,
        reference: &str,
    ) -> Result<Option<Payable>, PersistenceError> {
        let select = format!("SELECT {COLUMNS} FROM payables WHERE merchant = $1 AND face = $2 AND reference = $3");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]).bind(face as i64).bind(reference);
        let row = select.fetch_optional(&self.database.pool).await;
        row.map_err(PersistenceError::sql("look a payable up by its reference"))?.as_ref().map(Payable::read).transpose()
    }

    /// The same, with no regard to the case of ASCII letters. `None` also when several differ by nothing else.
    pub async fn payable_of_folded_reference(
        &self,
        merchant: &Xid,
        face: Face,
        reference: &str,
    ) -> Result<Option<Payable>, PersistenceError> {
        let select =
            format!("SELECT {COLUMNS} FROM payables WHERE merchant = $1 AND face = $2 AND LOWER(reference) = LOWER($3) LIMIT 2");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]).bind(face as i64).bind(reference);
        let rows = select.fetch_all(&self.database.pool).await;
        match &rows.map_err(PersistenceError::sql("look a payable up by its reference"))?[..] {
            [row] => Payable::read(row).map(Some),
            _ => Ok(None),
        }
    }

    /// A merchant's payables of a face that are in one of these states, newest first, `limit` at most behind `offset` others.
    pub async fn payables(
        &self,
        merchant: &Xid,
        face: Face,
        states: &[PayableState],
        (limit, offset): (u32, u32),
    ) -> Result<Vec<Payable>, PersistenceError> {
        let states: Vec<String> = states.iter().map(|state| (*state as i64).to_string()).collect();
        let select = format!(
            "SELECT {COLUMNS} FROM payables WHERE merchant = $1 AND face = $2 AND state IN ({}) \
             ORDER BY created_at DESC, id DESC LIMIT {limit} OFFSET {offset}",
            states.join(", ")
        );
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]).bind(face as i64);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list payables"))?;
        rows.iter().map(Payable::read).collect()
    }

    /// Open payables whose time is over by `now`, the longest over first, `limit` at most.
    pub async fn payables_over(&self, now: Micros, limit: u32) -> Result<Vec<Payable>, PersistenceError> {
        let select = format!(
            "SELECT {COLUMNS} FROM payables WHERE state = 1 AND expires_at IS NOT NULL AND expires_at <= $1 \
             ORDER BY expires_at LIMIT {limit}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)).bind(now.0).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list payables that expire"))?.iter().map(Payable::read).collect()
    }

    /// When the time of the next open payable is over; [`Micros::NEVER`] when none has an end.
    pub async fn next_payable_over(&self) -> Result<Micros, PersistenceError> {
        let select = "SELECT expires_at FROM payables WHERE state = 1 AND expires_at IS NOT NULL ORDER BY expires_at LIMIT 1";
        let row = sqlx::query(select).fetch_optional(&self.database.pool).await;
        let row = row.map_err(PersistenceError::sql("find the next payable that expires"))?;
        row.map_or(Ok(Micros::NEVER), |row| Fields::of(&row, "payables").time("expires_at"))
    }
}

/// Writes a payable over the version that was read, and what it says of an invoice into the invoice's row. False when that version
/// is not the present one.
async fn write_change(connection: &mut AnyConnection, payable: &Payable, read_version: u64) -> Result<bool, sqlx::Error> {
    let update = "UPDATE payables SET amount = $3, currency = $4, state = $5, page = $6, body = $7, expires_at = $8, attempts = $9, \
                  transaction_id = $10, amount_paid = $11, amount_refunded = $12, version = $13, updated_at = $14, paid_at = $15 \
                  WHERE id = $1 AND version = $2";
    let update = sqlx::query(update).bind(&payable.id.0[..]).bind(signed(read_version)).bind(signed(payable.amount));
    let update = update.bind(i64::from(payable.currency.numeric())).bind(payable.state as i64).bind(&payable.page[..]);
    let update = update.bind(&payable.body[..]).bind(time_or_null(payable.expires_at.0)).bind(i64::from(payable.attempts));
    let update = update.bind(id_or_null(&payable.transaction)).bind(signed(payable.amount_paid));
    let update = update.bind(signed(payable.amount_refunded)).bind(signed(payable.version)).bind(payable.updated_at.0);
    let changed = update.bind(time_or_null(payable.paid_at.0)).execute(&mut *connection).await?;
    if changed.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(invoice) = payable.invoice() {
        let update = "UPDATE invoices SET amount_due = $2, amount_paid = $3 WHERE id = $1";
        let update = sqlx::query(update).bind(&invoice.0[..]).bind(signed(payable.due())).bind(signed(payable.amount_paid));
        update.execute(connection).await?;
    }
    Ok(true)
}
