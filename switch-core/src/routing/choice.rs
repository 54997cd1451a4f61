//! The choice among a route's processors.
//!
//! A payment's share is drawn from its id, not from chance or from a counter: the same payment gets the same processor on every
//! machine and in a dry run, whatever came before it, and two operators can tell from the record why. When the processor that is
//! drawn can't take the payment, it is drawn again among the others, so that the payments of healthy processors stay where they were.

use super::table::{Candidate, Route};
use crate::limits::{ROUTE_ATTEMPTS_MAX, ROUTE_PROCESSORS_MAX};
use protocol::choice::{Choice, SKIPS_NAMED_MAX};
use protocol::id::{Xid, mix};
use protocol::words::{Basis, SkipReason};

// What a payment was offered to already must stand in its record by name.
const _: () = assert!(ROUTE_ATTEMPTS_MAX <= SKIPS_NAMED_MAX);

/// Whether a processor can take a payment now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can.
    Ready,
    /// It can't, or another is better.
    Skip(SkipReason),
}

impl Route {
    /// The processor that takes a payment, and the choice as the payment's record explains it. `asked` is the choice so far: which
    /// rules spoke. No processor when none of the route can take it; the choice then says why.
    pub fn choose(&self, id: Xid, asked: &Choice, standing: impl Fn(u16) -> Standing) -> (Option<u16>, Choice) {
        self.search(id, Search::after(asked), standing)
    }

    /// The same once more, when the processor that was chosen before provably got nothing.
    pub fn choose_next(
        &self,
        id: Xid,
        before: &Choice,
        not_sent_to: u16,
        standing: impl Fn(u16) -> Standing,
    ) -> (Option<u16>, Choice) {
        let mut search = Search::after(before);
        search.note_tried(not_sent_to);
        self.search(id, search, standing)
    }

    fn search(&self, id: Xid, mut search: Search, standing: impl Fn(u16) -> Standing) -> (Option<u16>, Choice) {
        search.choice.route = self.position().into();
        if search.tried_count == ROUTE_ATTEMPTS_MAX {
            return (None, search.choice);
        }
        let drawn = draws(&self.to, id).map(|processor| (processor, Basis::Weight));
        let in_order = drawn.chain(self.fail_over.iter().map(|processor| (*processor, Basis::FailOver)));
        for (processor, basis) in in_order {
            if search.takes(processor, &standing) {
                return search.found(processor, basis);
            }
        }
        // Refusing would help nobody: an ill processor may answer yet, and a circuit that is never tried can't be seen to heal.
        match search.least_bad {
            Some(processor) => search.found(processor, Basis::LastResort),
            None => (None, search.choice),
        }
    }
}

struct Search {
    choice: Choice,
    tried: [u16; ROUTE_ATTEMPTS_MAX],
    tried_count: usize,
    least_bad: Option<u16>,
}

impl Search {
    /// Keeps of an earlier choice the rules' part, and what the payment was offered to.
    fn after(before: &Choice) -> Search {
        let kept = Choice { rules_version: before.rules_version, pre_rule: before.pre_rule, ..Choice::none() };
        let mut search = Search { choice: kept, tried: [0; ROUTE_ATTEMPTS_MAX], tried_count: 0, least_bad: None };
        let tried = before.skips().filter(|skip| skip.reason == Some(SkipReason::NotSent));
        tried.for_each(|skip| search.note_tried(skip.processor));
        search
    }

    fn note_tried(&mut self, processor: u16) {
        if let Some(place) = self.tried.get_mut(self.tried_count) {
            *place = processor;
            self.tried_count += 1;
        }
        self.choice.note_skip(processor, SkipReason::NotSent);
    }

    fn takes(&mut self, processor: u16, standing: &impl Fn(u16) -> Standing) -> bool {
        if self.tried.contains(&processor) {
            return false;
        }
        match standing(processor) {
            Standing::Ready => true,
            Standing::Skip(reason) => {
                self.choice.note_skip(processor, reason);
                if reason == SkipReason::CircuitOpen {
                    self.least_bad = self.least_bad.or(Some(processor));
                }
                false
            }
        }
    }

    fn found(self, processor: u16, basis: Basis) -> (Option<u16>, Choice) {
        (Some(processor), Choice { basis: basis.number(), ..self.choice })
    }
}

/// The processors that share a route's payments, in the order in which this payment would go to them.
fn draws(to: &[Candidate], id: Xid) -> impl Iterator<Item = u16> {
    let mut left = [Candidate { processor: 0, weight: 0 }; ROUTE_PROCESSORS_MAX];
    for (place, candidate) in left.iter_mut().zip(to) {
        *place = *candidate;
    }
    let mut hash = id.hash64();
    core::iter::from_fn(move || {
        hash = mix(hash ^ 0x726f_7574_696e_6721);
        let drawn = draw(&left, hash)?;
        left[drawn].weight = 0;
        Some(left[drawn].processor)
    })
}

/// Draws one of what is left by weight; `None` when no weight is.
fn draw(left: &[Candidate], hash: u64) -> Option<usize> {
    let sum: u64 = left.iter().map(|candidate| u64::from(candidate.weight)).sum();
    // The hash as a fraction of the whole: no remainder favours the first.
    let mut point = ((u128::from(hash) * u128::from(sum)) >> 64) as u64;
    left.iter().position(|candidate| {
        let weight = u64::from(candidate.weight);
        let is_here = point < weight;
        point = point.saturating_sub(weight);
        is_here
    })
}
