//! The doors to the outside: who listens where.

pub mod binary;
mod brake;
pub mod http;
mod patience;
pub mod tls;
mod turned_away;
