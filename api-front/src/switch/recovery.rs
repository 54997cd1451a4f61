//! What lasted, back into the shards.

use persistence::PersistenceError;
use persistence::projection::{Fold, IdempotencyKey, Queries, RecoveryItem, RecoveryScope};
use protocol::calendar::Micros;
use protocol::id::Xid;
use switch_core::input::{Input, MerchantTerms, ProcessorTerms, Recovered, RecoveredKey};
use switch_core::limits::Limits;
use switch_core::{Shard, ShardOptions, shard_of};

/// Empty shards that know all merchants and processors; `count` and `limits` are of each.
pub fn empty_shards(
    (count, limits): (u16, Limits),
    now: Micros,
    merchants: &[MerchantTerms],
    processors: &[ProcessorTerms],
) -> Vec<Shard> {
    let shards = (0..count).map(|index| {
        let mut shard = Shard::new(ShardOptions { index, count, limits });
        for terms in processors {
            shard.accept(now, Input::Processor(*terms));
        }
        for terms in merchants.iter().filter(|terms| shard_of(terms.id, count) == index) {
            shard.accept(now, Input::Merchant(*terms));
        }
        shard
    });
    shards.collect()
}

/// How far a restart looks back, when no merchant's duplicate window is longer than this.
pub fn scope(now: Micros, window_s_max: u32) -> RecoveryScope {
    let recent_since = Micros(now.0 - i64::from(window_s_max) * 1_000_000);
    RecoveryScope { now, recent_since, recent_max: Limits::default().recent_max }
}

/// Gives the shards everything that is under way or remembered. Returns the LSN as of which that is.
pub async fn recover(shards: &mut [Shard], queries: &Queries, now: Micros, window_s_max: u32) -> Result<u64, PersistenceError> {
    let mut items = Vec::new();
    let lsn = queries.recover(scope(now, window_s_max), |item| items.push(item)).await?;
    give_all(shards, now, items);
    Ok(lsn)
}

/// The same from the journal alone. The fold went by the machine's clock, which may be behind the newest record's: keys that are over
/// by the switch's own are left out, for the shards had let them go, and may have no room for them.
pub fn recover_folded(shards: &mut [Shard], fold: Fold, now: Micros) -> u64 {
    let (lsn, mut items) = (fold.last_lsn(), Vec::new());
    let is_over = |item: &RecoveryItem| matches!(item, RecoveryItem::Key { key, .. } if key.expires_at <= now);
    fold.recover(|item| {
        if !is_over(&item) {
            items.push(item);
        }
    });
    give_all(shards, now, items);
    lsn
}

fn give_all(shards: &mut [Shard], now: Micros, mut items: Vec<RecoveryItem>) {
    items.sort_by_key(turn);
    for item in &items {
        give(shards, now, item);
    }
}

/// The order in which a shard wants them: a transaction says what is undecided in its batch, so batches come before.
fn turn(item: &RecoveryItem) -> u8 {
    match item {
        RecoveryItem::BatchNumber { .. } => 0,
        RecoveryItem::Batch(_) => 1,
        RecoveryItem::Open(_) => 2,
        RecoveryItem::Key { .. } => 3,
        RecoveryItem::Recent(_) => 4,
    }
}

fn give(shards: &mut [Shard], now: Micros, item: &RecoveryItem) {
    let count = shards.len() as u16;
    let mut to = |merchant: Xid, recovered: Recovered<'_>| {
        shards[usize::from(shard_of(merchant, count))].accept(now, Input::Recover(recovered));
    };
    match item {
        RecoveryItem::Open(stored) => {
            let (transaction, tail) = stored.parts();
            to(transaction.merchant, Recovered::Transaction(transaction, tail));
        }
        RecoveryItem::Recent(stored) => {
            let (transaction, tail) = stored.parts();
            to(transaction.merchant, Recovered::Recent(transaction));
            to(transaction.merchant, Recovered::Counted(transaction, tail));
        }
        RecoveryItem::Batch(batch) => to(batch.merchant, Recovered::Batch(batch)),
        RecoveryItem::BatchNumber { merchant, processor, number } => {
            to(*merchant, Recovered::BatchNumber { merchant: *merchant, processor: *processor, number: *number });
        }
        RecoveryItem::Key { merchant, key } => to(*merchant, Recovered::Key(recovered_key(key))),
    }
}

fn recovered_key(key: &IdempotencyKey) -> RecoveredKey {
    RecoveredKey {
        hash: key.hash,
        request: key.request,
        transaction: key.transaction,
        verb: key.verb,
        answer_version: key.answer_version,
        expires_at: key.expires_at,
    }
}
