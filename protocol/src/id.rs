//! Identifiers: xids, twelve bytes in memory and twenty characters of base32hex outside.

use core::fmt;
use core::str::FromStr;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Characters of an xid as text.
pub const XID_TEXT_LEN: usize = 20;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// An xid: 4 bytes of seconds since 1970 (big-endian), 5 bytes that name the process, 3 bytes of counter (big-endian).
///
/// The front draws xids in steps of [`Xid::STRIDE`], so that the objects that are born with a transaction (its card
/// response, the settlement batch it opens) have ids of their own without another draw: see [`Xid::sibling`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct Xid(pub [u8; 12]);

/// Why a text is not an xid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnXid;

impl fmt::Display for NotAnXid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 20 characters of 0-9 and a-v")
    }
}

impl core::error::Error for NotAnXid {}

impl Xid {
    /// The absent id: all zero bytes, empty as text.
    pub const NONE: Xid = Xid([0; 12]);
    /// Ids that one draw of the front reserves: the transaction's own and its siblings'.
    pub const STRIDE: u32 = 8;
    /// Sibling of the card response object of a transaction.
    pub const CARD_RESPONSE: u32 = 1;
    /// Sibling of the settlement batch that a transaction opens. Those that it opens at other processors, when the first could not be
    /// reached, follow: one for each attempt.
    pub const BATCH: u32 = 2;

    /// Puts an id together. `counter` is taken modulo 2^24.
    pub fn from_parts(seconds: u32, process: [u8; 5], counter: u32) -> Xid {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&seconds.to_be_bytes());
        bytes[4..9].copy_from_slice(&process);
        bytes[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
        Xid(bytes)
    }

    /// True for [`Xid::NONE`].
    pub fn is_none(&self) -> bool {
        self.0 == [0; 12]
    }

    /// Seconds since 1970 at which the id was drawn.
    pub fn seconds(&self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }

    /// The 24-bit counter, unique within a second of one process.
    pub fn counter(&self) -> u32 {
        u32::from_be_bytes([0, self.0[9], self.0[10], self.0[11]])
    }

    /// The id `offset` after this one, for an object that is born with it.
    pub fn sibling(&self, offset: u32) -> Xid {
        let mut id = *self;
        let counter = self.counter().wrapping_add(offset) & 0x00ff_ffff;
        id.0[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
        id
    }

    /// A well-mixed 64-bit hash of the id: the same on every machine, so that shards and tables are, too.
    pub fn hash64(&self) -> u64 {
        let high = u64::from_le_bytes([self.0[0], self.0[1], self.0[2], self.0[3], self.0[4], self.0[5], self.0[6], self.0[7]]);
        let low = u64::from(u32::from_le_bytes([self.0[8], self.0[9], self.0[10], self.0[11]]));
        mix(high ^ low.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The twenty characters of base32hex: twelve out of the first 60 bits, eight out of the other 36 and four zeros.
    pub fn to_text(self) -> [u8; XID_TEXT_LEN] {
        let [a, b, c, d, e, f, g, h, last @ ..] = self.0;
        let high = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let low = (high & 0xf) << 36 | u64::from(u32::from_be_bytes(last)) << 4;
        core::array::from_fn(|place| {
            let five = if place < 12 { high >> (59 - 5 * place) } else { low >> (95 - 5 * place) };
            ALPHABET[(five & 0x1f) as usize]
        })
    }
}

/// A 64-bit finalizer (splitmix64's): every input bit reaches every output bit.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl FromStr for Xid {
    type Err = NotAnXid;

    fn from_str(text: &str) -> Result<Xid, NotAnXid> {
        let text: &[u8; XID_TEXT_LEN] = text.as_bytes().try_into().map_err(|_| NotAnXid)?;
        let mut bits: u128 = 0;
        for &character in text {
            let value = match character {
                b'0'..=b'9' => character - b'0',
                b'a'..=b'v' => character - b'a' + 10,
                _ => return Err(NotAnXid),
            };
            bits = bits << 5 | u128::from(value);
        }
        // 20 characters carry 100 bits; the id has 96, so the last four must be zero or two texts would name one id.
        if bits & 0xf != 0 {
            return Err(NotAnXid);
        }
        let bytes = (bits >> 4).to_be_bytes();
        let mut id = Xid::NONE;
        id.0.copy_from_slice(&bytes[4..]);
        Ok(id)
    }
}

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return Ok(());
        }
        let text = self.to_text();
        f.write_str(core::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Xid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the xid specification: 9m4e2mr0ui3e8a215n4g.
    #[test]
    fn the_specifications_example_reads_and_writes() {
        let bytes = [0x4d, 0x88, 0xe1, 0x5b, 0x60, 0xf4, 0x86, 0xe4, 0x28, 0x41, 0x2d, 0xc9];
        assert_eq!(Xid(bytes).to_string(), "9m4e2mr0ui3e8a215n4g");
        assert_eq!("9m4e2mr0ui3e8a215n4g".parse(), Ok(Xid(bytes)));
        assert_eq!(Xid(bytes).seconds(), 1_300_816_219);
        assert_eq!(Xid(bytes).counter(), 4_271_561);
    }

    #[test]
    fn a_text_that_names_no_id_is_refused() {
        for text in [
            "",
            "9m4e2mr0ui3e8a215n4",
            "9m4e2mr0ui3e8a215n4gg",
            "9M4e2mr0ui3e8a215n4g",
            "9m4e2mr0ui3e8a215n4h",
            "wwwwwwwwwwwwwwwwwwww",
        ] {
            assert_eq!(text.parse::<Xid>(), Err(NotAnXid), "{text:?}");
        }
    }

    #[test]
    fn siblings_differ_in_the_counter_only() {
        let id = Xid::from_parts(7, [1, 2, 3, 4, 5], 0x00ff_fffc);
        assert_eq!(id.sibling(1).counter(), 0x00ff_fffd);
        assert_eq!(id.sibling(4).counter(), 0);
        assert_eq!(id.sibling(3).seconds(), 7);
    }
}
