//! Message authentication codes: HMAC-SHA-256 (RFC 2104, FIPS 180-4), of which the first eight bytes are DE64; DE128 in a message
//! with a secondary bitmap. Over everything from the message type to the code itself.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Message;

/// Bytes of a code.
pub const MAC_BYTES: usize = 8;
/// Bytes of a key, at least and at most: below, it is weaker than the code; above, it would be hashed first.
pub const MAC_KEY_BYTES: core::ops::RangeInclusive<usize> = 16..=64;

/// A key that two ends of a link share. It shows nothing of itself.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// A key of [`MAC_KEY_BYTES`].
    pub fn new(bytes: &[u8]) -> Option<MacKey> {
        let fits = MAC_KEY_BYTES.contains(&bytes.len());
        Hmac::new_from_slice(bytes).ok().filter(|_| fits).map(MacKey)
    }

    /// A key in hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<MacKey> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
        let pairs = text.as_bytes().chunks(2);
        let bytes = pairs.map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        });
        MacKey::new(&bytes.collect::<Option<Vec<u8>>>().map(Zeroizing::new)?)
    }

    /// Puts the code of a message into its last bytes.
    pub(super) fn seal(&self, message: &mut [u8]) {
        let Some((covered, place)) = message.split_last_chunk_mut::<MAC_BYTES>() else { return };
        let code = self.0.clone().chain_update(covered).finalize().into_bytes();
        place.iter_mut().zip(code).for_each(|(to, from)| *to = from);
    }

    /// True when a message carries the code that it must. Takes as long whatever is wrong with a code.
    pub fn vouches_for(&self, message: &Message<'_>) -> bool {
        let number = if message.has_secondary() { 128 } else { 64 };
        let Some(code) = message.bytes(number) else { return false };
        let covered = message.frame().len().checked_sub(MAC_BYTES).and_then(|end| message.frame().get(..end));
        covered.is_some_and(|covered| self.0.clone().chain_update(covered).verify_truncated_left(code).is_ok())
    }
}

impl PartialEq for MacKey {
    /// By what they make of nothing: equal keys, and no others in practice, make the same.
    fn eq(&self, other: &MacKey) -> bool {
        self.0.clone().finalize() == other.0.clone().finalize()
    }
}

impl Eq for MacKey {}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(***)")
    }
}
