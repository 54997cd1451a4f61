//! The binary front: `protocol::binary` spoken over TCP, one event loop per thread, no futures in the way of a payment.
//!
//! Lives here: connections, their bounds, and the way between a request and the switch. Must not live here: decisions about
//! payments, and layouts, which are protocol's.
//!
//! - [`session`]: one conversation as a value, without a socket;
//! - `connection`, `line`, `incoming`, `outgoing`: one client's socket and buffers;
//! - `reading`, `answering`, `past`: requests into commands, and what the switch says into answers;
//! - `office`: what is under way, and for whom; `event_loop`: the thread; `hall`: who goes to which of them.

mod answering;
mod caller;
mod connection;
mod event_loop;
mod hall;
mod incoming;
pub mod limits;
mod line;
mod office;
mod outgoing;
mod past;
mod reading;
pub mod session;
mod wrong;

use super::brake::Brake;
use crate::switch::handle::Switch;
use event_loop::{Door, EventLoop, Shared, WAKER};
use hall::Hall;
use mio::{Poll, Waker};
use office::Office;
use rustls::ServerConfig;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

/// How the front serves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads, each with an event loop; at least one.
    pub loops: u16,
    /// Certificate and key; without them it speaks in clear.
    pub tls: Option<Arc<ServerConfig>>,
    /// Refusals a second, beyond which refused connections rest.
    pub refusals_per_s_max: u32,
}

/// Begins to serve on the present runtime, which reads the past and looks keys up; the rest has threads of its own.
pub fn start(listener: TcpListener, switch: &Switch, options: Options) -> io::Result<Serving> {
    listener.set_nonblocking(true)?;
    let is_stopping = Arc::new(AtomicBool::new(false));
    let Options { loops, tls, refusals_per_s_max } = options;
    let shared = Shared { brake: Brake::new(refusals_per_s_max), tls, is_stopping: Arc::clone(&is_stopping) };
    let polls = (0..loops.max(1)).map(|_| Poll::new()).collect::<io::Result<Vec<Poll>>>()?;
    let waker = |poll: &Poll| Waker::new(poll.registry(), WAKER).map(Arc::new);
    let wakers = polls.iter().map(waker).collect::<io::Result<Vec<_>>>()?;
    let (hall, arrivals) = Hall::new(&wakers);
    let mut door = Some(Door { listener: mio::net::TcpListener::from_std(listener), hall });
    let mut ended = Vec::with_capacity(polls.len());
    for ((poll, waker), arrivals) in polls.into_iter().zip(&wakers).zip(arrivals) {
        let office = Office::new(switch.clone(), Handle::current(), Arc::clone(waker));
        ended.push(spawn(EventLoop::new(poll, door.take(), arrivals, office, shared.clone())?)?);
    }
    Ok(Serving { wakers, is_stopping, ended })
}

fn spawn(event_loop: EventLoop) -> io::Result<oneshot::Receiver<bool>> {
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
    Ok(ended)
}

/// The front at work.
pub struct Serving {
    wakers: Vec<Arc<Waker>>,
    is_stopping: Arc<AtomicBool>,
    ended: Vec<oneshot::Receiver<bool>>,
}

impl Serving {
    /// Serves until `stop` turns true, then lets what was asked be answered, for a bounded time. True when all was.
    pub async fn until(self, mut stop: watch::Receiver<bool>) -> bool {
        // A sender that is gone has stopped everything.
        let _ = stop.wait_for(|stop| *stop).await;
        self.is_stopping.store(true, Ordering::Release);
        for waker in &self.wakers {
            if let Err(error) = waker.wake() {
                tracing::error!(%error, "the binary front can't be woken");
            }
        }
        let mut all_answered = true;
        for ended in self.ended {
            all_answered &= ended.await.unwrap_or(false);
        }
        all_answered
    }
}
