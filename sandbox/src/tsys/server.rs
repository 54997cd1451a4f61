//! Sockets, clock and ledger file around a card host. Nothing is decided here.
//!
//! A connection reads a burst of frames, lets the host answer them all, writes their ledger rows in one write and then
//! their answers in one write: the order is what makes the ledger outlive a crash that the answer has outlived.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::iso8583::{Frames, MacKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::host::{ConnectionId, Host, Replies};
use crate::clock::HostClock;
use crate::control::{Controlled, Health};
use crate::error::SandboxError;
use crate::faults::Faults;
use crate::ledger::file::{LedgerFile, RowReader};
use crate::limits::{CONNECTIONS_MAX, LATE_ANSWERS_MAX, READ_BURST_MAX_BYTES, WRITE_BUFFER_MAX_BYTES, WRITE_TIMEOUT_MS};

/// A card host at work: shared by its connections and its control address.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    shell: Mutex<Shell>,
    clock: HostClock,
    /// True while the host is away, by command or because its ledger can't be written.
    down: watch::Sender<bool>,
    connections: AtomicU64,
}

#[derive(Debug)]
struct Shell {
    host: Host,
    file: LedgerFile,
    /// The ledger could not be written: from then on nothing may be answered.
    broken: bool,
}

impl Server {
    /// Opens the ledger and brings the host to where it was.
    pub fn open(name: &'static str, ledger: &Path, late_ms: u32, key: Option<MacKey>) -> Result<Arc<Server>, SandboxError> {
        let mut host = Host::new(late_ms).authenticated_by(key);
        let file = LedgerFile::open(ledger, |row| host.reload(row))?;
        let shell = Mutex::new(Shell { host, file, broken: false });
        let (down, connections) = (watch::Sender::new(false), AtomicU64::new(0));
        Ok(Arc::new(Server { name, shell, clock: HostClock::default(), down, connections }))
    }

    /// Serves whoever connects; never returns.
    pub async fn listen(self: Arc<Server>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(host = self.name, %error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            let Ok(place) = places.clone().try_acquire_owned() else {
                tracing::warn!(host = self.name, max = CONNECTIONS_MAX, "too many connections, one refused");
                continue;
            };
            if *self.down.borrow() {
                continue;
            }
            let server = self.clone();
            tokio::spawn(async move {
                Connection::new(server, stream).run().await;
                drop(place);
            });
        }
    }

    /// Lets the host answer frames and makes its ledger rows outlive this process. After an error nothing may be sent.
    fn answer(&self, id: ConnectionId, frames: &mut Frames<'_>, replies: &mut Replies) -> Result<(), SandboxError> {
        let now = self.clock.now();
        let mut shell = self.shell.lock();
        let Shell { host, file, broken } = &mut *shell;
        while !replies.cut && !*broken {
            match frames.next_message() {
                Ok(Some(message)) => host.accept(now, id, message, replies),
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(host = self.name, %error, "stream is no longer in frames, connection closed");
                    replies.cut = true;
                }
            }
        }
        let written = file.append(host.unwritten());
        host.rows_written();
        *broken |= written.is_err();
        if *broken {
            self.down.send_replace(true);
        }
        written
    }
}

impl Controlled for Server {
    fn health(&self) -> Health {
        let shell = self.shell.lock();
        match (shell.broken, shell.host.faults().down) {
            (true, _) => Health::LedgerBroken,
            (false, true) => Health::Down,
            (false, false) => Health::Serving,
        }
    }

    fn stats(&self) -> Value {
        json!(self.shell.lock().host.stats())
    }

    fn faults(&self) -> Faults {
        self.shell.lock().host.faults().clone()
    }

    fn set_faults(&self, faults: Faults) {
        let mut shell = self.shell.lock();
        self.down.send_replace(faults.down || shell.broken);
        shell.host.set_faults(faults);
    }

    fn rows(&self) -> Result<RowReader, SandboxError> {
        self.shell.lock().file.reader()
    }

    fn clock(&self) -> &HostClock {
        &self.clock
    }
}

/// Why a connection ended.
enum End {
    Client,
    Cut,
    Down,
    TooSlow,
    Ledger(SandboxError),
    Socket(std::io::Error),
}

