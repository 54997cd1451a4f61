//! What the settlement driver does with an accepted batch: reads its members back, gives them to their shard in chunks, and
//! begins again when it is not complete after a while.

use super::home::{Reading, Wanted};
use super::{Scene, Switch, Task};
use crate::simulator::stage::Stage;
use api_front::limits::SETTLE_RETRY;
use api_front::switch::door::{Closed, Return};
use api_front::switch::version::Version;
use protocol::batch::{Batch, BatchState};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::Status;
use std::collections::BTreeMap;
use switch_core::shard_of;
use tokio::sync::oneshot;

/// Batches that are being settled, and shards that were told to close some.
#[derive(Default)]
pub(super) struct Settling {
    batches: BTreeMap<Xid, Pass>,
    closing: Vec<(u16, oneshot::Receiver<Closed>)>,
}

/// A pass over a batch's members.
struct Pass {
    merchant: Xid,
    /// The last member that was given.
    after: Xid,
    /// The shard has not taken all of the last chunk yet.
    chunk: Option<oneshot::Receiver<()>>,
}

impl Switch {
    /// The operator closes a processor's batches.
    pub fn close_batches(&mut self, stage: &mut Stage, processor: u16) {
        for shard in 0..self.setup.shards {
            let (reply, closed) = oneshot::channel();
            self.give(stage, shard, Return::CloseBatches { processor, before: Micros::NEVER, reply });
            self.settling.closing.push((shard, closed));
        }
    }

    /// Batches whose members are being settled.
    pub fn batches_settling(&self) -> usize {
        self.settling.batches.len()
    }

    pub(super) fn look_after_batches(&mut self, scene: &mut Scene<'_>) {
        self.settling.closing.retain_mut(|(shard, closed)| match closed.try_recv() {
            Ok(closed) => {
                scene.checks.closed(*shard, &closed);
                false
            }
            Err(error) => error == oneshot::error::TryRecvError::Empty,
        });
        while let Ok(batch) = self.moved.try_recv() {
            self.moved(scene, &batch);
        }
        let mut taken = Vec::new();
        for (id, pass) in &mut self.settling.batches {
            if pass.chunk.as_mut().is_some_and(|chunk| chunk.try_recv().is_ok()) {
                pass.chunk = None;
                taken.push(*id);
            }
        }
        for batch in taken {
            self.read_members(scene, batch, 0);
        }
    }

    fn moved(&mut self, scene: &mut Scene<'_>, batch: &Batch) {
        scene.stage.tell(format_args!("batch {} no. {} is {}", batch.id, batch.number, batch.state().word()));
        match batch.state() {
            BatchState::Accepted => {
                let pass = Pass { merchant: batch.merchant, after: Xid::NONE, chunk: None };
                self.settling.batches.insert(batch.id, pass);
                self.read_members(scene, batch.id, self.scribe.durable_lsn);
            }
            BatchState::Complete => {
                scene.stage.counts.batches += 1;
                self.settling.batches.remove(&batch.id);
            }
            BatchState::Open | BatchState::Closing | BatchState::Rejected => {}
        }
    }

    fn read_members(&mut self, scene: &mut Scene<'_>, batch: Xid, wants_lsn: u64) {
        let Some(pass) = self.settling.batches.get(&batch) else { return };
        let (after, read_at) = (pass.after, self.now(scene.stage));
        self.read(scene, Reading { wants_lsn, read_at, wanted: Wanted::Members { batch, after } });
    }

    pub(super) fn settle_members(&mut self, scene: &mut Scene<'_>, batch: Xid, members: Vec<Version>, read_at: Micros) {
        let Some(pass) = self.settling.batches.get_mut(&batch) else { return };
        let shard = shard_of(pass.merchant, self.setup.shards);
        let Some(last) = members.last() else {
            self.give(scene.stage, shard, Return::CompleteBatch { batch });
            return self.settle_later(scene.stage, batch);
        };
        pass.after = last.transaction().id;
        let (reply, taken) = oneshot::channel();
        pass.chunk = Some(taken);
        let is_unsettled = |member: &Version| member.transaction().status() == Status::PendingSettlement;
        let members = members.into_iter().filter(is_unsettled).collect();
        self.give(scene.stage, shard, Return::SettleMembers { members, read_at, reply });
    }

    pub(super) fn settle_later(&mut self, stage: &mut Stage, batch: Xid) {
        self.plan(stage, SETTLE_RETRY.as_micros() as u64, Task::SettleAgain { batch });
    }

    pub(super) fn settle_again(&mut self, scene: &mut Scene<'_>, batch: Xid) {
        if let Some(pass) = self.settling.batches.get_mut(&batch) {
            (pass.after, pass.chunk) = (Xid::NONE, None);
            self.read_members(scene, batch, self.scribe.durable_lsn);
        }
    }
}
