//! What a shard's thread counts: how long each stage took, and what payments were answered.

use super::distribution::{Buckets, Distribution, add};
use protocol::calendar::Micros;
use protocol::response_code::Category;
use protocol::transaction::Transaction;
use protocol::words::Status;
use std::sync::atomic::{AtomicU64, Ordering};

/// Processors that are told apart; those with higher indexes count together in the last place.
pub const PROCESSORS_TOLD_APART: usize = 128;

/// A stage of a command's way through its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// From the front's hand-over until the shard takes it.
    Queue,
    /// The turn in which it was decided: how long its records were gathered before they went to the journal.
    Apply,
    /// From there until the records are durable and what waited for them leaves.
    Journal,
    /// From the hand-over until the answer leaves the shard: all of the above, and the processor.
    Total,
}

impl Stage {
    /// All of them, in the order in which they are passed.
    pub const ALL: [Stage; 4] = [Stage::Queue, Stage::Apply, Stage::Journal, Stage::Total];

    /// The word in metrics and on pages.
    pub const fn word(self) -> &'static str {
        match self {
            Stage::Queue => "queue",
            Stage::Apply => "apply",
            Stage::Journal => "journal",
            Stage::Total => "total",
        }
    }
}

/// What an answer says of a payment, or of a step of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Approved, in part too.
    Approved,
    /// The processor declined it.
    Declined,
    /// The gateway declined it: a rule, a duplicate.
    Refused,
    /// It could not be carried out, and provably holds nothing.
    Failed,
    /// Whether it was carried out is not known: it is reversed.
    Unknown,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 5] = [Outcome::Approved, Outcome::Declined, Outcome::Refused, Outcome::Failed, Outcome::Unknown];

    /// The word in metrics and on pages.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Approved => "approved",
            Outcome::Declined => "declined",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        }
    }

    fn of(transaction: &Transaction) -> Outcome {
        match (transaction.status(), transaction.response_code().category()) {
            (Status::Unknown, _) | (_, Category::Unknown) => Outcome::Unknown,
            (_, Category::Approval) => Outcome::Approved,
            (_, Category::ProcessorDecline) => Outcome::Declined,
            (_, Category::GatewayDecline) => Outcome::Refused,
            (_, Category::ProcessorError) => Outcome::Failed,
        }
    }
}

/// Answers by their outcome, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes([u64; 5]);

impl Outcomes {
    /// How many were of one outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.0[outcome as usize]
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Adds others.
    pub fn add(&mut self, other: &Outcomes) {
        self.0.iter_mut().zip(other.0).for_each(|(own, more)| *own += more);
    }

    /// What came after an earlier reading of the same.
    pub fn since(&self, earlier: &Outcomes) -> Outcomes {
        Outcomes(std::array::from_fn(|place| self.0[place].saturating_sub(earlier.0[place])))
    }
}

/// The counts of one shard. Its thread writes, whoever likes reads.
#[derive(Debug)]
pub struct Tally {
    stages: [Buckets; 4],
    outcomes: [[AtomicU64; 5]; PROCESSORS_TOLD_APART],
}

impl Default for Tally {
    fn default() -> Tally {
        let nothing = || [const { AtomicU64::new(0) }; 5];
        Tally { stages: std::array::from_fn(|_| Buckets::default()), outcomes: std::array::from_fn(|_| nothing()) }
    }
}

impl Tally {
    /// A stage took from one moment to another, for so many commands or records at once. A moment that never was counts for nothing.
    pub fn passed(&self, stage: Stage, from: Micros, to: Micros, times: u64) {
        if !from.is_none() {
            self.stages[stage as usize].record(to.0.saturating_sub(from.0).max(0) as u64, times);
        }
    }

    /// A payment, or a step of one, was answered for the first time.
    pub fn answered(&self, transaction: &Transaction) {
        let place = usize::from(transaction.processor.get()).min(PROCESSORS_TOLD_APART - 1);
        add(&self.outcomes[place][Outcome::of(transaction) as usize], 1);
    }

    /// How long a stage has taken so far.
    pub fn stage(&self, stage: Stage) -> Distribution {
        self.stages[stage as usize].read()
    }

    /// What was answered of a processor's payments; under 0 of those that had none.
    pub fn outcomes(&self, processor: u16) -> Outcomes {
        let cells = &self.outcomes[usize::from(processor).min(PROCESSORS_TOLD_APART - 1)];
        Outcomes(std::array::from_fn(|place| cells[place].load(Ordering::Relaxed)))
    }
}
