//! Links to processors that are asked by HTTP: bank accounts and terminals.
//!
//! Every request is an exchange of its own (see [`switch_core::connectors::exchange`]). [`traffic`] is a value that knows which
//! exchanges are under way and what comes next in each; [`link`] gives it sockets and time; [`connector`] opens what was
//! sealed, for as long as a request is written. What the bytes mean is the connectors'.
//!
//! A terminal has a person at it and does one thing at a time: a payment for one that a person is at is turned down; a step or a
//! reversal waits, and a payment waits for those. Bank accounts have no such queue.

pub mod connector;
pub mod link;
pub mod traffic;

#[cfg(test)]
mod tests;
