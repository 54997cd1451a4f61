//! A simulated world around a whole switch: the product's own shards, journal, links, projection and recovery, a real sandbox host at
//! the other end of every wire, on one thread and one virtual clock, from one seed.
//!
//! Lives here: the clock, the wires, the clients, the trouble, and the [`check`]ers that look at every step. Must not live here:
//! decisions of the switch; where the product is made of threads and futures (`switch`), only the carrying between its parts is
//! written again.

pub mod accounts;
pub mod cards;
pub mod check;
pub mod clients;
pub mod event;
pub mod faults;
pub mod hosts;
pub mod schedule;
pub mod setup;
pub mod stage;
pub mod story;
pub mod switch;
pub mod tables;
pub mod terminals;
pub mod texts;
pub mod web;
pub mod wires;
pub mod workload;
pub mod world;
