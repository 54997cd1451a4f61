//! One page of a processor's feed, over HTTP.

use crate::limits::{RETURNS_PAGE_MAX_BYTES, RETURNS_TIMEOUT};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use switch_core::connectors::sage::feed::{self, Page, Unreadable};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Why a page was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("connect to {addr} for its feed")]
    Connect {
        addr: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("ask {addr} for its feed")]
    Http {
        addr: SocketAddr,
        #[source]
        source: hyper::Error,
    },
    #[error("the feed of {addr} was cut off, or is longer than {RETURNS_PAGE_MAX_BYTES} bytes")]
    Body { addr: SocketAddr },
    #[error("{addr} answers {status} for its feed")]
    Status { addr: SocketAddr, status: StatusCode },
    #[error("{addr} takes too long for its feed")]
    TooLate { addr: SocketAddr },
    #[error("the feed of {addr}")]
    Unreadable {
        addr: SocketAddr,
        #[source]
        source: Unreadable,
    },
}

/// Reads the page that follows a position.
pub(super) async fn page(addr: SocketAddr, after: u64) -> Result<Page, FetchError> {
    let body = timeout(RETURNS_TIMEOUT, body(addr, after)).await.map_err(|_| FetchError::TooLate { addr })??;
    feed::read(&body, after).map_err(|source| FetchError::Unreadable { addr, source })
}

/// A correction has account data in it, so the bytes are wiped.
async fn body(addr: SocketAddr, after: u64) -> Result<Zeroizing<Vec<u8>>, FetchError> {
    let http = |source| FetchError::Http { addr, source };
    let stream = TcpStream::connect(addr).await.map_err(|source| FetchError::Connect { addr, source })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(http)?;
    let driver = tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    if let (Ok(uri), Ok(host)) = (feed::path(after).parse(), addr.to_string().parse()) {
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, host);
    }
    let answer = sender.send_request(request).await.map_err(http)?;
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(FetchError::Status { addr, status });
    }
    let whole = Limited::new(answer.into_body(), RETURNS_PAGE_MAX_BYTES).collect().await;
    driver.abort();
    let whole = whole.map_err(|_| FetchError::Body { addr })?;
    Ok(Zeroizing::new(whole.to_bytes().to_vec()))
}
