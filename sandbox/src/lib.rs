//! The processors' side: simulated hosts with ledgers of their own and faults on command.
//!
//! Lives here: for each processor a folder of the same four files (wire, book, host, server), the ledger they write, the
//! table of triggers, and the control address. Must not live here: anything of the switch; the two share the wire format and
//! nothing else, so that a misunderstanding shows. Hosts approve whatever comes and listen on loopback only.
//!
//! [`start`] runs two card hosts, an ACH host and a terminal host on a thread of their own. [`tsys::Host`] is a card host as a value, for a simulator.

pub mod clock;
pub mod control;
pub mod error;
pub mod faults;
pub mod ledger;
pub mod limits;
pub mod sage;
pub mod shell;
pub mod spin;
pub mod tls;
pub mod triggers;
pub mod tsys;
pub mod web;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use protocol::iso8583::MacKey;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

pub use error::SandboxError;
pub use tls::Tls;
pub use triggers::trigger_for;

use shell::{Port, Shell};

/// How late a "late" answer is unless configured, in milliseconds: three of the sandbox's time-outs of 2,000 ms and a half.
pub const LATE_DEFAULT_MS: u32 = 7_000;

/// Where one host listens. Loopback only; port 0 takes a free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The host's own wire.
    pub addr: SocketAddr,
    /// Its control address, HTTP.
    pub control: SocketAddr,
}

impl Default for Listen {
    fn default() -> Listen {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Listen { addr: free, control: free }
    }
}

/// What the sandbox is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The switch's data folder; ledgers are `sandbox/<name>.ledger` in it.
    pub data_dir: PathBuf,
    /// The card host.
    pub card: Listen,
    /// The second card host, with a ledger of its own.
    pub card_2: Listen,
    /// The ACH host.
    pub ach: Listen,
    /// The terminal host.
    pub terminal: Listen,
    /// How late a "late" answer is, in milliseconds.
    pub late_ms: u32,
    /// What the card hosts authenticate messages with; `None` when messages carry no codes.
    pub mac_key: Option<MacKey>,
    /// What the hosts' wires are wrapped in.
    pub tls: Tls,
}

impl Options {
    /// Free ports on loopback, ledgers under this folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Options {
        Options {
            data_dir: data_dir.into(),
            card: Listen::default(),
            card_2: Listen::default(),
            ach: Listen::default(),
            terminal: Listen::default(),
            late_ms: LATE_DEFAULT_MS,
            mac_key: None,
            tls: Tls::Off,
        }
    }
}

/// Where a host was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The host's own wire.
    pub addr: SocketAddr,
    /// Its control address, HTTP.
    pub control: SocketAddr,
}

/// The sandbox at work. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    /// The card host.
    pub card: Endpoint,
    /// The second card host.
    pub card_2: Endpoint,
    /// The ACH host.
    pub ach: Endpoint,
    /// The terminal host.
    pub terminal: Endpoint,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Closes every connection and waits for the thread to end. Ledgers are whole at any moment; nothing is flushed.
    pub fn shutdown(mut self) {
        self.stop_thread();
    }

    fn stop_thread(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the sandbox's thread has panicked");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop_thread();
    }
}

/// Starts the hosts on one thread of their own and returns when they listen. Blocks while the ledgers are read.
pub fn start(options: Options) -> Result<Running, SandboxError> {
    if options.late_ms > limits::DELAY_MAX_MS {
        return Err(SandboxError::LateTooLong { late_ms: options.late_ms, max: limits::DELAY_MAX_MS });
    }
    let (stop, stopped) = oneshot::channel();
    let (report, started) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || run(options, report, stopped));
    let thread = thread.map_err(SandboxError::Thread)?;
    match started.recv() {
        Ok(Ok(Endpoints { card, card_2, ach, terminal })) => {
            Ok(Running { card, card_2, ach, terminal, stop: Some(stop), thread: Some(thread) })
        }
        Ok(Err(error)) => Err(error),
        Err(mpsc::RecvError) => Err(SandboxError::Thread(std::io::Error::other("it ended before it listened"))),
    }
}

