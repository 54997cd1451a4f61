//! What the switch counts about itself, and how others read it.
//!
//! Lives here: counters and distributions that a thread may keep while it works, one reading of all of them, and the text that Prometheus
//! takes. Must not live here: decisions (nothing is decided by a count), and HTTP beyond the text.
//!
//! A shard's thread is the only writer of its [`Tally`], so that counting costs a load and a store, no lock and no shared cache line.

pub mod distribution;
mod exposition;
mod process;
pub mod reading;
pub mod tally;

pub use distribution::{Buckets, Distribution};
pub use exposition::{CONTENT_TYPE, exposition};
pub use reading::{ProcessorReading, Reading, ShardReading};
pub use tally::{Outcome, Outcomes, Stage, Tally};

#[cfg(test)]
mod tests;
