//! Velocity counters: how many payments one card, address, e-mail address or merchant made within a window that slides.
//!
//! A payment counts when it makes a transaction, whatever becomes of it: then what is counted is what the journal says, a recovery
//! counts the same payments again, and neither a decline nor a crash gives anybody a fresh start. A window is a ring of slices: a
//! payment counts for its whole window and at most a fifteenth of it longer. Nothing here grows past its limit: when no counter is
//! free, a payment that needs one is refused, because forgetting another one's count could be provoked.

use super::facts::Facts;
use super::gauge::Gauge;
use hashbrown::HashTable;
use protocol::calendar::Micros;
use protocol::id::{Xid, mix};
use protocol::transaction::Transaction;

/// Slices of a window, the one that is not over yet besides.
const WHOLE_SLICES: i64 = 15;
const SLICES: usize = WHOLE_SLICES as usize + 1;
/// Counters that are looked at, for each that a payment may need, once all have been used: more than come in, so that those which
/// are over are found before room runs out.
const RECLAIM_FACTOR: usize = 4;

/// The payments of one subject in one window.
#[derive(Debug, Clone)]
struct Counter {
    key: u64,
    slice_us: i64,
    /// Number of the newest slice in the ring, counted from 1970.
    newest: i64,
    /// The payment that was counted last: the tables of rules and of routes may both ask for this count.
    last: Xid,
    counts: [u32; SLICES],
    is_used: bool,
}

impl Counter {
    fn new(key: u64, gauge: Gauge) -> Counter {
        let slice_us = slice_us(gauge);
        Counter { key, slice_us, newest: 0, last: Xid::NONE, counts: [0; SLICES], is_used: true }
    }

    fn count(&mut self, id: Xid, at: Micros) {
        if self.last == id {
            return;
        }
        self.last = id;
        let slice = at.0.div_euclid(self.slice_us);
        self.slide_to(slice);
        if self.newest - slice < SLICES as i64 {
            let count = &mut self.counts[place(slice)];
            *count = count.saturating_add(1);
        }
    }

    /// Empties the slices that begin with the window's move up to `slice`; an older one moves nothing.
    fn slide_to(&mut self, slice: i64) {
        if slice - self.newest >= SLICES as i64 {
            self.counts = [0; SLICES];
        } else {
            (self.newest + 1..=slice).for_each(|begun| self.counts[place(begun)] = 0);
        }
        self.newest = self.newest.max(slice);
    }

    fn sum(&self, at: Micros) -> u64 {
        let now = at.0.div_euclid(self.slice_us);
        let slices = now - WHOLE_SLICES..=self.newest.min(now);
        let in_ring = slices.filter(|slice| self.newest - slice < SLICES as i64);
        in_ring.map(|slice| u64::from(self.counts[place(slice)])).sum()
    }

    fn is_over(&self, at: Micros) -> bool {
        at.0.div_euclid(self.slice_us) - self.newest > WHOLE_SLICES
    }
}

fn slice_us(gauge: Gauge) -> i64 {
    (i64::from(gauge.window_s) * 1_000_000 + WHOLE_SLICES - 1) / WHOLE_SLICES
}

fn place(slice: i64) -> usize {
    slice.rem_euclid(SLICES as i64) as usize
}

/// All counters of a shard.
#[derive(Debug)]
pub struct Velocity {
    counters: Vec<Counter>,
    free: Vec<u32>,
    index: HashTable<u32>,
    counters_max: usize,
    hand: usize,
}

impl Velocity {
    /// At most `counters_max` counters, of about 110 bytes each. Memory is taken by [`Velocity::reserve`].
    pub fn new(counters_max: u32) -> Velocity {
        let counters_max = counters_max as usize;
        Velocity { counters: Vec::new(), free: Vec::new(), index: HashTable::new(), counters_max, hand: 0 }
    }

    /// Takes the memory of all counters, so that counting allocates nothing. For the first table that asks for a count.
    pub fn reserve(&mut self) {
        self.counters.reserve_exact(self.counters_max - self.counters.len());
        self.free.reserve_exact(self.counters_max - self.free.len());
        let counters = &self.counters;
        self.index.reserve(self.counters_max - self.index.len(), |&at| counters[at as usize].key);
    }

