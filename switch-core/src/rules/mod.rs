//! The rule engine: an ordered table of rules, the first that matches a payment decides about it.
//!
//! Lives here: rules as an operator types them, checked and compiled, and the search for the first that matches. Must not live here:
//! what a denial does to a payment (`payment`), or what conditions mean (`conditions`).

mod table;
pub mod typed;

pub use table::{Match, Stage, Table, Verdict};

#[cfg(test)]
mod tests;
