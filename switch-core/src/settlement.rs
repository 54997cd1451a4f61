//! Settlement batches of a shard: open ones with their running totals, and those on their way to the processor.
//!
//! A batch's totals are sent only when nothing that carried its number is undecided: no request in flight, no reversal
//! unacknowledged. Later transactions meanwhile go to the next batch. So both sides add up the same members (I5).

use crate::wheel::Alarm;
use hashbrown::HashTable;
use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::id::{Xid, mix};
use protocol::limits::STAN_MAX;

/// Highest batch number; the next is 1 again, long after the five days in which a number may not come twice.
const BATCH_NUMBER_MAX: u32 = STAN_MAX;

/// A batch's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchAt(u32);

/// A batch that is not complete.
#[derive(Debug)]
pub(crate) struct BatchSlot {
    pub(crate) batch: Batch,
    /// Requests that carried its number and are not decided.
    pub(crate) undecided: u32,
    /// When the totals are sent again.
    pub(crate) alarm: Alarm,
    /// Times that the totals went, or may have gone, out under the present number.
    pub(crate) sends: u32,
    occupied: bool,
}

/// What a batch collects: one merchant's payments at one processor in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) merchant: Xid,
    pub(crate) processor: u16,
    pub(crate) currency: u16,
}

impl Account {
    fn of(batch: &Batch) -> Account {
        Account { merchant: batch.merchant, processor: batch.processor.get(), currency: batch.currency.get() }
    }

    fn hash64(&self) -> u64 {
        mix(self.merchant.hash64() ^ u64::from(self.processor) << 16 ^ u64::from(self.currency))
    }
}

#[derive(Debug, Clone, Copy)]
struct LastNumber {
    merchant: Xid,
    processor: u16,
    number: u32,
}

/// How many of a processor's batches stand where, in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchCounts {
    /// Take transactions, and have some.
    pub open: u32,
    /// Their totals wait for an answer, or for the last of their members.
    pub closing: u32,
    /// Accepted; their members are being settled.
    pub accepted: u32,
    /// Rejected; they try again when they are closed next.
    pub rejected: u32,
    /// Transactions in all of these.
    pub members: u64,
}

/// The batches of a shard that are not complete.
#[derive(Debug)]
pub(crate) struct Batches {
    slots: Vec<BatchSlot>,
    free: Vec<u32>,
    by_id: HashTable<u32>,
    open: HashTable<u32>,
    numbers: HashTable<LastNumber>,
    batches_max: u32,
}

impl Batches {
    /// Room for `batches_max` batches.
    pub(crate) fn new(batches_max: u32) -> Batches {
        Batches {
            slots: Vec::with_capacity(batches_max as usize),
            free: Vec::with_capacity(batches_max as usize),
            by_id: HashTable::with_capacity(batches_max as usize),
            open: HashTable::with_capacity(batches_max as usize),
            numbers: HashTable::with_capacity(batches_max as usize),
            batches_max,
        }
    }

    /// True when the account has an open batch, or one can be opened for it with this id.
    pub(crate) fn has_room(&self, account: Account, id: Xid) -> bool {
        self.open_of(account).is_some() || ((self.by_id.len() as u32) < self.batches_max && self.find(id).is_none())
    }

    /// The account's open batch.
    pub(crate) fn open_of(&self, account: Account) -> Option<BatchAt> {
        let found = self.open.find(account.hash64(), |&at| Account::of(&self.slots[at as usize].batch) == account);
        found.map(|&at| BatchAt(at))
    }

    /// Finds a batch that is not complete.
    pub(crate) fn find(&self, id: Xid) -> Option<BatchAt> {
        self.by_id.find(id.hash64(), |&at| self.slots[at as usize].batch.id == id).map(|&at| BatchAt(at))
    }

    /// Opens a batch for an account that has none open, under its next number.
    pub(crate) fn open(&mut self, account: Account, id: Xid, now: Micros) -> BatchAt {
        let number = self.next_number(account.merchant, account.processor);
        let mut batch = Batch::empty();
        batch.id = id;
        batch.merchant = account.merchant;
        batch.processor = account.processor.into();
        batch.currency = account.currency.into();
        batch.state = BatchState::Open as u8;
        batch.number = number.into();
        batch.members_number = number.into();
        batch.opened_at = now.0.into();
        self.insert(&batch)
    }

    /// Takes a batch in, new or recovered.
    ///
    /// # Panics
    /// When it is there already or there is no room: callers check both.
    pub(crate) fn insert(&mut self, batch: &Batch) -> BatchAt {
        assert!(
            self.find(batch.id).is_none() && (self.by_id.len() as u32) < self.batches_max,
            "a batch is kept once, in checked room"
        );
        let slot = BatchSlot { batch: *batch, undecided: 0, alarm: Alarm::NONE, sends: 0, occupied: true };
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
        let slots = &self.slots;
        self.by_id.insert_unique(batch.id.hash64(), at, |&at| slots[at as usize].batch.id.hash64());
        if batch.state() == BatchState::Open {
            let account = Account::of(batch);
            self.open.insert_unique(account.hash64(), at, |&at| Account::of(&slots[at as usize].batch).hash64());
        }
        BatchAt(at)
    }

