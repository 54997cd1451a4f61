//! One processor's connection: connects again and again, writes what shards send, hands answers back.
//!
//! A request that can't be written for certain is given back as not sent; one that may have been written is lost when the
//! connection goes. Nothing is ever dropped in silence, and nothing is written twice.

use super::order::Order;
use super::pending::Pending;
use super::{LinkState, Shared};
use crate::limits::{CONNECT_TIMEOUT, LINK_READ_BYTES, LINK_TURN_REQUESTS, LINK_WRITE_TIMEOUT, RECONNECT_MAX, RECONNECT_MIN};
use crate::switch::door::Return;
use protocol::calendar::Micros;
use protocol::secret::{Pan, SensitiveData, Track2};
use protocol::tail::tag;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use switch_core::connectors::tsys::{CardData, DisconnectReason, Event, Outgoing, Session, SessionOptions};
use switch_core::input::Leg;
use switch_core::output::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use zeroize::Zeroize;

/// Wake-up while the session waits for nothing.
const IDLE_TICK: Duration = Duration::from_secs(3600);

/// A link and all that it works with.
pub struct Link {
    /// Index of the processor.
    pub index: u16,
    /// Its name, for logs.
    pub name: String,
    /// Where it listens.
    pub addr: SocketAddr,
    /// Times and bounds of the session.
    pub session: SessionOptions,
    /// What shards send.
    pub orders: mpsc::Receiver<Order>,
    /// Told to the outside.
    pub state: LinkState,
    /// Clock, keys, doors.
    pub shared: Shared,
    /// Turns true when the link is to sign off and end.
    pub stop: watch::Receiver<bool>,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("closed by the host")]
    Closed,
    #[error("{0}")]
    Io(io::Error),
    #[error("the host does not read")]
    WriteStalled,
    #[error("{0:?}")]
    Session(DisconnectReason),
}

impl Link {
    /// Runs until it is told to stop.
    pub async fn run(mut self) {
        let mut session = Session::new(self.session);
        let mut wait = RECONNECT_MIN;
        while !*self.stop.borrow() {
            let (addr, connecting) = (self.addr, TcpStream::connect(self.addr));
            match self.refusing(timeout(CONNECT_TIMEOUT, connecting)).await {
                None => break,
                Some(Ok(Ok(stream))) => {
                    if self.serve(stream, &mut session).await {
                        wait = RECONNECT_MIN;
                    }
                }
                Some(Ok(Err(error))) => tracing::warn!(link = self.name, %addr, %error, "can't connect"),
                Some(Err(_)) => tracing::warn!(link = self.name, %addr, "connecting takes too long"),
            }
            if self.refusing(tokio::time::sleep(wait)).await.is_none() {
                break;
            }
            wait = (wait * 2).min(RECONNECT_MAX);
        }
        self.orders.close();
        while let Some(order) = self.orders.recv().await {
            self.not_sent(&order);
        }
    }

    /// Waits for something while there is no connection: whatever shards send meanwhile goes back as not sent. `None` when
    /// the link is to stop.
    async fn refusing<T>(&mut self, waiting: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(waiting);
        loop {
            let order = tokio::select! {
                done = &mut waiting => return Some(done),
                _ = self.stop.wait_for(|stop| *stop) => return None,
                Some(order) = self.orders.recv() => order,
            };
            self.not_sent(&order);
        }
    }

    /// Serves one connection to its end. True when the host had let us sign on.
    async fn serve(&mut self, stream: TcpStream, session: &mut Session) -> bool {
        // Requests are written in batches of our own making; waiting for more would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::warn!(link = self.name, %error, "can't turn off delayed writes");
        }
        session.connected(self.shared.clock.now());
        let mut connection = Connection::new(self, stream, session);
        let ended = connection.run().await;
        let was_signed_on = connection.was_signed_on;
        match ended {
            Ended::Session(DisconnectReason::SignedOff) => tracing::info!(link = self.name, "signed off"),
            ended => tracing::warn!(link = self.name, addr = %self.addr, why = %ended, "disconnected"),
        }
        was_signed_on
    }

    fn give(&self, shard: u16, returned: Return) {
        self.shared.doors[usize::from(shard)].give(returned);
    }

    fn not_sent(&self, order: &Order) {
        // The value would wait in vain: a repeat goes without it.
        drop(self.shared.sensitive.take(&order.sent.id));
        self.give(order.shard, Return::NotSent(order.sent));
    }
}

