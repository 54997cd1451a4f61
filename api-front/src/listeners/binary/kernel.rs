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

#[cfg(test)]
mod tests {
    use super::*;
    use mio::Token;
    use mio::net::UdpSocket;
    use std::collections::BTreeSet;
    use std::net::SocketAddr;
    use tokio::time::timeout;

    const SOCKETS: usize = 3;
    const LONG: Duration = Duration::from_secs(30);

    fn tokens(events: &Events) -> Vec<usize> {
        events.iter().map(|event| event.token().0).collect()
    }

    #[tokio::test]
    async fn what_does_not_fit_into_one_look_is_found_by_the_next_and_what_comes_later_wakes() {
        let poll = Poll::new().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut sockets: Vec<UdpSocket> = (0..SOCKETS).map(|_| UdpSocket::bind(any).unwrap()).collect();
        for (number, socket) in sockets.iter_mut().enumerate() {
            poll.registry().register(socket, Token(number), mio::Interest::READABLE).unwrap();
        }
        let sender = std::net::UdpSocket::bind(any).unwrap();
        let send = |number: usize| sender.send_to(b"word", sockets[number].local_addr().unwrap()).unwrap();
        for number in 0..SOCKETS {
            send(number);
        }
        let (mut kernel, mut events) = (Kernel::new(poll).unwrap(), Events::with_capacity(SOCKETS - 1));
        let mut seen = BTreeSet::new();
        timeout(LONG, kernel.wait(&mut events)).await.expect("there are events").unwrap();
        seen.extend(tokens(&events));
        assert!((seen.len(), kernel.has_more()) == (SOCKETS - 1, true), "{seen:?}");
        kernel.look(&mut events).unwrap();
        seen.extend(tokens(&events));
        assert!((seen.len(), kernel.has_more()) == (SOCKETS, false), "{seen:?}");
        for number in [1, 0, 2] {
            let wait = async {
                // What had come before may have left one wake-up behind, which finds nothing.
                loop {
                    kernel.wait(&mut events).await.unwrap();
                    if !events.is_empty() {
                        return tokens(&events);
                    }
                }
            };
            send(number);
            assert_eq!(timeout(LONG, wait).await.expect("it wakes"), [number]);
        }
    }

    #[tokio::test]
    async fn the_alarm_ends_a_wait_once() {
        let (mut kernel, mut events) = (Kernel::new(Poll::new().unwrap()).unwrap(), Events::with_capacity(1));
        kernel.set_alarm(Instant::now() + Duration::from_millis(10));
        timeout(LONG, kernel.wait(&mut events)).await.expect("it rings").unwrap();
        assert!(events.is_empty());
        assert!(timeout(Duration::from_millis(50), kernel.wait(&mut events)).await.is_err(), "nobody has set it again");
    }
}
