//! The sealed card's bytes, and the secrets that come out of it.
//!
//! ```text
//! key id u32 LE | nonce 12 | ciphertext | tag 16
//! plaintext: PAN length u8 | PAN digits | track 2 length u8, 0 when none | track 2
//! associated data: merchant id 12 | fingerprint 16
//! ```

use core::fmt;

use protocol::id::Xid;
use protocol::secret::{PAN_MAX_DIGITS, PAN_MIN_DIGITS, Pan};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::SealedCardFault;

/// Bytes of the key id.
pub(super) const KEY_ID_BYTES: usize = 4;
/// Bytes of the nonce, RFC 8452.
pub(super) const NONCE_BYTES: usize = 12;
/// Bytes of the authentication tag, RFC 8452.
pub(super) const TAG_BYTES: usize = 16;
/// Where the ciphertext begins.
pub(super) const HEADER_BYTES: usize = KEY_ID_BYTES + NONCE_BYTES;
/// Longest track 2, ISO 8583 DE35.
pub const TRACK2_MAX_BYTES: usize = 37;
/// Longest plaintext: both fields with their lengths.
pub(super) const PLAINTEXT_MAX_BYTES: usize = 1 + PAN_MAX_DIGITS + 1 + TRACK2_MAX_BYTES;
/// Shortest plaintext: the shortest card number and no track.
const PLAINTEXT_MIN_BYTES: usize = 1 + PAN_MIN_DIGITS + 1;
/// Longest sealed card.
pub const SEALED_CARD_MAX_BYTES: usize = HEADER_BYTES + PLAINTEXT_MAX_BYTES + TAG_BYTES;

/// Track 2 of a swiped card as ISO 8583 DE35 takes it: digits and one separator, no sentinels. `Debug` shows nothing of it.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct Track2 {
    characters: [u8; TRACK2_MAX_BYTES],
    length: u8,
}

impl Track2 {
    /// Takes 1 to 37 characters: digits, and `=` or `D` as the separator; anything else is `None`.
    pub fn new(text: &str) -> Option<Track2> {
        let bytes = text.as_bytes();
        let acceptable = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'=' | b'D');
        if bytes.is_empty() || bytes.len() > TRACK2_MAX_BYTES || !bytes.iter().all(acceptable) {
            return None;
        }
        let mut characters = [0; TRACK2_MAX_BYTES];
        characters[..bytes.len()].copy_from_slice(bytes);
        Some(Track2 { characters, length: bytes.len() as u8 })
    }

    /// The characters, for sealing and for the link that writes them to the processor; nowhere else.
    pub fn expose(&self) -> &str {
        core::str::from_utf8(&self.characters[..self.length as usize]).unwrap_or("")
    }
}

impl fmt::Debug for Track2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a sealed card held. Its parts forget themselves when dropped and mask themselves in `Debug`.
#[derive(Debug, Clone)]
pub struct OpenedCard {
    /// The card number.
    pub pan: Pan,
    /// Track 2, when the card was swiped.
    pub track2: Option<Track2>,
}

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

/// Bytes of the plaintext of these two.
pub(super) fn plaintext_bytes(pan: &Pan, track2: Option<&Track2>) -> usize {
    1 + pan.expose().len() + 1 + track2.map_or(0, |track| track.expose().len())
}

/// Appends the plaintext. The caller has reserved room for it, so that no outgrown copy stays behind in freed memory.
pub(super) fn push_plaintext(out: &mut Vec<u8>, pan: &Pan, track2: Option<&Track2>) {
    for field in [pan.expose(), track2.map_or("", Track2::expose)] {
        out.push(field.len() as u8);
        out.extend_from_slice(field.as_bytes());
    }
}

/// Reads a plaintext that has proved authentic.
pub(super) fn read_plaintext(bytes: &[u8]) -> Result<OpenedCard, SealedCardFault> {
    let (pan, rest) = split_field(bytes).ok_or(SealedCardFault::Layout)?;
    let (track2, rest) = split_field(rest).ok_or(SealedCardFault::Layout)?;
    if !rest.is_empty() {
        return Err(SealedCardFault::Layout);
    }
    let pan = Pan::new(pan).ok_or(SealedCardFault::Layout)?;
    if track2.is_empty() {
        return Ok(OpenedCard { pan, track2: None });
    }
    let track2 = Track2::new(track2).ok_or(SealedCardFault::Layout)?;
    Ok(OpenedCard { pan, track2: Some(track2) })
}

fn split_field(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    let (field, rest) = rest.split_at_checked(length as usize)?;
    Some((core::str::from_utf8(field).ok()?, rest))
}