struct Endpoints {
    card: Endpoint,
    card_2: Endpoint,
    ach: Endpoint,
    terminal: Endpoint,
}

type Started = Result<Endpoints, SandboxError>;

fn run(options: Options, report: mpsc::SyncSender<Started>, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tell(&report, Err(SandboxError::Thread(error))),
    };
    let opened = runtime.block_on(open(options));
    let is_open = opened.is_ok();
    tell(&report, opened);
    if is_open {
        // An error means that the other half is gone: stop, too.
        let _ = runtime.block_on(stopped);
    }
    runtime.shutdown_background();
}

fn tell(report: &mpsc::SyncSender<Started>, started: Started) {
    // Nobody listens only when the starting thread has died, and then there is nobody to serve.
    let _ = report.send(started);
}

async fn open(options: Options) -> Started {
    let Options { data_dir, card, card_2, ach, terminal, late_ms, mac_key, tls } = options;
    let folder = data_dir.join("sandbox");
    fs::create_dir_all(&folder).map_err(|source| SandboxError::Ledger { operation: "create", path: folder.clone(), source })?;
    let place = Place { tls: tls::acceptor(tls, &folder)?, folder };
    let card = place.card_host("card", card, tsys::Host::new(late_ms).authenticated_by(mac_key.clone())).await?;
    let card_2 = place.card_host("card_2", card_2, tsys::Host::new(late_ms).authenticated_by(mac_key)).await?;
    let terminal = place.web_host("terminal", terminal, spin::Host::new(late_ms)).await?;
    let ach = place.web_host("ach", ach, sage::Host::new(late_ms)).await?;
    Ok(Endpoints { card, card_2, ach, terminal })
}

/// What the hosts' ports and ledgers have in common.
struct Place {
    folder: PathBuf,
    tls: Option<TlsAcceptor>,
}

impl Place {
    async fn card_host(&self, name: &'static str, listen: Listen, host: tsys::Host) -> Result<Endpoint, SandboxError> {
        let (shell, port, addr) = self.open(name, listen, host).await?;
        tokio::spawn(tsys::server::Server::new(Arc::clone(&shell)).listen(port));
        Ok(Endpoint { addr, control: open_control(name, listen.control, shell).await? })
    }

    /// A host that is asked by HTTP.
    async fn web_host(&self, name: &'static str, listen: Listen, host: impl web::WebHost) -> Result<Endpoint, SandboxError> {
        let (shell, port, addr) = self.open(name, listen, host).await?;
        tokio::spawn(web::server::Server::new(Arc::clone(&shell)).listen(port));
        Ok(Endpoint { addr, control: open_control(name, listen.control, shell).await? })
    }

    async fn open<H: shell::Host>(
        &self,
        name: &'static str,
        listen: Listen,
        host: H,
    ) -> Result<(Arc<Shell<H>>, Port, SocketAddr), SandboxError> {
        let (listener, addr) = bind(listen.addr).await?;
        let shell = Shell::open(name, &ledger_of(name, &self.folder), host)?;
        Ok((Arc::new(shell), Port { listener, tls: self.tls.clone() }, addr))
    }
}

fn ledger_of(name: &str, folder: &Path) -> PathBuf {
    folder.join(name).with_extension("ledger")
}

async fn open_control(
    name: &'static str,
    addr: SocketAddr,
    server: Arc<impl control::Controlled>,
) -> Result<SocketAddr, SandboxError> {
    let (listener, bound) = bind(addr).await?;
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, control::router(server)).await {
            tracing::error!(host = name, %error, "control address stopped");
        }
    });
    Ok(bound)
}

async fn bind(addr: SocketAddr) -> Result<(TcpListener, SocketAddr), SandboxError> {
    if !addr.ip().is_loopback() {
        return Err(SandboxError::NotLoopback { addr });
    }
    let fault = |source| SandboxError::Listen { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
    Ok((listener, bound))
}
