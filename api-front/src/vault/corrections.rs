//! Notifications of change: what a bank says an account's data should be, put in place of what customers have.

use super::belongings::{AccountWords, NewMethod};
use super::{Vault, VaultError};
use crate::intake::Account;
use persistence::sealing::Sealer;
use persistence::stores::{PaymentMethod, ShownMethod, Stores};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::nacha::Correction;

impl Vault {
    /// Corrects an account wherever the merchant's customers have it, and gives how many it were. A second time finds none: by then
    /// they are another account's.
    pub async fn correct(
        (stores, sealer): (&Stores, &Sealer),
        merchant: &Xid,
        fingerprint: &[u8; 16],
        correction: &Correction,
        now: Micros,
    ) -> Result<u64, VaultError> {
        let mut corrected = 0;
        for method in stores.methods_with(merchant, fingerprint).await? {
            let Some(new) = correct_one(sealer, merchant, &method, correction)? else { continue };
            let sealed = new.sealed(sealer, merchant, method.id, method.customer, now)?;
            let sealed = PaymentMethod { created_at: method.created_at, ..sealed };
            // Its merchant may have changed it meanwhile: then that is what holds.
            corrected += u64::from(stores.correct_method(merchant, &sealed, fingerprint).await?);
        }
        Ok(corrected)
    }
}

/// The account as it should be; `None` for a card.
fn correct_one(
    sealer: &Sealer,
    merchant: &Xid,
    method: &PaymentMethod,
    correction: &Correction,
) -> Result<Option<NewMethod>, VaultError> {
    let ShownMethod::Account(shown) = &method.shown else { return Ok(None) };
    let (routing, number) = sealer.open_account(&method.sealed, merchant, &method.fingerprint)?;
    let routing = correction.routing.clone().unwrap_or(routing);
    let number = correction.account.clone().unwrap_or(number);
    let account_type = match correction.is_savings {
        None => shown.account_type.clone(),
        Some(is_savings) => if is_savings { "savings" } else { "checking" }.to_owned(),
    };
    let words = AccountWords { masked_account: number.masked(), account_type, sec_code: shown.sec_code.clone() };
    Ok(Some(NewMethod::Account { account: Account { routing, number, licence: None }, words }))
}
