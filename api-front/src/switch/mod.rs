//! The running switch: shards at work, the handle that fronts call, and what stands beside both.
//!
//! Lives here: threads, queues, the clock and the ids. Must not live here: HTTP, processors' sockets, decisions.

pub mod clock;
pub mod desk;
pub mod directory;
pub mod door;
pub mod driver;
pub mod gate;
pub mod group;
pub mod growing;
pub mod handle;
pub mod history;
pub mod ids;
pub mod mailbox;
pub mod past;
pub mod readiness;
pub mod recovery;
pub mod running;
pub mod sensitive_table;
pub mod version;
pub mod waiting;

#[cfg(test)]
mod tests;
