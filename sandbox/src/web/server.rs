//! The connections of a host that is asked by HTTP, and requests that wait.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use protocol::calendar::Micros;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Asked, Reply, WebAnswer, WebHost};
use crate::limits::{DELAY_MAX_MS, WEB_REQUEST_MAX_BYTES};
use crate::shell::{Port, Shell, Wire};

/// A host at work.
#[derive(Debug)]
pub struct Server<H> {
    shell: Arc<Shell<H>>,
    /// Told after each request, for those that wait may be decided by it.
    changed: Notify,
}

/// A connection that is cut in place of an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut in place of an answer")]
struct Cut;

impl<H: WebHost> Server<H> {
    /// Around a host.
    pub fn new(shell: Arc<Shell<H>>) -> Arc<Server<H>> {
        Arc::new(Server { shell, changed: Notify::new() })
    }

    /// Serves whoever connects; never returns.
    pub async fn listen(self: Arc<Server<H>>, port: Port) {
        let shell = Arc::clone(&self.shell);
        shell.accept(port, move |wire| Arc::clone(&self).serve(wire)).await;
    }

    async fn serve(self: Arc<Server<H>>, wire: Wire) {
        let mut down = self.shell.down();
        let service = service_fn(|request| self.clone().respond(request));
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(wire), service);
        tokio::select! {
            biased;
            _ = down.wait_for(|down| *down) => {}
            ended = connection => if let Err(error) = ended {
                tracing::debug!(host = self.shell.name(), %error, "connection lost");
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

    /// Lets the host decide; one that has stopped answers nobody.
    fn decide(&self, ask: impl FnOnce(&mut H, Micros) -> Reply) -> Reply {
        self.shell.ask(ask).unwrap_or(Reply::Cut)
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
