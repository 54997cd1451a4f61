//! What payments should do, written down a second time, in the plainest code: the shard is compared with it.
//!
//! - [`Model`]: a shard's decisions, in plain maps. It is told what a shard is told, and says which answer and which new
//!   versions to expect. It knows no limits, no tails, no wheel and no journal.
//! - [`Fold`]: what a journal says when its records are laid one over the other. After a crash a model is made of it anew
//!   ([`Model::restarted`]), by rules of its own.
//! - [`Invariant`]: what must never break, by its number.
//!
//! Nothing of `switch-core` is used here but the words in which a shard is spoken to. Speed is no aim: a reader should see at
//! a glance that each rule is right. What drives a model (tests, the simulator) does not live here.

mod batches;
mod compare;
mod counting;
mod decide;
mod facts;
mod fold;
mod health;
mod invariant;
mod model;
mod outcome;
mod restart;
mod tables;
#[cfg(test)]
mod tests;

pub use compare::{Difference, Version};
pub use decide::{Begun, Expect};
pub use fold::{Changed, Fold, KeyUsed};
pub use invariant::Invariant;
pub use model::{Collected, Flight, Model, Operation, Payment, Reversing, Terms};
pub use restart::Lasting;
pub use tables::{Choice, RouteTable, RuleTable};
