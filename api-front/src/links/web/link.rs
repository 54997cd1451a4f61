//! The sockets of a link to a host that is asked by HTTP: a connection for each request, and a probe while the host is away.
//!
//! A connection that can't be made proves that nothing was sent. From its first byte on, a request without a whole answer is lost.

use super::super::host::{Host, Wire};
use super::super::order::Order;
use super::super::pool::{LinkState, Orders, Seated};
use super::super::{Control, Shared};
use super::traffic::{Happened, Ticket, WebTraffic};
use crate::limits::{RECONNECT_MAX, RECONNECT_MIN};
use crate::switch::door::Return;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::time::Duration;
use switch_core::connectors::exchange::{ANSWER_MAX_BYTES, Came, HttpRequest};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// A link and all that it works with.
pub struct WebLink {
    /// Index of the processor.
    pub index: u16,
    /// Where it listens.
    pub host: Host,
    /// What passes over it.
    pub traffic: WebTraffic,
    /// What shards send.
    pub orders: Orders,
    /// Told to the outside.
    pub state: LinkState,
    /// Clock, doors.
    pub shared: Shared,
    /// Where an operator reaches it.
    pub seated: Seated,
    /// Turns true when the link is to end.
    pub stop: watch::Receiver<bool>,
}

/// What became of one sending.
enum Sending {
    /// No connection could be made.
    NotSent,
    /// Something may have been written.
    Lost,
    /// An answer, whole.
    Answered(u16, Bytes),
}

/// What a task of the link has done.
enum Done {
    Sent(Ticket, Sending),
    /// The host was looked for, and is there or not.
    Probed(bool),
}

/// What the link woke up for.
enum Woken {
    Done(Done),
    Orders,
    Unsendable(Order),
    Probe,
    Told(Control),
    Stop,
}

/// A link at work.
struct AtWork {
    link: WebLink,
    tasks: JoinSet<Done>,
    /// Taken out of the queue and not begun.
    backlog: VecDeque<Order>,
    is_up: bool,
    /// Signed off by an operator: nothing is sent before it is told to sign on.
    is_held: bool,
    /// When the host is looked for next, while it is away.
    probe_at: Option<Instant>,
    probe_wait: Duration,
}

impl WebLink {
    /// Runs until it is told to stop, and to the end of what is under way then.
    pub async fn run(self) {
        let mut at_work = AtWork {
            link: self,
            tasks: JoinSet::new(),
            backlog: VecDeque::new(),
            is_up: false,
            is_held: false,
            probe_at: Some(Instant::now()),
            probe_wait: RECONNECT_MIN,
        };
        at_work.serve().await;
        at_work.go_down();
        for order in at_work.link.orders.close().await.into_iter().chain(std::mem::take(&mut at_work.backlog)) {
            at_work.refuse(&order);
        }
        while !at_work.link.traffic.is_idle() {
            let Some(done) = at_work.tasks.join_next().await else { break };
            at_work.finished(done.unwrap_or(Done::Probed(false)));
            at_work.act();
        }
    }
}

impl AtWork {
    async fn serve(&mut self) {
        loop {
            self.act();
            match self.wake().await {
                Woken::Done(done) => self.finished(done),
                Woken::Orders => {}
                Woken::Unsendable(order) => self.refuse(&order),
                Woken::Probe => self.probe(),
                // A host that is asked by HTTP has its own calendar.
                Woken::Told(Control::CutOver) => {}
                Woken::Told(Control::SignOn) => {
                    self.is_held = false;
                    self.probe_at.get_or_insert_with(Instant::now);
                }
                Woken::Told(Control::SignOff) => {
                    self.is_held = true;
                    self.probe_at = None;
                    self.go_down();
                }
                Woken::Stop => return,
            }
            self.begin_backlog();
        }
    }

    async fn wake(&mut self) -> Woken {
        let takes = self.is_up && self.backlog.is_empty() && self.link.traffic.takes_more();
        let probe_at = self.probe_at.filter(|_| !self.is_held);
        let mut turn = Vec::new();
        let woken = tokio::select! {
            Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => Woken::Done(done.unwrap_or(Done::Probed(false))),
            () = self.link.orders.take(&mut turn), if takes => Woken::Orders,
            order = self.link.orders.take_unsendable(&self.link.state), if !self.is_up => Woken::Unsendable(order),
            () = sleep_until(probe_at.unwrap_or_else(Instant::now)), if probe_at.is_some() => Woken::Probe,
            Some(control) = self.link.seated.control.recv() => Woken::Told(control),
            _ = self.link.stop.wait_for(|stop| *stop) => Woken::Stop,
        };
        self.backlog.extend(turn);
        woken
    }

    fn begin_backlog(&mut self) {
        while self.is_up && self.link.traffic.takes_more() {
            let Some(order) = self.backlog.pop_front() else { return };
            self.link.traffic.submit(order, self.link.shared.clock.now());
        }
        if !self.is_up {
            for order in std::mem::take(&mut self.backlog) {
                self.refuse(&order);
            }
        }
    }

    fn refuse(&mut self, order: &Order) {
        self.link.traffic.refuse(order, self.link.shared.clock.now());
        self.act();
    }

