//! How far the projection has come, for those who must read their own writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// The applied LSN as it moves. Clones see the same.
#[derive(Debug, Clone)]
pub struct AppliedWatch {
    lsn: watch::Receiver<u64>,
    demand: Arc<Demand>,
}

/// What is waited for: the follower gathers records for a while before it commits them, but not while somebody waits for
/// one of them.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// The highest LSN that anybody has waited for. It never falls: once it is applied it asks for nothing.
    wanted: AtomicU64,
    raised: Notify,
}

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
        self.demand.raise(lsn);
        let mut mark = self.lsn.clone();
        let reached = tokio::time::timeout(timeout, mark.wait_for(|applied| *applied >= lsn)).await;
        matches!(reached, Ok(Ok(_)))
    }
}

impl Demand {
    pub(super) fn raise(&self, lsn: u64) {
        self.wanted.fetch_max(lsn, Ordering::SeqCst);
        self.raised.notify_one();
    }

    /// Returns after `longest`, or as soon as somebody waits for a record behind `applied`.
    pub(super) async fn linger(&self, applied: u64, longest: Duration) {
        let demanded = async {
            while self.wanted.load(Ordering::SeqCst) <= applied {
                self.raised.notified().await;
            }
        };
        let _ = tokio::time::timeout(longest, demanded).await;
    }
}
