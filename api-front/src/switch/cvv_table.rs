//! The side table of card verification values: memory only, between the front and the link (I9).
//!
//! A value goes in with its command, is taken out by the link when it encodes the request, and is dropped with the reply
//! at the latest. It is never journaled, so a request that is repeated after a restart goes without.

use dashmap::DashMap;
use protocol::id::Xid;
use protocol::secret::Cvv;
use std::sync::atomic::{AtomicU32, Ordering};

/// Values that wait, by the transaction that they belong to. Boxed, so that a table that moves its slots leaves no copy
/// behind; a value zeroizes itself when dropped.
#[derive(Debug)]
pub struct CvvTable {
    waiting: DashMap<Xid, Box<Cvv>>,
    count: AtomicU32,
    count_max: u32,
}

impl CvvTable {
    /// A table of at most `count_max` values.
    pub fn new(count_max: u32) -> CvvTable {
        CvvTable { waiting: DashMap::new(), count: AtomicU32::new(0), count_max }
    }

    /// Keeps a value. False when the table is full: the command must be refused (I8).
    pub fn put(&self, transaction: Xid, cvv: Cvv) -> bool {
        let room = |count: u32| (count < self.count_max).then_some(count + 1);
        if self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            return false;
        }
        if self.waiting.insert(transaction, Box::new(cvv)).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        true
    }

    /// Takes a value out; whoever takes it drops it once it is encoded.
    pub fn take(&self, transaction: &Xid) -> Option<Box<Cvv>> {
        let (_, cvv) = self.waiting.remove(transaction)?;
        self.count.fetch_sub(1, Ordering::Relaxed);
        Some(cvv)
    }

    /// How many wait.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cvv() -> Cvv {
        Cvv::new("999").unwrap()
    }

    #[test]
    fn a_value_is_taken_once() {
        let table = CvvTable::new(2);
        let id = Xid::from_parts(1, [0; 5], 4);
        assert!(table.put(id, cvv()));
        assert_eq!(table.take(&id).as_deref(), Some(&cvv()));
        assert_eq!((table.take(&id), table.count()), (None, 0));
    }

    #[test]
    fn a_full_table_takes_no_more() {
        let table = CvvTable::new(1);
        let ids = [Xid::from_parts(1, [0; 5], 4), Xid::from_parts(1, [0; 5], 8)];
        assert!(table.put(ids[0], cvv()));
        assert!(!table.put(ids[1], cvv()));
        drop(table.take(&ids[0]));
        assert!(table.put(ids[1], cvv()));
    }
}