    /// Acts on what the traffic says.
    fn act(&mut self) {
        while let Some(happened) = self.link.traffic.poll() {
            match happened {
                Happened::Give { shard, returned } => {
                    self.link.shared.doors[usize::from(shard)].give(returned);
                }
                Happened::Ask { ticket, wait_ms, request, until } => {
                    let (host, patience) = (self.link.host.clone(), self.link.shared.clock.until(until));
                    self.tasks.spawn(async move { Done::Sent(ticket, send(&host, wait_ms, request, patience).await) });
                }
            }
        }
    }

    fn finished(&mut self, done: Done) {
        match done {
            Done::Sent(ticket, sending) => {
                let now = self.link.shared.clock.now();
                match &sending {
                    Sending::NotSent => self.link.traffic.came(ticket, Came::NotSent, now),
                    Sending::Lost => self.link.traffic.came(ticket, Came::Lost, now),
                    Sending::Answered(status, body) => {
                        self.link.traffic.came(ticket, Came::Answer { status: *status, body }, now);
                    }
                }
                if matches!(sending, Sending::NotSent) {
                    self.go_down();
                }
            }
            Done::Probed(true) if !self.is_held => self.go_up(),
            Done::Probed(_) => {
                self.probe_wait = (self.probe_wait * 2).min(RECONNECT_MAX);
                self.probe_at = (!self.is_up && !self.is_held).then(|| Instant::now() + self.probe_wait);
            }
        }
    }

    fn probe(&mut self) {
        self.probe_at = None;
        let (name, host) = (self.link.traffic.name().to_owned(), self.link.host.clone());
        self.tasks.spawn(async move { Done::Probed(is_there(&name, &host).await) });
    }

    fn go_up(&mut self) {
        self.probe_wait = RECONNECT_MIN;
        if self.is_up {
            return;
        }
        self.is_up = true;
        tracing::info!(link = self.link.traffic.name(), host = %self.link.host, "reached");
        self.link.seated.set_up(true);
        let processor = self.link.index;
        self.link.state.one_up(|| self.tell_shards(|| Return::LinkUp { processor }));
    }

    /// The host can't be reached, or is not to be: what waits goes back, and the host is looked for until it is there.
    fn go_down(&mut self) {
        if !self.is_up {
            return;
        }
        self.is_up = false;
        tracing::warn!(link = self.link.traffic.name(), host = %self.link.host, "out of reach");
        self.link.seated.set_up(false);
        self.link.traffic.refuse_waiting(self.link.shared.clock.now());
        let processor = self.link.index;
        self.link.state.one_down(|| self.tell_shards(|| Return::LinkDown { processor }));
        self.probe_at = (!self.is_held).then(|| Instant::now() + self.probe_wait);
    }

    fn tell_shards(&self, returned: impl Fn() -> Return) {
        for door in &self.link.shared.doors {
            door.give(returned());
        }
    }
}

/// Whether the host is there, and is who it must be.
async fn is_there(name: &str, host: &Host) -> bool {
    let connected = host.connect().await;
    connected.inspect_err(|error| tracing::warn!(link = name, %host, %error, "can't connect")).is_ok()
}

/// Sends one request on a connection of its own and waits for its answer, `patience` at most.
async fn send(host: &Host, wait_ms: u32, request: HttpRequest, patience: Duration) -> Sending {
    let give_up = Instant::now() + patience;
    sleep(Duration::from_millis(u64::from(wait_ms))).await;
    let Ok(Ok(wire)) = tokio::time::timeout_at(give_up, host.connect()).await else { return Sending::NotSent };
    match tokio::time::timeout_at(give_up, ask(wire, host, request)).await {
        Ok(Ok((status, body))) => Sending::Answered(status, body),
        Ok(Err(_)) | Err(_) => Sending::Lost,
    }
}

/// What broke a request off. All of it is one thing to the exchange: no answer.
#[derive(Debug, thiserror::Error)]
enum BrokenOff {
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("{0}")]
    Head(#[from] hyper::http::Error),
    #[error("the answer is broken off, or larger than any")]
    Body,
}

async fn ask(wire: Wire, host: &Host, request: HttpRequest) -> Result<(u16, Bytes), BrokenOff> {
    let mut head = Request::builder().method(Method::POST).uri(request.path).header(HOST, host.authority());
    head = head.header(CONTENT_TYPE, request.content_type).header(CONNECTION, "close");
    if let Some(action) = request.soap_action {
        head = head.header("SOAPAction", format!("\"{action}\""));
    }
    // The bytes stay where they are, and are wiped with their owner.
    let request = head.body(Full::new(Bytes::from_owner(request.body)))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(wire)).await?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await.map_err(|_| BrokenOff::Body)?;
        Ok((head.status.as_u16(), body.to_bytes()))
    };
    tokio::pin!(exchange);
    // The connection is driven beside the exchange, and ends with it.
    tokio::select! {
        answer = &mut exchange => answer,
        ended = connection => match ended {
            Ok(()) => exchange.await,
            Err(error) => Err(error.into()),
        },
    }
}
