//! Bank accounts of payers, and their sealing under the keys of all runs.

use crate::simulator::cards::sealer;
use protocol::id::Xid;
use protocol::secret::AccountNumber;

/// Routing number and account. The sandbox goes by amounts where it knows no routing number.
const ACCOUNTS: [(&str, &str); 3] =
    [("490000018", "2441381500417"), ("011000015", "7700123456789"), ("021000021", "9988776655443")];

/// Accounts that a payer may have.
pub const COUNT: usize = ACCOUNTS.len();

/// Their numbers.
pub fn numbers() -> Vec<String> {
    ACCOUNTS.iter().map(|(_, number)| (*number).to_owned()).collect()
}

/// An account as a front has it after sealing.
#[derive(Debug, Clone)]
pub struct SealedAccount {
    /// Keyed hash of routing number and account.
    pub fingerprint: [u8; 16],
    /// Both, sealed.
    pub sealed: Vec<u8>,
}

/// Seals one of the accounts for a merchant.
pub fn seal(which: usize, merchant: Xid) -> SealedAccount {
    let (routing, number) = ACCOUNTS[which];
    let number = AccountNumber::new(number).expect("an account number has digits only");
    let fingerprint = sealer().account_fingerprint(routing, &number);
    let mut sealed = Vec::new();
    sealer().seal_account(routing, &number, &merchant, &fingerprint, &mut sealed).expect("the machine has random bytes");
    SealedAccount { fingerprint, sealed }
}
