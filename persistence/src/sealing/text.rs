//! Short secret texts beside the card: bank accounts, driving licences, corrected account data, what opens a host.
//!
//! ```text
//! key id u32 LE | nonce 12 | ciphertext | tag 16
//! plaintext: the text
//! associated data: merchant id 12 | fingerprint 16 | kind u8
//! ```
//! The kind keeps one secret from being opened as another. A sealed card's associated data has no such byte, so neither opens as
//! the other.

use super::card::{HEADER_BYTES, KEY_ID_BYTES, NONCE_BYTES, Parts, TAG_BYTES};
use crate::error::SealedCardFault;
use protocol::id::Xid;

/// Longest text, bytes.
pub const SECRET_TEXT_MAX_BYTES: usize = 128;
/// Longest sealed text.
pub const SEALED_TEXT_MAX_BYTES: usize = HEADER_BYTES + SECRET_TEXT_MAX_BYTES + TAG_BYTES;

/// What a sealed text is. Numbers are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum SecretKind {
    /// Nine digits of the bank, then the account number.
    Account = 1,
    /// The number of the account holder's driving licence.
    Licence = 2,
    /// What a notification of change says the account's data should be.
    Correction = 3,
    /// What proves merchants to a processor's host.
    HostPassword = 4,
    /// The key, in hexadecimal digits, of the codes that authenticate a processor's messages.
    HostMacKey = 5,
    /// What proves a terminal to its processor.
    TerminalKey = 6,
}

/// Cuts bytes from outside; the lengths are checked here, authenticity is the cipher's.
pub(super) fn cut(bytes: &[u8]) -> Result<Parts<'_>, SealedCardFault> {
    let fault = SealedCardFault::Length { bytes: bytes.len() };
    if !(HEADER_BYTES + 1 + TAG_BYTES..=SEALED_TEXT_MAX_BYTES).contains(&bytes.len()) {
        return Err(fault);
    }
    let (key_id, rest) = bytes.split_first_chunk::<KEY_ID_BYTES>().ok_or(fault)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(fault)?;
    Ok(Parts { key_id: u32::from_le_bytes(*key_id), nonce: *nonce, sealed })
}

/// What the seal is bound to.
pub(super) fn associated_data(kind: SecretKind, merchant: &Xid, fingerprint: &[u8; 16]) -> [u8; 29] {
    let mut bytes = [0; 29];
    bytes[..28].copy_from_slice(&super::card::associated_data(merchant, fingerprint));
    bytes[28] = kind as u8;
    bytes
}
