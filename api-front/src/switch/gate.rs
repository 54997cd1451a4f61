//! The gate in front of the shards: how many commands are under way at a time, and whose (I8).
//!
//! It is the narrowest place on the way. A command that is under way takes at most one place in each queue and table behind
//! the gate, and each of those is wider (see [`crate::limits`]): what was let in is not turned away further on, half done,
//! for want of room in a queue. Not counted are reversals and settlement: they take back or finish what was let in before,
//! and are never refused.
//!
//! Must not live here: decisions about payments, clocks, waiting. Whoever is not let in is told so at once.

use crate::limits::GATE_PARTS;
use dashmap::DashMap;
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::words::Verb;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

/// How often the log says how many were refused: a line for each would cost more than the refusal.
const TELL_EVERY_US: i64 = 1_000_000;

/// What a command wants to do, as far as the gate cares: what was begun is finished before something new is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A payment that does not exist yet.
    Begin,
    /// A capture, void or refund of one that does.
    Finish,
}

impl Work {
    /// What a verb does.
    pub fn of(verb: Verb) -> Work {
        match verb {
            Verb::Sale | Verb::Authorize | Verb::Credit | Verb::Verification => Work::Begin,
            Verb::Capture | Verb::Void | Verb::Refund => Work::Finish,
        }
    }

    /// How many of [`GATE_PARTS`] parts this work may take: of all places, and of those that one merchant may hold.
    fn parts(self) -> (u32, u32) {
        match self {
            Work::Begin => (GATE_PARTS - 1, GATE_PARTS - 2),
            Work::Finish => (GATE_PARTS, GATE_PARTS - 1),
        }
    }
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    places_max: u32,
    taken: AtomicU32,
    taken_by: DashMap<Xid, u32>,
    refused: AtomicU64,
    /// Of those, the ones that the log has told.
    refused_told: AtomicU64,
    told_at: AtomicI64,
}

/// A place inside. Dropped when the command has its answer.
#[derive(Debug)]
pub struct Place {
    gate: Arc<Gate>,
    merchant: Xid,
}

impl Gate {
    /// A gate for so many commands at a time.
    pub fn new(places_max: u32) -> Arc<Gate> {
        let (taken, taken_by) = (AtomicU32::new(0), DashMap::new());
        Arc::new(Gate {
            places_max,
            taken,
            taken_by,
            refused: AtomicU64::new(0),
            refused_told: AtomicU64::new(0),
            told_at: AtomicI64::new(0),
        })
    }

    /// Commands that are under way.
    pub fn taken(&self) -> u32 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Commands that may be under way.
    pub fn places_max(&self) -> u32 {
        self.places_max
    }

    /// Commands that were refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// True when [`Gate::enter`] would let this in now. Cheap: it is asked before anything else is done for a request.
    pub fn has_room(&self, merchant: &Xid, work: Work) -> bool {
        let (all_max, own_max) = self.bounds(work);
        self.taken() < all_max && self.taken_by.get(merchant).is_none_or(|own| *own < own_max)
    }

    /// Lets a command in, or does not.
    pub fn enter(self: &Arc<Gate>, merchant: Xid, work: Work) -> Option<Place> {
        let (all_max, own_max) = self.bounds(work);
        let mut own = self.taken_by.entry(merchant).or_insert(0);
        if *own >= own_max {
            return None;
        }
        let one_more = |taken: u32| (taken < all_max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        *own += 1;
        Some(Place { gate: Arc::clone(self), merchant })
    }

    /// Counts a refusal, and says once a second how many there were.
    pub fn note_refused(&self, now: Micros) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let told_at = self.told_at.load(Ordering::Relaxed);
        let is_due = now.0 - told_at >= TELL_EVERY_US;
        if is_due && self.told_at.compare_exchange(told_at, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let refused = self.refused();
            let refused = refused.saturating_sub(self.refused_told.swap(refused, Ordering::Relaxed));
            tracing::warn!(refused, under_way = self.taken(), places = self.places_max, "overload: commands are refused");
        }
    }

    fn bounds(&self, work: Work) -> (u32, u32) {
        let (all_parts, own_parts) = work.parts();
        let part = self.places_max / GATE_PARTS;
        let all_but = |parts: u32| self.places_max - part * (GATE_PARTS - parts);
        (all_but(all_parts), all_but(own_parts))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut own) = self.gate.taken_by.get_mut(&self.merchant) {
            *own -= 1;
        }
        self.gate.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merchant(number: u8) -> Xid {
        Xid::from_parts(1, [number; 5], 4)
    }

    fn enter_all(gate: &Arc<Gate>, number: u8, work: Work) -> Vec<Place> {
        std::iter::from_fn(|| gate.enter(merchant(number), work)).take(100).collect()
    }

    #[test]
    fn payments_leave_room_for_steps_and_one_merchant_for_others() {
        let gate = Gate::new(16);
        let first = enter_all(&gate, 1, Work::Begin);
        assert_eq!(first.len(), 12, "a merchant begins in six of eight parts");
        assert!(!gate.has_room(&merchant(1), Work::Begin) && gate.has_room(&merchant(1), Work::Finish));
        let steps = enter_all(&gate, 1, Work::Finish);
        assert_eq!(steps.len(), 2, "and finishes in one part more");
        assert_eq!(enter_all(&gate, 2, Work::Begin).len(), 0, "seven parts are taken, and nothing new begins in the last");
        let others = enter_all(&gate, 2, Work::Finish);
        assert_eq!((others.len(), gate.taken()), (2, 16));
        drop((first, steps, others));
        assert_eq!(gate.taken(), 0);
        assert_eq!(enter_all(&gate, 1, Work::Begin).len(), 12, "places come back");
    }

    #[test]
    fn a_second_merchant_gets_in_while_the_first_is_at_its_bound() {
        let gate = Gate::new(16);
        let first = enter_all(&gate, 1, Work::Begin);
        let second = enter_all(&gate, 2, Work::Begin);
        assert_eq!((first.len(), second.len()), (12, 2));
    }

    #[test]
    fn no_more_get_in_than_there_are_places_from_many_threads() {
        let gate = Gate::new(8);
        let inside = std::thread::scope(|scope| {
            let crowd = (0..8).map(|number| {
                scope.spawn({
                    let gate = Arc::clone(&gate);
                    move || enter_all(&gate, number, Work::Finish)
                })
            });
            let crowd: Vec<_> = crowd.collect();
            crowd.into_iter().flat_map(|one| one.join().unwrap()).collect::<Vec<Place>>()
        });
        assert_eq!((inside.len(), gate.taken()), (8, 8));
    }
}
