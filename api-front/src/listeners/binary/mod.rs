//! The binary front: `protocol::binary` spoken over TCP, one event loop for many connections.
//!
//! Lives here: connections, their bounds, and the way between a request and the switch. Must not live here: decisions about
//! payments, and layouts, which are protocol's.
//!
//! - [`session`]: one conversation as a value, without a socket;
//! - `connection`, `line`, `incoming`, `outgoing`: one client's socket and buffers;
//! - `reading`, `answering`, `past`: requests into commands, and what the switch says into answers;
//! - `office`: what is under way, and for whom; `event_loop`: the loop, and `kernel` what it waits for; `hall`: who goes to which of them.

mod answering;
mod caller;
mod connection;
mod event_loop;
mod hall;
mod incoming;
mod kernel;
pub mod limits;
mod line;
mod office;
mod outgoing;
mod past;
mod reading;
pub mod session;
mod wrong;

use super::brake::Brake;
use crate::payment_threads::Homes;
use crate::switch::handle::Switch;
use event_loop::{Door, EventLoop, Shared};
use hall::Hall;
use mio::Poll;
use office::Office;
use rustls::ServerConfig;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// How the front serves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Event loops, at least one.
    pub loops: u16,
    /// Where they run when they speak in clear. Those that speak TLS run on the runtime that they are started on: a handshake may take long.
    pub homes: Homes,
    /// Certificate and key; without them it speaks in clear.
    pub tls: Option<Arc<ServerConfig>>,
    /// Connections at a time.
    pub connections_max: u32,
    /// Refusals a second, beyond which refused connections rest.
    pub refusals_per_s_max: u32,
}

/// Begins to serve. The present runtime reads the past and looks keys up.
pub fn start(listener: TcpListener, switch: &Switch, options: Options) -> io::Result<Serving> {
    listener.set_nonblocking(true)?;
    let is_stopping = Arc::new(AtomicBool::new(false));
    let Options { loops, homes, tls, connections_max, refusals_per_s_max } = options;
    let homes = if tls.is_some() { Homes::here() } else { homes };
    let shared = Shared { brake: Brake::new(refusals_per_s_max), tls, is_stopping: Arc::clone(&is_stopping) };
    let bells: Vec<Arc<Notify>> = (0..loops.max(1)).map(|_| Arc::default()).collect();
    let (hall, arrivals) = Hall::new(&bells, connections_max);
    let mut door = Some(Door { listener: mio::net::TcpListener::from_std(listener), hall });
    let mut ended = Vec::with_capacity(bells.len());
    for (index, (bell, arrivals)) in (0..).zip(bells.iter().zip(arrivals)) {
        let (poll, office) = (Poll::new()?, Office::new(switch.clone(), Handle::current(), Arc::clone(bell)));
        let event_loop = EventLoop::new(poll.registry().try_clone()?, door.take(), arrivals, office, shared.clone())?;
        ended.push(homes.of(index).spawn(run(event_loop, poll)));
    }
    Ok(Serving { bells, is_stopping, ended })
}

/// True when all was answered.
async fn run(event_loop: EventLoop, poll: Poll) -> bool {
    event_loop.run(poll).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the binary front has ended: the kernel gives it no events");
        false
    })
}

/// The front at work.
pub struct Serving {
    bells: Vec<Arc<Notify>>,
    is_stopping: Arc<AtomicBool>,
    ended: Vec<JoinHandle<bool>>,
}

impl Serving {
    /// Serves until `stop` turns true, then lets what was asked be answered, for a bounded time. True when all was.
    pub async fn until(self, mut stop: watch::Receiver<bool>) -> bool {
        // A sender that is gone has stopped everything.
        let _ = stop.wait_for(|stop| *stop).await;
        self.is_stopping.store(true, Ordering::Release);
        self.bells.iter().for_each(|bell| bell.notify_one());
        let mut all_answered = true;
        for ended in self.ended {
            all_answered &= ended.await.unwrap_or(false);
        }
        all_answered
    }
}
