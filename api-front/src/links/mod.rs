//! The only sockets towards processors.
//!
//! Lives here: connections, queues, and the moment in which a sealed card is open. What messages mean is
//! `switch_core::connectors`'. A link serves all shards; which one waits for an answer is kept beside each request.

pub mod host;
pub mod link;
pub mod meter;
pub mod order;
mod pool;
pub mod traffic;
pub mod web;

#[cfg(test)]
mod tests;

use crate::config::ProcessorSettings;
use crate::limits::{LINK_QUEUE_REQUESTS, SIGN_OFF_WAIT};
use crate::payment_threads::Homes;
use crate::switch::clock::Clock;
use crate::switch::directory::{AcceptorTable, ProcessorKind, TerminalTable};
use crate::switch::door::Door;
use crate::switch::history::History;
use crate::switch::sensitive_table::SensitiveTable;
use host::{Host, TlsError};
use link::Link;
use meter::Meter;
use order::{Order, Outboxes};
use parking_lot::Mutex;
use persistence::sealing::Sealer;
pub use pool::LinkState;
use pool::{Orders, Seat, Seated};
use std::sync::Arc;
use switch_core::connectors::tsys::SessionOptions;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use traffic::{Traffic, TrafficOptions};
use web::connector::Connector;
use web::link::WebLink;
use web::traffic::{WebOptions, WebTraffic};

/// What all links share.
#[derive(Clone)]
pub struct Shared {
    /// The switch's clock.
    pub clock: Clock,
    /// Opens sealed cards; nowhere else but in a link.
    pub sealer: Arc<Sealer>,
    /// Card verification values on their way.
    pub sensitive: Arc<SensitiveTable>,
    /// Where links to card hosts run.
    pub homes: Homes,
    /// The shards' doors.
    pub doors: Vec<Door>,
    /// Where each merchant's cards are taken.
    pub acceptors: AcceptorTable,
    /// Terminals that payments may name.
    pub terminals: TerminalTable,
    /// Where a batch's members are read back when its totals are not the host's; `None` lets the host's word stand.
    pub history: Option<History>,
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
    /// Where it leads.
    pub host: Host,
    seats: Arc<[Seat]>,
}

impl LinkHandle {
    /// Tells it. False when it has ended, or has not yet done what it was told before.
    pub fn tell(&self, control: Control) -> bool {
        pool::tell(&self.seats, control)
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
    seated: Vec<Seated>,
    handle: LinkHandle,
}

impl Prepared {
    /// Makes the queue of a processor's link. Fails when it is to speak TLS and can't.
    pub fn add(&mut self, index: u16, settings: &ProcessorSettings) -> Result<LinkHandle, TlsError> {
        let (queue, link) = PreparedLink::new(index, settings, Host::of(settings)?);
        self.outboxes.put(index, queue);
        let handle = link.handle.clone();
        self.links.push(link);
        Ok(handle)
    }

    /// The queues, for a shard.
    pub fn outboxes(&self) -> Outboxes {
        self.outboxes.clone()
    }

    /// Starts the links: those to card hosts on threads of payments, the others on the present runtime.
    pub fn start(self, shared: &Shared) -> Links {
        let (stop, stopped) = watch::channel(false);
        let tasks = self.links.into_iter().flat_map(|link| link.start(shared, &stopped));
        Links { tasks: Arc::new(Mutex::new(tasks.collect())), stop }
    }
}

impl PreparedLink {
    fn new(index: u16, settings: &ProcessorSettings, host: Host) -> (mpsc::Sender<Order>, PreparedLink) {
        let (queue, orders) = mpsc::channel(LINK_QUEUE_REQUESTS);
        let (seats, seated): (Vec<_>, Vec<_>) = (0..settings.connections).map(|_| Seat::new()).unzip();
        let handle = LinkHandle { state: LinkState::down(), meter: Arc::default(), host, seats: seats.into() };
        (queue, PreparedLink { index, settings: settings.clone(), orders, seated, handle })
    }

