//! Payouts and fee invoices: what takes the open legs of the books ([`super::balances`]), each leg once.

use super::Stores;
use super::balances::{Cause, Kind, Leg, Posting, Purpose, post, take, taken};
use super::events::{NewEvent, append};
use crate::error::PersistenceError;
use crate::sql::{Fields, signed};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::money::Currency;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Executor, Row};

/// A payout that is to be made of what is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayout {
    /// Drawn for it.
    pub id: Xid,
    /// To whom.
    pub merchant: Xid,
    /// Its id in the API, unique: `20241012-po-WHk3KxTdHQ`.
    pub name: String,
    /// The cut-over at which it is made: what was posted before it is in it.
    pub night: Micros,
    /// Of what it carries.
    pub currency: Currency,
    /// When it is made, by the calendar.
    pub at: Micros,
}

/// A payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    /// Its id inside.
    pub id: Xid,
    /// To whom.
    pub merchant: Xid,
    /// Which of the merchant's payouts, from 1.
    pub number: u64,
    /// Its id in the API.
    pub name: String,
    /// The cut-over at which it was made.
    pub night: Micros,
    /// Pay-ins less refunds, minor units.
    pub amount: i64,
    /// Our fees for them, minor units.
    pub fee: u64,
    /// Of both.
    pub currency: Currency,
    /// When it was made, by the calendar.
    pub created_at: Micros,
    /// When it had arrived; none while it is under way.
    pub paid_at: Micros,
}

/// Which payouts of a merchant are listed, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct PayoutSearch {
    /// Whose.
    pub merchant: Xid,
    /// Those with a greater number.
    pub after: u64,
    /// Made at this cut-over or later.
    pub from: Micros,
    /// Made before this one.
    pub to: Micros,
    /// So many at most.
    pub limit: u32,
}

/// A month's invoice of our fees, which were kept of the pay-ins already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeInvoice {
    /// Its id inside.
    pub id: Xid,
    /// Who was charged.
    pub merchant: Xid,
    /// Which of the merchant's invoices, from 1; given by the store.
    pub number: u64,
    /// The month's first moment; fees that were posted before its end are in it.
    pub month: Micros,
    /// Sum of the fees, minor units; given by the store.
    pub fees: u64,
    /// For how many payments; given by the store.
    pub payments: u64,
    /// Of the fees.
    pub currency: Currency,
    /// When it was made, by the calendar.
    pub created_at: Micros,
}

const PAYOUT_COLUMNS: &str = "id, merchant, number, name, night, amount, fee, currency, created_at, paid_at";

impl Payout {
    /// What the merchant gets, minor units.
    pub fn net(&self) -> i64 {
        self.amount - signed(self.fee)
    }

    fn read(row: &AnyRow) -> Result<Payout, PersistenceError> {
        let fields = Fields::of(row, "payouts");
        Ok(Payout {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            number: fields.narrow("number")?,
            name: fields.text("name")?,
            night: fields.time("night")?,
            amount: fields.integer("amount")?,
            fee: fields.narrow("fee")?,
            currency: currency(&fields)?,
            created_at: fields.time("created_at")?,
            paid_at: fields.time_or_none("paid_at")?,
        })
    }

    /// Moves what it carries from one account of the merchant to another.
    fn posting(&self, kind: Kind, from: Purpose, to: Purpose, at: Micros) -> Posting {
        let leg = |purpose, amount| Leg { merchant: self.merchant, purpose, amount };
        let cause = Cause { id: self.id, kind, number: 0 };
        Posting { cause, currency: self.currency, at, legs: vec![leg(from, -self.net()), leg(to, self.net())] }
    }
}

impl FeeInvoice {
    fn read(row: &AnyRow) -> Result<FeeInvoice, PersistenceError> {
        let fields = Fields::of(row, "fee_invoices");
        Ok(FeeInvoice {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            number: fields.narrow("number")?,
            month: fields.time("month")?,
            fees: fields.narrow("fees")?,
            payments: fields.narrow("payments")?,
            currency: currency(&fields)?,
            created_at: fields.time("created_at")?,
        })
    }
}

fn currency(fields: &Fields<'_>) -> Result<Currency, PersistenceError> {
    let unknown = PersistenceError::StoredRow { table: "payouts", fault: "a currency is none of ISO 4217" };
    Currency::from_numeric(fields.narrow("currency")?).ok_or(unknown)
}

