//! Card numbers, and the switch's real sealing under keys that are the same in every run: fingerprints and hashes must not
//! tell two runs of one seed apart. Nonces do differ, so the story never tells a sealed card.

use persistence::sealing::{SEALED_CARD_MAX_BYTES, Sealer};
use protocol::id::Xid;
use protocol::secret::Pan;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Public test numbers. The sandbox approves the first four and does with the others what its table of triggers says.
const PANS: [&str; 6] =
    ["4012000098765439", "5499740000000057", "371449635392376", "6011000993026909", "4000000000000002", "4000000000000051"];

/// Cards that a payer may have.
pub const CARDS: usize = PANS.len();

/// Their numbers.
pub fn numbers() -> Vec<String> {
    PANS.iter().map(|pan| (*pan).to_owned()).collect()
}

/// A card as a front has it after sealing.
#[derive(Debug, Clone)]
pub struct SealedCard {
    /// First six digits.
    pub first_six: u32,
    /// Last four digits.
    pub last_four: u16,
    /// Digits.
    pub digits: u8,
    /// Keyed hash of the number.
    pub fingerprint: [u8; 16],
    /// The sealed number.
    pub sealed: Vec<u8>,
}

/// Seals one of the cards for a merchant.
pub fn seal(which: usize, merchant: Xid) -> SealedCard {
    let pan = Pan::new(PANS[which]).expect("a test number has digits only");
    let fingerprint = sealer().fingerprint(&pan);
    let mut sealed = Vec::with_capacity(SEALED_CARD_MAX_BYTES);
    sealer().seal(&pan, &merchant, &fingerprint, &mut sealed).expect("the machine has random bytes");
    let (first_six, last_four, digits) = (pan.first_six(), pan.last_four(), pan.digit_count());
    SealedCard { first_six, last_four, digits, fingerprint, sealed }
}

/// The sealer of all runs.
pub fn sealer() -> Arc<Sealer> {
    static SEALER: OnceLock<Arc<Sealer>> = OnceLock::new();
    Arc::clone(SEALER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, filling) in [("seal-1.key", 1), ("fingerprint.key", 2), ("idempotency.key", 3)] {
            write_key(&folder.path().join(name), filling);
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("a mode can be set");
        Arc::new(Sealer::open(folder.path()).expect("a sound key folder"))
    }))
}

/// A key file: 32 bytes of key, 8 bytes of its hash.
fn write_key(path: &Path, filling: u8) {
    let key = [filling; 32];
    let check = blake3::hash(&key);
    fs::write(path, [&key[..], &check.as_bytes()[..8]].concat()).expect("a key file can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode can be set");
}
