//! The board on which batches are shown as they move, for those who wait for them.

use parking_lot::Mutex;
use protocol::batch::{Batch, BatchState};
use protocol::id::Xid;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Batches shown at most; the oldest leave first. An operator's call waits half a minute for a few.
const BATCHES_SHOWN_MAX: usize = 65_536;

/// The board.
#[derive(Default)]
pub struct Board {
    batches: Mutex<VecDeque<Batch>>,
    moved: Notify,
}

impl Board {
    /// Shows a batch in place of its earlier version.
    pub fn show(&self, batch: Batch) {
        let mut batches = self.batches.lock();
        match batches.iter_mut().rev().find(|shown| shown.id == batch.id) {
            Some(shown) => *shown = batch,
            None => {
                if batches.len() == BATCHES_SHOWN_MAX {
                    batches.pop_front();
                }
                batches.push_back(batch);
            }
        }
        drop(batches);
        self.moved.notify_waiters();
    }

    /// Those shown that are meant.
    pub fn find(&self, is_meant: impl Fn(&Batch) -> bool) -> Vec<Batch> {
        self.batches.lock().iter().filter(|batch| is_meant(batch)).copied().collect()
    }

    /// Waits until `count` of the batches that are meant are decided, or for `longest`; gives them as they stand then.
    pub async fn wait_decided(&self, count: usize, longest: Duration, is_meant: impl Fn(&Batch) -> bool) -> Vec<Batch> {
        let until = Instant::now() + longest;
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Registered before looking: a batch that moves in between is not missed.
            moved.as_mut().enable();
            let found = self.find(&is_meant);
            if found.iter().filter(|batch| is_decided(batch)).count() >= count || timeout_at(until, moved).await.is_err() {
                return found;
            }
        }
    }

    /// Waits until a batch is complete. False when it is not after `longest`.
    pub async fn completes(&self, id: Xid, longest: Duration) -> bool {
        let is_it = |batch: &Batch| batch.id == id && batch.state() == BatchState::Complete;
        !self.wait_decided(1, longest, is_it).await.is_empty()
    }
}

/// Accepted and all members settled, or rejected.
fn is_decided(batch: &Batch) -> bool {
    match batch.state() {
        BatchState::Rejected | BatchState::Complete => true,
        BatchState::Open | BatchState::Closing | BatchState::Accepted => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u32, state: BatchState) -> Batch {
        let mut batch = Batch::empty();
        batch.id = Xid::from_parts(number, [0; 5], 4);
        batch.state = state as u8;
        batch
    }

    #[tokio::test]
    async fn a_waiter_sees_batches_that_move_while_it_waits() {
        let board = Board::default();
        board.show(batch(1, BatchState::Accepted));
        let shown = async {
            board.show(batch(2, BatchState::Rejected));
            board.show(batch(1, BatchState::Complete));
        };
        let (found, ()) = tokio::join!(board.wait_decided(2, Duration::from_secs(5), |_| true), shown);
        assert_eq!(found.iter().map(Batch::state).collect::<Vec<_>>(), [BatchState::Complete, BatchState::Rejected]);
        assert!(board.completes(batch(1, BatchState::Open).id, Duration::ZERO).await);
        assert!(!board.completes(batch(2, BatchState::Open).id, Duration::from_millis(1)).await);
    }
}
