//! How receivers fare: what is under way at each, and which are left alone for a while. In memory only; a start begins with hope.

use super::limits::{CIRCUIT_FAILURES, RETRIES_MAX, RETRIES_PER_RECEIVER_MAX, RETRY_FIRST_S, RETRY_LONGEST_S};
use parking_lot::Mutex;
use persistence::stores::webhooks::{Delivery, Place, To};
use protocol::calendar::Micros;
use protocol::id::Xid;
use std::collections::{HashMap, HashSet};

/// Whoever is told: what fails together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Receiver {
    /// An endpoint.
    Endpoint(Xid),
    /// The host of an address that came with a thing.
    Host(String),
}

#[derive(Debug, Default)]
struct Health {
    /// Failures since something last arrived.
    failures: u32,
    /// Left alone until then, by the calendar.
    rests_until: Micros,
    is_passing: bool,
    tries: usize,
}

#[derive(Debug, Default)]
struct Notes {
    health: HashMap<Receiver, Health>,
    trying: HashSet<Place>,
}

/// What may be done with a delivery now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Try it; [`Board::tried`] must follow.
    Try,
    /// It is being tried, or there is no room.
    Later,
    /// Its receiver is left alone until then.
    RestsUntil(Micros),
}

/// The board.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Notes>);

impl Board {
    /// Whether an endpoint's next events may be told now; [`Board::passed`] must follow.
    pub(super) fn begin_pass(&self, endpoint: Xid, now: Micros) -> bool {
        let mut notes = self.0.lock();
        let health = notes.health.entry(Receiver::Endpoint(endpoint)).or_default();
        let begins = !health.is_passing && health.rests_until <= now;
        health.is_passing |= begins;
        begins
    }

    pub(super) fn passed(&self, endpoint: Xid) {
        self.leave(&Receiver::Endpoint(endpoint), |health| health.is_passing = false);
    }

    /// Whether a delivery may be tried again now.
    pub(super) fn begin_try(&self, delivery: &Delivery, receiver: &Receiver, now: Micros) -> Turn {
        let mut notes = self.0.lock();
        if notes.trying.len() >= RETRIES_MAX || notes.trying.contains(&delivery.place) {
            return Turn::Later;
        }
        let health = notes.health.entry(receiver.clone()).or_default();
        if health.rests_until > now {
            return Turn::RestsUntil(health.rests_until);
        }
        // One that has failed again and again is asked by one try at a time.
        let room = if health.failures < CIRCUIT_FAILURES { RETRIES_PER_RECEIVER_MAX } else { 1 };
        if health.tries >= room {
            return Turn::Later;
        }
        health.tries += 1;
        notes.trying.insert(delivery.place);
        Turn::Try
    }

    pub(super) fn tried(&self, place: &Place, receiver: &Receiver) {
        self.0.lock().trying.remove(place);
        self.leave(receiver, |health| health.tries = health.tries.saturating_sub(1));
    }

    /// What became of a try.
    pub(super) fn note(&self, receiver: &Receiver, arrived: bool, now: Micros) {
        let mut notes = self.0.lock();
        let health = notes.health.entry(receiver.clone()).or_default();
        if arrived {
            (health.failures, health.rests_until) = (0, Micros::NONE);
            return;
        }
        health.failures = health.failures.saturating_add(1);
        if let Some(rests) = health.failures.checked_sub(CIRCUIT_FAILURES) {
            health.rests_until = now.plus_s(wait_s(rests + 1));
        }
    }

    /// Until when a receiver is left alone; `None` when it is not.
    pub(super) fn rests_until(&self, receiver: &Receiver, now: Micros) -> Option<Micros> {
        let notes = self.0.lock();
        notes.health.get(receiver).map(|health| health.rests_until).filter(|until| *until > now)
    }

