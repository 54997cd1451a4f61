//! What stands around every host: its port, its ledger's file, its clock and its control address. Nothing is decided here.
//!
//! A host is a value ([`Host`]). Whatever is asked of it goes through [`Shell::ask`], which writes its ledger rows away before the
//! answer leaves: that is what makes the ledger outlive a crash that the answer has outlived.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use protocol::calendar::Micros;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::clock::HostClock;
use crate::control::{Controlled, Health};
use crate::error::SandboxError;
use crate::faults::Faults;
use crate::ledger::Row;
use crate::ledger::file::{LedgerFile, RowReader};
use crate::limits::{CONNECTIONS_MAX, HANDSHAKE_TIMEOUT_MS};

/// A client's connection, in clear or in TLS.
pub type Wire = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// What every host is able to do, whatever it speaks.
pub trait Host: Send + 'static {
    /// Takes in a row that an earlier life of the host wrote. Rows come in order, before any request.
    fn reload(&mut self, row: &Row);
    /// Ledger rows to be written away before the answers leave: [`crate::ledger::ROW_BYTES`] each.
    fn unwritten(&self) -> &[u8];
    /// Says that [`Host::unwritten`] was written away.
    fn rows_written(&mut self);
    /// The faults in force.
    fn faults(&self) -> &Faults;
    /// Puts faults in force in place of those before.
    fn set_faults(&mut self, faults: Faults);
    /// What was counted, as `GET /stats` shows it.
    fn counted(&self) -> Value;
}

/// A host at work: shared by its connections and its control address.
#[derive(Debug)]
pub struct Shell<H> {
    name: &'static str,
    inside: Mutex<Inside<H>>,
    clock: HostClock,
    /// True while the host is away, by command or because its ledger can't be written.
    down: watch::Sender<bool>,
}

#[derive(Debug)]
struct Inside<H> {
    host: H,
    file: LedgerFile,
    /// The ledger could not be written: from then on nothing may be answered.
    broken: bool,
}

/// The host's ledger can't be written: nothing may be answered any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl<H: Host> Shell<H> {
    /// Opens the ledger and brings the host to where it was.
    pub fn open(name: &'static str, ledger: &Path, mut host: H) -> Result<Shell<H>, SandboxError> {
        let file = LedgerFile::open(ledger, |row| host.reload(row))?;
        let inside = Mutex::new(Inside { host, file, broken: false });
        Ok(Shell { name, inside, clock: HostClock::default(), down: watch::Sender::new(false) })
    }

    /// Name of the host, for log lines.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Turns true when the host goes away.
    pub fn down(&self) -> watch::Receiver<bool> {
        self.down.subscribe()
    }

    /// Asks the host, and makes its ledger rows outlive this process.
    pub fn ask<T>(&self, ask: impl FnOnce(&mut H, Micros) -> T) -> Result<T, Stopped> {
        let mut inside = self.inside.lock();
        let Inside { host, file, broken } = &mut *inside;
        if *broken {
            return Err(Stopped);
        }
        let said = ask(host, self.clock.now());
        let written = file.append(host.unwritten());
        host.rows_written();
        written.map(|()| said).map_err(|error| {
            tracing::error!(host = self.name, %error, "ledger not written, the host stops answering");
            *broken = true;
            self.down.send_replace(true);
            Stopped
        })
    }

    /// Accepts whoever connects, and proves who we are where TLS is spoken; never returns.
    pub async fn accept<F>(&self, port: Port, serve: impl Fn(Wire) -> F + Clone + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let stream = match port.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(host = self.name, %error, "accept failed");
                    sleep(Duration::from_millis(10)).await;
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
            // Without it an answer may wait 40 ms for the client's acknowledgement; an old kernel's refusal costs only that.
            let _ = stream.set_nodelay(true);
            let (name, tls, serve) = (self.name, port.tls.clone(), serve.clone());
            tokio::spawn(async move {
                match secured(stream, tls).await {
                    Ok(wire) => serve(wire).await,
                    Err(error) => tracing::debug!(host = name, %error, "no TLS with a client"),
                }
                drop(place);
            });
        }
    }
}

/// A port that is listened on, and the TLS that is spoken there, if any.
pub struct Port {
    /// The port.
    pub listener: TcpListener,
    /// Proves who we are to whoever connects.
    pub tls: Option<TlsAcceptor>,
}

async fn secured(stream: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<Wire> {
    let Some(tls) = tls else { return Ok(Either::Left(stream)) };
    let stream = timeout(Duration::from_millis(HANDSHAKE_TIMEOUT_MS), tls.accept(stream)).await??;
    Ok(Either::Right(Box::new(stream)))
}

impl<H: Host> Controlled for Shell<H> {
    fn health(&self) -> Health {
        let inside = self.inside.lock();
        match (inside.broken, inside.host.faults().down) {
            (true, _) => Health::LedgerBroken,
            (false, true) => Health::Down,
            (false, false) => Health::Serving,
        }
    }

    fn stats(&self) -> Value {
        self.inside.lock().host.counted()
    }

    fn faults(&self) -> Faults {
        self.inside.lock().host.faults().clone()
    }

    fn set_faults(&self, faults: Faults) {
        let mut inside = self.inside.lock();
        self.down.send_replace(faults.down || inside.broken);
        inside.host.set_faults(faults);
    }

    fn rows(&self) -> Result<RowReader, SandboxError> {
        self.inside.lock().file.reader()
    }

    fn clock(&self) -> &HostClock {
        &self.clock
    }
}
