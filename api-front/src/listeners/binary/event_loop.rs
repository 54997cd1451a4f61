//! One task, one wait, many connections.
//!
//! A turn: wait for the kernel or for answers, hand out the answers, read what came and take the requests, write each
//! connection's answers at once. In clear it lives on a thread of payments (the first one's is the shard's own), so that between a
//! request, its shard and its answer nobody is woken; under TLS on the office's. With much to do a turn is long and its writes are large.
//!
//! The sockets are in a set of the kernel's own (mio), and the set is one thing to wait for among those of the thread's runtime.

use super::caller::judge;
use super::connection::{Connection, Overdue, Reading};
use super::hall::{Arrival, Hall};
use super::kernel::Kernel;
use super::limits::{EVENTS_MAX, LOOP_TURN_ACCEPTS, LOOP_TURN_BYTES, SWEEP_EVERY};
use super::line::Line;
use super::office::{Connections, KeyFound, Office};
use super::session::{Ending, Said};
use crate::limits::DRAIN_WAIT;
use crate::listeners::brake::Brake;
use crossbeam_channel::Receiver;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Registry, Token};
use persistence::stores::ApiKey;
use protocol::binary::GoAwayCode;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;

const LISTENER: Token = Token(usize::MAX);
/// How often it is looked whether a connection has rested enough.
const REST_GRAIN: Duration = Duration::from_millis(5);
/// Wait after an accept that failed because the process has too many files open.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Where connections come in, and the loops that they are spread over.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) hall: Hall,
}

/// What all loops have in common.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) brake: Arc<Brake>,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) is_stopping: Arc<AtomicBool>,
}

/// The loop.
pub(super) struct EventLoop {
    /// Whose events it is told of.
    registry: Registry,
    /// Rung by whoever has brought something.
    bell: Arc<Notify>,
    /// Of the loop that accepts for all.
    door: Option<Door>,
    arrivals: Receiver<Arrival>,
    tls: Option<Arc<ServerConfig>>,
    accepts_again_at: Option<Instant>,
    /// There may be more to accept.
    has_waiting_outside: bool,
    connections: Connections,
    next_number: u64,
    office: Office,
    brake: Arc<Brake>,
    is_stopping: Arc<AtomicBool>,
    /// Connections that have something to send.
    touched: Vec<u64>,
    /// Connections that may have more to read without the kernel saying so again.
    unread: Vec<u64>,
    /// The one that was read last.
    served_last: u64,
    swept_at: Instant,
    stops_until: Option<Instant>,
}

impl EventLoop {
    pub(super) fn new(
        registry: Registry,
        mut door: Option<Door>,
        arrivals: Receiver<Arrival>,
        office: Office,
        shared: Shared,
    ) -> io::Result<EventLoop> {
        if let Some(door) = &mut door {
            registry.register(&mut door.listener, LISTENER, Interest::READABLE)?;
        }
        let Shared { brake, tls, is_stopping } = shared;
        Ok(EventLoop {
            registry,
            bell: Arc::clone(office.bell()),
            door,
            arrivals,
            tls,
            accepts_again_at: None,
            has_waiting_outside: false,
            connections: HashMap::new(),
            next_number: 0,
            office,
            brake,
            is_stopping,
            touched: Vec::new(),
            unread: Vec::new(),
            served_last: 0,
            swept_at: Instant::now(),
            stops_until: None,
        })
    }

