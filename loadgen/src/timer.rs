//! The two clocks that a generator needs and the standard library lacks: a wake-up finer than the
//! runtime's millisecond, and the CPU time of the calling thread. Linux.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use tokio::io::unix::AsyncFd;

/// A kernel timer. The runtime's own timer rounds up to whole milliseconds, which a latency
/// measured from the scheduled time would show as the target's.
pub(crate) struct FineTimer(AsyncFd<OwnedFd>);

impl FineTimer {
    pub(crate) fn new() -> std::io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: the `OwnedFd` moves in here and stays until `self` is dropped; it is only lent
        // out by shared reference, so nobody can close or replace the descriptor before that.
        Ok(FineTimer(unsafe { AsyncFd::register(timer)? }))
    }

    /// When `when` is past it only lets the other tasks run: a pacer that is behind must not starve
    /// those who send.
    pub(crate) async fn until(&self, when: Instant) -> std::io::Result<()> {
        let wait = when.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let once = Itimerspec { it_interval: timespec(Duration::ZERO), it_value: timespec(wait) };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.0.readable().await?;
            let mut expirations = [0u8; 8];
            let read = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut expirations)?));
            if let Ok(result) = read {
                return result.map(|_| ());
            }
        }
    }
}

/// The same for who waits in the kernel: made readable when its time comes.
pub(crate) struct KernelTimer(OwnedFd);

impl KernelTimer {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(KernelTimer(timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?))
    }

    /// Comes so much later; at once for nothing.
    pub(crate) fn set(&self, wait: Duration) -> std::io::Result<()> {
        // Zero would switch it off.
        let wait = wait.max(Duration::from_nanos(1));
        let once = Itimerspec { it_interval: timespec(Duration::ZERO), it_value: timespec(wait) };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// Takes note that it came, or did not after all.
    pub(crate) fn take(&self) -> std::io::Result<()> {
        match rustix::io::read(&self.0, &mut [0_u8; 8]) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsRawFd for KernelTimer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn timespec(span: Duration) -> Timespec {
    // Plans are bounded to minutes; a span beyond i64 seconds can't occur and would only wait
    // longest.
    let tv_sec = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: i64::from(span.subsec_nanos()) }
}
