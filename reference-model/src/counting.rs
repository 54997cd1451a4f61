//! Velocities: how many payments one card, address or merchant has made within a window that slides.
//!
//! A payment counts when it makes a transaction, whatever becomes of it, for all that the tables ask to be counted at that moment.
//! A window is fifteen slices, counted from 1970, and the one that has begun: so a payment counts for its whole window and at
//! most a slice longer.

use crate::facts::{Facts, Found};
use protocol::calendar::Micros;
use protocol::id::Xid;
use std::collections::{BTreeMap, BTreeSet};
use switch_core::conditions::typed::Condition;

/// Whole slices of a window.
const SLICES: i64 = 15;

/// What is counted: payments at a merchant, per what, of whom, within how many seconds.
type Counted = (Xid, String, String, u64);

/// The moments of all payments, by what they count for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<Counted, Vec<Micros>>);

impl Counts {
    /// Counts a payment, once for each thing that these conditions ask to be counted.
    pub(crate) fn count<'a>(&mut self, facts: &Facts, conditions: impl Iterator<Item = &'a Condition>) {
        let counted: BTreeSet<Counted> = conditions.filter_map(|condition| counted(facts, condition)).collect();
        for one in counted {
            self.0.entry(one).or_default().push(facts.made_at);
        }
    }

    /// What a velocity condition finds at a moment. A payment that is not counted yet is added: it is one of those that it asks about.
    pub(crate) fn find(&self, facts: &Facts, condition: &Condition, at: Micros, is_counted: bool) -> Option<Found> {
        let counted = counted(facts, condition)?;
        let slice_us = (i64::try_from(counted.3).expect("at most a week") * 1_000_000 + SLICES - 1) / SLICES;
        let slice = |moment: &Micros| moment.0.div_euclid(slice_us);
        let moments = self.0.get(&counted).into_iter().flatten();
        let counts = moments.filter(|moment| slice(moment) + SLICES >= slice(&at)).count() as u64;
        Some(Found::Number(counts + u64::from(!is_counted)))
    }
}

fn counted(facts: &Facts, condition: &Condition) -> Option<Counted> {
    let (per, window_s) = (condition.per.as_deref()?, condition.window_s?);
    Some((facts.merchant, per.to_owned(), facts.subject(per)?, window_s))
}
