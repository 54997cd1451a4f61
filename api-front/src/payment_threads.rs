//! The threads on which payments happen from end to end: each is a runtime of its own, with its shards, its processors' links and
//! the connections that were given to it.
//!
//! With one such thread, as on two cores, whatever a payment crosses (a connection's task, its shard, a link) is on it: handing on is a
//! place in a queue that nobody sleeps before, and what many payments hand on together is taken in one turn. Only the journal is
//! another thread. With more of them a connection and its merchant's shard may be on two.
//!
//! Must not live here: what may take long (pages, searches, passwords, handshakes): that is the office's, the runtime which the
//! process was started on.

use crate::limits::PAYMENT_THREAD_EVENT_TURNS;
use persistence::precedence::come_at_once;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// The threads. They end when this is dropped, and what still runs on them with them.
#[derive(Debug)]
pub struct PaymentThreads {
    homes: Homes,
    threads: Vec<PaymentThread>,
}

#[derive(Debug)]
struct PaymentThread {
    /// Dropped, it ends the thread.
    _running: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// The threads' runtimes, for whoever has tasks for them. Clones are the same.
#[derive(Debug, Clone)]
pub struct Homes {
    runtimes: Arc<[Handle]>,
    /// How many connections were given out.
    given: Arc<AtomicUsize>,
}

impl Homes {
    fn of_all(runtimes: Vec<Handle>) -> Homes {
        Homes { runtimes: runtimes.into(), given: Arc::default() }
    }

    /// The present runtime, for all.
    pub fn here() -> Homes {
        Homes::of_all(vec![Handle::current()])
    }

    /// The one that carries the shard, the processor's link, or the binary front's loop of this index.
    pub fn of(&self, index: u16) -> &Handle {
        &self.runtimes[usize::from(index) % self.runtimes.len()]
    }

    /// The one that carries the next connection.
    pub fn next(&self) -> &Handle {
        &self.runtimes[self.given.fetch_add(1, Ordering::Relaxed) % self.runtimes.len()]
    }
}

impl PaymentThreads {
    /// Starts so many, at least one.
    pub fn start(count: u16) -> io::Result<PaymentThreads> {
        let started = (0..count.max(1)).map(PaymentThread::start).collect::<io::Result<Vec<_>>>()?;
        let (threads, runtimes) = started.into_iter().unzip();
        Ok(PaymentThreads { homes: Homes::of_all(runtimes), threads })
    }

    /// Their runtimes.
    pub fn homes(&self) -> Homes {
        self.homes.clone()
    }

    /// Ends them, and waits until they have ended.
    pub async fn stop(self) {
        let threads: Vec<JoinHandle<()>> = self.threads.into_iter().map(|thread| thread.thread).collect();
        let joined = spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok())).await;
        if !matches!(joined, Ok(true)) {
            tracing::error!("a thread of payments has panicked");
        }
    }
}

impl PaymentThread {
    fn start(index: u16) -> io::Result<(PaymentThread, Handle)> {
        let runtime = Builder::new_current_thread().enable_all().event_interval(PAYMENT_THREAD_EVENT_TURNS).build()?;
        let (handle, (running, ended)) = (runtime.handle().clone(), oneshot::channel());
        // Handed over behind the start: a runtime must not be dropped where another one runs.
        let (hand_over, taken) = mpsc::sync_channel(1);
        let run = move || {
            come_at_once();
            let Ok(runtime): Result<Runtime, _> = taken.recv() else { return };
            drop(runtime.block_on(ended));
        };
        let thread = match thread::Builder::new().name(format!("payments-{index}")).spawn(run) {
            Ok(thread) => thread,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        // The thread waits for it.
        drop(hand_over.send(runtime));
        Ok((PaymentThread { _running: running, thread }, handle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_given_to_a_thread_runs_there_until_it_is_stopped() {
        let threads = PaymentThreads::start(2).unwrap();
        let name = async || thread::current().name().map(str::to_owned);
        let homes = threads.homes();
        let mut seen = Vec::new();
        for runtime in [homes.of(0), homes.of(1), homes.of(2), homes.next(), homes.next(), homes.next()] {
            seen.push(runtime.spawn(name()).await.unwrap().unwrap());
        }
        assert_eq!(seen, ["payments-0", "payments-1", "payments-0", "payments-0", "payments-1", "payments-0"]);
        let endless = homes.of(0).spawn(std::future::pending::<()>());
        threads.stop().await;
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
