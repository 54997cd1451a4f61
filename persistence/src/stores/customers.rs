//! Customers of merchants, and where they live.

use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::ADDRESS_FIELDS;
use sqlx::any::AnyRow;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Executor, Transaction};

use super::Stores;
use super::payment_methods::{PaymentMethod, delete_methods, insert_method};
use crate::error::PersistenceError;
use crate::sql::{Fields, id_or_null};

/// A customer. Its payment methods and addresses have rows of their own; here stands which of them are its default ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its id.
    pub id: Xid,
    /// Whose it is.
    pub merchant: Xid,
    /// As the merchant has written it.
    pub description: String,
    /// The payment method that is charged when none is named; none for none.
    pub payment_method: Xid,
    /// The billing address that is used when none is named; none for none.
    pub billing_address: Xid,
    /// The shipping address that is used when none is named; none for none.
    pub shipping_address: Xid,
    /// When it was made.
    pub created_at: Micros,
    /// When it or something of its was changed last.
    pub updated_at: Micros,
}

/// An address of a customer.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Its id.
    pub id: Xid,
    /// Whose it is.
    pub customer: Xid,
    /// In the order of [`ADDRESS_FIELDS`]; empty where nothing was said.
    pub fields: [String; ADDRESS_FIELDS.len()],
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed last.
    pub updated_at: Micros,
}

/// Without the person's data.
impl core::fmt::Debug for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Address").field("id", &self.id).field("customer", &self.customer).finish_non_exhaustive()
    }
}

/// A customer with its default payment method and addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    /// Itself.
    pub customer: Customer,
    /// Its default payment method.
    pub payment_method: Option<PaymentMethod>,
    /// Its default billing address.
    pub billing_address: Option<Address>,
    /// Its default shipping address.
    pub shipping_address: Option<Address>,
}

const CUSTOMER_COLUMNS: &str =
    "id, merchant, description, payment_method, billing_address, shipping_address, created_at, updated_at";
const ADDRESS_COLUMNS: &str = "id, customer, first_name, last_name, company, address_line_1, address_line_2, city, state, \
                               postal_code, country, phone, fax, email, created_at, updated_at";

impl Customer {
    pub(super) fn read(row: &AnyRow) -> Result<Customer, PersistenceError> {
        let fields = Fields::of(row, "customers");
        Ok(Customer {
            id: fields.id("id")?,
            merchant: fields.id("merchant")?,
            description: fields.text("description")?,
            payment_method: fields.id_or_none("payment_method")?,
            billing_address: fields.id_or_none("billing_address")?,
            shipping_address: fields.id_or_none("shipping_address")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }
}

impl Address {
    fn read(row: &AnyRow) -> Result<Address, PersistenceError> {
        let columns = Fields::of(row, "addresses");
        let mut fields = <[String; ADDRESS_FIELDS.len()]>::default();
        for (field, name) in fields.iter_mut().zip(ADDRESS_FIELDS) {
            *field = columns.text(name)?;
        }
        let (created_at, updated_at) = (columns.time("created_at")?, columns.time("updated_at")?);
        Ok(Address { id: columns.id("id")?, customer: columns.id("customer")?, fields, created_at, updated_at })
    }
}

impl Stores {
    /// Adds a customer with what it begins with, whole or not at all. False, and nothing done, when there is or was one of this id.
    pub async fn add_customer(
        &self,
        customer: &Customer,
        addresses: &[&Address],
        method: Option<&PaymentMethod>,
    ) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "add a customer";
        let mut transaction = self.begin_write(OPERATION).await?;
        let insert = sqlx::AssertSqlSafe(format!(
            "INSERT INTO customers ({CUSTOMER_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"
        ));
        let insert = sqlx::query(insert).bind(&customer.id.0[..]).bind(&customer.merchant.0[..]).bind(&customer.description[..]);
        let insert = insert.bind(id_or_null(&customer.payment_method)).bind(id_or_null(&customer.billing_address));
        let insert = insert.bind(id_or_null(&customer.shipping_address)).bind(customer.created_at.0).bind(customer.updated_at.0);
        let added = transaction.execute(insert).await.map_err(PersistenceError::sql(OPERATION))?.rows_affected() == 1;
        if added {
            for address in addresses {
                insert_address(&mut transaction, address).await?;
            }
            if let Some(method) = method {
                insert_method(&mut transaction, method).await?;
            }
        }
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(added)
    }

    /// A merchant's customer with its default things.
    pub async fn customer(&self, merchant: &Xid, id: &Xid) -> Result<Option<Filed>, PersistenceError> {
        let select = format!("SELECT {CUSTOMER_COLUMNS} FROM customers WHERE id = $1 AND merchant = $2 AND deleted_at IS NULL");
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&id.0[..]).bind(&merchant.0[..]);
        let mut connection = self.connection("look a customer up").await?;
        let row = select.fetch_optional(&mut *connection).await.map_err(PersistenceError::sql("look a customer up"))?;
        let customers = row.as_ref().map(Customer::read).transpose()?.into_iter().collect();
        Ok(Stores::filed(&mut connection, customers).await?.pop())
    }

