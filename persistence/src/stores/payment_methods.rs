//! What customers pay with: sealed cards and bank accounts, and of each what may be shown.

use protocol::calendar::Micros;
use protocol::id::Xid;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Executor};

use super::Stores;
use super::customers::placeholders;
use crate::error::PersistenceError;
use crate::sql::Fields;

/// A payment method of a customer.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    /// Its id.
    pub id: Xid,
    /// Whose it is.
    pub customer: Xid,
    /// What it is, and what of it may be shown.
    pub shown: ShownMethod,
    /// What the sealer made of it, for the customer's merchant and this fingerprint.
    pub sealed: Vec<u8>,
    /// The keyed hash of its number.
    pub fingerprint: [u8; 16],
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed last.
    pub updated_at: Micros,
}

/// What of a payment method may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownMethod {
    /// A card.
    Card(ShownCard),
    /// A bank account.
    Account(ShownAccount),
}

/// What of a card may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownCard {
    /// First six digits.
    pub first_six: u32,
    /// Last four digits.
    pub last_four: u16,
    /// Digits of the number.
    pub digits: u8,
    /// The month it is good through, `YYMM`.
    pub expiry: u16,
}

/// What of a bank account may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownAccount {
    /// Nine digits of the bank.
    pub routing_number: String,
    /// The number with its middle in stars.
    pub masked_account: String,
    /// `checking` or `savings`.
    pub account_type: String,
    /// How the holder has agreed: `web`, `ccd`, `ppd` or `tel`.
    pub sec_code: String,
}

/// Without what is sealed.
impl core::fmt::Debug for PaymentMethod {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PaymentMethod").field("id", &self.id).field("customer", &self.customer).finish_non_exhaustive()
    }
}

const COLUMNS: &str = "id, customer, kind, key_id, sealed, fingerprint, first_six, last_four, digits, expiry, routing_number, \
                       masked_account, account_type, sec_code, created_at, updated_at";
const CARD: i64 = 1;
const ACCOUNT: i64 = 2;
/// What stands in the columns of the other kind.
const NO_CARD: ShownCard = ShownCard { first_six: 0, last_four: 0, digits: 0, expiry: 0 };

impl PaymentMethod {
    fn read(row: &AnyRow) -> Result<PaymentMethod, PersistenceError> {
        let fields = Fields::of(row, "payment_methods");
        let shown = match fields.integer("kind")? {
            CARD => ShownMethod::Card(ShownCard::read(&fields)?),
            ACCOUNT => ShownMethod::Account(ShownAccount {
                routing_number: fields.text("routing_number")?,
                masked_account: fields.text("masked_account")?,
                account_type: fields.text("account_type")?,
                sec_code: fields.text("sec_code")?,
            }),
            _ => return Err(PersistenceError::StoredRow { table: "payment_methods", fault: "the kind is unknown" }),
        };
        Ok(PaymentMethod {
            id: fields.id("id")?,
            customer: fields.id("customer")?,
            shown,
            sealed: fields.bytes("sealed")?,
            fingerprint: fields.array("fingerprint")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
        })
    }

    fn kind(&self) -> i64 {
        match self.shown {
            ShownMethod::Card(_) => CARD,
            ShownMethod::Account(_) => ACCOUNT,
        }
    }

    /// Card, then routing number, masked account, type and SEC code.
    fn columns(&self) -> (ShownCard, [&str; 4]) {
        match &self.shown {
            ShownMethod::Card(card) => (*card, [""; 4]),
            ShownMethod::Account(account) => {
                let ShownAccount { routing_number, masked_account, account_type, sec_code } = account;
                (NO_CARD, [routing_number, masked_account, account_type, sec_code])
            }
        }
    }
}

impl ShownCard {
    pub(super) fn read(fields: &Fields<'_>) -> Result<ShownCard, PersistenceError> {
        Ok(ShownCard {
            first_six: fields.narrow("first_six")?,
            last_four: fields.narrow("last_four")?,
            digits: fields.narrow("digits")?,
            expiry: fields.narrow("expiry")?,
        })
    }
}

/// [`COLUMNS`] where the table has another name.
fn columns_of(table: &str) -> String {
    let columns: Vec<String> = COLUMNS.split(", ").map(|column| format!("{table}.{column}")).collect();
    columns.join(", ")
}

/// The key under which something is sealed: its first four bytes, see the sealed card's layout.
fn key_id(sealed: &[u8]) -> i64 {
    sealed.first_chunk().map_or(0, |bytes| i64::from(u32::from_le_bytes(*bytes)))
}

