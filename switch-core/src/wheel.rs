//! The timing wheel: deadlines in a slab, a slot for each of the next million milliseconds, and coarse slots for what is farther.
//!
//! Setting, cancelling and firing cost the same however many deadlines there are. What is far comes near a few deadlines at a time, in
//! the nine minutes before it would have to: two million of them, before one moment pays for the rest. Nothing is allocated once the
//! slab has its size. In which order the deadlines of one tick fire follows from the inputs alone: the same on every machine (I7).

use crate::bits::Bits;
use protocol::calendar::Micros;

const TICK_MICROS: i64 = 1000;
/// A far slot holds the deadlines of this many ticks, nine minutes.
const GRANULE_TICKS: i64 = 1 << 19;
/// Ticks that have a slot of their own, from the present one on: all of the granule that comes next, so that it can come near while the
/// present one lasts.
const NEAR_TICKS: i64 = 2 * GRANULE_TICKS;
const FAR_SLOTS: i64 = 1 << 13;
/// Farther deadlines wait at the horizon and are set anew when they come near: 49 days. The present granule and the next are not far.
const HORIZON_TICKS: i64 = (FAR_SLOTS - 2) * GRANULE_TICKS;
/// Deadlines that come near with each turn, so that an input that sets a far one pays for its way as well, and with each tick that has
/// passed.
const COME_NEAR: i64 = 4;
/// How often the wheel wants to be turned while some come near, ticks. However many have passed, no more than these count: half a
/// millisecond's work.
const COME_NEAR_TICKS: i64 = 1_000;
/// No node. Nodes are counted from one, so that slots that were never used are zeros that nobody has written.
const NIL: u32 = 0;

/// Names a deadline that was set, until it fires or is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Alarm(u32);

impl Alarm {
    /// No deadline is set.
    pub(crate) const NONE: Alarm = Alarm(NIL);
}

/// A deadline, in the ring of its slot.
#[derive(Debug, Clone, Copy)]
struct Node<T> {
    what: T,
    at_tick: i64,
    previous: u32,
    next: u32,
    slot: u32,
}

/// A wheel of deadlines that each carry a `T`.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    nodes: Vec<Node<T>>,
    free: u32,
    set: u32,
    now_tick: i64,
    /// The first node of each slot; the near slots, then the far ones.
    heads: Box<[u32]>,
    near: Bits,
    far: Bits,
    capacity: u32,
}

