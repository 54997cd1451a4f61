//! The only sockets towards processors.
//!
//! Lives here: connections, queues, and the moment in which a sealed card is open. What messages mean is
//! `switch_core::connectors`'. A link serves all shards; which one waits for an answer is kept beside each request.

pub mod link;
pub mod meter;
pub mod order;
pub mod traffic;

#[cfg(test)]
mod tests;

use crate::config::ProcessorSettings;
use crate::limits::{LINK_CONTROLS_MAX, LINK_QUEUE_REQUESTS, SIGN_OFF_WAIT};
use crate::switch::clock::Clock;
use crate::switch::directory::AcceptorTable;
use crate::switch::door::Door;
use crate::switch::sensitive_table::SensitiveTable;
use link::Link;
use meter::Meter;
use order::{Order, Outboxes};
use persistence::sealing::Sealer;
use std::sync::Arc;
use switch_core::connectors::tsys::SessionOptions;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use traffic::{Traffic, TrafficOptions};

/// What all links share.
#[derive(Clone)]
pub struct Shared {
    /// The switch's clock.
    pub clock: Clock,
    /// Opens sealed cards; nowhere else but in a link.
    pub sealer: Arc<Sealer>,
    /// Card verification values on their way.
    pub sensitive: Arc<SensitiveTable>,
    /// The shards' doors.
    pub doors: Vec<Door>,
    /// Where each merchant's cards are taken.
    pub acceptors: AcceptorTable,
}

/// Whether a link is signed on. Clones see the same.
#[derive(Debug, Clone)]
pub struct LinkState(Arc<watch::Sender<bool>>);

impl LinkState {
    /// Not signed on.
    pub fn down() -> LinkState {
        LinkState(Arc::new(watch::Sender::new(false)))
    }

    /// True while requests are taken.
    pub fn is_signed_on(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until requests are taken.
    pub async fn signed_on(&self) {
        // Fails only when the sender is gone, and it is here.
        drop(self.0.subscribe().wait_for(|signed_on| *signed_on).await);
    }

    fn set(&self, signed_on: bool) {
        self.0.send_replace(signed_on);
    }
}

/// What an operator tells a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Say good-bye to the host and stay away.
    SignOff,
    /// Connect again.
    SignOn,
    /// Tell the host that a new business day begins.
    CutOver,
}

/// A link as others hold it. Clones are the same.
#[derive(Debug, Clone)]
pub struct LinkHandle {
    /// Whether it is signed on.
    pub state: LinkState,
    /// What passed over it.
    pub meter: Arc<Meter>,
    control: mpsc::Sender<Control>,
}

impl LinkHandle {
    /// Tells it. False when it has ended, or has not yet done what it was told before.
    pub fn tell(&self, control: Control) -> bool {
        self.control.try_send(control).is_ok()
    }
}

/// Links before they run: their queues exist first, for shards must have them when they start.
#[derive(Default)]
pub struct Prepared {
    outboxes: Outboxes,
    links: Vec<PreparedLink>,
}

struct PreparedLink {
    index: u16,
    settings: ProcessorSettings,
    orders: mpsc::Receiver<Order>,
    control: mpsc::Receiver<Control>,
    handle: LinkHandle,
}

impl Prepared {
    /// Makes the queue of a processor's link.
    pub fn add(&mut self, index: u16, settings: &ProcessorSettings) -> LinkHandle {
        let (queue, orders) = mpsc::channel(LINK_QUEUE_REQUESTS);
        self.outboxes.put(index, queue);
        let (control, controls) = mpsc::channel(LINK_CONTROLS_MAX);
        let handle = LinkHandle { state: LinkState::down(), meter: Arc::default(), control };
        self.links.push(PreparedLink { index, settings: settings.clone(), orders, control: controls, handle: handle.clone() });
        handle
    }

    /// The queues, for a shard.
    pub fn outboxes(&self) -> Outboxes {
        self.outboxes.clone()
    }

    /// Starts the links on the present runtime.
    pub fn start(self, shared: &Shared) -> Links {
        let (stop, stopped) = watch::channel(false);
        let tasks = self.links.into_iter().map(|link| tokio::spawn(link.with(shared.clone(), stopped.clone()).run()));
        Links { tasks: tasks.collect(), stop }
    }
}

impl PreparedLink {
    fn with(self, shared: Shared, stop: watch::Receiver<bool>) -> Link {
        let PreparedLink { index, settings, orders, control, handle } = self;
        let session = SessionOptions { echo_after_ms: settings.echo_idle_ms, ..SessionOptions::default() };
        let traffic = Traffic::new(TrafficOptions {
            index,
            name: settings.name,
            session,
            sealer: Arc::clone(&shared.sealer),
            sensitive: Arc::clone(&shared.sensitive),
            acceptors: shared.acceptors.clone(),
            meter: handle.meter,
        });
        Link { index, addr: settings.addr, traffic, orders, state: handle.state, shared, control, is_held: false, stop }
    }
}

/// Links at work.
pub struct Links {
    tasks: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Links {
    /// Signs off, [`SIGN_OFF_WAIT`] at most, and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            let handle = task.abort_handle();
            if timeout(SIGN_OFF_WAIT, task).await.is_err() {
                handle.abort();
            }
        }
    }
}
