//! The binary front: `protocol::binary` spoken over TCP, one event loop per thread, no futures in the way of a payment.
//!
//! Lives here: connections, their bounds, and the way between a request and the switch. Must not live here: decisions about
//! payments, and layouts, which are protocol's.
//!
//! - [`session`]: one conversation as a value, without a socket;
//! - `connection`, `incoming`, `outgoing`: one client's socket and buffers;
//! - `reading`, `answering`, `past`: requests into commands, and what the switch says into answers;
//! - `office`: what is under way, and for whom; `event_loop`: the thread.

mod answering;
mod caller;
mod connection;
mod event_loop;
mod incoming;
pub mod limits;
mod office;
mod outgoing;
mod past;
mod reading;
pub mod session;
mod wrong;

use super::brake::Brake;
use crate::switch::handle::Switch;
use event_loop::{EventLoop, WAKER};
use mio::{Poll, Waker};
use office::Office;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

/// Begins to serve on the present runtime, which reads the past and looks keys up; the rest has a thread of its own.
pub fn start(listener: TcpListener, switch: Switch, refusals_per_s_max: u32) -> io::Result<Serving> {
    listener.set_nonblocking(true)?;
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
    let office = Office::new(switch, Handle::current(), Arc::clone(&waker));
    let is_stopping = Arc::new(AtomicBool::new(false));
    let (brake, listener) = (Brake::new(refusals_per_s_max), mio::net::TcpListener::from_std(listener));
    let event_loop = EventLoop::new(poll, listener, office, brake, Arc::clone(&is_stopping))?;
    let (tell_ended, ended) = oneshot::channel();
    let run = move || {
        let answered_all = event_loop.run().unwrap_or_else(|error| {
            tracing::error!(%error, "the binary front has ended: the kernel gives it no events");
            false
        });
        // Whoever has started it may be gone.
        let _ = tell_ended.send(answered_all);
    };
    thread::Builder::new().name("binary".to_owned()).spawn(run)?;
    Ok(Serving { waker, is_stopping, ended })
}

/// The front at work.
pub struct Serving {
    waker: Arc<Waker>,
    is_stopping: Arc<AtomicBool>,
    ended: oneshot::Receiver<bool>,
}

impl Serving {
    /// Serves until `stop` turns true, then lets what was asked be answered, for a bounded time. True when all was.
    pub async fn until(self, mut stop: watch::Receiver<bool>) -> bool {
        // A sender that is gone has stopped everything.
        let _ = stop.wait_for(|stop| *stop).await;
        self.is_stopping.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the binary front can't be woken");
        }
        self.ended.await.unwrap_or(false)
    }
}
