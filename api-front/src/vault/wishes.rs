//! Customers that payments leave behind are wishes until they are kept: a crash between a payment's approval and its customer would
//! else lose the customer. A wish is a row before its payment is handed over; whatever remains is granted or dropped later.

use super::limits::{WISH_PATIENCE_US, WISHES_AT_A_TIME, WISHES_EVERY};
use super::{Vault, VaultError};
use persistence::stores::VaultWish;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::{Tail, tag};
use protocol::words::Status;

impl Vault {
    /// Notes that a payment is to leave a customer behind, if `tail` says so: true when there is something to forget later. Where the
    /// store is away the payment goes on without, and a crash may lose its customer until its key comes again.
    pub async fn note_wish(&self, transaction: Xid, merchant: Xid, tail: &[u8]) -> bool {
        if !Tail::trusted(tail).flag(tag::CREATE_VAULT_RECORD) {
            return false;
        }
        let wish = VaultWish { transaction, merchant, made_at: self.now() };
        let noted = Box::pin(self.0.switch.stores().put_vault_wish(&wish)).await;
        noted.inspect_err(|error| tracing::warn!(%error, %transaction, "a customer to be kept was not noted")).is_ok()
    }

    /// Forgets a wish that was granted, or that came to nothing.
    pub async fn forget_wish(&self, transaction: &Xid) {
        if let Err(error) = self.0.switch.stores().delete_vault_wish(transaction).await {
            tracing::warn!(%error, %transaction, "a customer to be kept is looked at again later");
        }
    }

    /// Grants what a crash or an absent store has left, as long as the switch runs: first what is of the runs before this call.
    pub fn granting(self) -> impl Future<Output = ()> + Send {
        let mut before = self.now();
        async move {
            loop {
                if let Err(error) = self.grant_older_than(before).await {
                    tracing::warn!(%error, "customers of approved payments wait");
                }
                tokio::time::sleep(WISHES_EVERY).await;
                before = before.max(Micros(self.now().0 - WISH_PATIENCE_US));
            }
        }
    }

    async fn grant_older_than(&self, before: Micros) -> Result<(), VaultError> {
        loop {
            let wishes = self.0.switch.stores().vault_wishes(before, WISHES_AT_A_TIME).await?;
            let mut settled = 0;
            for wish in &wishes {
                settled += usize::from(self.grant(wish).await?);
            }
            if settled == 0 {
                return Ok(());
            }
        }
    }

    /// True when the wish is none any more. A payment that is not known was never taken.
    async fn grant(&self, wish: &VaultWish) -> Result<bool, VaultError> {
        let newest = self.0.switch.transaction(wish.merchant, wish.transaction).await;
        let Ok(newest) = newest else { return Ok(false) };
        if let Some(version) = &newest {
            if version.transaction().status() == Status::Pending {
                return Ok(false);
            }
            self.keep_customer_of(version.transaction(), version.tail()).await?;
        }
        self.0.switch.stores().delete_vault_wish(&wish.transaction).await?;
        Ok(true)
    }
}
