//! One try: resolve, connect to the address that was looked at, post, read the answer. Bounded in time and size; redirects are not
//! followed, for a receiver must not send us elsewhere.

use super::limits::{ANSWER_MAX_BYTES, CONNECT_TIMEOUT, RECEIVER_TIMEOUT};
use super::reach::{Reach, Target};
use crate::config::WebhookSettings;
use crate::links::host::{TlsError, trust};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What is posted.
#[derive(Debug, Clone)]
pub(super) struct Post {
    /// `application/json` or a form.
    pub(super) content_type: &'static str,
    /// The event's id.
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) timestamp_s: i64,
    /// Standard Webhooks' header.
    pub(super) signatures: String,
    /// The body.
    pub(super) body: Bytes,
}

/// What a receiver said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// Seconds that it asks us to wait; 0 for none.
    pub(super) retry_after_s: u32,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("{0}")]
    Address(&'static str),
    #[error("the host's name can't be resolved")]
    Name,
    #[error("the host has no address that webhooks may go to")]
    Unreachable,
    #[error("can't connect: {0}")]
    Connect(io::ErrorKind),
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error("the connection failed before the answer was complete")]
    Cut,
    #[error("no answer within {} seconds", RECEIVER_TIMEOUT.as_secs())]
    TooLate,
}

/// Sends posts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sender {
    reach: Reach,
    tls: TlsConnector,
}

impl Sender {
    pub(super) fn new(settings: &WebhookSettings) -> Result<Sender, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &settings.ca_file {
            trust(&mut roots, "ca_file", path)?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Sender { reach: settings.reach, tls: TlsConnector::from(Arc::new(config)) })
    }

    pub(super) async fn send(&self, url: &str, post: Post) -> Result<Answer, NoAnswer> {
        let target = self.reach.target(url).map_err(NoAnswer::Address)?;
        timeout(RECEIVER_TIMEOUT, self.exchange(&target, post)).await.unwrap_or(Err(NoAnswer::TooLate))
    }

    async fn exchange(&self, target: &Target, post: Post) -> Result<Answer, NoAnswer> {
        let addresses = self.reach.resolve(target).await.map_err(|_| NoAnswer::Name)?;
        let stream = connect(&addresses).await?;
        if !target.tls {
            return ask(stream, target, post).await;
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|_| NoAnswer::Address("must name a host"))?;
        let stream = self.tls.connect(name, stream).await.map_err(NoAnswer::Tls)?;
        ask(stream, target, post).await
    }
}

/// To the first of the addresses at which somebody is: of a name with two kinds of addresses one may lead nowhere from here.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, NoAnswer> {
    let mut last = NoAnswer::Unreachable;
    for address in addresses {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = NoAnswer::Connect(error.kind()),
            Err(_) => last = NoAnswer::Connect(io::ErrorKind::TimedOut),
        }
    }
    Err(last)
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    target: &Target,
    post: Post,
) -> Result<Answer, NoAnswer> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| NoAnswer::Cut)?;
    let driver = tokio::spawn(connection);
    let answered = async {
        let answer = sender.send_request(request(target, post)?).await.map_err(|_| NoAnswer::Cut)?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let whole = Limited::new(answer.into_body(), ANSWER_MAX_BYTES).collect().await;
        // A receiver that dies while it answers may not have kept what it was told. One that only talks too much has.
        match whole {
            Err(error) if !error.is::<http_body_util::LengthLimitError>() => Err(NoAnswer::Cut),
            Ok(_) | Err(_) => Ok(Answer { status, retry_after_s: retry_after.unwrap_or(0) }),
        }
    };
    let answered = answered.await;
    driver.abort();
    answered
}

fn request(target: &Target, post: Post) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(&target.path)
        .header(HOST, &target.authority)
        .header(USER_AGENT, concat!("switchyard/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, post.content_type)
        .header("webhook-id", post.id)
        .header("webhook-timestamp", post.timestamp_s)
        .header("webhook-signature", post.signatures)
        .body(Full::new(post.body));
    request.map_err(|_| NoAnswer::Address("must be an absolute URL"))
}
