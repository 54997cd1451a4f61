//! Decisions, pure: what a shard does with each input, and how each processor's messages are read and written.
//!
//! Lives here: the shard (a value), payments by verb, idempotency, duplicates, routing, the store-and-forward queue,
//! settlement, and the connectors' meaning. Must not live here: clocks, randomness, sockets, files, threads, async, locks,
//! globals, floats, anything that depends on hash order. Time and ids arrive with the inputs; `clippy.toml` bans the rest.

#![forbid(unsafe_code)]

pub mod conditions;
pub mod connectors;
pub mod input;
pub mod limits;
pub mod output;
pub mod routing;
pub mod rules;

mod bits;
mod duplicates;
mod idempotency;
mod index;
mod payment;
mod rrn;
mod settlement;
mod shard;
mod stan;
mod table;
mod tails;
mod waiters;
mod wheel;

pub use rrn::{ids_of_rrn, rrn_of};
pub use settlement::BatchCounts;
pub use shard::{ProcessorCounts, ProcessorReport, Shard, ShardOptions, Stats, shard_of};
