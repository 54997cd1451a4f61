//! Plans: what subscriptions are made from.

use super::BillingTerms;
use crate::error::PersistenceError;
use crate::sql::{Fields, signed};
use crate::stores::Stores;
use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::any::AnyRow;

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its id.
    pub id: Xid,
    /// Whose it is.
    pub merchant: Xid,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// What is billed and when.
    pub terms: BillingTerms,
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed last.
    pub updated_at: Micros,
}

const SELECT: &str = "SELECT id, merchant, name, description, amount, billing_interval, frequency, days, duration, add_ons, discounts, \
                      created_at, updated_at FROM plans";

impl Plan {
    fn read(row: &AnyRow) -> Result<Plan, PersistenceError> {
        let fields = Fields::of(row, "plans");
        Ok(Plan {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            name: fields.text("name")?,
            description: fields.text("description")?,
            terms: BillingTerms::read(&fields)?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }
}

impl Stores {
    /// Adds a plan, or changes the one with this id.
    pub async fn put_plan(&self, plan: &Plan) -> Result<(), PersistenceError> {
        let upsert = "INSERT INTO plans (id, merchant, name, description, amount, billing_interval, frequency, days, duration, add_ons, \
                      discounts, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
                      ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, \
                      amount = excluded.amount, billing_interval = excluded.billing_interval, frequency = excluded.frequency, \
                      days = excluded.days, duration = excluded.duration, add_ons = excluded.add_ons, \
                      discounts = excluded.discounts, updated_at = excluded.updated_at";
        let terms = &plan.terms;
        let put = sqlx::query(upsert).bind(&plan.id.0[..]).bind(&plan.merchant.0[..]).bind(&plan.name[..]);
        let put = put.bind(&plan.description[..]).bind(signed(terms.amount)).bind(i64::from(terms.interval));
        let put = put.bind(&terms.frequency[..]).bind(&terms.days[..]).bind(i64::from(terms.duration));
        let put = put.bind(&terms.add_ons[..]).bind(&terms.discounts[..]).bind(plan.created_at.0).bind(plan.updated_at.0);
        put.execute(&self.database.pool).await.map(drop).map_err(PersistenceError::sql("keep a plan"))
    }

    /// A merchant's plans, oldest first.
    pub async fn plans(&self, merchant: &Xid) -> Result<Vec<Plan>, PersistenceError> {
        let select = format!("{SELECT} WHERE merchant = $1 ORDER BY created_at, id");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("list plans"))?;
        rows.iter().map(Plan::read).collect()
    }

    /// One of a merchant's plans.
    pub async fn plan(&self, merchant: &Xid, id: &Xid) -> Result<Option<Plan>, PersistenceError> {
        let select = format!("{SELECT} WHERE merchant = $1 AND id = $2");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&merchant.0[..]).bind(&id.0[..]);
        let row = select.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("read a plan"))?;
        row.as_ref().map(Plan::read).transpose()
    }

    /// Removes a plan. Its subscriptions go on: they have terms of their own. False when it is not there.
    pub async fn delete_plan(&self, merchant: &Xid, id: &Xid) -> Result<bool, PersistenceError> {
        let delete = sqlx::query("DELETE FROM plans WHERE merchant = $1 AND id = $2").bind(&merchant.0[..]).bind(&id.0[..]);
        let deleted = delete.execute(&self.database.pool).await.map_err(PersistenceError::sql("remove a plan"))?;
        Ok(deleted.rows_affected() == 1)
    }
}
