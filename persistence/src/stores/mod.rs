//! The slow side's own tables: what is configured and not decided, and has no other home than SQL.
//!
//! Lives here: merchants, users, API keys, processors, the vault, and small facts of the installation. Must not live here: anything that the
//! journal carries. Writes are few and survive a power cut; fronts keep what they read often in caches of their own.

mod api_keys;
pub mod balances;
mod card_tokens;
mod customer_search;
mod customers;
pub mod events;
mod invoices;
mod links;
mod log_ins;
mod merchants;
mod payables;
mod payment_methods;
mod payouts;
mod processors;
mod recurring;
mod terminals;
mod users;
mod vault_wishes;
pub mod webhooks;

#[cfg(test)]
mod tests;

pub use api_keys::{ApiKey, KeyKind};
pub use balances::{Cause, Kind, Leg, Posting, Purpose};
pub use card_tokens::CardToken;
pub use customer_search::{CustomerSearch, IdIs};
pub use customers::{Address, Customer, Filed};
pub use invoices::{AmountIs, InvoiceSearch, StoredInvoice};
pub use links::{LinkRefund, LinkSearch, RefundState};
pub use log_ins::Attempts;
pub use merchants::Merchant;
pub use payables::{Aftermath, Attempt as PayableAttempt, Face, Payable, PayableNews, PayableState};
pub use payment_methods::{PaymentMethod, ShownAccount, ShownCard, ShownMethod};
pub use payouts::{FeeInvoice, NewPayout, Payout, PayoutSearch};
pub use processors::Processor;
pub use recurring::{AdjustmentKind, Bill, BillingTerms, KeptAdjustment, Plan, Standing, Subscription};
pub use terminals::Terminal;
pub use users::{Role, User};
pub use vault_wishes::VaultWish;

use crate::error::PersistenceError;
use crate::sql::{Database, Fields};

/// Reads and writes of the stores. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Stores {
    database: Database,
    /// Where keys and their users are looked up first, while the SQL home may be away.
    standby: Option<Database>,
}

impl Stores {
    pub(crate) fn new(database: Database) -> Stores {
        Stores { database, standby: None }
    }

    /// The same, but keys and their users are looked up in a copy first: payments are taken while the SQL home is away. All else, and
    /// what the copy does not have, is the SQL home's, so that nothing is written where it would be lost.
    pub fn with_standby(self, copy: &Stores) -> Stores {
        Stores { standby: Some(copy.database.clone()), ..self }
    }

    /// A transaction that will write, on a connection of its own.
    async fn begin_write(&self, operation: &'static str) -> Result<sqlx::Transaction<'static, sqlx::Any>, PersistenceError> {
        let begun = self.database.pool.begin_with(self.database.dialect.begin_write()).await;
        begun.map_err(PersistenceError::sql(operation))
    }

    /// Where keys and users are looked up, in order.
    fn key_homes(&self) -> impl Iterator<Item = &Database> {
        self.standby.iter().chain([&self.database])
    }

    /// Writes all merchants, users, keys and processors into other stores, which have none yet.
    pub async fn copy_into(&self, empty: &Stores) -> Result<(), PersistenceError> {
        for processor in self.processors().await? {
            empty.put_processor(&processor).await?;
        }
        for merchant in self.merchants().await? {
            empty.put_merchant(&merchant).await?;
            for user in self.users(&merchant.id).await? {
                empty.add_user(&user).await?;
            }
        }
        for key in self.all_api_keys().await? {
            empty.put_api_key(&key).await?;
        }
        for terminal in self.all_terminals().await? {
            empty.put_terminal(&terminal).await?;
        }
        Ok(())
    }

    /// Keeps a small fact of the installation under a name, in place of what was there.
    pub async fn put_meta(&self, key: &str, value: &str) -> Result<(), PersistenceError> {
        let upsert = "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        let put = sqlx::query(upsert).bind(key).bind(value).execute(&self.database.pool).await;
        put.map(drop).map_err(PersistenceError::sql("keep a fact of the installation"))
    }

    /// The fact under a name.
    pub async fn meta(&self, key: &str) -> Result<Option<String>, PersistenceError> {
        let select = sqlx::query("SELECT value FROM meta WHERE key = $1").bind(key);
        let row = select.fetch_optional(&self.database.pool).await;
        let row = row.map_err(PersistenceError::sql("read a fact of the installation"))?;
        row.map(|row| Fields::of(&row, "meta").text("value")).transpose()
    }
}
