//! The shards together: started, drained, stopped.

use crate::limits::DRAIN_WAIT;
use crate::payment_threads::Homes;
use crate::switch::door::{Door, Return};
use crate::switch::driver::{Driver, Surroundings};
use switch_core::Shard;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The shards at work.
pub struct RunningShards {
    doors: Vec<Door>,
    tasks: Vec<JoinHandle<()>>,
}

impl RunningShards {
    /// Starts each shard on its thread.
    pub fn start(homes: &Homes, doors: Vec<Door>, shards: impl Iterator<Item = (Shard, Surroundings)>) -> RunningShards {
        let spawn = |(shard, surroundings): (Shard, Surroundings)| {
            homes.of(surroundings.around.index).spawn(Driver::run(shard, surroundings))
        };
        RunningShards { doors, tasks: shards.map(spawn).collect() }
    }

    /// Waits until no shard has a request that is undecided, [`DRAIN_WAIT`] at most.
    pub async fn drain(&self) {
        let mut asked = Vec::with_capacity(self.doors.len());
        for door in &self.doors {
            let (reply, drained) = oneshot::channel();
            door.give(Return::Drain(reply));
            asked.push(drained);
        }
        let all = async {
            for drained in asked {
                // A shard that has failed drops the question: nothing of it is in flight any more.
                drop(drained.await);
            }
        };
        if timeout(DRAIN_WAIT, all).await.is_err() {
            tracing::warn!("requests are still undecided: the next start makes them unknown and reverses them");
        }
    }

    /// Lets the journal finish what it has of the shards, and ends them.
    pub async fn stop(self) {
        for door in &self.doors {
            door.give(Return::Stop);
        }
        for task in self.tasks {
            if task.await.is_err() {
                tracing::error!("a shard has panicked");
            }
        }
    }
}
