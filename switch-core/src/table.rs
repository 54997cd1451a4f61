//! Transactions in memory: a slab of slots, found by id through an index. Nothing grows past its reserve.

use crate::index::Index;
use crate::limits::{EVICTION_ABOVE_PERCENT, EVICTION_SWEEP_SLOTS, RESIDENCY_MIN_MS};
use crate::tails::{TailAt, Tails};
use crate::waiters::Chain;
use crate::wheel::Alarm;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::transaction::Transaction;
use zerocopy::IntoBytes;

/// What memory is fetched by, bytes.
const CACHE_LINE_BYTES: usize = 64;
/// Slots of a sweep that are looked at together.
const SWEEP_FORESEEN: usize = 32;

/// A transaction's place in memory. Valid until the transaction leaves; never kept across inputs but in timers, which are
/// cancelled before it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotAt(u32);

/// A transaction in memory.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) transaction: Transaction,
    pub(crate) tail: TailAt,
    /// Who waits for the operation that is under way.
    pub(crate) waiters: Chain,
    /// The deadline of the request in flight, or the next repeat of the reversal; a transaction never has both.
    pub(crate) alarm: Alarm,
    /// How often the reversal was sent since this process started.
    pub(crate) reversal_attempts: u32,
    /// When it came into memory or last changed: it stays for a while from then.
    pub(crate) touched_at: Micros,
    /// The shard's count of the last record of it: it may leave memory once that one is durable.
    pub(crate) last_sequence: u64,
    occupied: bool,
}

/// The slab and its index.
#[derive(Debug)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: Index,
    sweep_at: u32,
    slots_max: u32,
}

impl Table {
    /// Room for `slots_max` transactions.
    pub(crate) fn new(slots_max: u32) -> Table {
        Table {
            slots: Vec::with_capacity(slots_max as usize),
            free: Vec::with_capacity(slots_max as usize),
            index: Index::new(slots_max),
            sweep_at: 0,
            slots_max,
        }
    }

    /// How many more transactions fit.
    pub(crate) fn room(&self) -> u32 {
        self.slots_max - self.index.len()
    }

    /// How many are in memory.
    pub(crate) fn len(&self) -> u32 {
        self.index.len()
    }

    /// Finds a transaction.
    pub(crate) fn find(&self, id: Xid) -> Option<SlotAt> {
        self.index.find(id.hash64(), |at| self.slots[at as usize].transaction.id == id).map(SlotAt)
    }

    /// Reads what a look-up of this transaction will read first.
    pub(crate) fn glance(&self, id: Xid) -> u64 {
        self.index.glance(id.hash64())
    }

    /// Reads a transaction that is in memory through.
    pub(crate) fn glance_at(&self, at: SlotAt) -> u64 {
        self.read_through(at.0)
    }

    /// Reads the place of the `ahead`-th transaction that comes into memory from now on.
    pub(crate) fn glance_at_free(&self, ahead: usize) -> u64 {
        self.free.iter().rev().nth(ahead).map_or(0, |at| self.read_through(*at))
    }

    fn read_through(&self, at: u32) -> u64 {
        let lines = self.slots[at as usize].transaction.as_bytes().iter().step_by(CACHE_LINE_BYTES);
        u64::from(lines.fold(0, |seen, byte| seen ^ byte))
    }

    /// Takes a transaction into memory.
    ///
    /// # Panics
    /// When there is no room, or it is there already: callers check both before they change anything.
    pub(crate) fn insert(&mut self, transaction: &Transaction, tail: TailAt, now: Micros) -> SlotAt {
        assert!(self.room() > 0 && self.find(transaction.id).is_none(), "a transaction enters memory once, into checked room");
        let slot = Slot {
            transaction: *transaction,
            tail,
            waiters: Chain::EMPTY,
            alarm: Alarm::NONE,
            reversal_attempts: 0,
            touched_at: now,
            last_sequence: 0,
            occupied: true,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as u32 - 1
            }
        };
        self.index.insert(transaction.id.hash64(), at);
        SlotAt(at)
    }

    /// The slots in the order of their places, for what must be done to every transaction after a restart.
    pub(crate) fn places(&self) -> impl Iterator<Item = SlotAt> + use<> {
        (0..self.slots.len() as u32).map(SlotAt)
    }

    /// True when the place holds a transaction.
    pub(crate) fn is_occupied(&self, at: SlotAt) -> bool {
        self.slots[at.0 as usize].occupied
    }

    /// Looks at a few slots, where the last sweep ended, and lets go of transactions with nothing under way that have not
    /// been touched for a while and whose last record is durable. Does nothing while the table is roomy.
    pub(crate) fn sweep(&mut self, now: Micros, durable_sequence: u64, tails: &mut Tails) {
        for _ in 0..EVICTION_SWEEP_SLOTS {
            let crowded = u64::from(self.len()) * 100 > u64::from(self.slots_max) * u64::from(EVICTION_ABOVE_PERCENT);
            if !crowded {
                return;
            }
            self.sweep_at = if self.sweep_at as usize + 1 >= self.slots.len() { 0 } else { self.sweep_at + 1 };
            if (self.sweep_at as usize).is_multiple_of(SWEEP_FORESEEN) {
                self.foresee_sweep();
            }
            if self.may_leave(self.sweep_at, now, durable_sequence) {
                self.remove(self.sweep_at, tails);
            }
        }
    }

    /// Looks at the next slots of the sweep, and at what their transactions' leaving will read first: each look waits for memory, and here
    /// the waits of many overlap.
    fn foresee_sweep(&self) {
        let next = self.slots[self.sweep_at as usize..].iter().take(SWEEP_FORESEEN);
        let look = |slot: &Slot| slot.touched_at.0 as u64 ^ self.glance(slot.transaction.id);
        core::hint::black_box(next.fold(0, |seen, slot| seen ^ look(slot)));
    }

    fn may_leave(&self, at: u32, now: Micros, durable_sequence: u64) -> bool {
        let slot = &self.slots[at as usize];
        let rested = slot.touched_at.plus_ms(RESIDENCY_MIN_MS) <= now;
        slot.occupied
            && rested
            && slot.last_sequence <= durable_sequence
            && slot.waiters == Chain::EMPTY
            && !slot.transaction.is_open()
    }

    fn remove(&mut self, at: u32, tails: &mut Tails) {
        let id = self.slots[at as usize].transaction.id;
        self.index.remove(id.hash64(), at);
        tails.forget(self.slots[at as usize].tail);
        self.slots[at as usize].occupied = false;
        self.free.push(at);
    }
}

impl core::ops::Index<SlotAt> for Table {
    type Output = Slot;

    fn index(&self, at: SlotAt) -> &Slot {
        &self.slots[at.0 as usize]
    }
}

impl core::ops::IndexMut<SlotAt> for Table {
    fn index_mut(&mut self, at: SlotAt) -> &mut Slot {
        &mut self.slots[at.0 as usize]
    }
}