impl Stores {
    /// Makes a payout of all that a merchant is owed from before its night, in one transaction with the event that
    /// tells of it. None, and nothing done, when that comes to nothing or less: what was refunded after its payout is carried over to the
    /// next.
    pub async fn make_payout(
        &self,
        new: NewPayout,
        told: impl FnOnce(&Payout) -> NewEvent,
    ) -> Result<Option<Payout>, PersistenceError> {
        const OPERATION: &str = "make a payout";
        let mut transaction = self.begin_write(OPERATION).await?;
        take(&mut transaction, &new.id, (&new.merchant, Purpose::Balance, new.currency), new.night).await?;
        let (_, amount) = taken(&mut transaction, &new.id, Purpose::Balance, &[Kind::PayIn, Kind::Refund]).await?;
        let (_, fee) = taken(&mut transaction, &new.id, Purpose::Balance, &[Kind::ServiceFee]).await?;
        let NewPayout { id, merchant, name, night, currency, at } = new;
        let number = next_number(&mut transaction, "payouts", &merchant).await?;
        let fee = fee.unsigned_abs();
        let payout = Payout { id, merchant, number, name, night, amount, fee, currency, created_at: at, paid_at: Micros::NONE };
        if payout.net() <= 0 {
            return transaction.rollback().await.map(|()| None).map_err(PersistenceError::sql(OPERATION));
        }
        let insert = sqlx::query(
            "INSERT INTO payouts (id, merchant, number, name, night, amount, fee, currency, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        );
        let insert = insert.bind(&payout.id.0[..]).bind(&payout.merchant.0[..]).bind(signed(number)).bind(&payout.name[..]);
        let insert = insert.bind(night.0).bind(payout.amount).bind(signed(fee)).bind(i64::from(currency.numeric())).bind(at.0);
        transaction.execute(insert).await.map_err(PersistenceError::sql(OPERATION))?;
        let posting = payout.posting(Kind::PayoutMade, Purpose::Balance, Purpose::InTransit, at);
        post(&mut transaction, &posting).await?;
        append(&mut transaction, &told(&payout)).await?;
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(Some(payout))
    }

    /// Writes down that a payout has arrived. False when that was written before.
    pub async fn end_payout(&self, payout: &Payout, at: Micros, told: NewEvent) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "end a payout";
        let mut transaction = self.begin_write(OPERATION).await?;
        let update = sqlx::query("UPDATE payouts SET paid_at = $2 WHERE id = $1 AND paid_at IS NULL");
        let update = transaction.execute(update.bind(&payout.id.0[..]).bind(at.0)).await;
        let is_first = update.map_err(PersistenceError::sql(OPERATION))?.rows_affected() == 1;
        if is_first {
            post(&mut transaction, &payout.posting(Kind::PayoutPaid, Purpose::InTransit, Purpose::PaidOut, at)).await?;
            append(&mut transaction, &told).await?;
        }
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(is_first)
    }

