//! Every socket, thread and clock of the switch; the only place where all rooms meet.
//!
//! Lives here: the REST front, the links to processors, the threads that drive shards, start and stop, configuration and
//! the command line. Must not live here: decisions about payments, which are switch-core's, and file formats, which are
//! persistence's and protocol's.

pub mod limits;
pub mod switch;