    /// Its merchant has changed it: it is tried as if nothing had failed.
    pub(super) fn forgive(&self, endpoint: Xid) {
        self.leave(&Receiver::Endpoint(endpoint), |health| (health.failures, health.rests_until) = (0, Micros::NONE));
    }

    /// Changes a receiver's notes, and drops them when there is nothing to remember.
    fn leave(&self, receiver: &Receiver, change: impl FnOnce(&mut Health)) {
        let mut notes = self.0.lock();
        let Some(health) = notes.health.get_mut(receiver) else { return };
        change(health);
        if health.failures == 0 && !health.is_passing && health.tries == 0 {
            notes.health.remove(receiver);
        }
    }
}

impl Receiver {
    pub(super) fn of(delivery: &Delivery) -> Receiver {
        match &delivery.to {
            To::Endpoint => Receiver::Endpoint(delivery.place.endpoint),
            To::Address { url, .. } => {
                let behind_scheme = url.split_once("://").map_or(&url[..], |(_, rest)| rest);
                Receiver::Host(behind_scheme.split(['/', '?']).next().unwrap_or_default().to_ascii_lowercase())
            }
        }
    }
}

/// Wait before a try, after so many failed ones, seconds.
pub(super) fn wait_s(failures: u32) -> u32 {
    let doublings = failures.saturating_sub(1).min(16);
    RETRY_FIRST_S.saturating_mul(1 << doublings).min(RETRY_LONGEST_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_800_000_000_000_000);

    fn delivery(sequence: u64) -> Delivery {
        Delivery::fresh(Place { merchant: Xid([1; 12]), sequence, endpoint: Xid([2; 12]) }, Xid([3; 12]), NOW)
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits: Vec<u32> = (1..=5).map(wait_s).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80]);
        assert_eq!((wait_s(13), wait_s(14), wait_s(u32::MAX)), (20_480, 21_600, 21_600));
    }

    #[test]
    fn a_receiver_that_fails_again_and_again_rests_and_is_then_asked_one_at_a_time() {
        let (board, receiver) = (Board::default(), Receiver::of(&delivery(1)));
        for _ in 1..CIRCUIT_FAILURES {
            board.note(&receiver, false, NOW);
            assert_eq!(board.rests_until(&receiver, NOW), None);
        }
        board.note(&receiver, false, NOW);
        let until = NOW.plus_s(wait_s(1));
        assert_eq!(board.begin_try(&delivery(1), &receiver, NOW), Turn::RestsUntil(until));
        assert!(!board.begin_pass(Xid([2; 12]), NOW) && board.begin_pass(Xid([9; 12]), NOW), "others go on");
        assert_eq!(board.begin_try(&delivery(1), &receiver, until), Turn::Try);
        assert_eq!(board.begin_try(&delivery(1), &receiver, until), Turn::Later);
        assert_eq!(board.begin_try(&delivery(2), &receiver, until), Turn::Later);
        board.note(&receiver, true, until);
        board.tried(&delivery(1).place, &receiver);
        assert_eq!(board.begin_try(&delivery(2), &receiver, NOW), Turn::Try);
        assert_eq!(board.begin_try(&delivery(3), &receiver, NOW), Turn::Try);
    }

    #[test]
    fn an_endpoint_is_told_by_one_pass_at_a_time() {
        let board = Board::default();
        assert!(board.begin_pass(Xid([2; 12]), NOW) && !board.begin_pass(Xid([2; 12]), NOW));
        board.passed(Xid([2; 12]));
        assert!(board.begin_pass(Xid([2; 12]), NOW));
    }

    #[test]
    fn addresses_of_one_host_fare_alike() {
        let to = |url: &str| To::Address { url: url.into(), form: false, body: None };
        let of = |url| Receiver::of(&Delivery { to: to(url), ..delivery(1) });
        assert_eq!(of("https://Shop.example/a?b"), of("https://shop.example?c"));
        assert_ne!(of("https://shop.example/a"), of("https://shop.example:8443/a"));
    }
}
