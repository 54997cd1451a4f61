//! A stop in order: nothing new is taken, what is in flight is decided, what was decided lasts; then the process ends.

use super::{Death, Switch};
use crate::simulator::stage::Stage;
use api_front::switch::desk::Desk;
use api_front::switch::door::Return;
use tokio::sync::oneshot;

/// How far a stop has come.
#[derive(Default)]
pub(super) enum Stopping {
    /// Nobody has asked for it.
    #[default]
    No,
    /// Shards tell when nothing of theirs is undecided any more.
    Draining(Vec<oneshot::Receiver<()>>),
    /// They let out what is with the journal, then end.
    Ending,
}

impl Switch {
    /// The operator stops it in order.
    pub fn stop(&mut self, stage: &mut Stage) {
        if !self.takes_calls() {
            return;
        }
        let mut draining = Vec::new();
        for shard in 0..self.setup.shards {
            let (reply, drained) = oneshot::channel();
            self.give(stage, shard, Return::Drain(reply));
            draining.push(drained);
        }
        self.stopping = Stopping::Draining(draining);
    }

    /// Whether the front takes anything new.
    pub(super) fn takes_calls(&self) -> bool {
        matches!(self.stopping, Stopping::No)
    }

    /// After each step: goes on with a stop that is under way.
    pub(super) fn look_after_stop(&mut self, stage: &mut Stage) -> Result<(), Death> {
        if self.takes_calls() {
            return Ok(());
        }
        self.desks.iter_mut().for_each(Desk::tell_drained);
        if let Stopping::Draining(draining) = &mut self.stopping {
            draining.retain_mut(|drained| drained.try_recv() == Err(oneshot::error::TryRecvError::Empty));
            if draining.is_empty() {
                self.stopping = Stopping::Ending;
                (0..self.setup.shards).for_each(|shard| self.give(stage, shard, Return::Stop));
            }
        }
        if self.desks.iter().all(Desk::is_over) { Err(Death::Stopped) } else { Ok(()) }
    }
}