    /// True when a payment that needs `needed` counters can be counted; looks for some that are over first.
    pub fn make_room(&mut self, needed: usize, now: Micros) -> bool {
        if self.counters_max - self.counters.len() < needed {
            self.reclaim(needed * RECLAIM_FACTOR, now);
        }
        self.free.len() + (self.counters_max - self.counters.len()) >= needed
    }

    /// Notes in a payment's facts what each gauge will count once the payment is counted. A subject that the payment does not name
    /// is not counted, and its count stays absent.
    pub fn foresee(&self, transaction: &Transaction, gauges: &[Gauge], facts: &mut Facts) {
        let at = Micros(transaction.created_at.get());
        for (place, gauge) in gauges.iter().enumerate() {
            let count = facts.subject(gauge.per).map(|subject| {
                let found = self.find(key(transaction.merchant, *gauge, subject));
                found.map_or(0, |found| self.counters[found as usize].sum(at)) + 1
            });
            facts.set_count(place, count);
        }
    }

    /// Counts a payment, at the moment at which it came in, once however often it is asked for in a row.
    ///
    /// # Panics
    /// When there is no room: callers make it before they change anything.
    pub fn count(&mut self, transaction: &Transaction, gauges: &[Gauge], facts: &Facts) {
        let at = Micros(transaction.created_at.get());
        for gauge in gauges {
            if let Some(subject) = facts.subject(gauge.per) {
                let counter = self.counter_of(key(transaction.merchant, *gauge, subject), *gauge);
                counter.count(transaction.id, at);
            }
        }
    }

    /// Notes in the facts of a payment that was counted before what each gauge counts now.
    pub fn read(&self, transaction: &Transaction, gauges: &[Gauge], facts: &mut Facts, now: Micros) {
        for (place, gauge) in gauges.iter().enumerate() {
            let count = facts.subject(gauge.per).map(|subject| {
                let key = key(transaction.merchant, *gauge, subject);
                self.find(key).map_or(0, |found| self.counters[found as usize].sum(now))
            });
            facts.set_count(place, count);
        }
    }

    /// Counters in use.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True when nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn find(&self, key: u64) -> Option<u32> {
        self.index.find(key, |&at| self.counters[at as usize].key == key).copied()
    }

    fn counter_of(&mut self, key: u64, gauge: Gauge) -> &mut Counter {
        let at = self.find(key).unwrap_or_else(|| self.insert(Counter::new(key, gauge)));
        &mut self.counters[at as usize]
    }

    fn insert(&mut self, counter: Counter) -> u32 {
        let key = counter.key;
        let at = match self.free.pop() {
            Some(at) => {
                self.counters[at as usize] = counter;
                at
            }
            None => {
                assert!(
                    self.counters.len() < self.counters_max,
                    "room for a velocity counter is made before a command changes anything"
                );
                self.counters.push(counter);
                self.counters.len() as u32 - 1
            }
        };
        let counters = &self.counters;
        self.index.insert_unique(key, at, |&at| counters[at as usize].key);
        at
    }

    /// Looks at a few counters, where the last look ended, and frees those that count nothing any more.
    fn reclaim(&mut self, looks: usize, now: Micros) {
        for _ in 0..looks.min(self.counters.len()) {
            self.hand = if self.hand + 1 >= self.counters.len() { 0 } else { self.hand + 1 };
            let counter = &mut self.counters[self.hand];
            if counter.is_used && counter.is_over(now) {
                counter.is_used = false;
                let (key, hand) = (counter.key, self.hand as u32);
                if let Ok(entry) = self.index.find_entry(key, |&at| at == hand) {
                    entry.remove();
                    self.free.push(hand);
                }
            }
        }
    }
}

/// What a counter is found by, well mixed: within one account, so that accounts share nothing.
fn key(merchant: Xid, gauge: Gauge, subject: u64) -> u64 {
    let kind = u64::from(gauge.window_s) << 8 | gauge.per as u64;
    mix(merchant.hash64() ^ mix(subject ^ kind.rotate_left(16)))
}
