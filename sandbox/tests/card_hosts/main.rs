//! The card hosts over real sockets, and as values: what they answer, what they write down, what faults do to them.

mod client;
mod faults;
mod payments;
mod restart;
mod settlement;
mod triggers;
mod wire;