    /// The batch takes no more transactions.
    pub(crate) fn close(&mut self, at: BatchAt) {
        let account = Account::of(&self[at].batch);
        if let Ok(entry) = self.open.find_entry(account.hash64(), |&found| found == at.0) {
            entry.remove();
        }
        self[at].batch.state = BatchState::Closing as u8;
    }

    /// The batch is complete and forgotten; its number is not.
    pub(crate) fn remove(&mut self, at: BatchAt) {
        let id = self[at].batch.id;
        if let Ok(entry) = self.by_id.find_entry(id.hash64(), |&found| found == at.0) {
            entry.remove();
            self[at].occupied = false;
            self.free.push(at.0);
        }
    }

    /// Batches in the order of their places.
    pub(crate) fn places(&self) -> impl Iterator<Item = BatchAt> + use<'_> {
        (0..self.slots.len() as u32).filter(|&at| self.slots[at as usize].occupied).map(BatchAt)
    }

    /// How a processor's batches stand.
    pub(crate) fn counts(&self, processor: u16) -> BatchCounts {
        let mut counts = BatchCounts::default();
        for slot in self.places().map(|at| &self[at]).filter(|slot| slot.batch.processor.get() == processor) {
            let count = match slot.batch.state() {
                BatchState::Open if slot.batch.member_count() == 0 && slot.undecided == 0 => continue,
                BatchState::Open => &mut counts.open,
                BatchState::Closing => &mut counts.closing,
                BatchState::Accepted => &mut counts.accepted,
                BatchState::Rejected => &mut counts.rejected,
                // A complete one is forgotten.
                BatchState::Complete => continue,
            };
            *count += 1;
            counts.members += u64::from(slot.batch.member_count());
        }
        counts
    }

    /// The next number of a merchant at a processor.
    pub(crate) fn next_number(&mut self, merchant: Xid, processor: u16) -> u32 {
        let number = 1 + self.last_number(merchant, processor) % BATCH_NUMBER_MAX;
        self.set_last_number(merchant, processor, number);
        number
    }

    /// Notes a number that was used before a restart. They come in any order: the highest is the last.
    pub(crate) fn note_number(&mut self, merchant: Xid, processor: u16, number: u32) {
        if number > self.last_number(merchant, processor) {
            self.set_last_number(merchant, processor, number);
        }
    }

    fn set_last_number(&mut self, merchant: Xid, processor: u16, number: u32) {
        let hash = merchant.hash64() ^ u64::from(processor);
        if let Some(last) = self.numbers.find_mut(hash, |last| last.merchant == merchant && last.processor == processor) {
            last.number = number;
            return;
        }
        let last = LastNumber { merchant, processor, number };
        self.numbers.insert_unique(hash, last, |last| last.merchant.hash64() ^ u64::from(last.processor));
    }

    fn last_number(&self, merchant: Xid, processor: u16) -> u32 {
        let hash = merchant.hash64() ^ u64::from(processor);
        let last = self.numbers.find(hash, |last| last.merchant == merchant && last.processor == processor);
        last.map_or(0, |last| last.number)
    }
}

impl BatchSlot {
    /// A member is decided: its money counts.
    pub(crate) fn add(&mut self, amount: u64, pays_out: bool) {
        let Batch { capture_count, credit_count, captured, credited, .. } = &mut self.batch;
        let (count, sum) = if pays_out { (credit_count, credited) } else { (capture_count, captured) };
        count.set(count.get() + 1);
        sum.set(sum.get().checked_add(amount).expect("a batch of twelve-digit amounts stays far below 2^64"));
    }

    /// A member is being voided: its money does not count any more.
    pub(crate) fn subtract(&mut self, amount: u64, pays_out: bool) {
        let Batch { capture_count, credit_count, captured, credited, .. } = &mut self.batch;
        let (count, sum) = if pays_out { (credit_count, credited) } else { (capture_count, captured) };
        count.set(count.get().checked_sub(1).expect("what leaves a batch was in it"));
        sum.set(sum.get().checked_sub(amount).expect("what leaves a batch was in it"));
    }

    /// True when the totals may be sent: closed, and nothing of it undecided.
    pub(crate) fn is_ready(&self) -> bool {
        self.batch.state() == BatchState::Closing && self.batch.stan.get() == 0 && self.undecided == 0
    }
}

impl core::ops::Index<BatchAt> for Batches {
    type Output = BatchSlot;

    fn index(&self, at: BatchAt) -> &BatchSlot {
        &self.slots[at.0 as usize]
    }
}

impl core::ops::IndexMut<BatchAt> for Batches {
    fn index_mut(&mut self, at: BatchAt) -> &mut BatchSlot {
        &mut self.slots[at.0 as usize]
    }
}
