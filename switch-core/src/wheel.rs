//! The timing wheel: deadlines in a slab, four levels of 256 slots, one millisecond a tick.
//!
//! Setting, cancelling and firing cost the same however many deadlines there are. Nothing is allocated once the slab has
//! its size. In which order the deadlines of one tick fire follows from the inputs alone: the same on every machine (I7).

use protocol::calendar::Micros;

const LEVELS: usize = 4;
const SLOTS: usize = 256;
const SLOT_BITS: u32 = 8;
const TICK_MICROS: i64 = 1000;
/// Farther deadlines wait at the horizon and are set anew when they come near: 2^32 ticks, 49 days.
const HORIZON_TICKS: i64 = (1 << (SLOT_BITS * LEVELS as u32)) - 1;
const NIL: u32 = u32::MAX;

/// Names a deadline that was set, until it fires or is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alarm(u32);

impl Alarm {
    /// No deadline is set.
    pub(crate) const NONE: Alarm = Alarm(NIL);
}

#[derive(Debug, Clone, Copy)]
struct Node<T> {
    what: T,
    at_tick: i64,
    previous: u32,
    next: u32,
    list: u16,
}

/// A wheel of deadlines that each carry a `T`.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    nodes: Vec<Node<T>>,
    free: u32,
    set: u32,
    now_tick: i64,
    heads: Box<[u32]>,
    tails: Box<[u32]>,
    capacity: u32,
    /// One bit a slot that holds something, by level, so that an idle stretch is skipped and not walked.
    occupied: [[u64; SLOTS / 64]; LEVELS],
}

impl<T: Copy> Wheel<T> {
    /// A wheel with room for `capacity` deadlines.
    pub(crate) fn new(capacity: u32) -> Wheel<T> {
        Wheel {
            nodes: Vec::with_capacity(capacity as usize),
            free: NIL,
            set: 0,
            now_tick: 0,
            heads: vec![NIL; LEVELS * SLOTS].into_boxed_slice(),
            tails: vec![NIL; LEVELS * SLOTS].into_boxed_slice(),
            capacity,
            occupied: [[0; SLOTS / 64]; LEVELS],
        }
    }

    /// How many deadlines may still be set.
    pub(crate) fn room(&self) -> u32 {
        self.capacity - self.set
    }

    /// Sets a deadline; one in the past fires at the next tick.
    ///
    /// # Panics
    /// When the wheel is full: callers reserve room before they change anything.
    pub(crate) fn set(&mut self, at: Micros, what: T) -> Alarm {
        assert!(self.room() > 0, "room on the wheel is checked before a command changes anything");
        let at_tick = tick_of(at).max(self.now_tick + 1);
        let node = self.take_node(Node { what, at_tick, previous: NIL, next: NIL, list: 0 });
        self.link(node);
        self.set += 1;
        Alarm(node)
    }

    /// Takes a deadline back. [`Alarm::NONE`] is taken back for free.
    pub(crate) fn cancel(&mut self, alarm: Alarm) {
        if alarm == Alarm::NONE {
            return;
        }
        self.unlink(alarm.0);
        self.release(alarm.0);
    }

    /// The earliest moment at which something may fire; `None` when nothing is set.
    pub(crate) fn next(&self) -> Option<Micros> {
        if self.set == 0 {
            return None;
        }
        // What waits beyond level 0 comes down at the beginning of its slot: the wheel must at least be turned then.
        Some(Micros(self.next_tick() * TICK_MICROS))
    }

    /// The next tick at which something fires or comes down a level. A slot at or behind the present one belongs to the next
    /// round of its level, which begins at the boundary.
    fn next_tick(&self) -> i64 {
        for level in 0..LEVELS {
            let shift = SLOT_BITS * level as u32;
            let round = self.now_tick >> (shift + SLOT_BITS);
            if let Some(slot) = self.occupied_after(level, slot_of(self.now_tick, level)) {
                return (round << SLOT_BITS | slot as i64) << shift;
            }
            if self.occupied[level] != [0; SLOTS / 64] {
                return (round + 1) << (shift + SLOT_BITS);
            }
        }
        self.now_tick + HORIZON_TICKS
    }

    /// The first slot of a level behind `slot` that holds something.
    fn occupied_after(&self, level: usize, slot: usize) -> Option<usize> {
        let bits = &self.occupied[level];
        let first = bits[slot / 64] & (!1 << (slot % 64));
        let words = core::iter::once(first).chain(bits[slot / 64 + 1..].iter().copied());
        words.zip(slot / 64..).find(|(word, _)| *word != 0).map(|(word, at)| at * 64 + word.trailing_zeros() as usize)
    }

    /// Turns the wheel to `now` by one step: gives back the next deadline that is due, oldest first, or `None` when the
    /// wheel stands at `now`.
    pub(crate) fn fire(&mut self, now: Micros) -> Option<T> {
        let target = now.0.div_euclid(TICK_MICROS);
        loop {
            let head = self.heads[list_of(0, slot_of(self.now_tick, 0))];
            if head != NIL {
                let what = self.nodes[head as usize].what;
                self.unlink(head);
                self.release(head);
                return Some(what);
            }
            if self.now_tick >= target {
                return None;
            }
            self.turn(target);
        }
    }

    fn turn(&mut self, target: i64) {
        if self.set == 0 {
            self.now_tick = target;
            return;
        }
        self.now_tick = self.next_tick().min(target);
        for level in 1..LEVELS {
            if slot_of(self.now_tick, level - 1) != 0 {
                return;
            }
            self.come_down(level);
        }
    }

