//! What an operator changes while the switch runs.
//!
//! Lives here: the changes, how each is checked and put in force, and what is in force after a start. Must not live here: HTTP and
//! JSON of requests (`rest::operator`), what rules and routes mean (switch-core).

pub mod changes;
