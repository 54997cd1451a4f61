//! Systems trace audit numbers (ISO 8583 DE11): six digits, unique while a request is live, drawn from the shard's own part
//! of the range, wrapping past those that are live.

use protocol::limits::STAN_MAX;

/// The numbers of one processor that belong to one shard.
#[derive(Debug)]
pub(crate) struct Stans {
    first: u32,
    count: u32,
    next: u32,
    live: Vec<u64>,
    live_count: u32,
}

impl Stans {
    /// The part of shard `index` of `shards`.
    pub(crate) fn of_shard(index: u16, shards: u16) -> Stans {
        let count = STAN_MAX / u32::from(shards);
        let first = 1 + u32::from(index) * count;
        Stans { first, count, next: 0, live: vec![0; count.div_ceil(64) as usize], live_count: 0 }
    }

    /// True when a number can be drawn.
    pub(crate) fn has_room(&self) -> bool {
        self.live_count < self.count
    }

    /// Draws the next number that is not live.
    ///
    /// # Panics
    /// When all are live: callers ask [`Stans::has_room`] before they change anything.
    pub(crate) fn draw(&mut self) -> u32 {
        assert!(self.has_room(), "room for a trace number is checked before a command changes anything");
        while self.is_live(self.next) {
            self.step();
        }
        let drawn = self.next;
        self.step();
        self.set_live(drawn);
        self.first + drawn
    }

    /// Marks a number live that was drawn before a restart. One of another shard's part (the number of shards was changed
    /// since) is nobody's to draw here.
    ///
    /// Drawing goes on behind it: were it drawn again as soon as its reversal is acknowledged, a reversal of the new request in that
    /// same second would look to the host like a repeat of the old one, and be answered without effect.
    pub(crate) fn reserve(&mut self, stan: u32) {
        if let Some(offset) = self.offset(stan).filter(|offset| !self.is_live(*offset)) {
            self.set_live(offset);
            if offset >= self.next {
                self.next = offset;
                self.step();
            }
        }
    }

    /// Draws on behind a number that another processor's request carried: of two attempts at one payment, what is said of the first
    /// must not be taken for the second's.
    pub(crate) fn pass(&mut self, stan: u32) {
        if let Some(offset) = self.offset(stan).filter(|offset| *offset >= self.next) {
            self.next = offset;
            self.step();
        }
    }

    /// The request is over: its number may be drawn again.
    pub(crate) fn release(&mut self, stan: u32) {
        if let Some(offset) = self.offset(stan).filter(|offset| self.is_live(*offset)) {
            self.live[offset as usize / 64] &= !(1 << (offset % 64));
            self.live_count -= 1;
        }
    }

    fn offset(&self, stan: u32) -> Option<u32> {
        stan.checked_sub(self.first).filter(|offset| *offset < self.count)
    }

    fn step(&mut self) {
        self.next = if self.next + 1 == self.count { 0 } else { self.next + 1 };
    }

    fn is_live(&self, offset: u32) -> bool {
        self.live[offset as usize / 64] & (1 << (offset % 64)) != 0
    }

    fn set_live(&mut self, offset: u32) {
        self.live[offset as usize / 64] |= 1 << (offset % 64);
        self.live_count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_past_live_ones_and_zero_is_never_drawn() {
        let mut stans = Stans::of_shard(63, 64);
        let first = stans.draw();
        assert_eq!(first, 1 + 63 * (999_999 / 64));
        for _ in 1..stans.count {
            let stan = stans.draw();
            assert!((1..=STAN_MAX).contains(&stan));
            stans.release(stan);
        }
        assert_eq!(stans.draw(), first + 1, "the first is still live and is skipped");
    }

    #[test]
    fn a_number_that_lasted_a_restart_is_not_drawn_next() {
        let mut stans = Stans::of_shard(0, 64);
        stans.reserve(3);
        stans.reserve(1);
        stans.release(3);
        stans.release(1);
        assert_eq!(stans.draw(), 4);
        stans.reserve(stans.count);
        assert_eq!(stans.draw(), 1, "it wraps behind the last");
    }

    #[test]
    fn all_live_is_no_room() {
        let mut stans = Stans::of_shard(0, 64);
        for _ in 0..stans.count {
            stans.draw();
        }
        assert!(!stans.has_room());
        stans.release(7);
        assert_eq!(stans.draw(), 7);
    }

    #[test]
    fn the_parts_of_shards_do_not_overlap() {
        let parts: Vec<Stans> = (0..3).map(|index| Stans::of_shard(index, 3)).collect();
        for pair in parts.windows(2) {
            assert_eq!(pair[0].first + pair[0].count, pair[1].first);
        }
    }
}