    /// A connection for several statements: to take one and to give it back costs as much as a small statement.
    pub(super) async fn connection(&self, operation: &'static str) -> Result<PoolConnection<Any>, PersistenceError> {
        self.database.pool.acquire().await.map_err(PersistenceError::sql(operation))
    }

    /// Changes description and default things of a customer. False when it is not there.
    pub async fn change_customer(&self, customer: &Customer) -> Result<bool, PersistenceError> {
        let update = "UPDATE customers SET description = $3, payment_method = $4, billing_address = $5, shipping_address = $6, \
                      updated_at = $7 WHERE id = $1 AND merchant = $2 AND deleted_at IS NULL";
        let update = sqlx::query(update).bind(&customer.id.0[..]).bind(&customer.merchant.0[..]).bind(&customer.description[..]);
        let update = update.bind(id_or_null(&customer.payment_method)).bind(id_or_null(&customer.billing_address));
        let update = update.bind(id_or_null(&customer.shipping_address)).bind(customer.updated_at.0);
        let changed = update.execute(&self.database.pool).await.map_err(PersistenceError::sql("change a customer"))?;
        Ok(changed.rows_affected() == 1)
    }

    /// Removes a customer and all that is its, sealed cards scrubbed. Its id stays taken, so that what made it does not make it
    /// again. False when it is not there.
    pub async fn delete_customer(&self, merchant: &Xid, id: &Xid, now: Micros) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "remove a customer";
        let mut transaction = self.begin_write(OPERATION).await?;
        let update = "UPDATE customers SET description = '', payment_method = NULL, billing_address = NULL, \
                      shipping_address = NULL, updated_at = $3, deleted_at = $3 \
                      WHERE id = $1 AND merchant = $2 AND deleted_at IS NULL";
        let update = sqlx::query(update).bind(&id.0[..]).bind(&merchant.0[..]).bind(now.0);
        let deleted = transaction.execute(update).await.map_err(PersistenceError::sql(OPERATION))?.rows_affected() == 1;
        if deleted {
            delete_methods(&mut transaction, "customer", id).await?;
            let delete = sqlx::query("DELETE FROM addresses WHERE customer = $1").bind(&id.0[..]);
            transaction.execute(delete).await.map_err(PersistenceError::sql(OPERATION))?;
        }
        transaction.commit().await.map_err(PersistenceError::sql(OPERATION))?;
        Ok(deleted)
    }

    /// Adds an address to a customer. False when the customer is not there.
    pub async fn add_address(&self, merchant: &Xid, address: &Address) -> Result<bool, PersistenceError> {
        let touched = self.begin_on_customer(merchant, &address.customer, address.updated_at).await?;
        let Some(mut transaction) = touched else { return Ok(false) };
        insert_address(&mut transaction, address).await?;
        transaction.commit().await.map(|()| true).map_err(PersistenceError::sql("add an address"))
    }

    /// Changes an address of a customer. False when it is not there.
    pub async fn change_address(&self, merchant: &Xid, address: &Address) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "change an address";
        let touched = self.begin_on_customer(merchant, &address.customer, address.updated_at).await?;
        let Some(mut transaction) = touched else { return Ok(false) };
        let update = "UPDATE addresses SET first_name = $3, last_name = $4, company = $5, address_line_1 = $6, \
                      address_line_2 = $7, city = $8, state = $9, postal_code = $10, country = $11, phone = $12, fax = $13, \
                      email = $14, updated_at = $15 WHERE id = $1 AND customer = $2";
        let update = sqlx::query(update).bind(&address.id.0[..]).bind(&address.customer.0[..]);
        let update = address.fields.iter().fold(update, |update, field| update.bind(&field[..])).bind(address.updated_at.0);
        let changed = transaction.execute(update).await.map_err(PersistenceError::sql(OPERATION))?.rows_affected() == 1;
        transaction.commit().await.map(|()| changed).map_err(PersistenceError::sql(OPERATION))
    }

    /// Removes an address of a customer, as its default one too. False when it is not there.
    pub async fn delete_address(&self, merchant: &Xid, customer: &Xid, id: &Xid, now: Micros) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "remove an address";
        let Some(mut transaction) = self.begin_on_customer(merchant, customer, now).await? else { return Ok(false) };
        let delete = sqlx::query("DELETE FROM addresses WHERE id = $1 AND customer = $2").bind(&id.0[..]).bind(&customer.0[..]);
        let deleted = transaction.execute(delete).await.map_err(PersistenceError::sql(OPERATION))?.rows_affected() == 1;
        let clear = "UPDATE customers SET \
                     billing_address = CASE WHEN billing_address = $1 THEN NULL ELSE billing_address END, \
                     shipping_address = CASE WHEN shipping_address = $1 THEN NULL ELSE shipping_address END WHERE id = $2";
        let clear = sqlx::query(clear).bind(&id.0[..]).bind(&customer.0[..]);
        transaction.execute(clear).await.map_err(PersistenceError::sql(OPERATION))?;
        transaction.commit().await.map(|()| deleted).map_err(PersistenceError::sql(OPERATION))
    }

    /// An address of any of a merchant's customers.
    pub async fn address(&self, merchant: &Xid, id: &Xid) -> Result<Option<Address>, PersistenceError> {
        let select = format!(
            "SELECT {ADDRESS_COLUMNS} FROM addresses WHERE id = $1 AND EXISTS \
             (SELECT 1 FROM customers WHERE customers.id = addresses.customer AND customers.merchant = $2 AND deleted_at IS NULL)"
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&id.0[..]).bind(&merchant.0[..]);
        let row = row.fetch_optional(&self.database.pool).await.map_err(PersistenceError::sql("look an address up"))?;
        row.as_ref().map(Address::read).transpose()
    }

    /// All addresses of a customer, oldest first.
    pub async fn addresses(&self, customer: &Xid) -> Result<Vec<Address>, PersistenceError> {
        let select = format!("SELECT {ADDRESS_COLUMNS} FROM addresses WHERE customer = $1 ORDER BY id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&customer.0[..]).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list addresses"))?.iter().map(Address::read).collect()
    }

    /// A transaction that has a living customer for itself: what is added to it is not left behind by its removal. `None` when the
    /// customer is not there.
    pub(super) async fn begin_on_customer(
        &self,
        merchant: &Xid,
        customer: &Xid,
        now: Micros,
    ) -> Result<Option<Transaction<'static, Any>>, PersistenceError> {
        const OPERATION: &str = "change what is a customer's";
        let mut transaction = self.begin_write(OPERATION).await?;
        let touch = "UPDATE customers SET updated_at = $3 WHERE id = $1 AND merchant = $2 AND deleted_at IS NULL";
        let touch = sqlx::query(touch).bind(&customer.0[..]).bind(&merchant.0[..]).bind(now.0);
        let touched = transaction.execute(touch).await.map_err(PersistenceError::sql(OPERATION))?.rows_affected() == 1;
        Ok(touched.then_some(transaction))
    }

    /// Customers with their default things: two statements, however many they are.
    pub(super) async fn filed(connection: &mut AnyConnection, customers: Vec<Customer>) -> Result<Vec<Filed>, PersistenceError> {
        let addresses = Stores::addresses_by_id(connection, &customers).await?;
        let methods = Stores::methods_by_id(connection, customers.iter().map(|customer| &customer.payment_method)).await?;
        let address = |id: &Xid| addresses.iter().find(|address| address.id == *id).cloned();
        let filed = customers.into_iter().map(|customer| Filed {
            payment_method: methods.iter().find(|method| method.id == customer.payment_method).cloned(),
            billing_address: address(&customer.billing_address),
            shipping_address: address(&customer.shipping_address),
            customer,
        });
        Ok(filed.collect())
    }

    async fn addresses_by_id(connection: &mut AnyConnection, customers: &[Customer]) -> Result<Vec<Address>, PersistenceError> {
        let ids = customers.iter().flat_map(|customer| [&customer.billing_address, &customer.shipping_address]);
        let ids: Vec<&Xid> = ids.filter(|id| !id.is_none()).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let select = format!("SELECT {ADDRESS_COLUMNS} FROM addresses WHERE id IN ({})", placeholders(ids.len()));
        let select = ids.into_iter().fold(sqlx::query(sqlx::AssertSqlSafe(select)), |select, id| select.bind(&id.0[..]));
        let rows = select.fetch_all(connection).await.map_err(PersistenceError::sql("look addresses up"))?;
        rows.iter().map(Address::read).collect()
    }
}

/// `$1, $2, …`
pub(super) fn placeholders(count: usize) -> String {
    (1..=count).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ")
}

async fn insert_address(connection: &mut AnyConnection, address: &Address) -> Result<(), PersistenceError> {
    let insert = format!("INSERT INTO addresses ({ADDRESS_COLUMNS}) VALUES ({})", placeholders(ADDRESS_FIELDS.len() + 4));
    let insert = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(&address.id.0[..]).bind(&address.customer.0[..]);
    let insert = address.fields.iter().fold(insert, |insert, field| insert.bind(&field[..]));
    let insert = insert.bind(address.created_at.0).bind(address.updated_at.0);
    connection.execute(insert).await.map(drop).map_err(PersistenceError::sql("add an address"))
}