    fn start(self, shared: &Shared, stop: &watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        let connector = match self.settings.kind {
            ProcessorKind::TsysSierra => {
                let home = shared.homes.of(self.index).clone();
                return self.connections(shared, stop).into_iter().map(|link| home.spawn(link.run())).collect();
            }
            ProcessorKind::SageAch => Connector::sage(shared, self.settings.password.as_ref()),
            ProcessorKind::Dejavoo => Connector::dejavoo(shared),
        };
        self.asked_by_http(connector, shared, stop).into_iter().map(|link| tokio::spawn(link.run())).collect()
    }

    /// One link, whatever number of connections is configured: each request has its own.
    fn asked_by_http(self, connector: Connector, shared: &Shared, stop: &watch::Receiver<bool>) -> Option<WebLink> {
        let PreparedLink { index, settings, orders, seated, handle } = self;
        let ProcessorSettings { name, timeout_ms, .. } = settings;
        let traffic = WebTraffic::new(WebOptions { index, name, connector, timeout_ms, meter: handle.meter });
        let (orders, state, stop) = (Orders::new(orders), handle.state, stop.clone());
        let seated = seated.into_iter().next()?;
        Some(WebLink { index, host: handle.host, traffic, orders, state, shared: shared.clone(), seated, stop })
    }

    fn connections(self, shared: &Shared, stop: &watch::Receiver<bool>) -> Vec<Link> {
        let PreparedLink { index, settings, orders, seated, handle } = self;
        let (orders, several) = (Orders::new(orders), seated.len() > 1);
        let connection = |(number, seated): (usize, Seated)| {
            let name = if several { format!("{} #{number}", settings.name) } else { settings.name.clone() };
            Link {
                index,
                host: handle.host.clone(),
                traffic: traffic(index, name, &settings, shared, &handle),
                orders: orders.clone(),
                state: handle.state.clone(),
                shared: shared.clone(),
                seated,
                is_held: false,
                stop: stop.clone(),
                pages: mpsc::unbounded_channel(),
            }
        };
        (1..).zip(seated).map(connection).collect()
    }
}

fn traffic(index: u16, name: String, settings: &ProcessorSettings, shared: &Shared, handle: &LinkHandle) -> Traffic {
    let session = SessionOptions { echo_after_ms: settings.echo_idle_ms, ..SessionOptions::default() };
    let traffic = Traffic::new(TrafficOptions {
        index,
        name,
        session,
        sealer: Arc::clone(&shared.sealer),
        sensitive: Arc::clone(&shared.sensitive),
        acceptors: shared.acceptors.clone(),
        meter: Arc::clone(&handle.meter),
    });
    traffic.authenticated_by(settings.mac_key.clone())
}

/// Links at work.
pub struct Links {
    tasks: Tasks,
    stop: watch::Sender<bool>,
}

type Tasks = Arc<Mutex<Vec<JoinHandle<()>>>>;

/// Starts links beside those that run already. Clones are the same.
#[derive(Clone)]
pub struct LinkStarter {
    shared: Shared,
    tasks: Tasks,
    stop: watch::Receiver<bool>,
}

impl LinkStarter {
    /// Starts the link to a processor's host; it ends with the others. Gives its queue, for the shards.
    pub fn start(&self, index: u16, settings: &ProcessorSettings, host: Host) -> (mpsc::Sender<Order>, LinkHandle) {
        let (queue, link) = PreparedLink::new(index, settings, host);
        let handle = link.handle.clone();
        self.tasks.lock().extend(link.start(&self.shared, &self.stop));
        (queue, handle)
    }
}

impl Links {
    /// What starts further links.
    pub fn starter(&self, shared: Shared) -> LinkStarter {
        LinkStarter { shared, tasks: Arc::clone(&self.tasks), stop: self.stop.subscribe() }
    }

    /// Signs off, [`SIGN_OFF_WAIT`] at most, and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            let handle = task.abort_handle();
            if timeout(SIGN_OFF_WAIT, task).await.is_err() {
                handle.abort();
            }
        }
    }
}
