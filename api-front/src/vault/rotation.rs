//! Sealing anew: after a new seal key, nothing in the vault stays under an old one.

use super::limits::RESEALED_AT_A_TIME;
use super::{Vault, VaultError};
use persistence::stores::{PaymentMethod, ShownMethod};
use protocol::id::Xid;

impl Vault {
    /// Seals every payment method anew that is not under this key, the newest. Gives how many it were. It may be broken off and begun
    /// again; one that somebody changes meanwhile is under the newest key by that.
    pub async fn reseal(&self, key: u32) -> Result<u64, VaultError> {
        let mut resealed = 0;
        loop {
            let methods = self.0.switch.stores().methods_not_under(key, RESEALED_AT_A_TIME).await?;
            if methods.is_empty() {
                return Ok(resealed);
            }
            for (merchant, method) in &methods {
                let sealed = self.sealed_anew(merchant, method)?;
                resealed += u64::from(self.0.switch.stores().reseal_method(method, &sealed).await?);
            }
        }
    }

    fn sealed_anew(&self, merchant: &Xid, method: &PaymentMethod) -> Result<Vec<u8>, VaultError> {
        let (sealer, fingerprint) = (self.0.switch.sealer(), &method.fingerprint);
        let mut sealed = Vec::with_capacity(method.sealed.len());
        match method.shown {
            ShownMethod::Card(_) => {
                let pan = sealer.open_card(&method.sealed, merchant, fingerprint)?;
                sealer.seal(&pan, merchant, fingerprint, &mut sealed)?;
            }
            ShownMethod::Account(_) => {
                let (routing, account) = sealer.open_account(&method.sealed, merchant, fingerprint)?;
                sealer.seal_account(&routing, &account, merchant, fingerprint, &mut sealed)?;
            }
        }
        Ok(sealed)
    }
}
