//! Virtual time: what happens next, and when. Two things at one moment happen in the order in which they were planned.

use protocol::calendar::Micros;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Events that wait for their moment.
pub struct Schedule<E> {
    now: Micros,
    planned: u64,
    waiting: BinaryHeap<Entry<E>>,
}

struct Entry<E> {
    at: Micros,
    order: u64,
    event: E,
}

impl<E> Schedule<E> {
    /// Nothing is planned, and time stands here.
    pub fn beginning_at(now: Micros) -> Schedule<E> {
        Schedule { now, planned: 0, waiting: BinaryHeap::new() }
    }

    /// The present.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Plans something. A moment that is past is now.
    pub fn at(&mut self, moment: Micros, event: E) {
        self.planned += 1;
        self.waiting.push(Entry { at: moment.max(self.now), order: self.planned, event });
    }

    /// Plans something after so many microseconds.
    pub fn after(&mut self, wait_us: u64, event: E) {
        self.at(Micros(self.now.0.saturating_add_unsigned(wait_us)), event);
    }

    /// When the next event comes.
    pub fn next_at(&self) -> Option<Micros> {
        self.waiting.peek().map(|entry| entry.at)
    }

    /// Moves on to the next event.
    pub fn advance(&mut self) -> Option<E> {
        let entry = self.waiting.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }
}

impl<E> Ord for Entry<E> {
    /// The heap gives its greatest first, which is the earliest.
    fn cmp(&self, other: &Entry<E>) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Entry<E>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Entry<E>) -> bool {
        self.order == other.order
    }
}

impl<E> Eq for Entry<E> {}

/// A queue between two parts: what was put in first comes out first, however long each takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lane {
    last: Micros,
}

impl Lane {
    /// When something that is put in now and takes so long comes out.
    pub fn through(&mut self, now: Micros, wait_us: u64) -> Micros {
        self.last = self.last.max(Micros(now.0.saturating_add_unsigned(wait_us)));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_comes_first_and_of_one_moment_the_one_planned_first() {
        let mut schedule = Schedule::beginning_at(Micros(100));
        schedule.after(50, "third");
        schedule.at(Micros(120), "first");
        schedule.at(Micros(120), "second");
        schedule.at(Micros(7), "past is now");
        let mut order = Vec::new();
        while let Some(event) = schedule.advance() {
            order.push((event, schedule.now().0));
        }
        assert_eq!(order, [("past is now", 100), ("first", 120), ("second", 120), ("third", 150)]);
    }

    #[test]
    fn a_lane_keeps_its_order() {
        let mut lane = Lane::default();
        assert_eq!(lane.through(Micros(10), 90), Micros(100));
        assert_eq!(lane.through(Micros(20), 5), Micros(100));
        assert_eq!(lane.through(Micros(200), 5), Micros(205));
    }
}
