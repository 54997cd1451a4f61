//! A host at work on a port: connections, the ledger's file, and requests that wait.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Asked, Reply, WebAnswer, WebHost};
use crate::clock::HostClock;
use crate::control::{Controlled, Health};
use crate::error::SandboxError;
use crate::faults::Faults;
use crate::ledger::file::{LedgerFile, RowReader};
use crate::limits::{CONNECTIONS_MAX, DELAY_MAX_MS, WEB_REQUEST_MAX_BYTES};

/// A host at work: shared by its connections and its control address.
#[derive(Debug)]
pub struct Server<H> {
    name: &'static str,
    shell: Mutex<Shell<H>>,
    clock: HostClock,
    /// True while the host is away, by command or because its ledger can't be written.
    down: watch::Sender<bool>,
    /// Told after each request, for those that wait may be decided by it.
    changed: Notify,
}

#[derive(Debug)]
struct Shell<H> {
    host: H,
    file: LedgerFile,
    /// The ledger could not be written: from then on nothing may be answered.
    broken: bool,
}

/// A connection that is cut in place of an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut in place of an answer")]
struct Cut;

impl<H: WebHost> Server<H> {
    /// Opens the ledger and brings the host to where it was.
    pub fn open(name: &'static str, ledger: &Path, mut host: H) -> Result<Arc<Server<H>>, SandboxError> {
        let file = LedgerFile::open(ledger, |row| host.reload(row))?;
        let shell = Mutex::new(Shell { host, file, broken: false });
        let (down, changed) = (watch::Sender::new(false), Notify::new());
        Ok(Arc::new(Server { name, shell, clock: HostClock::default(), down, changed }))
    }

    /// Serves whoever connects; never returns.
    pub async fn listen(self: Arc<Server<H>>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let stream = match listener.accept().await {
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
            let server = self.clone();
            tokio::spawn(async move {
                server.serve(stream).await;
                drop(place);
            });
        }
    }

    async fn serve(self: Arc<Server<H>>, stream: TcpStream) {
        // Without it an answer may wait 40 ms for the client's acknowledgement; an old kernel's refusal costs only that.
        let _ = stream.set_nodelay(true);
        let mut down = self.down.subscribe();
        let service = service_fn(|request| self.clone().respond(request));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            biased;
            _ = down.wait_for(|down| *down) => {}
            ended = connection => if let Err(error) = ended {
                tracing::debug!(host = self.name, %error, "connection lost");
            },
        }
    }

    async fn respond(self: Arc<Server<H>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Cut> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, WEB_REQUEST_MAX_BYTES).collect().await else {
            return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let body = body.to_bytes();
        // In a task of its own: what was begun is brought to its end, also when the client hangs up.
        let work = tokio::spawn(async move {
            let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
            let asked = Asked { method: head.method.as_str(), path, query, body: &body };
            let reply = self.decide(|host, now| host.accept(now, &asked));
            self.changed.notify_waiters();
            self.bring_to_end(reply).await
        });
        let answer = work.await.ok().flatten().ok_or(Cut)?;
        Ok(rendered(answer))
    }

    /// Waits as the host says. `None`: the connection is to be cut.
    async fn bring_to_end(&self, mut reply: Reply) -> Option<WebAnswer> {
        loop {
            reply = match reply {
                Reply::Answer(answer, delay_ms) => {
                    sleep(Duration::from_millis(u64::from(delay_ms))).await;
                    return Some(answer);
                }
                Reply::Silent => {
                    sleep(Duration::from_millis(u64::from(DELAY_MAX_MS))).await;
                    return None;
                }
                Reply::Cut => return None,
                Reply::Wait { ticket, ms } => {
                    let due = Instant::now() + Duration::from_millis(u64::from(ms));
                    self.wait(ticket, due).await
                }
            };
        }
    }

    /// Asks the host again whenever something has changed, and at last when the time has come.
    async fn wait(&self, ticket: u64, due: Instant) -> Reply {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let reply = self.decide(|host, now| host.resume(now, ticket, false));
            if !matches!(reply, Reply::Wait { .. }) {
                return reply;
            }
            if timeout_at(due, changed).await.is_err() {
                return self.decide(|host, now| host.resume(now, ticket, true));
            }
        }
    }

    /// Lets the host decide and makes its ledger rows outlive this process. After an error nothing may be sent.
    fn decide(&self, ask: impl FnOnce(&mut H, protocol::calendar::Micros) -> Reply) -> Reply {
        let mut shell = self.shell.lock();
        let Shell { host, file, broken } = &mut *shell;
        if *broken {
            return Reply::Cut;
        }
        let reply = ask(host, self.clock.now());
        let written = file.append(host.unwritten());
        host.rows_written();
        if let Err(error) = written {
            tracing::error!(host = self.name, %error, "ledger not written, the host stops answering");
            *broken = true;
            self.down.send_replace(true);
            return Reply::Cut;
        }
        reply
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn rendered(answer: WebAnswer) -> Response<Full<Bytes>> {
    let mut response = empty(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    *response.body_mut() = Full::new(Bytes::from(answer.body));
    response
}

impl<H: WebHost> Controlled for Server<H> {
    fn health(&self) -> Health {
        let shell = self.shell.lock();
        match (shell.broken, shell.host.faults().down) {
            (true, _) => Health::LedgerBroken,
            (false, true) => Health::Down,
            (false, false) => Health::Serving,
        }
    }

    fn stats(&self) -> Value {
        self.shell.lock().host.stats()
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
