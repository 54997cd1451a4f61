//! The terminal host over real sockets: what it answers, what it writes down, the persons at its terminals, and its faults.

mod client;
mod faults;
#[path = "../web/host.rs"]
mod host;
mod payments;
mod people;
mod settlement;