impl Stores {
    /// Adds a payment method to a customer. False when the customer is not there.
    pub async fn add_method(&self, merchant: &Xid, method: &PaymentMethod) -> Result<bool, PersistenceError> {
        let touched = self.begin_on_customer(merchant, &method.customer, method.updated_at).await?;
        let Some(mut transaction) = touched else { return Ok(false) };
        insert_method(&mut transaction, method).await?;
        transaction.commit().await.map(|()| true).map_err(PersistenceError::sql("add a payment method"))
    }

    /// Changes a payment method of a customer, of the same kind. What was sealed before is overwritten. False when it is not there.
    pub async fn change_method(&self, merchant: &Xid, method: &PaymentMethod) -> Result<bool, PersistenceError> {
        self.change_method_if(merchant, method, None).await
    }

    /// The same for one that has this fingerprint yet: false also when it is another card or account by now.
    pub async fn correct_method(
        &self,
        merchant: &Xid,
        method: &PaymentMethod,
        fingerprint: &[u8; 16],
    ) -> Result<bool, PersistenceError> {
        self.change_method_if(merchant, method, Some(fingerprint)).await
    }

    async fn change_method_if(
        &self,
        merchant: &Xid,
        method: &PaymentMethod,
        fingerprint: Option<&[u8; 16]>,
    ) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "change a payment method";
        let touched = self.begin_on_customer(merchant, &method.customer, method.updated_at).await?;
        let Some(mut transaction) = touched else { return Ok(false) };
        let update = "UPDATE payment_methods SET key_id = $4, sealed = $5, fingerprint = $6, first_six = $7, last_four = $8, \
                      digits = $9, expiry = $10, routing_number = $11, masked_account = $12, account_type = $13, sec_code = $14, \
                      updated_at = $15 WHERE id = $1 AND customer = $2 AND kind = $3 AND ($16 = 0 OR fingerprint = $17)";
        let (card, account) = method.columns();
        let update = sqlx::query(update).bind(&method.id.0[..]).bind(&method.customer.0[..]).bind(method.kind());
        let update = update.bind(key_id(&method.sealed)).bind(&method.sealed[..]).bind(&method.fingerprint[..]);
        let update = update.bind(i64::from(card.first_six)).bind(i64::from(card.last_four)).bind(i64::from(card.digits));
        let update = update.bind(i64::from(card.expiry));
        let update = account.into_iter().fold(update, |update, text| update.bind(text)).bind(method.updated_at.0);
        let update = update.bind(i64::from(fingerprint.is_some())).bind(&fingerprint.unwrap_or(&[0; 16])[..]);
        let changed = transaction.execute(update).await.map_err(PersistenceError::sql(OPERATION))?.rows_affected() == 1;
        transaction.commit().await.map(|()| changed).map_err(PersistenceError::sql(OPERATION))
    }

    /// Removes a payment method of a customer, as its default one too; what was sealed is scrubbed. False when it is not there.
    pub async fn delete_method(&self, merchant: &Xid, customer: &Xid, id: &Xid, now: Micros) -> Result<bool, PersistenceError> {
        const OPERATION: &str = "remove a payment method";
        let Some(mut transaction) = self.begin_on_customer(merchant, customer, now).await? else { return Ok(false) };
        let owned = sqlx::query("SELECT id FROM payment_methods WHERE id = $1 AND customer = $2");
        let owned = transaction.fetch_optional(owned.bind(&id.0[..]).bind(&customer.0[..])).await;
        if owned.map_err(PersistenceError::sql(OPERATION))?.is_none() {
            return Ok(false);
        }
        delete_methods(&mut transaction, "id", id).await?;
        let clear = sqlx::query("UPDATE customers SET payment_method = NULL WHERE id = $1 AND payment_method = $2");
        let clear = clear.bind(&customer.0[..]).bind(&id.0[..]);
        transaction.execute(clear).await.map_err(PersistenceError::sql(OPERATION))?;
        transaction.commit().await.map(|()| true).map_err(PersistenceError::sql(OPERATION))
    }

    /// All payment methods of a customer, of every kind, oldest first.
    pub async fn methods(&self, customer: &Xid) -> Result<Vec<PaymentMethod>, PersistenceError> {
        let select = format!("SELECT {COLUMNS} FROM payment_methods WHERE customer = $1 ORDER BY id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&customer.0[..]).fetch_all(&self.database.pool).await;
        rows.map_err(PersistenceError::sql("list payment methods"))?.iter().map(PaymentMethod::read).collect()
    }

    /// A merchant's payment methods of one card or account, whichever customers have them.
    pub async fn methods_with(&self, merchant: &Xid, fingerprint: &[u8; 16]) -> Result<Vec<PaymentMethod>, PersistenceError> {
        let select = format!(
            "SELECT {} FROM payment_methods methods JOIN customers ON customers.id = methods.customer \
             WHERE methods.fingerprint = $1 AND customers.merchant = $2 ORDER BY methods.id",
            columns_of("methods")
        );
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(&fingerprint[..]).bind(&merchant.0[..]);
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("look up who has an account"))?;
        rows.iter().map(PaymentMethod::read).collect()
    }

    pub(super) async fn methods_by_id(
        connection: &mut AnyConnection,
        ids: impl Iterator<Item = &Xid>,
    ) -> Result<Vec<PaymentMethod>, PersistenceError> {
        let ids: Vec<&Xid> = ids.filter(|id| !id.is_none()).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let select = format!("SELECT {COLUMNS} FROM payment_methods WHERE id IN ({})", placeholders(ids.len()));
        let select = ids.into_iter().fold(sqlx::query(sqlx::AssertSqlSafe(select)), |select, id| select.bind(&id.0[..]));
        let rows = select.fetch_all(connection).await.map_err(PersistenceError::sql("look payment methods up"))?;
        rows.iter().map(PaymentMethod::read).collect()
    }

    /// Payment methods that are sealed under another key than this, with the merchant they are sealed for, at most `limit`.
    pub async fn methods_not_under(&self, key: u32, limit: u32) -> Result<Vec<(Xid, PaymentMethod)>, PersistenceError> {
        let select = format!(
            "SELECT customers.merchant AS merchant, {} FROM payment_methods methods JOIN customers ON customers.id = methods.customer \
             WHERE methods.key_id <> $1 ORDER BY methods.key_id, methods.id LIMIT $2",
            columns_of("methods")
        );
        let select = sqlx::query(sqlx::AssertSqlSafe(select)).bind(i64::from(key)).bind(i64::from(limit));
        let rows = select.fetch_all(&self.database.pool).await.map_err(PersistenceError::sql("look old seals up"))?;
        rows.iter().map(|row| Ok((Fields::of(row, "customers").id("merchant")?, PaymentMethod::read(row)?))).collect()
    }

    /// Puts a new seal in place of the one that was read. False when the method has changed since, or is gone.
    pub async fn reseal_method(&self, method: &PaymentMethod, sealed: &[u8]) -> Result<bool, PersistenceError> {
        let update = "UPDATE payment_methods SET key_id = $3, sealed = $4 WHERE id = $1 AND sealed = $2";
        let update = sqlx::query(update).bind(&method.id.0[..]).bind(&method.sealed[..]).bind(key_id(sealed)).bind(sealed);
        let resealed = update.execute(&self.database.pool).await.map_err(PersistenceError::sql("seal a payment method anew"))?;
        Ok(resealed.rows_affected() == 1)
    }
}

