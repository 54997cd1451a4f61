//! The state digest: one number for everything that was decided, whatever the order in which it was written down.
//!
//! Each record's version is hashed by itself, and the hashes are summed. A sum does not care for order, for how records were
//! grouped, or for which shard wrote them; it can be carried on record by record, and a part can be taken off again.

use core::fmt;
use core::str::FromStr;

/// Sum of 128-bit hashes of versions, modulo 2^128. As text 32 hexadecimal digits, the most significant first.
///
/// It tells whether two copies hold the same facts. It is no defence against one who can choose the facts: sums of hashes
/// can be made to meet. The journal's chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateDigest(u128);

impl StateDigest {
    /// Of nothing.
    pub const ZERO: StateDigest = StateDigest(0);

    /// Of one version, by its hash.
    pub fn of_hash(hash: u128) -> StateDigest {
        StateDigest(hash)
    }

    /// Of both together.
    #[must_use]
    pub fn plus(self, other: StateDigest) -> StateDigest {
        StateDigest(self.0.wrapping_add(other.0))
    }

    /// Of what is in this one and not in `part`, if `part` is within it.
    #[must_use]
    pub fn minus(self, part: StateDigest) -> StateDigest {
        StateDigest(self.0.wrapping_sub(part.0))
    }
}

impl fmt::Display for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A text that is not 32 hexadecimal digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADigest;

impl fmt::Display for NotADigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state digest is 32 hexadecimal digits in lower case")
    }
}

impl core::error::Error for NotADigest {}

impl FromStr for StateDigest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<StateDigest, NotADigest> {
        let is_plain = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = is_plain.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(StateDigest).ok_or(NotADigest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_a_part_can_be_taken_off() {
        let [a, b, c] = [u128::MAX, 1, 1 << 127].map(StateDigest::of_hash);
        let all = a.plus(b).plus(c);
        assert_eq!(all, c.plus(a).plus(b));
        assert_eq!(all.minus(b), a.plus(c));
        assert_ne!(a.plus(a), StateDigest::ZERO, "twice the same is not nothing");
    }

    #[test]
    fn text_reads_back_and_nothing_else_is_taken() {
        let digest = StateDigest::of_hash(0xa << 124 | 0xf);
        assert_eq!(digest.to_string(), "a000000000000000000000000000000f");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for wrong in
            ["", "a00000000000000000000000000000f", "+000000000000000000000000000000f", "A000000000000000000000000000000f"]
        {
            assert_eq!(wrong.parse::<StateDigest>(), Err(NotADigest), "{wrong}");
        }
    }
}
