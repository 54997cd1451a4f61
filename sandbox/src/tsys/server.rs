//! The connections of a card host. Nothing is decided here.
//!
//! A connection reads a burst of frames, lets the host answer them all, and writes their answers in one write.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::iso8583::Frames;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::host::{ConnectionId, Host, Replies};
use crate::limits::{LATE_ANSWERS_MAX, READ_BURST_MAX_BYTES, WRITE_BUFFER_MAX_BYTES, WRITE_TIMEOUT_MS};
use crate::shell::{Port, Shell, Stopped, Wire};

/// A card host at work.
#[derive(Debug)]
pub struct Server {
    shell: Arc<Shell<Host>>,
    connections: AtomicU64,
}

impl Server {
    /// Around a host.
    pub fn new(shell: Arc<Shell<Host>>) -> Arc<Server> {
        Arc::new(Server { shell, connections: AtomicU64::new(0) })
    }

    /// Serves whoever connects; never returns.
    pub async fn listen(self: Arc<Server>, port: Port) {
        let shell = Arc::clone(&self.shell);
        shell.accept(port, move |wire| Connection::new(Arc::clone(&self), wire).run()).await;
    }

    /// Lets the host answer frames. After an error nothing may be sent.
    fn answer(&self, id: ConnectionId, frames: &mut Frames<'_>, replies: &mut Replies) -> Result<(), Stopped> {
        self.shell.ask(|host, now| {
            while !replies.cut {
                match frames.next_message() {
                    Ok(Some(message)) => host.accept(now, id, message, replies),
                    Ok(None) => break,
                    Err(error) => {
                        tracing::debug!(host = self.shell.name(), %error, "stream is no longer in frames, connection closed");
                        replies.cut = true;
                    }
                }
            }
        })
    }
}

/// Why a connection ended.
enum End {
    Client,
    Cut,
    Down,
    TooSlow,
    Ledger,
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
    wire: Wire,
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
    fn new(server: Arc<Server>, wire: Wire) -> Connection {
        let id = ConnectionId(server.connections.fetch_add(1, Ordering::Relaxed));
        let down = server.shell.down();
        let input = vec![0; READ_BURST_MAX_BYTES].into_boxed_slice();
        Connection {
            server,
            wire,
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
        let end = loop {
            if let Err(end) = self.turn().await {
                break end;
            }
        };
        // A host that has stopped remembers nobody who was signed on.
        let _ = self.server.shell.ask(|host, _| host.closed(self.id));
        let host = self.server.shell.name();
        match end {
            End::Client | End::Cut | End::Down | End::Ledger => {}
            End::TooSlow => tracing::warn!(host, "client does not take its answers, connection closed"),
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
            read = self.wire.read(room), if self.late.len() < LATE_ANSWERS_MAX => Event::Read(read),
        }
    }

    async fn answer_burst(&mut self) -> Result<(), End> {
        let mut frames = Frames::new(self.input.get(..self.filled).unwrap_or_default());
        self.server.answer(self.id, &mut frames, &mut self.replies).map_err(|Stopped| End::Ledger)?;
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
            sent = timeout(limit, write_out(&mut self.wire, bytes)) => sent,
            _ = self.down.wait_for(|down| *down) => return Err(End::Down),
        };
        bytes.clear();
        sent.map_err(|_| End::TooSlow)?.map_err(End::Socket)
    }
}

/// All of it, through to the socket.
async fn write_out(wire: &mut Wire, bytes: &[u8]) -> io::Result<()> {
    wire.write_all(bytes).await?;
    wire.flush().await
}
