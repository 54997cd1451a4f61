//! Routing: which processor a payment goes to, and where else when that one can't take it.
//!
//! Lives here: routes as an operator types them, checked and compiled; the choice among a route's processors; their health. Must not
//! live here: sending, trace numbers, reversals (`payment`), or anything drawn by chance.

mod choice;
mod health;
mod table;
pub mod typed;

pub use choice::Standing;
pub use health::{Breaker, Circuit, Health, Outcome, Results};
pub use table::{Route, Table};

#[cfg(test)]
mod tests;
