//! The shard threads together: started, drained, stopped.

use crate::limits::DRAIN_WAIT;
use crate::switch::door::{Door, Return};
use crate::switch::driver::{Driver, Surroundings};
use std::io;
use std::thread::{self, JoinHandle};
use switch_core::Shard;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The threads.
pub struct ShardThreads {
    doors: Vec<Door>,
    threads: Vec<JoinHandle<()>>,
}

impl ShardThreads {
    /// Starts a thread for each shard.
    pub fn start(doors: Vec<Door>, shards: impl Iterator<Item = (Shard, Surroundings)>) -> io::Result<ShardThreads> {
        let spawn = |(shard, surroundings): (Shard, Surroundings)| {
            let name = format!("shard-{}", surroundings.around.index);
            thread::Builder::new().name(name).spawn(move || Driver::new(shard, surroundings).run())
        };
        let threads = shards.map(spawn).collect::<io::Result<_>>()?;
        Ok(ShardThreads { doors, threads })
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

    /// Lets the journal finish what it has of the shards, and ends the threads.
    pub async fn stop(self) {
        for door in &self.doors {
            door.give(Return::Stop);
        }
        let joined = spawn_blocking(move || self.threads.into_iter().all(|thread| thread.join().is_ok())).await;
        if !matches!(joined, Ok(true)) {
            tracing::error!("a shard's thread has panicked");
        }
    }
}
