//! Idempotency keys (I4): each has at most one effect, and one answer for as long as its window is open.

use crate::index::Index;
use crate::wheel::Alarm;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::Verb;

/// A key inside its window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) hash: [u8; 16],
    /// Hash of what was asked: another one under the same key is refused.
    pub(crate) request: [u8; 16],
    /// The transaction that the operation made or acted upon.
    pub(crate) transaction: Xid,
    pub(crate) verb: Verb,
    /// The version that answered; 0 while the operation is under way.
    pub(crate) answer_version: u32,
    pub(crate) expires_at: Micros,
    pub(crate) alarm: Alarm,
}

/// A key's place in the slab, for its timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyAt(u32);

/// The keys.
#[derive(Debug)]
pub(crate) struct Keys {
    keys: Vec<Key>,
    free: Vec<u32>,
    index: Index,
}

impl Keys {
    /// Room for `keys_max` keys.
    pub(crate) fn new(keys_max: u32) -> Keys {
        Keys {
            keys: Vec::with_capacity(keys_max as usize),
            free: Vec::with_capacity(keys_max as usize),
            index: Index::new(keys_max),
        }
    }

    /// True when one more fits.
    pub(crate) fn has_room(&self) -> bool {
        self.index.has_room()
    }

    /// Finds a key.
    pub(crate) fn find(&self, hash: &[u8; 16]) -> Option<KeyAt> {
        self.index.find(hash64(hash), |at| self.keys[at as usize].hash == *hash).map(KeyAt)
    }

    /// Reads what a look-up of this key will read first.
    pub(crate) fn glance(&self, hash: &[u8; 16]) -> u64 {
        self.index.glance(hash64(hash))
    }

    /// Reads what forgetting this key will read first.
    pub(crate) fn glance_at(&self, at: KeyAt) -> u64 {
        self.glance(&self.keys[at.0 as usize].hash)
    }

    /// Reads the place of the `ahead`-th key that is kept from now on.
    pub(crate) fn glance_at_free(&self, ahead: usize) -> u64 {
        self.free.iter().rev().nth(ahead).map_or(0, |at| self.keys[*at as usize].request[0].into())
    }

    /// Keeps a key that was not there.
    ///
    /// # Panics
    /// When there is no room or it is there: callers check both before they change anything.
    pub(crate) fn insert(&mut self, key: Key) -> KeyAt {
        assert!(self.has_room() && self.find(&key.hash).is_none(), "a key is kept once, in checked room");
        let at = match self.free.pop() {
            Some(at) => {
                self.keys[at as usize] = key;
                at
            }
            None => {
                self.keys.push(key);
                self.keys.len() as u32 - 1
            }
        };
        self.index.insert(hash64(&key.hash), at);
        KeyAt(at)
    }

    /// The window is over.
    pub(crate) fn remove(&mut self, at: KeyAt) {
        let hash = self.keys[at.0 as usize].hash;
        if self.index.remove(hash64(&hash), at.0) {
            self.free.push(at.0);
        }
    }
}

/// The hash is one already; half of it finds the place.
fn hash64(hash: &[u8; 16]) -> u64 {
    let (half, _) = hash.split_at(8);
    u64::from_le_bytes([half[0], half[1], half[2], half[3], half[4], half[5], half[6], half[7]])
}

impl core::ops::Index<KeyAt> for Keys {
    type Output = Key;

    fn index(&self, at: KeyAt) -> &Key {
        &self.keys[at.0 as usize]
    }
}

impl core::ops::IndexMut<KeyAt> for Keys {
    fn index_mut(&mut self, at: KeyAt) -> &mut Key {
        &mut self.keys[at.0 as usize]
    }
}
