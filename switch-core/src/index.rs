//! From a hash to a place in a slab: open addressing in one array of fixed size, eight bytes a cell.
//!
//! A cell holds half of the hash beside the place, so that a look-up reads one line of memory, and the slab's only where the thing is
//! found. The half that is kept also says where a cell belongs: one that goes lets those behind it move up, no trace of it is left
//! to step over, and nothing is ever hashed again.

/// Cells for each place that may be kept, so that probes stay short: at most three in four are taken.
const CELLS_PER_PLACES: (u64, u64) = (4, 3);
const EMPTY: u64 = 0;

/// The index.
#[derive(Debug)]
pub(crate) struct Index {
    /// The hash's upper half, and the place plus one; [`EMPTY`].
    cells: Box<[u64]>,
    len: u32,
    places_max: u32,
}

impl Index {
    /// Room for `places_max` places.
    pub(crate) fn new(places_max: u32) -> Index {
        let (cells, places) = CELLS_PER_PLACES;
        let cells = (u64::from(places_max) * cells / places + 1).next_power_of_two();
        Index { cells: vec![EMPTY; cells as usize].into_boxed_slice(), len: 0, places_max }
    }

    /// Places that are kept.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// True when one more fits.
    pub(crate) fn has_room(&self) -> bool {
        self.len < self.places_max
    }

    /// The place under this hash of which `is_it` is true.
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut cell = self.home(hash);
        loop {
            match self.cells[cell] {
                EMPTY => return None,
                taken if is_of(taken, hash) && is_it(place(taken)) => return Some(place(taken)),
                _ => cell = self.behind(cell),
            }
        }
    }

    /// The cell that a look-up under this hash reads first.
    pub(crate) fn glance(&self, hash: u64) -> u64 {
        self.cells[self.home(hash)]
    }

    /// Keeps a place that is not kept.
    ///
    /// # Panics
    /// When there is no room: callers ask before they change anything.
    pub(crate) fn insert(&mut self, hash: u64, at: u32) {
        assert!(self.has_room(), "an index is asked for room before anything is changed");
        let mut cell = self.home(hash);
        while self.cells[cell] != EMPTY {
            cell = self.behind(cell);
        }
        self.cells[cell] = hash & UPPER | (u64::from(at) + 1);
        self.len += 1;
    }

    /// Forgets a place. False when it was not kept under this hash.
    pub(crate) fn remove(&mut self, hash: u64, at: u32) -> bool {
        let wanted = hash & UPPER | (u64::from(at) + 1);
        let mut hole = self.home(hash);
        while self.cells[hole] != wanted {
            if self.cells[hole] == EMPTY {
                return false;
            }
            hole = self.behind(hole);
        }
        self.close_up(hole);
        self.len -= 1;
        true
    }

    /// Moves each cell behind a hole into it, as far as it still stands behind its home.
    fn close_up(&mut self, mut hole: usize) {
        let mut next = self.behind(hole);
        while self.cells[next] != EMPTY {
            let from_home = self.distance(self.home(self.cells[next]), next);
            if from_home >= self.distance(hole, next) {
                self.cells[hole] = self.cells[next];
                hole = next;
            }
            next = self.behind(next);
        }
        self.cells[hole] = EMPTY;
    }

    /// Where a hash, or a cell, belongs: its highest bits say.
    fn home(&self, hash: u64) -> usize {
        let bits = self.cells.len().trailing_zeros();
        (hash >> 32 << bits >> 32) as usize
    }

    fn behind(&self, cell: usize) -> usize {
        (cell + 1) & (self.cells.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.cells.len() - 1)
    }
}

const UPPER: u64 = 0xffff_ffff_0000_0000;

fn is_of(cell: u64, hash: u64) -> bool {
    (cell ^ hash) & UPPER == 0
}

fn place(cell: u64) -> u32 {
    cell as u32 - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::mix;

    /// A naive index beside it: pairs in a list.
    #[test]
    fn it_finds_what_a_list_would_find() {
        let mut index = Index::new(64);
        let mut list: Vec<(u64, u32)> = Vec::new();
        for step in 0..200_000_u64 {
            let dice = mix(step);
            // Few hashes, half of them with their home at the end: long probes that wrap.
            let (hash, at) = (mix(dice % 96) | ((dice % 2) * (0xfff0 << 48)), (dice >> 32) as u32 % 96);
            match list.iter().position(|kept| *kept == (hash, at)) {
                Some(position) if dice >> 60 < 8 => {
                    assert!(index.remove(hash, at), "step {step}");
                    list.swap_remove(position);
                }
                None if index.has_room() => {
                    index.insert(hash, at);
                    list.push((hash, at));
                }
                None => assert!(!index.remove(hash, at), "step {step}"),
                Some(_) => {}
            }
            let found = index.find(hash, |place| place == at);
            assert_eq!(found, list.contains(&(hash, at)).then_some(at), "step {step}");
            assert_eq!(index.len() as usize, list.len());
        }
    }

    #[test]
    fn equal_hashes_are_told_apart_by_what_stands_at_their_places() {
        let mut index = Index::new(3);
        for at in [7, 8, 9] {
            index.insert(5 << 32, at);
        }
        assert!(!index.has_room());
        assert_eq!(index.find(5 << 32, |place| place == 8), Some(8));
        assert!(index.remove(5 << 32, 7));
        assert_eq!(index.find(5 << 32, |place| place == 9), Some(9));
        assert_eq!(index.find(6 << 32, |_| true), None);
    }
}
