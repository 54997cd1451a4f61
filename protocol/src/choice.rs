//! How a payment came to its processor, and which rules spoke of it: what an operator is told who asks why.

use crate::words::{Basis, SkipReason};
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Processors passed over that a choice has room to name; the others are counted.
pub const SKIPS_NAMED_MAX: usize = 4;
/// Highest processor index that a choice can name: it shares two bytes with the reason.
pub const SKIP_PROCESSOR_MAX: u16 = (1 << REASON_SHIFT) - 1;

const REASON_SHIFT: u32 = 12;

/// A choice, inside a transaction. 24 bytes, little-endian; zeros when nothing was chosen by a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Choice {
    /// Version of the table of rules that was asked before the processor was; 0 when none was. An operator may have laid another one before
    /// the answer: [`crate::transaction::Transaction::post_rules_version`].
    pub rules_version: U32,
    /// Version of the table of routes that was asked; 0 when none was.
    pub routes_version: U32,
    /// Place of the rule that matched before the processor was asked, from 1; 0 when none did.
    pub pre_rule: U16,
    /// Place of the rule that matched after the processor's answer, from 1; 0 when none did.
    pub post_rule: U16,
    /// Place of the route that matched, from 1; 0 when none did.
    pub route: U16,
    /// [`Basis`].
    pub basis: u8,
    /// Processors of the route that were passed over.
    pub skipped_count: u8,
    /// The first of them: index in the low twelve bits, [`SkipReason`] in the high four; zeros when there are fewer.
    pub skipped: [U16; SKIPS_NAMED_MAX],
}

const _: () = assert!(size_of::<Choice>() == 24);

/// A processor that was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip {
    /// Its index.
    pub processor: u16,
    /// Why; `None` for a number of a later version.
    pub reason: Option<SkipReason>,
}

impl Choice {
    /// Nothing was chosen by a table.
    pub fn none() -> Choice {
        Choice::new_zeroed()
    }

    /// Why the payment went to its processor. A number that this version does not know reads as none.
    pub fn basis(&self) -> Basis {
        Basis::from_number(self.basis).unwrap_or(Basis::None)
    }

    /// Notes a processor that was passed over; where there is no room to name it, it is counted.
    pub fn note_skip(&mut self, processor: u16, reason: SkipReason) {
        let named = usize::from(self.skipped_count);
        if let Some(place) = self.skipped.get_mut(named) {
            place.set(processor.min(SKIP_PROCESSOR_MAX) | u16::from(reason.number()) << REASON_SHIFT);
        }
        self.skipped_count = self.skipped_count.saturating_add(1);
    }

    /// The processors that were passed over, as far as they are named.
    pub fn skips(&self) -> impl Iterator<Item = Skip> {
        let named = self.skipped.iter().take(usize::from(self.skipped_count));
        named.map(|skip| {
            let (processor, reason) = (skip.get() & SKIP_PROCESSOR_MAX, skip.get() >> REASON_SHIFT);
            Skip { processor, reason: SkipReason::from_number(reason as u8) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_four_that_were_passed_over_are_named_and_all_are_counted() {
        let mut choice = Choice::none();
        assert_eq!((choice.basis(), choice.skips().count()), (Basis::None, 0));
        for processor in 1..=6 {
            choice.note_skip(processor, SkipReason::CircuitOpen);
        }
        assert_eq!(choice.skipped_count, 6);
        assert_eq!(choice.skips().map(|skip| skip.processor).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(choice.skips().all(|skip| skip.reason == Some(SkipReason::CircuitOpen)));
        assert_eq!(choice.as_bytes()[16..18], [1, 0x30]);
    }
}
