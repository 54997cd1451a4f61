//! What the switch asks of the past: versions that have left a shard's memory.

use crate::switch::handle::Unavailable;
use crate::switch::version::Version;
use persistence::projection::search::{BatchSearch, Found, Search};
use persistence::projection::{Chapter, Deeds, StoredChange, StoredTransaction};
use protocol::batch::Batch;
use protocol::id::Xid;
use std::future::Future;
use std::pin::Pin;

/// An answer of the past, on its way.
pub type Reading<'a, T = Option<Version>> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send + 'a>>;

/// The history. Each reading sees all that was durable when it was asked for: you read your own writes.
pub trait Past: Send + Sync {
    /// The newest version of a merchant's transaction; `None` when there is none, or it is another merchant's.
    fn newest(&self, merchant: Xid, id: Xid) -> Reading<'_>;
    /// One version of a transaction, for a replay.
    fn version(&self, id: Xid, version: u32) -> Reading<'_>;
    /// A merchant's transactions that a search finds.
    fn search(&self, search: Search) -> Reading<'_, Found>;
    /// A merchant's batches that a search finds, newest first.
    fn search_batches(&self, search: BatchSearch) -> Reading<'_, Vec<Batch>>;
    /// Whose a transaction is. For operators.
    fn merchant_of(&self, id: Xid) -> Reading<'_, Option<Xid>>;
    /// The versions of a transaction, oldest first. For operators.
    fn story(&self, id: Xid) -> Reading<'_, Vec<Chapter>>;
    /// Transactions whose reversal waits, by id, so many at most behind `after`. For operators.
    fn queued_reversals(&self, after: Xid, limit: u32) -> Reading<'_, Vec<StoredTransaction>>;
    /// What operators did, with a version above `after`, so many at most. For operators.
    fn changes(&self, deeds: Deeds, after: u32, limit: u32) -> Reading<'_, Vec<StoredChange>>;
}