impl<T: Copy> Wheel<T> {
    /// A wheel with room for `capacity` deadlines.
    pub(crate) fn new(capacity: u32) -> Wheel<T> {
        Wheel {
            nodes: Vec::with_capacity(capacity as usize),
            free: NIL,
            set: 0,
            now_tick: 0,
            heads: vec![NIL; (NEAR_TICKS + FAR_SLOTS) as usize].into_boxed_slice(),
            near: Bits::new(NEAR_TICKS as usize),
            far: Bits::new(FAR_SLOTS as usize),
            capacity,
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
        let node = self.take_node(Node { what, at_tick, previous: NIL, next: NIL, slot: 0 });
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

    /// The earliest moment at which something may fire, or should come near; `None` when nothing is set.
    pub(crate) fn next(&self) -> Option<Micros> {
        self.next_tick().map(|tick| Micros(tick * TICK_MICROS))
    }

    fn next_tick(&self) -> Option<i64> {
        let next_slot = |bits: &Bits, slots: i64, present: i64| {
            let slot = present.rem_euclid(slots);
            let found = bits.first_from(slot as usize + 1).or_else(|| bits.first_from(0))? as i64;
            Some(present + (found - slot).rem_euclid(slots))
        };
        let near = next_slot(&self.near, NEAR_TICKS, self.now_tick);
        let far = next_slot(&self.far, FAR_SLOTS, granule_of(self.now_tick)).map(|granule| {
            let begin = granule * GRANULE_TICKS;
            let (first, next) = (begin - GRANULE_TICKS, self.now_tick + COME_NEAR_TICKS);
            if first > self.now_tick { first } else { next.min(begin) }
        });
        near.into_iter().chain(far).min()
    }

    /// Turns the wheel to the first tick up to `now` of which something is left to fire. False when there is none: the wheel stands at `now`.
    pub(crate) fn turn_to_due(&mut self, now: Micros) -> bool {
        let target = now.0.div_euclid(TICK_MICROS);
        self.come_near(granule_of(self.now_tick) + 1, COME_NEAR);
        while self.first_due() == NIL {
            if self.now_tick >= target {
                return false;
            }
            let tick = self.next_tick().map_or(target, |next| next.min(target));
            let passed = (tick - self.now_tick).min(COME_NEAR_TICKS);
            self.now_tick = tick;
            self.come_near(granule_of(tick) + 1, passed * COME_NEAR);
            // What two million were not all of.
            self.come_near(granule_of(tick), i64::MAX);
        }
        true
    }

    /// What is left to fire of the tick at which the wheel stands, in the order in which it came to the tick's slot.
    pub(crate) fn due(&self) -> impl Iterator<Item = T> {
        let first = self.first_due();
        let node = |at| if at == NIL { None } else { Some(self.node(at)) };
        let ring = core::iter::successors(node(first), move |fired| node(fired.next).filter(|_| fired.next != first));
        ring.map(|node| node.what)
    }

    /// Gives back the first of [`Wheel::due`], which fires by that.
    pub(crate) fn fire(&mut self) -> Option<T> {
        let first = self.first_due();
        if first == NIL {
            return None;
        }
        let what = self.node(first).what;
        self.unlink(first);
        self.release(first);
        Some(what)
    }

    fn first_due(&self) -> u32 {
        self.heads[near_slot(self.now_tick) as usize]
    }

    /// Moves deadlines of a granule, `count` at most, to the slots of their ticks, in the order in which they came to the granule's. The
    /// granule is the present one or the next.
    fn come_near(&mut self, granule: i64, count: i64) {
        let slot = far_slot(granule);
        for _ in 0..count {
            let first = self.heads[slot as usize];
            if first == NIL {
                return;
            }
            self.unlink(first);
            self.link(first);
        }
    }

    fn link(&mut self, node: u32) {
        let ahead = (self.node(node).at_tick - self.now_tick).min(HORIZON_TICKS);
        let tick = self.now_tick + ahead;
        let slot = if ahead < NEAR_TICKS { near_slot(tick) } else { far_slot(granule_of(tick)) };
        let first = self.heads[slot as usize];
        let (last, next) = if first == NIL { (node, node) } else { (self.node(first).previous, first) };
        let linked = self.node_mut(node);
        (linked.previous, linked.next, linked.slot) = (last, next, slot);
        if first == NIL {
            self.heads[slot as usize] = node;
            match far_bit(slot) {
                None => self.near.set(slot as usize),
                Some(bit) => self.far.set(bit),
            }
        } else {
            self.node_mut(last).next = node;
            self.node_mut(first).previous = node;
        }
    }

    fn unlink(&mut self, node: u32) {
        let Node { previous, next, slot, .. } = *self.node(node);
        if next == node {
            self.heads[slot as usize] = NIL;
            match far_bit(slot) {
                None => self.near.clear(slot as usize),
                Some(bit) => self.far.clear(bit),
            }
            return;
        }
        self.node_mut(previous).next = next;
        self.node_mut(next).previous = previous;
        if self.heads[slot as usize] == node {
            self.heads[slot as usize] = next;
        }
    }

    fn node(&self, at: u32) -> &Node<T> {
        &self.nodes[at as usize - 1]
    }

    fn node_mut(&mut self, at: u32) -> &mut Node<T> {
        &mut self.nodes[at as usize - 1]
    }

    fn take_node(&mut self, node: Node<T>) -> u32 {
        if self.free == NIL {
            self.nodes.push(node);
            return self.nodes.len() as u32;
        }
        let taken = self.free;
        self.free = self.node(taken).next;
        *self.node_mut(taken) = node;
        taken
    }

    fn release(&mut self, node: u32) {
        self.node_mut(node).next = self.free;
        self.free = node;
        self.set -= 1;
    }
}

/// The tick at whose beginning a moment has been reached: rounded up, so that nothing fires early.
fn tick_of(at: Micros) -> i64 {
    at.0.div_euclid(TICK_MICROS) + i64::from(at.0.rem_euclid(TICK_MICROS) != 0)
}

fn granule_of(tick: i64) -> i64 {
    tick.div_euclid(GRANULE_TICKS)
}

fn near_slot(tick: i64) -> u32 {
    tick.rem_euclid(NEAR_TICKS) as u32
}

fn far_slot(granule: i64) -> u32 {
    (NEAR_TICKS + granule.rem_euclid(FAR_SLOTS)) as u32
}

/// Which of the far slots this is, if it is one.
fn far_bit(slot: u32) -> Option<usize> {
    slot.checked_sub(NEAR_TICKS as u32).map(|far| far as usize)
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
        let mut fired = Vec::new();
        while wheel.turn_to_due(now) {
            let due: Vec<u32> = wheel.due().collect();
            fired.extend(core::iter::from_fn(|| wheel.fire()));
            assert!(!due.is_empty() && fired.ends_with(&due));
        }
        fired
    }

    #[test]
    fn nothing_fires_early() {
        let mut wheel = Wheel::new(8);
        assert!(!wheel.turn_to_due(ms(1000)));
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

    /// A wheel that stands at `BEGIN` with deadlines twenty minutes ahead, which is far.
    const BEGIN: i64 = 1_700_000_000_000;
    const FAR: i64 = BEGIN + 1_200_000;

    fn with_far(count: u32) -> Wheel<u32> {
        let mut wheel = Wheel::new(count);
        wheel.turn_to_due(ms(BEGIN));
        for number in 0..count {
            wheel.set(ms(FAR), number);
        }
        assert_eq!(still_far(&wheel), count as usize);
        wheel
    }

    fn still_far(wheel: &Wheel<u32>) -> usize {
        wheel.nodes.iter().filter(|node| far_bit(node.slot).is_some()).count()
    }

    #[test]
    fn what_is_far_comes_near_a_few_at_a_time() {
        let mut wheel = with_far(4096);
        let first = (granule_of(FAR) - 1) * GRANULE_TICKS;
        assert!(!wheel.turn_to_due(ms(first - 1)));
        let mut before = 4096;
        assert_eq!(still_far(&wheel), before, "their time has not come");
        for tick in first..first + 1_024 {
            assert!(!wheel.turn_to_due(ms(tick)));
            let left = still_far(&wheel);
            // The input's own, and those of the tick that has passed.
            assert!(before - left <= 2 * COME_NEAR as usize, "{} at once", before - left);
            before = left;
        }
        assert_eq!(before, 0);
        assert!(drain(&mut wheel, ms(FAR)).into_iter().eq(0..4096), "in the order in which they were set");
    }

    #[test]
    fn an_idle_wheel_asks_to_be_turned_while_something_comes_near() {
        let mut wheel = with_far(20_000);
        let mut turns = 0;
        while still_far(&wheel) > 0 {
            let (next, before) = (wheel.next().unwrap(), still_far(&wheel));
            assert!(next < ms(FAR), "before anything is due");
            assert!(!wheel.turn_to_due(next));
            let came_near = before - still_far(&wheel);
            assert!(came_near <= (COME_NEAR * (COME_NEAR_TICKS + 1)) as usize, "{came_near} at once");
            turns += 1;
        }
        assert!(turns < 16, "{turns} turns: an idle shard sleeps until its deadlines are the next to come near");
        assert_eq!(wheel.next(), Some(ms(FAR)));
        assert!(drain(&mut wheel, ms(FAR)).into_iter().eq(0..20_000));
    }

    #[test]
    fn what_nothing_has_brought_near_fires_in_time() {
        let mut wheel = Wheel::new(64);
        wheel.turn_to_due(ms(BEGIN));
        let due = |days: u32| ms(BEGIN + i64::from(days) * 86_400_000 + 1);
        for days in 0..64 {
            wheel.set(due(days), days);
        }
        // An idle shard is woken when the wheel says so, and at no other time.
        let mut fired = Vec::new();
        while let Some(next) = wheel.next() {
            fired.extend(drain(&mut wheel, next).into_iter().map(|days| (days, next)));
        }
        assert!((0..64).map(|days| (days, due(days))).eq(fired));
    }

    /// Mostly within `ms`, now and then a thousand times as much: beyond the horizon.
    fn stretch(ms: i64) -> impl Strategy<Value = i64> {
        prop_oneof![9 => 0..ms, 1 => 0..ms * 3_000]
    }

    /// What one step does: set a deadline, take the earliest back, let time pass.
    fn step() -> impl Strategy<Value = (i64, i64, bool)> {
        // Many deadlines of few ticks as well, so that slots hold several.
        (
            prop_oneof![Just(0), stretch(400_000)],
            prop_oneof![(0..4_i64).prop_map(|few| few * 1_000), stretch(3_000_000)],
            any::<bool>(),
        )
    }

    proptest! {
        /// Against a sorted map: the same deadlines fire at the same calls, earlier ticks first. Each third that fires takes another one of
        /// its tick back, and each fourth sets one for the same moment, which comes a tick later.
        #[test]
        fn the_wheel_fires_what_a_sorted_map_would(steps in prop::collection::vec(step(), 1..200)) {
            let mut wheel = Wheel::new(512);
            let mut model: BTreeMap<(i64, u32), Alarm> = BTreeMap::new();
            let mut now = BEGIN;
            let mut number = 0;
            wheel.turn_to_due(ms(now));
            for (forward, ahead, cancel) in steps {
                model.insert(((now + ahead).max(now + 1), number), wheel.set(ms(now + ahead), number));
                number += 1;
                if cancel && let Some((_, alarm)) = model.pop_first() {
                    wheel.cancel(alarm);
                }
                now += forward;
                let mut last_tick = i64::MIN;
                while wheel.turn_to_due(ms(now)) {
                    while let Some(fired) = wheel.fire() {
                        let tick = model.keys().find(|(_, kept)| *kept == fired).map(|(tick, _)| *tick);
                        prop_assert!(tick.is_some_and(|tick| (last_tick..=now).contains(&tick)), "{} at {:?}", fired, tick);
                        last_tick = tick.unwrap();
                        model.remove(&(last_tick, fired));
                        let other = model.range((last_tick, 0)..(last_tick + 1, 0)).next_back().map(|(kept, alarm)| (*kept, *alarm));
                        if let Some((kept, alarm)) = other.filter(|_| fired % 3 == 0) {
                            wheel.cancel(alarm);
                            model.remove(&kept);
                        }
                        if fired % 4 == 0 {
                            model.insert((last_tick + 1, number), wheel.set(ms(last_tick), number));
                            number += 1;
                        }
                    }
                }
                let earliest = model.keys().next().map(|(tick, _)| *tick);
                prop_assert!(earliest.is_none_or(|tick| tick > now), "{:?} should have fired by {}", earliest, now);
                let next = wheel.next();
                prop_assert_eq!(next.is_some(), earliest.is_some());
                prop_assert!(next.is_none_or(|next| next > ms(now) && next <= ms(earliest.unwrap())));
            }
        }
    }
}
