//! The kernel's set of a loop's sockets as one thing to wait for on a runtime, with an alarm beside it.

use mio::{Events, Poll};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Sleep, sleep};

/// Longest sleep while nobody needs the alarm.
const ALARM_OFF: Duration = Duration::from_secs(3600);

/// The set and the alarm.
pub(super) struct Kernel {
    poll: AsyncFd<Poll>,
    /// There were as many events as fit: there may be more.
    has_more: bool,
    /// Rings when it is time or before: it is moved only to ring earlier, and when it has rung.
    alarm: Pin<Box<Sleep>>,
    alarm_at: Option<Instant>,
}

impl Kernel {
    /// Waits on the present runtime from now on.
    pub(super) fn new(poll: Poll) -> io::Result<Kernel> {
        // SAFETY: A `Poll` has one descriptor, which it opened and closes when it is dropped; it is never exchanged here.
        let poll = unsafe { AsyncFd::register_with_interest(poll, Interest::READABLE) }?;
        Ok(Kernel { poll, has_more: false, alarm: Box::pin(sleep(ALARM_OFF)), alarm_at: None })
    }

    /// Ends the next wait then, if not before.
    pub(super) fn set_alarm(&mut self, at: Instant) {
        if self.alarm_at.is_none_or(|set| at < set) {
            self.alarm_at = Some(at);
            self.alarm.as_mut().reset(at.into());
        }
    }

    /// Waits for events or the alarm. What has come is in `events`.
    pub(super) async fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        tokio::select! {
            biased;
            ready = self.poll.readable_mut() => {
                let mut ready = ready?;
                self.has_more = take(ready.get_inner_mut(), events)?;
                // Where there are no more, the next one makes the set ready again.
                if !self.has_more {
                    ready.clear_ready();
                }
            }
            () = &mut self.alarm => {
                self.alarm_at = None;
                self.alarm.as_mut().reset((Instant::now() + ALARM_OFF).into());
                events.clear();
            }
        }
        Ok(())
    }

    /// True when the last look left something behind.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }

    /// What is there at this moment.
    pub(super) fn look(&mut self, events: &mut Events) -> io::Result<()> {
        self.has_more = take(self.poll.get_mut(), events)?;
        Ok(())
    }
}

/// True when as many came as fit.
fn take(poll: &mut Poll, events: &mut Events) -> io::Result<bool> {
    loop {
        match poll.poll(events, Some(Duration::ZERO)) {
            Ok(()) => return Ok(events.iter().count() == events.capacity()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
