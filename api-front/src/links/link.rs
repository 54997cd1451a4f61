//! One connection of a processor's link: connects again and again, and carries the bytes of its [`Traffic`].

use super::host::{Host, Reader, Wire, Writer, ends};
use super::order::Order;
use super::pool::{LinkState, Orders, Seated};
use super::traffic::{Happened, Traffic};
use super::{Control, Shared};
use crate::limits::{
    LINK_READ_BYTES, LINK_TURN_REQUESTS, LINK_WRITE_TIMEOUT, RECONNECT_MAX, RECONNECT_MIN, SETTLE_CHUNK_MEMBERS,
};
use crate::switch::door::Return;
use crate::switch::handle::Unavailable;
use crate::switch::version::Version;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::secret::wipe;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use switch_core::connectors::tsys::DisconnectReason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::either::Either;
use zeroize::Zeroize;

/// Wake-up while the session waits for nothing.
const IDLE_TICK: Duration = Duration::from_secs(3600);

/// A connection of a link and all that it works with.
pub struct Link {
    /// Index of the processor.
    pub index: u16,
    /// Where it listens.
    pub host: Host,
    /// What passes over it.
    pub traffic: Traffic,
    /// What shards send; all connections of the link take from it.
    pub orders: Orders,
    /// Whether any connection of the link is signed on.
    pub state: LinkState,
    /// Clock, doors.
    pub shared: Shared,
    /// Where an operator reaches it.
    pub seated: Seated,
    /// Signed off by an operator: it does not connect before it is told to.
    pub is_held: bool,
    /// Turns true when the link is to sign off and end.
    pub stop: watch::Receiver<bool>,
    /// Members of batches as they are read back.
    pub pages: (mpsc::UnboundedSender<Page>, mpsc::UnboundedReceiver<Page>),
}

/// A page of a batch's members.
pub struct Page {
    batch: Xid,
    after: Xid,
    members: Result<Vec<Version>, Unavailable>,
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
        let mut wait = RECONNECT_MIN;
        while !*self.stop.borrow() {
            if self.is_held {
                self.hold().await;
                continue;
            }
            let host = self.host.clone();
            match self.refusing(host.connect()).await {
                None => break,
                Some(Ok(wire)) => {
                    if !self.is_held && self.serve(wire).await {
                        wait = RECONNECT_MIN;
                    }
                }
                Some(Err(error)) => tracing::warn!(link = self.traffic.name(), %host, %error, "can't connect"),
            }
            if self.refusing(tokio::time::sleep(wait)).await.is_none() {
                break;
            }
            wait = (wait * 2).min(RECONNECT_MAX);
        }
        for order in self.orders.close().await {
            self.refuse(&order);
        }
    }

    /// Waits until it is told to sign on, or to stop.
    async fn hold(&mut self) {
        while self.is_held {
            let order = tokio::select! {
                _ = self.stop.wait_for(|stop| *stop) => return,
                Some(control) = self.seated.control.recv() => {
                    self.is_held = control != Control::SignOn;
                    continue;
                }
                order = self.orders.take_unsendable(&self.state) => order,
            };
            self.refuse(&order);
        }
    }

    /// Waits for something while there is no connection: what no other connection can send meanwhile goes back as not sent. `None` when
    /// the link is to stop.
    async fn refusing<T>(&mut self, waiting: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(waiting);
        loop {
            let order = tokio::select! {
                done = &mut waiting => return Some(done),
                _ = self.stop.wait_for(|stop| *stop) => return None,
                Some(control) = self.seated.control.recv() => {
                    self.is_held = control == Control::SignOff;
                    continue;
                }
                order = self.orders.take_unsendable(&self.state) => order,
            };
            self.refuse(&order);
        }
    }

    fn refuse(&mut self, order: &Order) {
        self.traffic.refuse(order);
        // Without a connection there is nothing else to say.
        self.act();
    }

    /// Serves one connection to its end. True when the host had let us sign on.
    async fn serve(&mut self, wire: Wire) -> bool {
        self.traffic.connected(self.shared.clock.now());
        let mut connection = Connection::new(self, wire);
        let ended = connection.run().await;
        let was_signed_on = connection.was_signed_on;
        match ended {
            Ended::Session(DisconnectReason::SignedOff) => tracing::info!(link = self.traffic.name(), "signed off"),
            ended => tracing::warn!(link = self.traffic.name(), host = %self.host, why = %ended, "disconnected"),
        }
        was_signed_on
    }

    /// Acts on what the traffic says.
    fn act(&mut self) -> Acted {
        let mut acted = Acted::default();
        while let Some(happened) = self.traffic.poll() {
            match happened {
                Happened::SignedOn => {
                    acted.signed_on = true;
                    tracing::info!(link = self.traffic.name(), host = %self.host, "signed on");
                }
                Happened::Give { shard, returned } => {
                    self.shared.doors[usize::from(shard)].give(returned);
                }
                Happened::WantsMembers { batch, after } => self.read_members(batch, after),
                Happened::Disconnect(why) => acted.disconnect = Some(why),
            }
        }
        acted
    }

    /// Counts this connection among those that take requests, or no more; shards hear of the first and of the last.
    fn stand(&self, is_up: bool) {
        if self.seated.is_up() == is_up {
            return;
        }
        self.seated.set_up(is_up);
        let processor = self.index;
        if is_up {
            self.state.one_up(|| self.tell_shards(|| Return::LinkUp { processor }));
        } else {
            self.state.one_down(|| self.tell_shards(|| Return::LinkDown { processor }));
        }
    }

    fn take_page(&mut self, Page { batch, after, members }: Page) {
        match members {
            Ok(members) => self.traffic.give_members(&batch, &after, &members, self.shared.clock.now()),
            Err(_) => self.traffic.no_members(&batch),
        }
    }

    /// Reads a page of a batch's members beside the traffic, which goes on.
    fn read_members(&self, batch: Xid, after: Xid) {
        let (history, pages) = (self.shared.history.clone(), self.pages.0.clone());
        tokio::spawn(async move {
            let members = match history {
                Some(history) => history.settling_members(batch, after, SETTLE_CHUNK_MEMBERS).await,
                None => Err(Unavailable::History),
            };
            // Nobody listens any more only when the link has ended.
            let _ = pages.send(Page { batch, after, members });
        });
    }

    fn tell_shards(&self, returned: impl Fn() -> Return) {
        for door in &self.shared.doors {
            door.give(returned());
        }
    }
}

