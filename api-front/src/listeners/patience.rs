//! How long a listener puts up with a peer that stalls.

use crate::limits::HTTP_UNREAD_TIMEOUT_MS;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::rt;
use parking_lot::Mutex;
use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

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

/// Sleeps of one connection, one at a time. Each request has a deadline for its head, and nearly each drops it soon after; moving a timer of
/// the runtime's takes a lock that all connections share. So all sleeps share one timer, which stays where it is while it rings before the
/// deadline, and is moved when it rings.
#[derive(Clone, Default)]
pub(super) struct OneTimer(Arc<Mutex<Option<Pin<Box<Sleep>>>>>);

impl rt::Timer for OneTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Until { deadline: deadline.into(), timer: self.clone() })
    }
}

/// One sleep.
struct Until {
    deadline: Instant,
    timer: OneTimer,
}

impl rt::Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timer = self.timer.0.lock();
        let sleep = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.deadline)));
        if sleep.deadline() > self.deadline {
            sleep.as_mut().reset(self.deadline);
        }
        ready!(sleep.as_mut().poll(context));
        if sleep.deadline() < self.deadline {
            sleep.as_mut().reset(self.deadline);
            return sleep.as_mut().poll(context);
        }
        Poll::Ready(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use rt::Timer;

    const MOMENT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn sleeps_end_at_their_own_deadlines_whatever_the_shared_timer_was_set_to() {
        let (timer, start) = (OneTimer::default(), Instant::now());
        let sleep = |after_ms| timer.sleep_until((start + Duration::from_millis(after_ms)).into_std());
        let given_up = async |after_ms| drop(tokio::time::timeout(MOMENT, sleep(after_ms)).await);
        given_up(20).await;
        for after_ms in [60, 70] {
            assert!(tokio::time::timeout(LONG, sleep(after_ms)).await.is_ok());
            assert!(start.elapsed() >= Duration::from_millis(after_ms), "the timer had been set to ring before");
        }
        given_up(3_600_000).await;
        assert!(tokio::time::timeout(LONG, sleep(100)).await.is_ok(), "the timer had been set to an hour");
    }
}
