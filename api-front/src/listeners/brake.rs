//! The brake: a client that was refused is answered at once, and told to come back in a second; if it does not wait, its
//! connection rests instead, so that saying no never takes the time that yes needs.
//!
//! On a machine that is busy to its last core, most of what a refusal costs is the kernel's: receiving it and sending the
//! answer. Refusals beyond a rate are therefore not answered sooner than they can be afforded; the wait happens in the
//! client's own socket, unread, for no longer than `Retry-After` had asked for.

use crate::limits::{HTTP_REFUSALS_BURST_MS, HTTP_REST_MAX_MS};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// The rate at which refusals are let out, shared by all connections. Each takes the next slot of an even grid, which may lag
/// behind the clock by a burst and runs ahead of it when refusals come faster.
#[derive(Debug)]
pub(super) struct Brake {
    started: Instant,
    gap_ns: u64,
    /// The next slot, nanoseconds since the start.
    next_ns: AtomicU64,
}

impl Brake {
    /// Lets out so many refusals a second.
    pub(super) fn new(refusals_per_s_max: u32) -> Arc<Brake> {
        let gap_ns = 1_000_000_000 / u64::from(refusals_per_s_max.max(1));
        Arc::new(Brake { started: Instant::now(), gap_ns, next_ns: AtomicU64::new(0) })
    }

    /// Counts a refusal. How long its connection rests: not at all while refusals are few.
    pub(super) fn refused(&self, now: Instant) -> Duration {
        let now_ns = u64::try_from(now.duration_since(self.started).as_nanos()).unwrap_or(u64::MAX);
        let (burst_ns, rest_max_ns) = (millis_ns(HTTP_REFUSALS_BURST_MS), millis_ns(HTTP_REST_MAX_MS));
        let next = |slot_ns: u64| {
            let slot_ns = slot_ns.max(now_ns.saturating_sub(burst_ns));
            // The grid runs ahead of the clock by the longest rest at most.
            Some((slot_ns + self.gap_ns).min(now_ns.saturating_add(rest_max_ns)))
        };
        let taken = self.next_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or(now_ns);
        Duration::from_nanos(taken.saturating_sub(now_ns))
    }
}

const fn millis_ns(millis: u32) -> u64 {
    millis as u64 * 1_000_000
}

/// When a connection is read again, nanoseconds since the brake's start: what its requests' answers tell its stream.
#[derive(Debug)]
pub(super) struct Rest {
    brake: Arc<Brake>,
    until_ns: AtomicU64,
}

impl Rest {
    /// A connection that does not rest.
    pub(super) fn none(brake: Arc<Brake>) -> Arc<Rest> {
        Arc::new(Rest { brake, until_ns: AtomicU64::new(0) })
    }

    /// A request of this connection was refused.
    pub(super) fn refused(&self) {
        let now = Instant::now();
        let until = now + self.brake.refused(now);
        let until_ns = u64::try_from(until.duration_since(self.brake.started).as_nanos()).unwrap_or(u64::MAX);
        self.until_ns.store(until_ns, Ordering::Relaxed);
    }

    /// When the rest is over; `None` when there is none.
    fn until(&self) -> Option<Instant> {
        let until_ns = self.until_ns.load(Ordering::Relaxed);
        (until_ns > 0).then(|| self.brake.started + Duration::from_nanos(until_ns))
    }
}

/// A stream that is not read while its connection rests. Writing goes on.
pub(super) struct RestingStream {
    stream: TcpStream,
    rest: Arc<Rest>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl RestingStream {
    pub(super) fn new(stream: TcpStream, rest: Arc<Rest>) -> RestingStream {
        RestingStream { stream, rest, sleep: None }
    }

    fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.rest.until() else { return Poll::Ready(()) };
        if Instant::now() < until {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
            if sleep.deadline() != until {
                sleep.as_mut().reset(until);
            }
            ready!(sleep.as_mut().poll(context));
        }
        self.rest.until_ns.store(0, Ordering::Relaxed);
        Poll::Ready(())
    }
}

impl AsyncRead for RestingStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_rest(context));
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for RestingStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_refusals_rest_nobody_and_many_are_spread_over_the_rate() {
        let brake = Brake::new(1_000);
        let start = brake.started + Duration::from_secs(10);
        let slow = (0..100).map(|number| brake.refused(start + Duration::from_millis(2 * number)));
        assert_eq!(slow.max(), Some(Duration::ZERO), "half of the rate");
        let burst_at = start + Duration::from_secs(1);
        let rests: Vec<Duration> = (0..500).map(|_| brake.refused(burst_at)).collect();
        let at_once = rests.iter().filter(|rest| rest.is_zero()).count() as u32;
        assert!((HTTP_REFUSALS_BURST_MS..=HTTP_REFUSALS_BURST_MS + 1).contains(&at_once), "{at_once} of the burst");
        assert_eq!(rests.last(), Some(&Duration::from_millis(u64::from(499 - HTTP_REFUSALS_BURST_MS))));
    }

    #[test]
    fn nobody_rests_for_longer_than_it_was_told_to_stay_away() {
        let brake = Brake::new(10);
        let longest = (0..10_000).map(|_| brake.refused(brake.started)).max();
        assert_eq!(longest, Some(Duration::from_millis(HTTP_REST_MAX_MS.into())));
        let later = brake.started + Duration::from_secs(3);
        assert_eq!(brake.refused(later), Duration::ZERO, "and soon it is forgotten");
    }
}