    /// Payouts under way that were made at a moment or before, oldest first.
    pub async fn payouts_under_way(&self, until: Micros, limit: u32) -> Result<Vec<Payout>, PersistenceError> {
        let select = format!(
            "SELECT {PAYOUT_COLUMNS} FROM payouts WHERE paid_at IS NULL AND night <= $1 ORDER BY night, id LIMIT {limit}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)).bind(until.0).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list payouts under way"))?.iter().map(Payout::read).collect()
    }

    /// The night of a merchant's newest payout.
    pub async fn newest_payout_night(&self, merchant: &Xid) -> Result<Option<Micros>, PersistenceError> {
        self.newest("SELECT MAX(night) AS newest FROM payouts WHERE merchant = $1", merchant).await
    }

    /// How many payouts match, and the first of them.
    pub async fn payouts(&self, search: &PayoutSearch) -> Result<(u64, Vec<Payout>), PersistenceError> {
        const OPERATION: &str = "list payouts";
        let rows = |columns: &str, rest: String| {
            let select = format!(
                "SELECT {columns} FROM payouts WHERE merchant = $1 AND number > $2 AND night >= $3 AND night < $4 {rest}"
            );
            let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&search.merchant.0[..]).bind(signed(search.after));
            select.bind(search.from.0).bind(search.to.0).fetch_all(&self.database.pool)
        };
        let count = rows("COUNT(*)", String::new()).await.map_err(PersistenceError::sql(OPERATION))?;
        let page = rows(PAYOUT_COLUMNS, format!("ORDER BY number LIMIT {}", search.limit)).await;
        let page = page.map_err(PersistenceError::sql(OPERATION))?;
        Ok((count_of(&count, OPERATION)?, page.iter().map(Payout::read).collect::<Result<_, _>>()?))
    }

    /// Makes a month's invoice of the fees that no invoice has taken, in one transaction. None, and nothing done, when there are none.
    pub async fn make_fee_invoice(
        &self,
        new: FeeInvoice,
        month_end: Micros,
        told: impl FnOnce(&FeeInvoice) -> NewEvent,
    ) -> Result<Option<FeeInvoice>, PersistenceError> {
        const OPERATION: &str = "make a fee invoice";
        let mut transaction = self.begin_write(OPERATION).await?;
        take(&mut transaction, &new.id, (&new.merchant, Purpose::Fees, new.currency), month_end).await?;
        let (payments, fees) = taken(&mut transaction, &new.id, Purpose::Fees, &[Kind::ServiceFee]).await?;
        let number = next_number(&mut transaction, "fee_invoices", &new.merchant).await?;
        let made = FeeInvoice { number, fees: fees.unsigned_abs(), payments: payments.unsigned_abs(), ..new };
        if payments == 0 {
            return transaction.rollback().await.map(|()| None).map_err(PersistenceError::sql(OPERATION));
        }
        let insert = sqlx::query(
            "INSERT INTO fee_invoices (id, merchant, number, month, fees, payments, currency, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        );
        let insert = insert.bind(&made.id.0[..]).bind(&made.merchant.0[..]).bind(signed(number)).bind(made.month.0);
        let insert = insert.bind(signed(made.fees)).bind(payments).bind(i64::from(made.currency.numeric()));
        let inserted = transaction.execute(insert.bind(made.created_at.0)).await;
        inserted.map_err(PersistenceError::sql(OPERATION))?;
        append(&mut transaction, &told(&made)).await?;
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(Some(made))
    }

    /// The month of a merchant's newest fee invoice.
    pub async fn newest_fee_invoice_month(&self, merchant: &Xid) -> Result<Option<Micros>, PersistenceError> {
        self.newest("SELECT MAX(month) AS newest FROM fee_invoices WHERE merchant = $1", merchant).await
    }

    /// How many fee invoices a merchant has with a number above this one, and the first of them.
    pub async fn fee_invoices(&self, merchant: &Xid, after: u64, limit: u32) -> Result<(u64, Vec<FeeInvoice>), PersistenceError> {
        const OPERATION: &str = "list fee invoices";
        let rows = |columns: &str, rest: String| {
            let select = format!("SELECT {columns} FROM fee_invoices WHERE merchant = $1 AND number > $2 {rest}");
            let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]).bind(signed(after));
            select.fetch_all(&self.database.pool)
        };
        let count = rows("COUNT(*)", String::new()).await.map_err(PersistenceError::sql(OPERATION))?;
        let page =
            rows("id, merchant, number, month, fees, payments, currency, created_at", format!("ORDER BY number LIMIT {limit}"));
        let page = page.await.map_err(PersistenceError::sql(OPERATION))?;
        Ok((count_of(&count, OPERATION)?, page.iter().map(FeeInvoice::read).collect::<Result<_, _>>()?))
    }

    async fn newest(&self, select: &'static str, merchant: &Xid) -> Result<Option<Micros>, PersistenceError> {
        let row = sqlx::query(select).bind(&merchant.0[..]).fetch_one(&self.database.pool).await;
        let row = row.map_err(PersistenceError::sql("look for the newest payout or fee invoice"))?;
        let newest = Fields::of(&row, "payouts").time_or_none("newest")?;
        Ok((!newest.is_none()).then_some(newest))
    }
}

async fn next_number(connection: &mut AnyConnection, table: &'static str, merchant: &Xid) -> Result<u64, PersistenceError> {
    let select = format!("SELECT COALESCE(MAX(number), 0) + 1 AS next FROM {table} WHERE merchant = $1");
    let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]);
    let row = connection.fetch_one(select).await.map_err(PersistenceError::sql("number a payout or fee invoice"))?;
    Fields::of(&row, table).narrow("next")
}

fn count_of(rows: &[AnyRow], operation: &'static str) -> Result<u64, PersistenceError> {
    let counted: Result<i64, _> = rows.first().ok_or(sqlx::Error::RowNotFound).and_then(|row| row.try_get(0));
    counted.map(i64::unsigned_abs).map_err(PersistenceError::sql(operation))
}
