//! What the switch asks of the past: versions that have left a shard's memory.

use crate::switch::handle::Unavailable;
use crate::switch::version::Version;
use protocol::id::Xid;
use std::future::Future;
use std::pin::Pin;

/// An answer of the past, on its way.
pub type Reading<'a> = Pin<Box<dyn Future<Output = Result<Option<Version>, Unavailable>> + Send + 'a>>;

/// The history. Each reading sees all that was durable when it was asked for: you read your own writes.
pub trait Past: Send + Sync {
    /// The newest version of a merchant's transaction; `None` when there is none, or it is another merchant's.
    fn newest(&self, merchant: Xid, id: Xid) -> Reading<'_>;
    /// One version of a transaction, for a replay.
    fn version(&self, id: Xid, version: u32) -> Reading<'_>;
}
