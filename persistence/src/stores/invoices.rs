//! Invoices: what is searched and summed in columns of its own, the rest as the front has written it.

use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::Stores;
use crate::error::PersistenceError;
use crate::sql::{Fields, signed, time_or_null};

/// An invoice as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredInvoice {
    /// Its id.
    pub id: Xid,
    /// Whose it is.
    pub merchant: Xid,
    /// The name under which whoever is to pay finds it: a UUID as text.
    pub public_id: String,
    /// What is left to pay, minor units.
    pub amount_due: u64,
    /// What has been paid, minor units. Its payable's changes write it, with what is left.
    pub amount_paid: u64,
    /// When it is due; none: never said.
    pub date_due: Micros,
    /// All the rest, a JSON text that only the front reads.
    pub body: String,
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed last.
    pub updated_at: Micros,
}

/// Without the persons' data.
impl core::fmt::Debug for StoredInvoice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StoredInvoice").field("id", &self.id).field("amount_due", &self.amount_due).finish_non_exhaustive()
    }
}

/// What invoices are looked for. All conditions must hold; what is `None` is no condition.
#[derive(Debug, Clone)]
pub struct InvoiceSearch {
    /// Whose.
    pub merchant: Xid,
    /// This one.
    pub id: Option<Xid>,
    /// What is left to pay, compared.
    pub amount_due: Option<(AmountIs, u64)>,
    /// Due at this moment or later.
    pub due_from: Option<Micros>,
    /// Due at this moment or before.
    pub due_to: Option<Micros>,
    /// So many at most.
    pub limit: u32,
    /// Behind so many others.
    pub offset: u32,
}

/// How an amount is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountIs {
    /// The same.
    Equal,
    /// Another.
    Other,
    /// Less.
    Below,
    /// More.
    Above,
}

const COLUMNS: &str = "id, merchant, public_id, amount_due, amount_paid, date_due, body, created_at, updated_at";

impl StoredInvoice {
    fn read(row: &AnyRow) -> Result<StoredInvoice, PersistenceError> {
        let fields = Fields::of(row, "invoices");
        Ok(StoredInvoice {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            public_id: fields.text("public_id")?,
            amount_due: fields.narrow("amount_due")?,
            amount_paid: fields.narrow("amount_paid")?,
            date_due: fields.time_or_none("date_due")?,
            body: fields.text("body")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }
}

impl InvoiceSearch {
    /// `$1` is the merchant; what else is bound follows in the order of the conditions.
    fn conditions(&self) -> String {
        let mut sql = "merchant = $1".to_owned();
        let mut place = 1;
        let mut and = |condition: String| {
            place += 1;
            sql.push_str(&format!(" AND {condition} ${place}"));
        };
        if self.id.is_some() {
            and("id =".to_owned());
        }
        if let Some((comparison, _)) = self.amount_due {
            let operator = match comparison {
                AmountIs::Equal => "=",
                AmountIs::Other => "<>",
                AmountIs::Below => "<",
                AmountIs::Above => ">",
            };
            and(format!("amount_due {operator}"));
        }
        if self.due_from.is_some() {
            and("date_due >=".to_owned());
        }
        if self.due_to.is_some() {
            and("date_due <=".to_owned());
        }
        sql
    }
}

impl Stores {
    /// Adds an invoice.
    pub async fn add_invoice(&self, invoice: &StoredInvoice) -> Result<(), PersistenceError> {
        let insert = format!("INSERT INTO invoices ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
        let add = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(&invoice.id.0[..]).bind(&invoice.merchant.0[..]);
        let add = add.bind(&invoice.public_id[..]).bind(signed(invoice.amount_due)).bind(signed(invoice.amount_paid));
        let add = add
            .bind(time_or_null(invoice.date_due.0))
            .bind(&invoice.body[..])
            .bind(invoice.created_at.0)
            .bind(invoice.updated_at.0);
        add.execute(&self.database.pool).await.map(drop).map_err(PersistenceError::sql("add an invoice"))
    }

    /// A merchant's invoice.
    pub async fn invoice(&self, merchant: &Xid, id: &Xid) -> Result<Option<StoredInvoice>, PersistenceError> {
        let select = sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM invoices WHERE id = $1 AND merchant = $2"));
        let select = sqlx::query(select).bind(&id.0[..]).bind(&merchant.0[..]);
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("look an invoice up"))?;
        row.as_ref().map(StoredInvoice::read).transpose()
    }

    /// Removes an invoice. False when it is not there.
    pub async fn delete_invoice(&self, merchant: &Xid, id: &Xid) -> Result<bool, PersistenceError> {
        let delete = sqlx::query("DELETE FROM invoices WHERE id = $1 AND merchant = $2").bind(&id.0[..]).bind(&merchant.0[..]);
        let deleted = delete.execute(&self.database.pool).await.map_err(PersistenceError::sql("remove an invoice"))?;
        Ok(deleted.rows_affected() == 1)
    }

    /// How many invoices match, and a page of them, newest first.
    pub async fn search_invoices(&self, search: &InvoiceSearch) -> Result<(u64, Vec<StoredInvoice>), PersistenceError> {
        const OPERATION: &str = "search invoices";
        let conditions = search.conditions();
        let numbers = [
            search.amount_due.map(|(_, amount)| signed(amount)),
            search.due_from.map(|from| from.0),
            search.due_to.map(|to| to.0),
        ];
        let bound = |statement: String| {
            let query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(&search.merchant.0[..]);
            let query = search.id.iter().fold(query, |query, id| query.bind(&id.0[..]));
            numbers.iter().flatten().fold(query, |query, number| query.bind(*number))
        };
        let count = bound(format!("SELECT COUNT(*) FROM invoices WHERE {conditions}")).fetch_one(&self.database.pool).await;
        let total: i64 = count.and_then(|row| row.try_get(0)).map_err(PersistenceError::sql(OPERATION))?;
        let page = bound(format!(
            "SELECT {COLUMNS} FROM invoices WHERE {conditions} ORDER BY created_at DESC, id DESC LIMIT {} OFFSET {}",
            search.limit, search.offset
        ));
        let rows = page.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql(OPERATION))?;
        let invoices = rows.iter().map(StoredInvoice::read).collect::<Result<_, _>>()?;
        Ok((u64::try_from(total).unwrap_or(0), invoices))
    }
}

/// Changes an invoice that is still as it was when it was read, at `read_at` its last change. False, and nothing done, when it is not.
pub(super) async fn write_change(
    connection: &mut AnyConnection,
    invoice: &StoredInvoice,
    read_at: Micros,
) -> Result<bool, sqlx::Error> {
    let update = "UPDATE invoices SET amount_due = $4, date_due = $5, body = $6, updated_at = $7 \
                  WHERE id = $1 AND merchant = $2 AND updated_at = $3";
    let update = sqlx::query(update).bind(&invoice.id.0[..]).bind(&invoice.merchant.0[..]).bind(read_at.0);
    let update = update.bind(signed(invoice.amount_due)).bind(time_or_null(invoice.date_due.0));
    let update = update.bind(&invoice.body[..]).bind(invoice.updated_at.0);
    Ok(update.execute(connection).await?.rows_affected() == 1)
}