/// One connection while it lasts.
struct Connection<'a> {
    link: &'a mut Link,
    stream: TcpStream,
    session: &'a mut Session,
    pending: Pending,
    turn: Vec<Order>,
    inbound: Box<[u8]>,
    /// Being written; holds cards in clear, so it is wiped as soon as it is out.
    outbound: Vec<u8>,
    written: usize,
    write_until: Instant,
    was_signed_on: bool,
}

/// What a connection woke up for.
enum Woken {
    Read(io::Result<usize>),
    Written(io::Result<usize>),
    WriteStalled,
    Orders,
    Tick,
    Stop,
}

impl<'a> Connection<'a> {
    fn new(link: &'a mut Link, stream: TcpStream, session: &'a mut Session) -> Connection<'a> {
        Connection {
            link,
            stream,
            session,
            pending: Pending::default(),
            turn: Vec::with_capacity(LINK_TURN_REQUESTS),
            inbound: vec![0; LINK_READ_BYTES].into_boxed_slice(),
            outbound: Vec::new(),
            written: 0,
            write_until: Instant::now(),
            was_signed_on: false,
        }
    }

    async fn run(&mut self) -> Ended {
        let mut signing_off = false;
        let ended = loop {
            if let Some(reason) = self.drain_events() {
                break Ended::Session(reason);
            }
            self.next_output();
            match self.wake(signing_off).await {
                Woken::Read(Ok(0)) => break Ended::Closed,
                Woken::Read(Ok(count)) => self.session.received(&self.inbound[..count], self.link.shared.clock.now()),
                Woken::Read(Err(error)) | Woken::Written(Err(error)) => break Ended::Io(error),
                Woken::Written(Ok(count)) => self.wrote(count),
                Woken::WriteStalled => break Ended::WriteStalled,
                Woken::Orders => self.submit_turn(),
                Woken::Tick => self.tick(),
                Woken::Stop => {
                    signing_off = true;
                    self.session.sign_off(self.link.shared.clock.now());
                }
            }
        };
        self.link.state.set(false);
        self.outbound.zeroize();
        self.session.disconnected();
        self.drain_events();
        ended
    }

    async fn wake(&mut self, signing_off: bool) -> Woken {
        let now = self.link.shared.clock.now();
        let tick = self.session.next_tick().map_or(IDLE_TICK, |at| self.link.shared.clock.until(at.max(now)).min(IDLE_TICK));
        let is_writing = self.written < self.outbound.len();
        let takes_orders = !is_writing && !self.link.orders.is_closed();
        let (mut reader, mut writer) = self.stream.split();
        tokio::select! {
            read = reader.read(&mut self.inbound) => Woken::Read(read),
            written = writer.write(&self.outbound[self.written..]), if is_writing => Woken::Written(written),
            () = sleep_until(self.write_until), if is_writing => Woken::WriteStalled,
            _ = self.link.orders.recv_many(&mut self.turn, LINK_TURN_REQUESTS), if takes_orders => Woken::Orders,
            () = tokio::time::sleep(tick) => Woken::Tick,
            _ = self.link.stop.wait_for(|stop| *stop), if !signing_off => Woken::Stop,
        }
    }

    /// Takes what the session wants written, once the last batch is out.
    fn next_output(&mut self) {
        if self.written == self.outbound.len() {
            self.outbound.zeroize();
            self.session.take_output(&mut self.outbound);
            self.written = 0;
            self.write_until = Instant::now() + LINK_WRITE_TIMEOUT;
        }
    }

    fn wrote(&mut self, count: usize) {
        self.written += count;
        self.write_until = Instant::now() + LINK_WRITE_TIMEOUT;
    }

    fn tick(&mut self) {
        let now = self.link.shared.clock.now();
        self.session.tick(now);
        self.pending.purge(now);
    }

    fn submit_turn(&mut self) {
        let now = self.link.shared.clock.now();
        let mut turn = std::mem::take(&mut self.turn);
        for order in turn.drain(..) {
            self.submit(&order, now);
        }
        self.turn = turn;
    }

    fn submit(&mut self, order: &Order, now: Micros) {
        if order.deadline() <= now {
            return self.link.not_sent(order);
        }
        let acceptors = Arc::clone(&self.link.shared.acceptors);
        let Some(acceptor) = acceptors.get(&order.merchant()) else {
            tracing::error!(link = self.link.name, merchant = %order.merchant(), "not sent: the merchant has no terminal");
            return self.link.not_sent(order);
        };
        let Ok(opened) = self.open_card(order) else { return self.link.not_sent(order) };
        let sensitive = self.take_sensitive(order);
        let card = opened.as_ref().map(|pan| CardData {
            pan,
            track_2: sensitive.as_ref().and_then(|data| data.track_2.as_ref()).map(Track2::expose),
            cvv: sensitive.as_ref().and_then(|data| data.cvv.as_ref()),
        });
        let request = Request { processor: self.link.index, sent: order.sent, repeat: order.repeat, subject: order.subject() };
        match self.session.submit(&Outgoing { request, acceptor, card }, now) {
            Ok(()) => self.pending.put(order.sent, order.shard, now.plus_ms(self.link.session.late_answer_ms)),
            Err(why) => {
                tracing::warn!(link = self.link.name, id = %order.sent.id, leg = ?order.sent.leg, ?why, "not sent");
                self.link.not_sent(order);
            }
        }
    }

    /// Opens the sealed card: the only place where that happens. `Ok(None)` when the request carries none.
    fn open_card(&self, order: &Order) -> Result<Option<Pan>, ()> {
        let Some((transaction, tail)) = order.transaction() else { return Ok(None) };
        let Some(sealed) = tail.get(tag::SEALED_CARD) else { return Ok(None) };
        let opened = self.link.shared.sealer.open_card(sealed, &transaction.merchant, &transaction.fingerprint);
        opened.map(Some).map_err(|error| tracing::error!(link = self.link.name, id = %transaction.id, %error, "not sent"))
    }

    fn take_sensitive(&self, order: &Order) -> Option<Box<SensitiveData>> {
        match order.sent.leg {
            Leg::Original => self.link.shared.sensitive.take(&order.sent.id),
            Leg::Step | Leg::Reversal | Leg::Totals => None,
        }
    }

    /// Acts on what the session says. The reason when it wants the connection closed.
    fn drain_events(&mut self) -> Option<DisconnectReason> {
        let mut reason = None;
        while let Some(event) = self.session.poll() {
            match event {
                Event::SignedOn => self.signed_on(),
                Event::Answer(answer) => {
                    if let Some(shard) = self.pending.take(&answer.sent) {
                        self.link.give(shard, Return::Answer(answer));
                    }
                }
                Event::Lost(sent) => {
                    if let Some(shard) = self.pending.take(&sent) {
                        self.link.give(shard, Return::Lost(sent));
                    }
                }
                Event::Disconnect(why) => reason = Some(why),
            }
        }
        reason
    }

    fn signed_on(&mut self) {
        tracing::info!(link = self.link.name, addr = %self.link.addr, "signed on");
        self.was_signed_on = true;
        self.link.state.set(true);
        for door in &self.link.shared.doors {
            door.give(Return::LinkUp { processor: self.link.index });
        }
    }
}
