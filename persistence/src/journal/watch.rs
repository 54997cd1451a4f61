//! What others may see of the journal while it runs: how far it is durable, and how much room is left.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The newest durable LSN. Cheap to clone, to read and to wait on.
#[derive(Clone)]
pub struct DurableWatch(Arc<Mark>);

struct Mark {
    lsn: AtomicU64,
    waiters: AtomicU32,
    gate: Mutex<()>,
    moved: Condvar,
}

impl DurableWatch {
    pub(super) fn at(lsn: u64) -> Self {
        let (gate, moved) = (Mutex::new(()), Condvar::new());
        Self(Arc::new(Mark { lsn: AtomicU64::new(lsn), waiters: AtomicU32::new(0), gate, moved }))
    }

    /// LSN of the newest durable record; 0 if there is none.
    pub fn durable_lsn(&self) -> u64 {
        self.0.lsn.load(Ordering::SeqCst)
    }

    /// Waits until something after `lsn` is durable, or for `timeout`; gives the newest durable LSN either way.
    pub fn wait_past(&self, lsn: u64, timeout: Duration) -> u64 {
        if self.durable_lsn() > lsn {
            return self.durable_lsn();
        }
        let deadline = Instant::now() + timeout;
        let mark = &*self.0;
        mark.waiters.fetch_add(1, Ordering::SeqCst);
        let mut gate = mark.gate.lock().unwrap_or_else(PoisonError::into_inner);
        while self.durable_lsn() <= lsn {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            gate = mark.moved.wait_timeout(gate, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(gate);
        mark.waiters.fetch_sub(1, Ordering::SeqCst);
        self.durable_lsn()
    }

    /// Moves the mark on. The writer pays for a lock only while somebody waits: a waiter counts itself before it looks at
    /// the mark, the writer moves the mark before it looks at the count, so one of the two sees the other.
    pub(super) fn publish(&self, lsn: u64) {
        let mark = &*self.0;
        mark.lsn.store(lsn, Ordering::SeqCst);
        if mark.waiters.load(Ordering::SeqCst) > 0 {
            drop(mark.gate.lock().unwrap_or_else(PoisonError::into_inner));
            mark.moved.notify_all();
        }
    }
}

/// How much room the journal has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Space {
    /// The next segments are pre-written and the disk has more.
    Ample = 0,
    /// No more can be pre-written. New requests are to be refused; outcomes and reversals fit in what is reserved.
    NearlyFull = 1,
    /// The reserve is used up: appends are refused.
    Exhausted = 2,
}

/// A view of [`Space`], kept up to date by the journal. Cheap to clone and to read.
#[derive(Clone)]
pub struct SpaceGauge(Arc<AtomicU8>);

impl SpaceGauge {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU8::new(Space::Ample as u8)))
    }

    /// The room as last seen.
    pub fn get(&self) -> Space {
        match self.0.load(Ordering::Acquire) {
            0 => Space::Ample,
            1 => Space::NearlyFull,
            _ => Space::Exhausted,
        }
    }

    /// Returns what it was before.
    pub(super) fn set(&self, space: Space) -> Space {
        match self.0.swap(space as u8, Ordering::AcqRel) {
            0 => Space::Ample,
            1 => Space::NearlyFull,
            _ => Space::Exhausted,
        }
    }
}
