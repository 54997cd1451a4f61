//! Closing a processor's batches and waiting for what becomes of them.

use super::board::Board;
use crate::switch::door::{Closed, Door, Return};
use protocol::batch::Batch;
use protocol::calendar::Micros;
use std::time::Duration;
use switch_core::shard_of;
use tokio::sync::oneshot;

/// What a call has closed of a processor's batches.
#[derive(Debug)]
pub struct Closing {
    processor: u16,
    /// By shard; none of one that dropped the call, for it has no room or can't write its journal.
    closed: Vec<Option<Closed>>,
}

impl Closing {
    /// Tells every shard to close a processor's batches that were opened, or closed and rejected, before a moment.
    pub async fn ask(doors: &[Door], processor: u16, before: Micros) -> Closing {
        let mut asked = Vec::with_capacity(doors.len());
        for door in doors {
            let (reply, closed) = oneshot::channel();
            door.give(Return::CloseBatches { processor, before, reply });
            asked.push(closed);
        }
        let mut closed = Vec::with_capacity(asked.len());
        for answer in asked {
            closed.push(answer.await.ok());
        }
        Closing { processor, closed }
    }

    /// Whether every shard has done so.
    pub fn is_whole(&self) -> bool {
        self.closed.iter().all(Option::is_some)
    }

    /// Batches closed.
    pub fn count(&self) -> u32 {
        self.closed.iter().flatten().map(|closed| closed.count).sum()
    }

    /// Waits until each is answered and its members are settled, or for `longest`; gives them as they stand then.
    pub async fn decided(&self, board: &Board, longest: Duration) -> Vec<Batch> {
        board.wait_decided(self.count() as usize, longest, |batch| self.has_closed(batch)).await
    }

    /// A batch carries the moment at which it was closed, and a shard closes all of a call's batches at one.
    fn has_closed(&self, batch: &Batch) -> bool {
        let shard = shard_of(batch.merchant, self.closed.len() as u16);
        let closed = &self.closed[usize::from(shard)];
        batch.processor.get() == self.processor && closed.as_ref().is_some_and(|closed| closed.at == batch.closed_at())
    }
}