    /// Runs on the present runtime until it is stopped, then until what was asked is answered. True when all was.
    pub(super) async fn run(mut self, poll: Poll) -> io::Result<bool> {
        let mut kernel = Kernel::new(poll)?;
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            self.rest(&mut kernel, &mut events).await?;
            let now = Instant::now();
            self.deliver(now);
            self.note(&events);
            self.admit(now);
            self.serve_unread(now);
            self.flush(now);
            if now.duration_since(self.swept_at) >= SWEEP_EVERY {
                self.sweep(now);
            }
            if let Some(all) = self.is_over(now) {
                return Ok(all);
            }
        }
    }

    /// Until the kernel has events, the bell rings or patience ends.
    async fn rest(&mut self, kernel: &mut Kernel, events: &mut Events) -> io::Result<()> {
        let patience = if kernel.has_more() { Some(Duration::ZERO) } else { self.patience() };
        match patience {
            // Whoever shares the thread has a turn first.
            Some(Duration::ZERO) => {
                yield_now().await;
                return kernel.look(events);
            }
            Some(patience) => kernel.set_alarm(Instant::now() + patience),
            None => {}
        }
        // However often the bell rings: whoever shares the thread has a turn from time to time.
        consume_budget().await;
        tokio::select! {
            biased;
            looked = kernel.wait(events) => looked,
            () = self.bell.notified() => {
                events.clear();
                Ok(())
            }
        }
    }

    /// How long the kernel may keep us waiting; for ever when there is nobody.
    fn patience(&self) -> Option<Duration> {
        if self.has_waiting_outside {
            return Some(Duration::ZERO);
        }
        if !self.unread.is_empty() {
            let may_read = |number: &u64| self.connections.get(number).is_some_and(|connection| connection.rests_until.is_none());
            return Some(if self.unread.iter().any(may_read) { Duration::ZERO } else { REST_GRAIN });
        }
        let is_quiet = self.connections.is_empty() && self.accepts_again_at.is_none() && self.stops_until.is_none();
        if is_quiet { None } else { Some(SWEEP_EVERY) }
    }

    fn note(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                LISTENER => self.has_waiting_outside = true,
                Token(number) => {
                    let Some(connection) = self.connections.get_mut(&(number as u64)) else { continue };
                    if event.is_writable() {
                        self.touched.push(number as u64);
                    }
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        connection.note_readable(event.is_read_closed() || event.is_error());
                        self.unread.push(number as u64);
                    }
                }
            }
        }
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..LOOP_TURN_ACCEPTS {
            let Some(door) = &self.door else { return };
            match door.listener.accept() {
                Ok((stream, _)) => door.hall.seat(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    self.accepts_again_at = Some(now + ACCEPT_RETRY);
                    return;
                }
            }
        }
        self.has_waiting_outside = true;
    }

    /// Takes in who was sent here.
    fn admit(&mut self, now: Instant) {
        if std::mem::take(&mut self.has_waiting_outside) {
            self.accept(now);
        }
        while let Ok(arrival) = self.arrivals.try_recv() {
            if let Err(error) = self.take_in(arrival, now) {
                tracing::debug!(%error, "a connection went away before it was served");
            }
        }
    }

    fn take_in(&mut self, arrival: Arrival, now: Instant) -> io::Result<()> {
        let number = self.next_number;
        self.next_number += 1;
        let mut connection = Connection::new(Line::new(arrival.stream, self.tls.as_ref())?, arrival.chair, now);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = Token(usize::try_from(number).unwrap_or_default());
        self.registry.register(connection.source(), token, interest)?;
        if arrival.is_beyond {
            connection.end(&Ending::new(GoAwayCode::TooManyConnections, "there are as many connections as may be"), now);
        }
        self.connections.insert(number, connection);
        self.touched.push(number);
        Ok(())
    }

    fn deliver(&mut self, now: Instant) {
        let mut keys = Vec::new();
        self.office.deliver(&mut self.connections, &mut self.touched, &mut |found| keys.push(found));
        for found in keys {
            self.take_key(found, now);
        }
    }

    fn take_key(&mut self, found: KeyFound, now: Instant) {
        let KeyFound { connection: number, looked_up, was_known } = found;
        let Some(connection) = self.connections.get_mut(&number) else { return };
        match judge(looked_up, self.office.switch()) {
            Ok(caller) if was_known => connection.caller = Some(caller),
            Ok(caller) => {
                connection.welcome(caller, self.office.switch().now(), now);
                // What came right behind the Hello waits in its buffer.
                self.unread.push(number);
            }
            // Who was welcome stays so while the accounts can't be read.
            Err((GoAwayCode::Unavailable, _)) if was_known => {}
            Err((code, why)) => connection.end(&Ending::new(code, why), now),
        }
        self.touched.push(number);
    }

    /// Reads connections by turns, from the one behind the last that had one; those that are left over wait for the next.
    fn serve_unread(&mut self, now: Instant) {
        let mut unread = std::mem::take(&mut self.unread);
        unread.sort_unstable();
        unread.dedup();
        let next = unread.partition_point(|number| *number <= self.served_last);
        unread.rotate_left(next);
        let mut read_bytes = 0;
        for number in unread.drain(..) {
            if read_bytes >= LOOP_TURN_BYTES {
                self.unread.push(number);
                continue;
            }
            self.served_last = number;
            match self.serve(number, &mut read_bytes, now) {
                Ok(true) => self.unread.push(number),
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, "a connection of the binary protocol broke");
                    self.connections.remove(&number);
                }
            }
        }
    }

    /// Reads a connection for a turn. True when there may be more.
    fn serve(&mut self, number: u64, loop_bytes: &mut usize, now: Instant) -> io::Result<bool> {
        let Some(connection) = self.connections.get_mut(&number) else { return Ok(false) };
        if connection.rests_until.is_some_and(|until| now < until) {
            return Ok(true);
        }
        connection.rests_until = None;
        let mut read_bytes = 0;
        loop {
            let was_refused = understand(number, connection, &mut self.office, now);
            self.touched.push(number);
            if was_refused {
                let rest = self.brake.refused(now.into());
                connection.rests_until = (!rest.is_zero()).then(|| now + rest);
            }
            let before = read_bytes;
            let reading = connection.read(&mut read_bytes, now)?;
            *loop_bytes += read_bytes - before;
            match reading {
                Reading::Came => {}
                Reading::Nothing => return Ok(connection.rests_until.is_some()),
                Reading::TurnOver => return Ok(true),
            }
        }
    }

    fn flush(&mut self, now: Instant) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for number in touched.drain(..) {
            let Some(connection) = self.connections.get_mut(&number) else { continue };
            let was_deaf = connection.is_deaf();
            match connection.flush(now) {
                Ok(true) if was_deaf && !connection.is_deaf() => self.unread.push(number),
                Ok(true) => {}
                Ok(false) => drop(self.connections.remove(&number)),
                Err(error) => {
                    tracing::debug!(%error, "a connection of the binary protocol broke");
                    self.connections.remove(&number);
                }
            }
        }
        self.touched = touched;
    }

    fn sweep(&mut self, now: Instant) {
        self.swept_at = now;
        if self.accepts_again_at.take_if(|at| *at <= now).is_some() {
            self.has_waiting_outside = true;
        }
        let mut closed = Vec::new();
        for (number, connection) in &mut self.connections {
            connection.tidy();
            match connection.overdue(now) {
                Some(Overdue::End(why)) => connection.end(&Ending::new(GoAwayCode::Idle, why), now),
                Some(Overdue::Close) => closed.push(*number),
                None => {}
            }
            if let Some(key) = connection.key_to_check(now) {
                self.office.look_up(*number, key, true);
            }
            self.touched.push(*number);
        }
        for number in closed {
            self.connections.remove(&number);
        }
        self.flush(now);
    }

    /// Once it is to stop: tells everybody, and says when it is over, and whether all were answered.
    fn is_over(&mut self, now: Instant) -> Option<bool> {
        if !self.is_stopping.load(Ordering::Acquire) {
            return None;
        }
        let until = *self.stops_until.get_or_insert_with(|| {
            self.door = None;
            let ending = Ending::new(GoAwayCode::ShuttingDown, "the switch is shutting down");
            self.connections.values_mut().for_each(|connection| connection.end(&ending, now));
            self.touched.extend(self.connections.keys());
            now + DRAIN_WAIT
        });
        self.flush(now);
        let all_answered = self.connections.values().all(|connection| connection.session.unanswered() == 0);
        (all_answered || now >= until).then_some(all_answered)
    }
}

/// Understands what has come of a connection's stream. True when something was refused as busy.
fn understand(number: u64, connection: &mut Connection, office: &mut Office, now: Instant) -> bool {
    let mut was_refused = false;
    // The bytes leave the connection while its requests are taken, which answers some of them at once.
    let mut incoming = std::mem::take(&mut connection.incoming);
    while !connection.is_deaf() {
        match connection.session.hear(incoming.bytes()) {
            Ok(None) => break,
            Ok(Some((said, size))) => {
                match said {
                    Said::Hello(hello) => {
                        connection.note_capabilities(hello.capabilities);
                        office.look_up(number, ApiKey::hash_of(hello.api_key), false);
                    }
                    Said::Ping(body) => connection.outgoing.pong(body),
                    Said::Requests(requests) => {
                        connection.note_asked();
                        for request in requests {
                            was_refused |= office.take(number, connection, &request);
                        }
                    }
                }
                incoming.take(size);
            }
            Err(ending) => {
                connection.end(&ending, now);
                incoming.clear();
            }
        }
    }
    connection.incoming = incoming;
    was_refused
}
