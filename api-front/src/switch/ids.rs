//! Ids for transactions and steps: drawn here, because a shard may not.

use protocol::calendar::Micros;
use protocol::id::Xid;
use std::sync::atomic::{AtomicU64, Ordering};

const COUNTER_BITS: u32 = 24;

/// Draws ids that ascend, in steps of [`Xid::STRIDE`].
#[derive(Debug)]
pub struct Ids {
    process: [u8; 5],
    /// Seconds and counter of the last id, as one number: a counter that overflows carries into the next second.
    last: AtomicU64,
}

impl Ids {
    /// Starts at `started_at`, a moment of the switch's clock, which begins after all that earlier runs have recorded.
    /// `process` differs from run to run.
    pub fn new(process: [u8; 5], started_at: Micros) -> Ids {
        Ids { process, last: AtomicU64::new(first_of_second(started_at)) }
    }

    /// The next id.
    pub fn draw(&self, now: Micros) -> Xid {
        let floor = first_of_second(now);
        let next = |last: u64| floor.max(last + u64::from(Xid::STRIDE));
        let drawn = match self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last))) {
            Ok(last) | Err(last) => next(last),
        };
        Xid::from_parts((drawn >> COUNTER_BITS) as u32, self.process, drawn as u32 & 0x00ff_ffff)
    }
}

fn first_of_second(moment: Micros) -> u64 {
    (moment.seconds() as u64) << COUNTER_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_by_the_stride() {
        let ids = Ids::new([1, 2, 3, 4, 5], Micros(7_900_000));
        let (first, second) = (ids.draw(Micros(7_950_000)), ids.draw(Micros(7_950_000)));
        assert_eq!((first.seconds(), first.counter()), (7, 8));
        assert_eq!((second.seconds(), second.counter()), (7, 16));
        assert_eq!(ids.draw(Micros(9_000_000)).seconds(), 9);
        assert_eq!(ids.draw(Micros(1_000_000)).seconds(), 9, "a clock set back draws nothing twice");
    }

    #[test]
    fn a_full_second_borrows_from_the_next() {
        let ids = Ids::new([0; 5], Micros(0));
        ids.last.store((1 << COUNTER_BITS) + 0x00ff_fff8, Ordering::Relaxed);
        let drawn = ids.draw(Micros(0));
        assert_eq!((drawn.seconds(), drawn.counter()), (2, 0));
    }
}
