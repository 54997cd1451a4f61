//! The past as the projection holds it.

use crate::limits::HISTORY_WAIT;
use crate::switch::handle::Unavailable;
use crate::switch::past::{Past, Reading};
use crate::switch::version::Version;
use persistence::PersistenceError;
use persistence::journal::DurableWatch;
use persistence::projection::search::{BatchSearch, Found, Search};
use persistence::projection::{AppliedWatch, Chapter, Deeds, Queries, StoredChange, StoredTransaction};
use protocol::batch::Batch;
use protocol::id::Xid;

/// Readings of the SQL home that see all that was durable when they were asked for.
#[derive(Clone)]
pub struct History {
    queries: Queries,
    durable: DurableWatch,
    applied: AppliedWatch,
}

impl History {
    /// A history that waits for `applied` to reach what `durable` says.
    pub fn new(queries: Queries, durable: DurableWatch, applied: AppliedWatch) -> History {
        History { queries, durable, applied }
    }

    /// The statements behind it.
    pub fn queries(&self) -> &Queries {
        &self.queries
    }

    /// Waits until the SQL home holds all that is durable now.
    pub async fn catch_up(&self) -> Result<(), Unavailable> {
        let caught_up = self.applied.wait_for(self.durable.durable_lsn(), HISTORY_WAIT).await;
        if caught_up { Ok(()) } else { Err(Unavailable::History) }
    }

    /// Members of a batch that is on its way to its processor, a page of them behind `after`, in the order of their ids.
    pub async fn settling_members(&self, batch: Xid, after: Xid, limit: u32) -> Result<Vec<Version>, Unavailable> {
        self.catch_up().await?;
        let page = self.queries.batch_members(&batch, &after, limit).await.map_err(unavailable)?;
        Ok(page.iter().map(|stored| Version::copy_of(stored.parts().0, stored.parts().1)).collect())
    }

    /// LSN of the newest durable record.
    pub fn durable_lsn(&self) -> u64 {
        self.durable.durable_lsn()
    }

    /// Records that are durable but not in the SQL home yet.
    pub fn behind(&self) -> u64 {
        self.durable.durable_lsn().saturating_sub(self.applied.lsn())
    }
}

impl Past for History {
    fn newest(&self, merchant: Xid, id: Xid) -> Reading<'_> {
        Box::pin(async move {
            self.catch_up().await?;
            version_of(self.queries.transaction(&merchant, &id).await)
        })
    }

    fn version(&self, id: Xid, version: u32) -> Reading<'_> {
        Box::pin(async move {
            self.catch_up().await?;
            version_of(self.queries.version(&id, version).await)
        })
    }

    fn search(&self, search: Search) -> Reading<'_, Found> {
        Box::pin(async move {
            self.catch_up().await?;
            self.queries.search(&search).await.map_err(unavailable)
        })
    }

    fn search_batches(&self, search: BatchSearch) -> Reading<'_, Vec<Batch>> {
        Box::pin(async move {
            self.catch_up().await?;
            self.queries.search_batches(&search).await.map_err(unavailable)
        })
    }

    fn merchant_of(&self, id: Xid) -> Reading<'_, Option<Xid>> {
        Box::pin(async move {
            self.catch_up().await?;
            let found = self.queries.transaction_by_id(&id).await.map_err(unavailable)?;
            Ok(found.map(|stored| stored.transaction().merchant))
        })
    }

    fn story(&self, id: Xid) -> Reading<'_, Vec<Chapter>> {
        Box::pin(async move {
            self.catch_up().await?;
            self.queries.story(&id).await.map_err(unavailable)
        })
    }

    fn queued_reversals(&self, after: Xid, limit: u32) -> Reading<'_, Vec<StoredTransaction>> {
        Box::pin(async move {
            self.catch_up().await?;
            self.queries.queued_reversals(&after, limit).await.map_err(unavailable)
        })
    }

    fn changes(&self, deeds: Deeds, after: u32, limit: u32) -> Reading<'_, Vec<StoredChange>> {
        Box::pin(async move {
            self.catch_up().await?;
            self.queries.changes(deeds, after, limit).await.map_err(unavailable)
        })
    }
}

fn unavailable(error: PersistenceError) -> Unavailable {
    tracing::warn!(%error, "the history can't be read");
    Unavailable::History
}

fn version_of(read: Result<Option<StoredTransaction>, PersistenceError>) -> Result<Option<Version>, Unavailable> {
    let stored = read.map_err(unavailable)?;
    Ok(stored.map(|stored| {
        let (transaction, tail) = stored.parts();
        Version::copy_of(transaction, tail)
    }))
}
