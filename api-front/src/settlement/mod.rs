//! Settlement: what becomes of a batch that the processor has accepted.
//!
//! Lives here: reading an accepted batch's members back and giving them to their shard in chunks, and the wait of an
//! operator's call. Must not live here: totals and states, which are the shard's. Whoever drives a batch may start over: a
//! member that is settled is not settled twice.

pub mod board;
pub mod closing;
pub mod cut_over;
pub mod nacha;
pub mod schedule;

use crate::limits::{SETTLE_CHUNK_MEMBERS, SETTLE_RETRY};
use crate::switch::clock::Clock;
use crate::switch::door::{Door, Return};
use crate::switch::handle::Unavailable;
use crate::switch::history::History;
use crate::switch::version::Version;
use board::Board;
use nacha::{BankFiles, Draft, NoFile};
use persistence::PersistenceError;
use persistence::projection::StoredTransaction;
use protocol::batch::{Batch, BatchState};
use protocol::id::Xid;
use protocol::words::Status;
use std::sync::Arc;
use switch_core::shard_of;
use tokio::sync::{mpsc, oneshot};

/// Drives batches.
#[derive(Clone)]
pub struct Settler {
    /// Readings of members.
    pub history: History,
    /// The shards' doors.
    pub doors: Vec<Door>,
    /// The switch's clock.
    pub clock: Clock,
    /// Where batches that moved are shown.
    pub board: Arc<Board>,
    /// What the bank gets of them.
    pub files: BankFiles,
}

/// Why a pass over a batch's members was not finished; it is begun again.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    History(#[from] Unavailable),
    #[error(transparent)]
    Sql(#[from] PersistenceError),
    #[error(transparent)]
    File(NoFile),
    #[error("the shard has stopped")]
    Stopped,
}

impl Settler {
    /// Runs until every shard has stopped. What was accepted before a restart is told again by the shards.
    pub async fn run(self, mut moved: mpsc::UnboundedReceiver<Batch>) {
        while let Some(batch) = moved.recv().await {
            tracing::info!(id = %batch.id, number = batch.number.get(), state = batch.state().word(), "settlement batch");
            self.board.show(batch);
            match batch.state() {
                BatchState::Accepted => self.drive(batch),
                BatchState::Open | BatchState::Closing | BatchState::Rejected | BatchState::Complete => {}
            }
        }
    }

    /// Settles a batch beside the others: a large one must not hold up a small one.
    fn drive(&self, batch: Batch) {
        let settler = self.clone();
        tokio::spawn(async move { settler.settle(batch).await });
    }

    async fn settle(&self, batch: Batch) {
        loop {
            match self.settle_members(&batch).await {
                Ok(()) if self.board.completes(batch.id, SETTLE_RETRY).await => return,
                Ok(()) => {}
                Err(Interrupted::Stopped) => return,
                Err(why) => {
                    tracing::warn!(id = %batch.id, error = %why, "settling is interrupted and begins again");
                    tokio::time::sleep(SETTLE_RETRY).await;
                }
            }
        }
    }

    async fn settle_members(&self, batch: &Batch) -> Result<(), Interrupted> {
        let door = &self.doors[usize::from(shard_of(batch.merchant, self.doors.len() as u16))];
        self.history.catch_up().await?;
        let (mut after, mut draft) = (Xid::NONE, self.files.draft(batch));
        loop {
            let read_at = self.clock.now();
            let page = self.history.queries().batch_members(&batch.id, &after, SETTLE_CHUNK_MEMBERS).await?;
            let Some(last) = page.last() else { break };
            after = last.transaction().id;
            self.draw(&mut draft, batch, &page);
            let unsettled = page.iter().filter(|stored| stored.transaction().status() == Status::PendingSettlement);
            let members = unsettled.map(|stored| Version::copy_of(stored.parts().0, stored.parts().1)).collect();
            let (reply, taken) = oneshot::channel();
            door.give(Return::SettleMembers { members, read_at, reply });
            taken.await.map_err(|_| Interrupted::Stopped)?;
        }
        // Before the batch is complete: a crash in between drives it again, and the same file is written.
        self.write_file(batch, draft).await?;
        door.give(Return::CompleteBatch { batch: batch.id });
        Ok(())
    }

    /// Draws members into the bank's file. One that fits into none leaves the batch without a file, loudly: its money is settled all the
    /// same, for the processor has accepted it.
    fn draw(&self, draft: &mut Option<Draft>, batch: &Batch, page: &[StoredTransaction]) {
        for member in page {
            let Some(open) = draft else { return };
            let (transaction, tail) = member.parts();
            if let Err(error) = self.files.add(open, transaction, tail) {
                tracing::error!(id = %batch.id, %error, "no file is written for the bank");
                *draft = None;
            }
        }
    }

    async fn write_file(&self, batch: &Batch, draft: Option<Draft>) -> Result<(), Interrupted> {
        let Some(draft) = draft else { return Ok(()) };
        match self.files.write(batch, draft).await {
            Ok(()) => Ok(()),
            Err(error @ NoFile::Disk { .. }) => Err(Interrupted::File(error)),
            Err(error) => {
                tracing::error!(id = %batch.id, %error, "no file is written for the bank");
                Ok(())
            }
        }
    }
}