/// What a connection waited for.
enum Event {
    /// The host goes away.
    Down,
    /// A late answer is due.
    Due,
    /// Bytes came, or the end of them.
    Read(std::io::Result<usize>),
}

struct Connection {
    server: Arc<Server>,
    stream: TcpStream,
    id: ConnectionId,
    down: watch::Receiver<bool>,
    input: Box<[u8]>,
    /// Bytes of `input` that hold the start of a frame.
    filled: usize,
    replies: Replies,
    /// Answers that wait, by the moment they are due and by the order in which they came.
    late: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    late_count: u64,
}

impl Connection {
    fn new(server: Arc<Server>, stream: TcpStream) -> Connection {
        let id = ConnectionId(server.connections.fetch_add(1, Ordering::Relaxed));
        let down = server.down.subscribe();
        let input = vec![0; READ_BURST_MAX_BYTES].into_boxed_slice();
        Connection {
            server,
            stream,
            id,
            down,
            input,
            filled: 0,
            replies: Replies::default(),
            late: BinaryHeap::new(),
            late_count: 0,
        }
    }

    async fn run(mut self) {
        // Without it an answer may wait 40 ms for the client's acknowledgement; an old kernel's refusal costs only that.
        let _ = self.stream.set_nodelay(true);
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        self.server.shell.lock().host.closed(self.id);
        let host = self.server.name;
        match end {
            End::Client | End::Cut | End::Down => {}
            End::TooSlow => tracing::warn!(host, "client does not take its answers, connection closed"),
            End::Ledger(error) => tracing::error!(host, %error, "ledger not written, the host stops answering"),
            End::Socket(error) => tracing::debug!(host, %error, "connection lost"),
        }
    }

    async fn turn(&mut self) -> Result<(), End> {
        match self.next_event().await {
            Event::Down => Err(End::Down),
            Event::Due => self.send_due().await,
            Event::Read(Err(error)) => Err(End::Socket(error)),
            Event::Read(Ok(0)) => Err(End::Client),
            Event::Read(Ok(count)) => {
                self.filled += count;
                self.answer_burst().await
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let due = self.late.peek().map(|Reverse((due, _, _))| *due);
        let room = self.input.get_mut(self.filled..).unwrap_or_default();
        tokio::select! {
            biased;
            _ = self.down.wait_for(|down| *down) => Event::Down,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Event::Due,
            read = self.stream.read(room), if self.late.len() < LATE_ANSWERS_MAX => Event::Read(read),
        }
    }

    async fn answer_burst(&mut self) -> Result<(), End> {
        let mut frames = Frames::new(self.input.get(..self.filled).unwrap_or_default());
        self.server.answer(self.id, &mut frames, &mut self.replies).map_err(End::Ledger)?;
        let consumed = frames.consumed();
        self.input.copy_within(consumed..self.filled, 0);
        self.filled -= consumed;
        self.hold_back();
        self.send().await?;
        if self.replies.cut { Err(End::Cut) } else { Ok(()) }
    }

    fn hold_back(&mut self) {
        let now = Instant::now();
        for answer in self.replies.late.drain(..) {
            let due = now + Duration::from_millis(u64::from(answer.delay_ms));
            self.late_count += 1;
            self.late.push(Reverse((due, self.late_count, answer.bytes)));
        }
    }

    async fn send_due(&mut self) -> Result<(), End> {
        let now = Instant::now();
        while self.late.peek().is_some_and(|Reverse((due, _, _))| *due <= now) {
            if let Some(Reverse((_, _, bytes))) = self.late.pop() {
                self.replies.bytes.extend_from_slice(&bytes);
            }
        }
        self.send().await
    }

    async fn send(&mut self) -> Result<(), End> {
        let bytes = &mut self.replies.bytes;
        if bytes.len() > WRITE_BUFFER_MAX_BYTES {
            return Err(End::TooSlow);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let limit = Duration::from_millis(WRITE_TIMEOUT_MS);
        let sent = tokio::select! {
            biased;
            sent = timeout(limit, self.stream.write_all(bytes)) => sent,
            _ = self.down.wait_for(|down| *down) => return Err(End::Down),
        };
        bytes.clear();
        sent.map_err(|_| End::TooSlow)?.map_err(End::Socket)
    }
}