/// What a connection must know of what was acted upon.
#[derive(Debug, Default)]
struct Acted {
    signed_on: bool,
    disconnect: Option<DisconnectReason>,
}

/// One connection while it lasts.
struct Connection<'a> {
    link: &'a mut Link,
    reader: Reader,
    writer: Writer,
    turn: Vec<Order>,
    inbound: Box<[u8]>,
    /// Being written; holds cards in clear, so it is wiped as soon as it is out.
    outbound: Vec<u8>,
    written: usize,
    /// TLS may keep a part of what it has taken until the socket has room again.
    is_flushed: bool,
    write_until: Instant,
    /// Rings at the traffic's next tick or before: it is moved only to ring earlier, and when it has rung.
    alarm: Pin<Box<Sleep>>,
    alarm_at: Micros,
    was_signed_on: bool,
}

/// What a connection woke up for.
enum Woken {
    Read(io::Result<usize>),
    Written(io::Result<usize>),
    WriteStalled,
    Orders,
    /// Members of a batch that are to be uploaded.
    Page(Page),
    /// A request, and no connection of the link is signed on.
    Unsendable(Order),
    Tick,
    Told(Control),
    Stop,
}

impl<'a> Connection<'a> {
    fn new(link: &'a mut Link, wire: Wire) -> Connection<'a> {
        let (reader, writer) = ends(wire);
        Connection {
            link,
            reader,
            writer,
            turn: Vec::with_capacity(LINK_TURN_REQUESTS),
            inbound: vec![0; LINK_READ_BYTES].into_boxed_slice(),
            outbound: Vec::new(),
            written: 0,
            is_flushed: true,
            write_until: Instant::now(),
            alarm: Box::pin(sleep(IDLE_TICK)),
            alarm_at: Micros::NEVER,
            was_signed_on: false,
        }
    }

    async fn run(&mut self) -> Ended {
        let mut signing_off = false;
        let ended = loop {
            let acted = self.link.act();
            self.was_signed_on |= acted.signed_on;
            if acted.signed_on && self.link.is_held {
                self.link.traffic.sign_off(self.link.shared.clock.now());
            }
            self.link.stand(self.link.traffic.is_up());
            if let Some(reason) = acted.disconnect {
                break Ended::Session(reason);
            }
            self.next_output();
            match self.wake(signing_off).await {
                Woken::Read(Ok(0)) => break Ended::Closed,
                Woken::Read(Ok(count)) => self.link.traffic.received(&self.inbound[..count], self.link.shared.clock.now()),
                Woken::Read(Err(error)) | Woken::Written(Err(error)) => break Ended::Io(error),
                Woken::Written(Ok(count)) => self.wrote(count),
                Woken::WriteStalled => break Ended::WriteStalled,
                Woken::Orders => self.submit_turn(),
                Woken::Page(page) => self.link.take_page(page),
                Woken::Unsendable(order) => self.link.traffic.refuse(&order),
                Woken::Tick => {
                    self.alarm_at = Micros::NEVER;
                    self.alarm.as_mut().reset(Instant::now() + IDLE_TICK);
                    self.link.traffic.tick(self.link.shared.clock.now());
                }
                Woken::Told(Control::CutOver) => self.link.traffic.cut_over(self.link.shared.clock.now()),
                Woken::Told(Control::SignOn) => self.link.is_held = false,
                Woken::Told(Control::SignOff) => {
                    self.link.is_held = true;
                    self.link.traffic.sign_off(self.link.shared.clock.now());
                }
                Woken::Stop => {
                    signing_off = true;
                    self.link.traffic.sign_off(self.link.shared.clock.now());
                }
            }
        };
        self.link.stand(false);
        self.outbound.zeroize();
        self.link.traffic.disconnected();
        self.link.act();
        ended
    }

    async fn wake(&mut self, signing_off: bool) -> Woken {
        self.set_alarm();
        let is_writing = self.written < self.outbound.len() || !self.is_flushed;
        let is_up = self.link.traffic.is_up();
        tokio::select! {
            read = self.reader.read(&mut self.inbound) => Woken::Read(read),
            written = write_on(&mut self.writer, &self.outbound[self.written..]), if is_writing => Woken::Written(written),
            () = sleep_until(self.write_until), if is_writing => Woken::WriteStalled,
            () = self.link.orders.take(&mut self.turn), if is_up && !is_writing => Woken::Orders,
            order = self.link.orders.take_unsendable(&self.link.state), if !is_up => Woken::Unsendable(order),
            () = &mut self.alarm => Woken::Tick,
            Some(control) = self.link.seated.control.recv() => Woken::Told(control),
            Some(page) = self.link.pages.1.recv() => Woken::Page(page),
            _ = self.link.stop.wait_for(|stop| *stop), if !signing_off => Woken::Stop,
        }
    }

    fn set_alarm(&mut self) {
        let at = self.link.traffic.next_tick().unwrap_or(Micros::NEVER);
        if at < self.alarm_at {
            self.alarm_at = at;
            self.alarm.as_mut().reset(Instant::now() + self.link.shared.clock.until(at).min(IDLE_TICK));
        }
    }

    /// Takes what the session wants written, once the last batch is out, and writes what the socket takes at once.
    fn next_output(&mut self) {
        if self.written < self.outbound.len() {
            return;
        }
        self.wipe();
        self.link.traffic.take_output(&mut self.outbound);
        self.written = 0;
        if self.outbound.is_empty() {
            return;
        }
        self.write_until = Instant::now() + LINK_WRITE_TIMEOUT;
        // What fails here fails again where it is waited for, and is told there.
        if let Either::Left(writer) = &self.writer
            && let Ok(count) = writer.try_write(&self.outbound)
        {
            self.written = count;
        }
        if self.written == self.outbound.len() {
            self.wipe();
            self.written = 0;
        }
    }

    /// Wipes what was written, not what the buffer has room for beyond.
    fn wipe(&mut self) {
        wipe(&mut self.outbound);
        self.outbound.clear();
    }

    fn wrote(&mut self, count: usize) {
        self.is_flushed = count == 0 || matches!(self.writer, Either::Left(_));
        self.written += count;
        self.write_until = Instant::now() + LINK_WRITE_TIMEOUT;
    }

    fn submit_turn(&mut self) {
        let now = self.link.shared.clock.now();
        for order in self.turn.drain(..) {
            self.link.traffic.submit(&order, now);
        }
    }
}

/// Writes some of what is left, or when nothing is, all that TLS still keeps: 0 bytes then. Nothing is lost when it is given up.
async fn write_on(writer: &mut Writer, left: &[u8]) -> io::Result<usize> {
    if left.is_empty() { writer.flush().await.map(|()| 0) } else { writer.write(left).await }
}
