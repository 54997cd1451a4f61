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
    /// Rings when it is time or before: it is moved only to ring earlier, and when it has rung.
    alarm: Pin<Box<Sleep>>,
    alarm_at: Option<Instant>,
}

impl Kernel {
    /// Waits on the present runtime from now on.
    pub(super) fn new(poll: Poll) -> io::Result<Kernel> {
        // SAFETY: A `Poll` has one descriptor, which it opened and closes when it is dropped; it is never exchanged here.
        let poll = unsafe { AsyncFd::register_with_interest(poll, Interest::READABLE) }?;
        Ok(Kernel { poll, alarm: Box::pin(sleep(ALARM_OFF)), alarm_at: None })
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
                take(ready.get_inner_mut(), events)?;
                // With fewer than would fit there are no more: the next one makes the set ready again.
                if events.iter().count() < events.capacity() {
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

    /// What is there at this moment.
    pub(super) fn look(&mut self, events: &mut Events) -> io::Result<()> {
        take(self.poll.get_mut(), events)
    }
}

fn take(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
    loop {
        match poll.poll(events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => return polled,
        }
    }
}
