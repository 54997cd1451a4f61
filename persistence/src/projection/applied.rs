//! How far the projection has come, for those who must read their own writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// The applied LSN as it moves. Clones see the same.
#[derive(Debug, Clone)]
pub struct AppliedWatch {
    lsn: watch::Receiver<u64>,
    demand: Arc<Demand>,
}

/// Who waits: the follower gathers records for a while before it commits them, but not while somebody waits for them.
#[derive(Debug, Default)]
pub(super) struct Demand {
    waiters: AtomicU32,
    arrived: Notify,
}

/// Counts a waiter for as long as it waits, also when its future is dropped.
struct Waiting<'a>(&'a Demand);

impl AppliedWatch {
    pub(super) fn new(lsn: watch::Receiver<u64>, demand: Arc<Demand>) -> AppliedWatch {
        AppliedWatch { lsn, demand }
    }

    /// LSN of the newest record that queries see.
    pub fn lsn(&self) -> u64 {
        *self.lsn.borrow()
    }

    /// Waits until queries see record `lsn`. False when that has not come true within `timeout`, or never will because
    /// the follower has stopped.
    pub async fn wait_for(&self, lsn: u64, timeout: Duration) -> bool {
        if self.lsn() >= lsn {
            return true;
        }
        let _waiting = self.demand.wait();
        let mut mark = self.lsn.clone();
        let reached = tokio::time::timeout(timeout, mark.wait_for(|applied| *applied >= lsn)).await;
        matches!(reached, Ok(Ok(_)))
    }
}

impl Demand {
    fn wait(&self) -> Waiting<'_> {
        self.waiters.fetch_add(1, Ordering::SeqCst);
        self.arrived.notify_one();
        Waiting(self)
    }

    /// Returns after `longest`, or as soon as somebody waits.
    pub(super) async fn linger(&self, longest: Duration) {
        if self.waiters.load(Ordering::SeqCst) > 0 {
            return;
        }
        // The permit may be of a waiter who is gone: gathering is cut short once, nothing worse.
        let _ = tokio::time::timeout(longest, self.arrived.notified()).await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}
