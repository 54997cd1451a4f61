//! What lasts: the journal, its projection into SQL, the slow side's stores, and the sealing of card data.
//!
//! Lives here: files, keys and databases, and the order in which things reach them. Must not live here: decisions (the
//! shard's), what a merchant is told (the front's), sockets other than a database's.

pub mod digest;
pub mod error;
pub mod journal;
pub mod precedence;
pub mod projection;
pub mod sealing;
pub mod sql;
pub mod stores;

pub use error::PersistenceError;
