//! How the one taker of a queue sleeps while it is empty: parked at once.
//!
//! A channel's own waiting yields some rounds before it parks. On a machine with more to do than cores that costs the journal
//! its place: who yields goes behind all that run, who is woken goes before them.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};

/// The taker's side. Only one thread waits with it.
#[derive(Debug, Default)]
pub(super) struct Sleeper(Arc<Bed>);

/// The givers' side. Clones wake the same taker; a dropped one wakes it too, so that it sees who has gone.
#[derive(Debug, Clone)]
pub(super) struct Alarm(Arc<Bed>);

#[derive(Debug, Default)]
struct Bed {
    is_asleep: AtomicBool,
    taker: OnceLock<Thread>,
}

impl Sleeper {
    pub(super) fn alarm(&self) -> Alarm {
        Alarm(Arc::clone(&self.0))
    }

    /// Waits until `take` gives something; it is tried again after each ring.
    pub(super) fn wait_for<T>(&self, mut take: impl FnMut() -> Option<T>) -> T {
        let Bed { is_asleep, taker } = &*self.0;
        taker.get_or_init(thread::current);
        loop {
            if let Some(taken) = take() {
                return taken;
            }
            is_asleep.store(true, Ordering::SeqCst);
            // Whoever gives after this look sees the store: the fence in `ring` stands between its gift and its look.
            fence(Ordering::SeqCst);
            if let Some(taken) = take() {
                is_asleep.store(false, Ordering::SeqCst);
                return taken;
            }
            while is_asleep.load(Ordering::SeqCst) {
                thread::park();
            }
        }
    }
}

impl Alarm {
    /// Wakes the taker if it sleeps. Called after something was given.
    pub(super) fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.0.is_asleep.load(Ordering::SeqCst)
            && self.0.is_asleep.swap(false, Ordering::SeqCst)
            && let Some(taker) = self.0.taker.get()
        {
            taker.unpark();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{TryRecvError, channel};

    /// Every gift is taken, however the two sides interleave, and the end is seen.
    #[test]
    fn nothing_that_is_given_is_slept_through() {
        const GIFTS: u32 = 100_000;
        let (give, queue) = channel();
        let sleeper = Sleeper::default();
        let alarm = sleeper.alarm();
        let giver = thread::spawn(move || {
            for gift in 0..GIFTS {
                give.send(gift).unwrap();
                alarm.ring();
                if gift % 3 == 0 {
                    thread::yield_now();
                }
            }
            drop(give);
        });
        let next = || match queue.try_recv() {
            Ok(gift) => Some(Some(gift)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(None),
        };
        let mut taken = 0;
        while let Some(gift) = sleeper.wait_for(next) {
            assert_eq!(gift, taken);
            taken += 1;
        }
        assert_eq!(taken, GIFTS);
        giver.join().unwrap();
    }
}