pub(super) async fn insert_method(connection: &mut AnyConnection, method: &PaymentMethod) -> Result<(), PersistenceError> {
    let insert = format!("INSERT INTO payment_methods ({COLUMNS}) VALUES ({})", placeholders(16));
    let (card, account) = method.columns();
    let insert = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(&method.id.0[..]).bind(&method.customer.0[..]).bind(method.kind());
    let insert = insert.bind(key_id(&method.sealed)).bind(&method.sealed[..]).bind(&method.fingerprint[..]);
    let insert = insert.bind(i64::from(card.first_six)).bind(i64::from(card.last_four)).bind(i64::from(card.digits));
    let insert = insert.bind(i64::from(card.expiry));
    let insert = account.into_iter().fold(insert, |insert, text| insert.bind(text));
    let insert = insert.bind(method.created_at.0).bind(method.updated_at.0);
    connection.execute(insert).await.map(drop).map_err(PersistenceError::sql("add a payment method"))
}

/// Overwrites what is sealed before the rows go: a database may leave a removed row's bytes where they were.
pub(super) async fn delete_methods(connection: &mut AnyConnection, column: &str, id: &Xid) -> Result<(), PersistenceError> {
    let scrub = "UPDATE payment_methods SET sealed = $2, fingerprint = $2, masked_account = '', routing_number = ''";
    let scrub = format!("{scrub} WHERE {column} = $1");
    let scrub = sqlx::query(sqlx::AssertSqlSafe(scrub)).bind(&id.0[..]).bind(&[0_u8; 64][..]);
    connection.execute(scrub).await.map_err(PersistenceError::sql("scrub payment methods"))?;
    let delete = sqlx::AssertSqlSafe(format!("DELETE FROM payment_methods WHERE {column} = $1"));
    let deleted = connection.execute(sqlx::query(delete).bind(&id.0[..])).await;
    deleted.map(drop).map_err(PersistenceError::sql("remove payment methods"))
}
