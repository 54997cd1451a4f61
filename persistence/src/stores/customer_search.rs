//! Searching customers.

use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::Row;

use super::Stores;
use super::customers::{Customer, Filed};
use crate::error::PersistenceError;

/// What customers are looked for. All conditions must hold; what is `None` is no condition.
#[derive(Debug, Clone)]
pub struct CustomerSearch {
    /// Whose.
    pub merchant: Xid,
    /// The customer's id.
    pub id: Option<IdIs>,
    /// Its default payment method.
    pub payment_method: Option<IdIs>,
    /// Its default billing address.
    pub billing_address: Option<IdIs>,
    /// Its default shipping address.
    pub shipping_address: Option<IdIs>,
    /// Made at this moment or later.
    pub created_from: Option<Micros>,
    /// Made at this moment or before.
    pub created_to: Option<Micros>,
    /// So many at most.
    pub limit: u32,
    /// Behind so many others.
    pub offset: u32,
}

/// A condition on an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdIs {
    /// This one.
    Equal(Xid),
    /// Any but this one, or none.
    Other(Xid),
}

/// Conditions as SQL, and what is bound to them.
struct Conditions<'s> {
    sql: String,
    ids: Vec<&'s Xid>,
}

impl CustomerSearch {
    /// `$1` is the merchant, `$2` and `$3` bound the moment of making, ids follow.
    fn conditions(&self) -> Conditions<'_> {
        let mut sql = "merchant = $1 AND deleted_at IS NULL AND created_at >= $2 AND created_at <= $3".to_owned();
        let mut ids = Vec::new();
        let columns = [
            ("id", &self.id),
            ("payment_method", &self.payment_method),
            ("billing_address", &self.billing_address),
            ("shipping_address", &self.shipping_address),
        ];
        for (column, condition) in columns {
            let place = ids.len() + 4;
            match condition {
                None => {}
                Some(IdIs::Equal(id)) => {
                    sql.push_str(&format!(" AND {column} = ${place}"));
                    ids.push(id);
                }
                Some(IdIs::Other(id)) => {
                    sql.push_str(&format!(" AND ({column} IS NULL OR {column} <> ${place})"));
                    ids.push(id);
                }
            }
        }
        Conditions { sql, ids }
    }
}

impl Stores {
    /// How many customers match, and a page of them, newest first.
    pub async fn search_customers(&self, search: &CustomerSearch) -> Result<(u64, Vec<Filed>), PersistenceError> {
        const OPERATION: &str = "search customers";
        let Conditions { sql, ids } = search.conditions();
        let (from, to) = (search.created_from.map_or(i64::MIN, |from| from.0), search.created_to.map_or(i64::MAX, |to| to.0));
        let bound = |statement: String| {
            let query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(&search.merchant.0[..]).bind(from).bind(to);
            ids.iter().fold(query, |query, id| query.bind(&id.0[..]))
        };
        let mut connection = self.connection(OPERATION).await?;
        let count = bound(format!("SELECT COUNT(*) FROM customers WHERE {sql}")).fetch_one(&mut *connection).await;
        let total: i64 = count.and_then(|row| row.try_get(0)).map_err(PersistenceError::sql(OPERATION))?;
        let page = bound(format!(
            "SELECT id, merchant, description, payment_method, billing_address, shipping_address, created_at, updated_at \
             FROM customers WHERE {sql} ORDER BY created_at DESC, id DESC LIMIT {} OFFSET {}",
            search.limit, search.offset
        ));
        let rows = page.fetch_all(&mut *connection).await.map_err(PersistenceError::sql(OPERATION))?;
        let customers = rows.iter().map(Customer::read).collect::<Result<_, _>>()?;
        Ok((u64::try_from(total).unwrap_or(0), Stores::filed(&mut connection, customers).await?))
    }
}
