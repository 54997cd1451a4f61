//! The SQL home beside the fold of the journal: every transaction, every batch, every answer, and what a restart would read.

use super::Setup;
use super::broken;
use super::journal::Journal;
use super::records::mark;
use super::watch::Watch;
use api_front::operator::changes::load_changes;
use persistence::projection::{Queries, RecoveryItem, RecoveryScope};
use protocol::batch::BatchState;
use protocol::calendar::Micros;
use protocol::id::Xid;
use reference_model::{Fold, Invariant, KeyUsed, Operation};
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Compares everything; the projection has caught up.
pub(super) async fn compare(journal: &Journal, setup: &Setup, watches: &[Watch], queries: &Queries) {
    let applied = queries.applied_state().await.expect("the SQL home answers");
    same("state digest", (applied.lsn, applied.digest), (journal.last_lsn(), journal.digest()));
    transactions(journal, queries).await;
    batches(journal.fold(), queries).await;
    changes(journal.fold(), queries).await;
    let now = watches.iter().map(|watch| watch.model.now()).max().unwrap_or(Micros::NONE);
    recovery(journal.fold(), setup, now, queries).await;
}

async fn transactions(journal: &Journal, queries: &Queries) {
    for transaction in journal.fold().transactions() {
        let (id, version) = (transaction.id, transaction.version.get());
        let stored = queries.transaction_by_id(&id).await.expect("the SQL home answers");
        let stored = stored.map(|stored| (stored.transaction().version.get(), mark(stored.parts().0, stored.parts().1)));
        same("newest version", (id, stored), (id, journal.mark_of_version(id, version).map(|mark| (version, mark))));
    }
    for (Operation { transaction: id, .. }, version) in journal.fold().answers() {
        let stored = queries.version(id, *version).await.expect("the SQL home answers");
        let stored = stored.map(|stored| mark(stored.parts().0, stored.parts().1));
        same("answer", (id, version, stored), (id, version, journal.mark_of_version(*id, *version)));
    }
}

async fn batches(fold: &Fold, queries: &Queries) {
    for batch in fold.batches() {
        let stored = queries.batch(&batch.id).await.expect("the SQL home answers");
        same("batch", stored, Some(*batch));
    }
}

async fn changes(fold: &Fold, queries: &Queries) {
    let stored = load_changes(queries).await.expect("the SQL home answers");
    let stored: Vec<_> = stored.iter().map(|change| (change.version, change.area, change.subject, &change.text[..])).collect();
    let folded = fold.changes().map(|(version, change)| (version, change.area, change.subject, &change.text[..]));
    same("changes", stored, folded.collect());
}

/// What a restart would be given now.
async fn recovery(fold: &Fold, setup: &Setup, now: Micros, queries: &Queries) {
    let recent_since = Micros(now.0 - i64::from(setup.window_s_max) * 1_000_000);
    let scope = RecoveryScope { now, recent_since, recent_max: setup.limits.recent_max };
    let (mut open, mut keys, mut unfinished) = (Vec::new(), BTreeMap::new(), Vec::new());
    let take = |item| match item {
        RecoveryItem::Open(stored) => open.push(stored.transaction().id),
        RecoveryItem::Key { key, .. } => {
            // Of two uses of a key the first holds.
            let (answer, key_used) = (key.answer_version, (key.request, key.verb, key.transaction, key.expires_at));
            keys.entry(key.hash).or_insert((key_used, answer));
        }
        RecoveryItem::Batch(batch) => unfinished.push(batch.id),
        RecoveryItem::Recent(_) | RecoveryItem::BatchNumber { .. } => {}
    };
    queries.recover(scope, take).await.expect("the SQL home answers");
    open.sort_unstable();
    let expected: Vec<Xid> = fold.transactions().filter(|transaction| transaction.is_open()).map(|open| open.id).collect();
    same("open transactions", open, expected);
    let expected = fold.batches().filter(|batch| batch.state() != BatchState::Complete).map(|batch| batch.id);
    same("unfinished batches", unfinished, expected.collect());
    let expected = fold.keys().filter(|(_, used)| used.expires_at > now).map(|(hash, used)| (*hash, key_of(fold, used)));
    same("idempotency keys", keys, expected.collect());
}

fn key_of(fold: &Fold, used: &KeyUsed) -> (([u8; 16], protocol::words::Verb, Xid, Micros), u32) {
    let answer = fold.answers().get(&used.operation).copied().unwrap_or(0);
    ((used.request, used.verb, used.operation.transaction, used.expires_at), answer)
}

fn same<T: PartialEq + Debug>(what: &str, projected: T, folded: T) {
    if projected != folded {
        broken(
            Invariant::OutcomeFirst,
            format_args!("the projection is not the fold of the journal: {what} {projected:?}, of the fold {folded:?}"),
        );
    }
}
