//! The ACH host over real sockets: what it answers, what it writes down, what banks send back, what faults do to it.

mod client;
mod faults;
#[path = "../web/host.rs"]
mod host;
mod payments;
mod returns;
mod settlement;
