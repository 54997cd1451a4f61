//! A list that only grows, and whose items never move: read without a lock while a few more are added.

use std::sync::{Arc, OnceLock};

/// The list. Clones are the same list.
#[derive(Debug)]
pub struct Growing<T>(Arc<[OnceLock<T>]>);

impl<T> Clone for Growing<T> {
    fn clone(&self) -> Growing<T> {
        Growing(Arc::clone(&self.0))
    }
}

impl<T> Growing<T> {
    /// A list of these, with room for `more`.
    pub fn of(items: impl IntoIterator<Item = T>, more: usize) -> Growing<T> {
        let given = items.into_iter().map(OnceLock::from);
        Growing(given.chain((0..more).map(|_| OnceLock::new())).collect())
    }

    /// All items, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map_while(OnceLock::get)
    }

    /// Adds an item; gives it back when there is no room.
    pub fn push(&self, item: T) -> Result<(), T> {
        let mut item = item;
        for place in self.0.iter() {
            match place.set(item) {
                Ok(()) => return Ok(()),
                Err(returned) => item = returned,
            }
        }
        Err(item)
    }

    /// True while another item finds room.
    pub fn has_room(&self) -> bool {
        self.0.last().is_some_and(|last| last.get().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_stays_where_it_is_while_more_comes() {
        let list = Growing::of([1, 2], 2);
        let first = list.iter().next().unwrap();
        let same = list.clone();
        assert_eq!(
            (same.push(3), list.has_room(), same.push(4), list.has_room(), same.push(5)),
            (Ok(()), true, Ok(()), false, Err(5))
        );
        assert_eq!((*first, list.iter().copied().collect::<Vec<_>>()), (1, vec![1, 2, 3, 4]));
    }
}
