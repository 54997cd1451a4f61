//! The side table of sensitive authentication data, CVV and track 2: memory only, between the front and the link (I9).
//!
//! It goes in with its command, is taken out by the link when it encodes the request, and is dropped with the reply at the
//! latest. It is never journaled: what was in flight when the switch stopped is reversed, not sent again.

use dashmap::DashMap;
use protocol::id::Xid;
use protocol::secret::SensitiveData;
use std::sync::atomic::{AtomicU32, Ordering};

/// What waits, by the transaction that it belongs to. Boxed, so that a table that moves its slots leaves no copy behind; the
/// parts zeroize themselves when dropped.
#[derive(Debug)]
pub struct SensitiveTable {
    waiting: DashMap<Xid, Box<SensitiveData>>,
    count: AtomicU32,
    count_max: u32,
}

impl SensitiveTable {
    /// A table of at most `count_max` entries.
    pub fn new(count_max: u32) -> SensitiveTable {
        SensitiveTable { waiting: DashMap::new(), count: AtomicU32::new(0), count_max }
    }

    /// Keeps what came with a command. False when the table is full: the command must be refused (I8).
    pub fn put(&self, transaction: Xid, data: SensitiveData) -> bool {
        let room = |count: u32| (count < self.count_max).then_some(count + 1);
        if self.count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            return false;
        }
        if self.waiting.insert(transaction, Box::new(data)).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        true
    }

    /// Takes it out; whoever takes it drops it once it is encoded.
    pub fn take(&self, transaction: &Xid) -> Option<Box<SensitiveData>> {
        let (_, data) = self.waiting.remove(transaction)?;
        self.count.fetch_sub(1, Ordering::Relaxed);
        Some(data)
    }

    /// How many wait.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::secret::{Cvv, Track2};

    fn data() -> SensitiveData {
        SensitiveData::of(Cvv::new("999"), Track2::new("4012000098765439=30121010000012300000")).unwrap()
    }

    #[test]
    fn it_is_taken_once() {
        let table = SensitiveTable::new(2);
        let id = Xid::from_parts(1, [0; 5], 4);
        assert!(table.put(id, data()));
        assert_eq!(table.take(&id).as_deref(), Some(&data()));
        assert_eq!((table.take(&id), table.count()), (None, 0));
    }

    #[test]
    fn a_full_table_takes_no_more() {
        let table = SensitiveTable::new(1);
        let ids = [Xid::from_parts(1, [0; 5], 4), Xid::from_parts(1, [0; 5], 8)];
        assert!(table.put(ids[0], data()));
        assert!(!table.put(ids[1], data()));
        drop(table.take(&ids[0]));
        assert!(table.put(ids[1], data()));
    }
}
