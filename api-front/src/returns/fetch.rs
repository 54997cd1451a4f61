//! One page of a processor's feed, over HTTP.

use crate::limits::{RETURNS_PAGE_MAX_BYTES, RETURNS_TIMEOUT};
use crate::links::host::{Host, NotConnected};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use switch_core::connectors::sage::feed::{self, Page, Unreadable};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Why a page was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("connect to {host} for its feed")]
    Connect {
        host: String,
        #[source]
        source: NotConnected,
    },
    #[error("ask {host} for its feed")]
    Http {
        host: String,
        #[source]
        source: hyper::Error,
    },
    #[error("the feed of {host} was cut off, or is longer than {RETURNS_PAGE_MAX_BYTES} bytes")]
    Body { host: String },
    #[error("{host} answers {status} for its feed")]
    Status { host: String, status: StatusCode },
    #[error("{host} takes too long for its feed")]
    TooLate { host: String },
    #[error("the feed of {host}")]
    Unreadable {
        host: String,
        #[source]
        source: Unreadable,
    },
}

/// Reads the page that follows a position.
pub(super) async fn page(host: &Host, after: u64) -> Result<Page, FetchError> {
    let too_late = |_| FetchError::TooLate { host: host.to_string() };
    let body = timeout(RETURNS_TIMEOUT, body(host, after)).await.map_err(too_late)??;
    feed::read(&body, after).map_err(|source| FetchError::Unreadable { host: host.to_string(), source })
}

/// A correction has account data in it, so the bytes are wiped.
async fn body(host: &Host, after: u64) -> Result<Zeroizing<Vec<u8>>, FetchError> {
    let name = || host.to_string();
    let http = |source| FetchError::Http { host: name(), source };
    let wire = host.connect().await.map_err(|source| FetchError::Connect { host: name(), source })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(wire)).await.map_err(http)?;
    let driver = tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    if let (Ok(uri), Ok(authority)) = (feed::path(after).parse(), host.authority().parse()) {
        *request.uri_mut() = uri;
        request.headers_mut().insert(HOST, authority);
    }
    let answer = sender.send_request(request).await.map_err(http)?;
    let status = answer.status();
    if status != StatusCode::OK {
        return Err(FetchError::Status { host: name(), status });
    }
    let whole = Limited::new(answer.into_body(), RETURNS_PAGE_MAX_BYTES).collect().await;
    driver.abort();
    let whole = whole.map_err(|_| FetchError::Body { host: name() })?;
    Ok(Zeroizing::new(whole.to_bytes().to_vec()))
}
