//! Tells the sandbox's hosts what day it is: `POST /clock {"now"}` at their control addresses.
//!
//! A host without a day of its own answers 404, one that is down not at all; it is told again at the next move and the next start.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use protocol::calendar::Micros;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a host may take to hear of it.
const TELL_TIMEOUT: Duration = Duration::from_secs(2);

/// Tells all of them, at once.
pub(super) async fn tell(hosts: &[SocketAddr], now: Micros) {
    let mut telling = JoinSet::new();
    for host in hosts.iter().copied() {
        telling.spawn(async move {
            match timeout(TELL_TIMEOUT, tell_one(host, now)).await {
                Ok(Ok(StatusCode::OK | StatusCode::NOT_FOUND)) => {}
                Ok(Ok(status)) => tracing::warn!(%host, %status, "a host does not take the clock"),
                Ok(Err(error)) => tracing::warn!(%host, %error, "a host can't be told the time"),
                Err(_) => tracing::warn!(%host, "a host takes too long to be told the time"),
            }
        });
    }
    telling.join_all().await;
}

async fn tell_one(host: SocketAddr, now: Micros) -> Result<StatusCode, Box<dyn Error + Send + Sync>> {
    let stream = TokioIo::new(TcpStream::connect(host).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let body = Full::new(Bytes::from(format!("{{\"now\":\"{now}\"}}")));
    let request = Request::post("/clock").header(HOST, host.to_string()).header(CONTENT_TYPE, "application/json").body(body)?;
    let asking = async { Ok(sender.send_request(request).await?.status()) };
    tokio::select! {
        status = asking => status,
        ended = connection => Err(ended.err().map_or_else(|| "it hung up".into(), Into::into)),
    }
}
