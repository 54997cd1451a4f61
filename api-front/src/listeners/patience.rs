//! How long a listener puts up with a peer that stalls.

use crate::limits::HTTP_UNREAD_TIMEOUT_MS;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Wait after an accept that failed because the process has too many files open: some will be closed.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// An accept fails when the peer has gone already, or when files run out: in both cases the next may succeed.
pub(super) async fn after_failed_accept(error: &io::Error) {
    tracing::warn!(%error, "can't accept a connection");
    tokio::time::sleep(ACCEPT_RETRY).await;
}

/// Has the kernel break a connection whose peer leaves what we sent unread for too long, closed window included.
pub(super) fn bound_unread(stream: &TcpStream) -> io::Result<()> {
    let (value, size) = (HTTP_UNREAD_TIMEOUT_MS, size_of::<u32>() as libc::socklen_t);
    // SAFETY: the option takes a u32, which lives until the call returns, and the descriptor is open while `stream` is.
    let result = unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, (&raw const value).cast(), size)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A request body that must be there in whole so soon after the first wait for it.
pub(super) struct BoundedBody {
    inner: Incoming,
    within: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl BoundedBody {
    pub(super) fn new(inner: Incoming, within: Duration) -> BoundedBody {
        BoundedBody { inner, within, deadline: None }
    }
}

impl Body for BoundedBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let within = self.within;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        deadline.as_mut().poll(context).map(|()| Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
