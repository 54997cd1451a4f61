//! Add-ons and discounts as a merchant keeps them: plans and subscriptions copy what they use.

use crate::error::PersistenceError;
use crate::sql::Fields;
use crate::stores::Stores;
use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::any::AnyRow;

/// Which of the two. Numbers are stored: never renumbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum AdjustmentKind {
    /// Adds to a bill.
    AddOn = 1,
    /// Takes off a bill.
    Discount = 2,
}

/// An add-on or a discount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAdjustment {
    /// Its id.
    pub id: Xid,
    /// Whose it is.
    pub merchant: Xid,
    /// Which of the two.
    pub kind: AdjustmentKind,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Minor units; or `percentage`.
    pub amount: Option<u64>,
    /// Thousandths of a percent.
    pub percentage: Option<u64>,
    /// For how many bills it holds; 0 for all.
    pub duration: u32,
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed last.
    pub updated_at: Micros,
}

const SELECT: &str =
    "SELECT id, merchant, kind, name, description, amount, percentage, duration, created_at, updated_at FROM adjustments";

impl KeptAdjustment {
    fn read(row: &AnyRow) -> Result<KeptAdjustment, PersistenceError> {
        let fields = Fields::of(row, "adjustments");
        let kind = match fields.integer("kind")? {
            1 => AdjustmentKind::AddOn,
            2 => AdjustmentKind::Discount,
            _ => return Err(PersistenceError::StoredRow { table: "adjustments", fault: "the kind is unknown" }),
        };
        Ok(KeptAdjustment {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            kind,
            name: fields.text("name")?,
            description: fields.text("description")?,
            amount: optional(fields.integer("amount")?),
            percentage: optional(fields.integer("percentage")?),
            duration: fields.narrow("duration")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }
}

/// An absent number, so that no column is NULL.
const ABSENT: i64 = -1;

fn optional(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

fn stored(number: Option<u64>) -> i64 {
    number.map_or(ABSENT, crate::sql::signed)
}

impl Stores {
    /// Adds an add-on or discount, or changes the one with this id.
    pub async fn put_adjustment(&self, adjustment: &KeptAdjustment) -> Result<(), PersistenceError> {
        let upsert = "INSERT INTO adjustments (id, merchant, kind, name, description, amount, percentage, duration, created_at, \
                      updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO UPDATE SET \
                      name = excluded.name, description = excluded.description, amount = excluded.amount, \
                      percentage = excluded.percentage, duration = excluded.duration, updated_at = excluded.updated_at";
        let put = sqlx::query(upsert).bind(&adjustment.id.0[..]).bind(&adjustment.merchant.0[..]);
        let put = put.bind(adjustment.kind as i64).bind(&adjustment.name[..]).bind(&adjustment.description[..]);
        let put = put.bind(stored(adjustment.amount)).bind(stored(adjustment.percentage));
        let put = put.bind(i64::from(adjustment.duration)).bind(adjustment.created_at.0).bind(adjustment.updated_at.0);
        put.execute(&self.database.pool).await.map(drop).map_err(PersistenceError::sql("keep an add-on or discount"))
    }

    /// A merchant's add-ons or discounts, oldest first.
    pub async fn adjustments(&self, merchant: &Xid, kind: AdjustmentKind) -> Result<Vec<KeptAdjustment>, PersistenceError> {
        let select = format!("{SELECT} WHERE merchant = $1 AND kind = $2 ORDER BY created_at, id");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]).bind(kind as i64);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list add-ons or discounts"))?;
        rows.iter().map(KeptAdjustment::read).collect()
    }

    /// One of a merchant's add-ons or discounts.
    pub async fn adjustment(
        &self,
        merchant: &Xid,
        kind: AdjustmentKind,
        id: &Xid,
    ) -> Result<Option<KeptAdjustment>, PersistenceError> {
        let select = format!("{SELECT} WHERE merchant = $1 AND kind = $2 AND id = $3");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]).bind(kind as i64).bind(&id.0[..]);
        let row =
            select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read an add-on or discount"))?;
        row.as_ref().map(KeptAdjustment::read).transpose()
    }

    /// Removes one. What plans and subscriptions have copied of it stays with them. False when it is not there.
    pub async fn delete_adjustment(&self, merchant: &Xid, kind: AdjustmentKind, id: &Xid) -> Result<bool, PersistenceError> {
        let delete = sqlx::query("DELETE FROM adjustments WHERE merchant = $1 AND kind = $2 AND id = $3");
        let delete = delete.bind(&merchant.0[..]).bind(kind as i64).bind(&id.0[..]);
        let deleted = delete.execute(&self.database.pool).await.map_err(PersistenceError::sql("remove an add-on or discount"))?;
        Ok(deleted.rows_affected() == 1)
    }
}
