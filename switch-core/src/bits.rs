//! Which of many slots hold something: a bit a slot, and above them, level by level, a bit for each word of the level below, so that the
//! first slot behind any other is found in a few steps, however many are empty in between.

const WORD_BITS: usize = u64::BITS as usize;

/// The bits.
#[derive(Debug)]
pub(crate) struct Bits {
    /// The slots' own level first; the last has one word.
    levels: Vec<Box<[u64]>>,
}

impl Bits {
    /// None of `slots` is set.
    pub(crate) fn new(slots: usize) -> Bits {
        let mut levels = Vec::new();
        let mut bits = slots;
        while levels.is_empty() || bits > 1 {
            let words = bits.div_ceil(WORD_BITS);
            levels.push(vec![0; words].into_boxed_slice());
            bits = words;
        }
        Bits { levels }
    }

    /// Notes that a slot holds something.
    pub(crate) fn set(&mut self, slot: usize) {
        let mut at = slot;
        for level in &mut self.levels {
            let word = &mut level[at / WORD_BITS];
            let was_known = *word != 0;
            *word |= 1 << (at % WORD_BITS);
            if was_known {
                return;
            }
            at /= WORD_BITS;
        }
    }

    /// Notes that a slot is empty.
    pub(crate) fn clear(&mut self, slot: usize) {
        let mut at = slot;
        for level in &mut self.levels {
            let word = &mut level[at / WORD_BITS];
            *word &= !(1 << (at % WORD_BITS));
            if *word != 0 {
                return;
            }
            at /= WORD_BITS;
        }
    }

    /// The first slot from `slot` on that is set.
    pub(crate) fn first_from(&self, slot: usize) -> Option<usize> {
        let mut at = slot;
        for (height, level) in self.levels.iter().enumerate() {
            let rest = level.get(at / WORD_BITS)? & (!0 << (at % WORD_BITS));
            if rest != 0 {
                let found = at / WORD_BITS * WORD_BITS + rest.trailing_zeros() as usize;
                let down = self.levels[..height].iter().rev();
                return Some(down.fold(found, |found, level| found * WORD_BITS + level[found].trailing_zeros() as usize));
            }
            at = at / WORD_BITS + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn the_first_from_anywhere_is_what_a_sorted_set_says(
            slots in prop::sample::select(vec![1_usize, 63, 64, 65, 4096, 4097, 300_000]),
            steps in prop::collection::vec((any::<usize>(), any::<bool>()), 1..200),
        ) {
            let (mut bits, mut model) = (Bits::new(slots), BTreeSet::new());
            for (dice, set) in steps {
                let slot = dice % slots;
                if set {
                    bits.set(slot);
                    model.insert(slot);
                } else {
                    bits.clear(slot);
                    model.remove(&slot);
                }
                for from in [0, slot / 2, slot, slot + 1, slots] {
                    prop_assert_eq!(bits.first_from(from), model.range(from..).next().copied());
                }
            }
        }
    }
}
