//! The search for the first entry whose conditions all hold.
//!
//! Sixty-four entries are a block, a bit each. For each field that a block asks for, a plane cuts the field's values into stretches
//! within which no condition changes its mind, and keeps for each stretch the set of entries that it leaves in. A payment's value
//! selects one set of each plane; what is in all of them matches, and the lowest bit is the first. So a block costs a short search in
//! a sorted list for each of its fields, however many conditions and values its entries have.

use super::compiler::Condensed;
use super::facts::{Facts, SLOTS};
use super::field::Range;
use crate::limits::ENTRY_CONDITIONS_MAX;

const BLOCK_ENTRIES: usize = u64::BITS as usize;

/// One field of one block.
#[derive(Debug, Clone, Copy)]
struct Plane {
    slot: u8,
    /// Its first stretch in [`Index::starts`] and [`Index::sets`].
    first: u32,
    stretches: u32,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    /// A bit for each entry that there is.
    all: u64,
    first_plane: u32,
    planes: u32,
}

/// The conditions of a sequence of entries, compiled.
#[derive(Debug, Default)]
pub(super) struct Index {
    blocks: Vec<Block>,
    planes: Vec<Plane>,
    /// The lowest value of each stretch; each plane's begin with 0 and ascend.
    starts: Vec<u64>,
    /// The entries that a stretch leaves in.
    sets: Vec<u64>,
}

// A slot fits its byte.
const _: () = assert!(SLOTS <= u8::MAX as usize);

impl Index {
    /// Compiles the conditions of entries, in their order.
    pub(super) fn of(entries: &[Vec<Condensed>]) -> Index {
        let mut index = Index::default();
        for block in entries.chunks(BLOCK_ENTRIES) {
            let first_plane = index.planes.len() as u32;
            let mut planes: Vec<(u64, usize)> = Vec::new();
            for slot in 0..SLOTS {
                let unasked = entries_where(block, |conditions| conditions.iter().all(|condition| condition.slot != slot));
                if unasked != all_of(block) {
                    planes.push((unasked, slot));
                }
            }
            // Planes that most entries depend on come first: they empty the set soonest.
            planes.sort_by_key(|(unasked, slot)| (unasked.count_ones(), *slot));
            planes.iter().for_each(|(unasked, slot)| index.add_plane(block, *slot, *unasked));
            index.blocks.push(Block { all: all_of(block), first_plane, planes: planes.len() as u32 });
        }
        index
    }

    /// The place of the first entry whose conditions all hold.
    pub(super) fn first_match(&self, facts: &Facts) -> Option<usize> {
        let values = facts.values();
        for (place, block) in self.blocks.iter().enumerate() {
            let first = block.first_plane as usize;
            let mut set = block.all;
            for plane in &self.planes[first..first + block.planes as usize] {
                set &= self.left_in(plane, values[usize::from(plane.slot)]);
                if set == 0 {
                    break;
                }
            }
            if set != 0 {
                return Some(place * BLOCK_ENTRIES + set.trailing_zeros() as usize);
            }
        }
        None
    }

    fn left_in(&self, plane: &Plane, value: u64) -> u64 {
        let stretches = plane.first as usize..(plane.first + plane.stretches) as usize;
        let stretch = self.starts[stretches.clone()].partition_point(|start| *start <= value) - 1;
        self.sets[stretches.start + stretch]
    }

    fn add_plane(&mut self, block: &[Vec<Condensed>], slot: usize, unasked: u64) {
        let first = self.starts.len() as u32;
        let mut turns = Vec::new();
        for (bit, conditions) in block.iter().enumerate().filter(|(bit, _)| unasked >> bit & 1 == 0) {
            for range in common_ranges(conditions, slot) {
                turns.push((range.low, 1_u64 << bit));
                turns.extend(range.high.checked_add(1).map(|behind| (behind, 1_u64 << bit)));
            }
        }
        turns.sort_unstable();
        let mut set = unasked;
        self.starts.push(0);
        self.sets.push(set);
        for (value, entry) in turns {
            // An entry's ranges do not touch, so that it is in and out by turns.
            set ^= entry;
            if self.starts.last() == Some(&value) {
                self.starts.pop();
                self.sets.pop();
            }
            self.starts.push(value);
            self.sets.push(set);
        }
        let stretches = self.starts.len() as u32 - first;
        self.planes.push(Plane { slot: slot as u8, first, stretches });
    }
}

fn all_of(block: &[Vec<Condensed>]) -> u64 {
    entries_where(block, |_| true)
}

fn entries_where(block: &[Vec<Condensed>], is_wanted: impl Fn(&[Condensed]) -> bool) -> u64 {
    let wanted = block.iter().enumerate().filter(|(_, conditions)| is_wanted(conditions));
    wanted.fold(0, |set, (bit, _)| set | 1 << bit)
}

/// The values that all of an entry's conditions on one field leave.
fn common_ranges(conditions: &[Condensed], slot: usize) -> Vec<Range> {
    debug_assert!(conditions.len() <= ENTRY_CONDITIONS_MAX);
    let mut left = vec![Range { low: 0, high: u64::MAX }];
    for condition in conditions.iter().filter(|condition| condition.slot == slot) {
        let both = |a: &Range, b: &Range| Range { low: a.low.max(b.low), high: a.high.min(b.high) };
        let pairs = left.iter().flat_map(|a| condition.ranges.iter().map(move |b| both(a, b)));
        left = pairs.filter(|range| range.low <= range.high).collect();
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condensed(slot: usize, ranges: &[(u64, u64)]) -> Condensed {
        Condensed { slot, ranges: ranges.iter().map(|(low, high)| Range { low: *low, high: *high }).collect() }
    }

    #[test]
    fn ranges_of_conditions_on_one_field_are_intersected() {
        let conditions = [condensed(3, &[(0, 10), (20, 30)]), condensed(3, &[(5, 25)]), condensed(4, &[(0, 0)])];
        assert_eq!(common_ranges(&conditions, 3), [Range { low: 5, high: 10 }, Range { low: 20, high: 25 }]);
        let never = [condensed(3, &[(0, 1)]), condensed(3, &[(2, 3)])];
        assert_eq!(common_ranges(&never, 3), []);
    }

    #[test]
    fn a_match_in_a_later_block_is_found_where_it_stands() {
        let mut entries: Vec<Vec<Condensed>> = (0..200).map(|amount| vec![condensed(0, &[(amount, amount)])]).collect();
        entries.push(Vec::new());
        let index = Index::of(&entries);
        let mut transaction = protocol::transaction::Transaction::empty();
        for amount in [0, 1, 63, 64, 128, 199, 200, 10_000] {
            transaction.amount = amount.into();
            assert_eq!(index.first_match(&Facts::of(&transaction)), Some(amount.min(200) as usize));
        }
        assert_eq!(Index::of(&[]).first_match(&Facts::of(&transaction)), None);
    }
}
