//! The running switch: shard threads, the handle that fronts call, and what stands beside both.
//!
//! Lives here: threads, queues, the clock and the ids. Must not live here: HTTP, processors' sockets, decisions.

pub mod clock;
pub mod cvv_table;
pub mod directory;
pub mod door;
pub mod handle;
pub mod ids;
pub mod past;
pub mod version;
