//! The sealed card's bytes, and the secrets that come out of it.
//!
//! ```text
//! key id u32 LE | nonce 12 | ciphertext | tag 16
//! plaintext: PAN length u8 | PAN digits
//! associated data: merchant id 12 | fingerprint 16
//! ```

use protocol::id::Xid;
use protocol::secret::{PAN_MAX_DIGITS, PAN_MIN_DIGITS, Pan};

use crate::error::SealedCardFault;

/// Bytes of the key id.
pub(super) const KEY_ID_BYTES: usize = 4;
/// Bytes of the nonce, RFC 8452.
pub(super) const NONCE_BYTES: usize = 12;
/// Bytes of the authentication tag, RFC 8452.
pub(super) const TAG_BYTES: usize = 16;
/// Where the ciphertext begins.
pub(super) const HEADER_BYTES: usize = KEY_ID_BYTES + NONCE_BYTES;
/// Longest plaintext.
pub(super) const PLAINTEXT_MAX_BYTES: usize = 1 + PAN_MAX_DIGITS;
/// Shortest plaintext.
const PLAINTEXT_MIN_BYTES: usize = 1 + PAN_MIN_DIGITS;
/// Longest sealed card.
pub const SEALED_CARD_MAX_BYTES: usize = HEADER_BYTES + PLAINTEXT_MAX_BYTES + TAG_BYTES;

/// A sealed card, cut into its parts.
pub(super) struct Parts<'a> {
    pub key_id: u32,
    pub nonce: [u8; NONCE_BYTES],
    /// Ciphertext and tag.
    pub sealed: &'a [u8],
}

/// Cuts bytes from outside; the lengths are checked here, authenticity is the cipher's.
pub(super) fn cut(bytes: &[u8]) -> Result<Parts<'_>, SealedCardFault> {
    let fault = SealedCardFault::Length { bytes: bytes.len() };
    let shortest = HEADER_BYTES + PLAINTEXT_MIN_BYTES + TAG_BYTES;
    if !(shortest..=SEALED_CARD_MAX_BYTES).contains(&bytes.len()) {
        return Err(fault);
    }
    let (key_id, rest) = bytes.split_first_chunk::<KEY_ID_BYTES>().ok_or(fault)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(fault)?;
    Ok(Parts { key_id: u32::from_le_bytes(*key_id), nonce: *nonce, sealed })
}

/// What the seal is bound to: a card copied to another merchant's or another card's transaction does not open.
pub(super) fn associated_data(merchant: &Xid, fingerprint: &[u8; 16]) -> [u8; 28] {
    let mut bytes = [0; 28];
    bytes[..12].copy_from_slice(&merchant.0);
    bytes[12..].copy_from_slice(fingerprint);
    bytes
}

/// Bytes of a card's plaintext.
pub(super) fn plaintext_bytes(pan: &Pan) -> usize {
    1 + usize::from(pan.digit_count())
}

/// Appends the plaintext. The caller has reserved room for it, so that no outgrown copy stays behind in freed memory.
pub(super) fn push_plaintext(out: &mut Vec<u8>, pan: &Pan) {
    out.push(pan.digit_count());
    out.extend_from_slice(pan.expose_bytes());
}

/// Reads a plaintext that has proved authentic.
pub(super) fn read_plaintext(bytes: &[u8]) -> Result<Pan, SealedCardFault> {
    let (&length, digits) = bytes.split_first().ok_or(SealedCardFault::Layout)?;
    let whole = (digits.len() == length as usize).then_some(digits).ok_or(SealedCardFault::Layout)?;
    let digits = core::str::from_utf8(whole).map_err(|_| SealedCardFault::Layout)?;
    Pan::new(digits).ok_or(SealedCardFault::Layout)
}