    /// Moves what waits in a level's current slot to the levels below, in the order in which it was set.
    fn come_down(&mut self, level: usize) {
        let list = list_of(level, slot_of(self.now_tick, level));
        let mut node = core::mem::replace(&mut self.heads[list], NIL);
        self.tails[list] = NIL;
        self.mark(list, false);
        while node != NIL {
            let next = self.nodes[node as usize].next;
            self.link(node);
            node = next;
        }
    }

    fn link(&mut self, node: u32) {
        let ahead = (self.nodes[node as usize].at_tick - self.now_tick).min(HORIZON_TICKS);
        let level = (1..LEVELS).rev().find(|level| ahead >> (SLOT_BITS * *level as u32) != 0).unwrap_or(0);
        let slot = slot_of(self.now_tick + ahead, level);
        let list = list_of(level, slot);
        let last = core::mem::replace(&mut self.tails[list], node);
        match last {
            NIL => self.heads[list] = node,
            last => self.nodes[last as usize].next = node,
        }
        let linked = &mut self.nodes[node as usize];
        (linked.previous, linked.next, linked.list) = (last, NIL, list as u16);
        self.mark(list, true);
    }

    fn unlink(&mut self, node: u32) {
        let Node { previous, next, list, .. } = self.nodes[node as usize];
        match previous {
            NIL => self.heads[list as usize] = next,
            previous => self.nodes[previous as usize].next = next,
        }
        match next {
            NIL => self.tails[list as usize] = previous,
            next => self.nodes[next as usize].previous = previous,
        }
        if self.heads[list as usize] == NIL {
            self.mark(list as usize, false);
        }
    }

    fn mark(&mut self, list: usize, occupied: bool) {
        let (level, slot) = (list / SLOTS, list % SLOTS);
        let (word, bit) = (&mut self.occupied[level][slot / 64], 1 << (slot % 64));
        if occupied {
            *word |= bit;
        } else {
            *word &= !bit;
        }
    }

    fn take_node(&mut self, node: Node<T>) -> u32 {
        if self.free == NIL {
            self.nodes.push(node);
            return self.nodes.len() as u32 - 1;
        }
        let taken = self.free;
        self.free = self.nodes[taken as usize].next;
        self.nodes[taken as usize] = node;
        taken
    }

    fn release(&mut self, node: u32) {
        self.nodes[node as usize].next = self.free;
        self.free = node;
        self.set -= 1;
    }
}

/// The tick at whose beginning a moment has been reached: rounded up, so that nothing fires early.
fn tick_of(at: Micros) -> i64 {
    at.0.div_euclid(TICK_MICROS) + i64::from(at.0.rem_euclid(TICK_MICROS) != 0)
}

fn slot_of(tick: i64, level: usize) -> usize {
    (tick >> (SLOT_BITS * level as u32)) as usize & (SLOTS - 1)
}

fn list_of(level: usize, slot: usize) -> usize {
    level * SLOTS + slot
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn ms(ms: i64) -> Micros {
        Micros(ms * 1000)
    }

    fn drain(wheel: &mut Wheel<u32>, now: Micros) -> Vec<u32> {
        core::iter::from_fn(|| wheel.fire(now)).collect()
    }

    #[test]
    fn nothing_fires_early() {
        let mut wheel = Wheel::new(8);
        assert_eq!(wheel.fire(ms(1000)), None);
        wheel.set(Micros(1_005_001), 1);
        wheel.set(ms(1006), 2);
        wheel.set(ms(1_000_000), 3);
        assert_eq!(drain(&mut wheel, Micros(1_005_999)), []);
        assert_eq!(wheel.next(), Some(ms(1006)));
        assert_eq!(drain(&mut wheel, ms(1006)), [1, 2]);
        assert_eq!(drain(&mut wheel, ms(999_999)), []);
        assert_eq!(drain(&mut wheel, ms(1_000_000)), [3]);
        assert_eq!(wheel.next(), None);
    }

    proptest! {
        /// Against a sorted map: the same deadlines fire at the same calls, earlier ticks first.
        #[test]
        fn the_wheel_fires_what_a_sorted_map_would(steps in prop::collection::vec((0i64..400_000, 0i64..3_000_000, any::<bool>()), 1..200)) {
            let mut wheel = Wheel::new(256);
            let mut model: BTreeMap<(i64, u32), Alarm> = BTreeMap::new();
            let mut ticks = Vec::new();
            let mut now = 1_700_000_000_000i64;
            wheel.fire(ms(now));
            for (number, (forward, ahead, cancel)) in steps.into_iter().enumerate() {
                let number = number as u32;
                let alarm = wheel.set(ms(now + ahead), number);
                ticks.push((now + ahead).max(now + 1));
                model.insert((ticks[number as usize], number), alarm);
                if cancel && let Some((_, alarm)) = model.pop_first() {
                    wheel.cancel(alarm);
                }
                now += forward;
                let later = model.split_off(&(now + 1, 0));
                let due: Vec<(i64, u32)> = core::mem::replace(&mut model, later).into_keys().collect();
                let mut fired: Vec<(i64, u32)> = drain(&mut wheel, ms(now)).into_iter().map(|number| (ticks[number as usize], number)).collect();
                prop_assert!(fired.is_sorted_by_key(|(tick, _)| *tick));
                fired.sort_unstable();
                prop_assert_eq!(fired, due);
                if let (Some(((at, _), _)), Some(next)) = (model.first_key_value(), wheel.next()) {
                    prop_assert!(next <= ms(*at));
                }
            }
        }
    }
}
