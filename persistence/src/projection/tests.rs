//! The claims of the projection, on every database at hand, fed from tapes in memory.

mod configuration;
mod events;
mod fold;
mod following;
mod lookup;
mod operations;
mod payables;
mod payments;
mod property;
mod search;
mod state;

use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use protocol::batch::{Batch, BatchState};
use protocol::id::Xid;
use protocol::record::{Decided, Kind, write_batch, write_transaction};
use protocol::transaction::Transaction;
use protocol::words::{ExchangeState, ReversalState, Status, Verb};

use super::*;
use crate::sql::Database;
use crate::sql::tests::{dump, homes};

const JOURNAL: JournalId = JournalId([0xab; 16]);

/// Records in memory; the first is LSN 1.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape {
    records: Vec<Vec<u8>>,
    at: usize,
}

impl RecordSource for Tape {
    fn next(&mut self, until: u64) -> Result<Option<(u64, &[u8])>, PersistenceError> {
        if self.at as u64 >= until.min(self.records.len() as u64) {
            return Ok(None);
        }
        self.at += 1;
        Ok(Some((self.at as u64, &self.records[self.at - 1])))
    }
}

impl Tape {
    fn last_lsn(&self) -> u64 {
        self.records.len() as u64
    }

    fn from(&self, lsn: u64) -> Tape {
        Tape { records: self.records.clone(), at: lsn as usize - 1 }
    }

    fn decided(&self) -> Decided {
        let sequence = self.last_lsn() + 1;
        Decided { shard: 0, sequence, at: Micros(sequence as i64 * 1_000) }
    }

    fn push(&mut self, kind: Kind, transaction: &Transaction, tail: &[u8]) {
        let mut transaction = *transaction;
        transaction.tail_length = (tail.len() as u32).into();
        let mut bytes = Vec::new();
        write_transaction(&mut bytes, kind, self.decided(), &transaction, tail);
        self.records.push(bytes);
    }

    fn push_batch(&mut self, kind: Kind, batch: &Batch) {
        let mut bytes = Vec::new();
        write_batch(&mut bytes, kind, self.decided(), batch);
        self.records.push(bytes);
    }
}

fn id(number: u32) -> Xid {
    Xid::from_parts(1_800_000_000, [1; 5], number * Xid::STRIDE)
}

fn sale(number: u32) -> Transaction {
    let mut sale = Transaction::empty();
    (sale.id, sale.merchant) = (id(number), Xid([9; 12]));
    (sale.verb, sale.status) = (Verb::Sale.number(), Status::Pending.number());
    sale.version = 1.into();
    sale.amount = 1112.into();
    sale.currency = 840.into();
    sale.created_at = (1_000_000 + i64::from(number)).into();
    sale.original.state = ExchangeState::InFlight.number();
    sale
}

fn approved(mut sale: Transaction, batch: Xid) -> Transaction {
    sale.version = (sale.version.get() + 1).into();
    sale.status = Status::PendingSettlement.number();
    sale.original.state = ExchangeState::Approved.number();
    (sale.amount_authorized, sale.amount_captured) = (sale.amount, sale.amount);
    sale.batch = batch;
    sale.answers = 1;
    sale
}

fn settled(mut sale: Transaction) -> Transaction {
    sale.version = (sale.version.get() + 1).into();
    sale.status = Status::Settled.number();
    sale.answers = 0;
    sale
}

fn with_key(mut transaction: Transaction, hash: u8, expires_at: i64) -> Transaction {
    transaction.key.hash = [hash; 16];
    transaction.key.request = [hash ^ 0x55; 16];
    transaction.key.expires_at = expires_at.into();
    transaction
}

/// Sales that are approved, every fifth of them settled, each with a key; every 256th gets the hash of none.
fn sales(count: u32) -> Tape {
    sales_of(1..=count)
}

fn sales_of(numbers: RangeInclusive<u32>) -> Tape {
    let mut tape = Tape::default();
    for number in numbers {
        let sale = with_key(sale(number), number as u8, (1 << 40) + i64::from(number));
        tape.push(Kind::Intent, &sale, &[]);
        let approved = approved(sale, id(900));
        tape.push(Kind::Outcome, &approved, &[]);
        if number.is_multiple_of(5) {
            tape.push(Kind::Settled, &settled(approved), &[]);
        }
    }
    tape
}

async fn dump_all(database: &Database) -> Vec<Vec<String>> {
    let mut tables = Vec::new();
    for table in EMPTIED_TABLES {
        tables.push(dump(database, table).await);
    }
    tables
}

async fn apply_all(url: &DatabaseUrl, tape: &Tape) -> Vec<Vec<String>> {
    let mut projection = Projection::open(url, JOURNAL, tape.last_lsn()).await.unwrap();
    assert_eq!(projection.catch_up(&mut tape.from(1), u64::MAX).await.unwrap(), tape.last_lsn());
    dump_all(&Database::open(url).await.unwrap()).await
}

#[tokio::test]
async fn applying_a_journal_twice_changes_nothing() {
    for home in homes("applying_twice").await {
        let tape = sales(2_500);
        let once = apply_all(&home.url, &tape).await;
        assert_eq!(once.iter().map(Vec::len).collect::<Vec<_>>(), [2_500, 500, 2_491, 0, 0, 1]);
        assert_eq!(apply_all(&home.url, &tape).await, once);
    }
}

#[tokio::test]
async fn a_crash_at_any_point_leaves_whole_batches() {
    for (reference, home) in homes("a_crash_reference").await.into_iter().zip(homes("a_crash").await) {
        let tape = sales(2_500);
        let expected = apply_all(&reference.url, &tape).await;
        let mut last = 0;
        for polls in std::iter::successors(Some(1), |polls| Some(polls + polls / 4 + 1)) {
            let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
            let applied = projection.applied_lsn();
            assert!(
                applied >= last
                    && (applied == 0 || applied == tape.last_lsn() || applied.is_multiple_of(BATCH_RECORDS_MAX as u64))
            );
            last = applied;
            if poll_and_drop(projection.catch_up(&mut tape.from(applied + 1), u64::MAX), polls).await {
                break;
            }
        }
        assert_eq!(dump_all(&Database::open(&home.url).await.unwrap()).await, expected);
    }
}

/// Polls a future so many times and drops it where it stands, with its transaction open. True when it had ended before.
async fn poll_and_drop(future: impl Future<Output = Result<u64, PersistenceError>>, polls: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        let now = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(result) = now {
            result.unwrap();
            return true;
        }
        // Gives the driver's thread the time that a waker would have waited for.
        tokio::time::sleep(std::time::Duration::from_micros(300)).await;
    }
    false
}

#[tokio::test]
async fn a_rebuild_gives_the_same_tables_as_following() {
    for home in homes("a_rebuild").await {
        let tape = sales(300);
        let mut following = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        let mut source = tape.from(1);
        for until in (7..tape.last_lsn()).step_by(41) {
            following.catch_up(&mut source, until).await.unwrap();
        }
        following.catch_up(&mut source, u64::MAX).await.unwrap();
        drop(following);
        let database = Database::open(&home.url).await.unwrap();
        database.stores().put_meta("kept", "1").await.unwrap();
        let followed = dump_all(&database).await;
        let mut rebuilt = Projection::open_emptied(&home.url, JOURNAL).await.unwrap();
        assert_eq!(rebuilt.applied_lsn(), 0);
        rebuilt.catch_up(&mut tape.from(1), u64::MAX).await.unwrap();
        assert_eq!(dump_all(&database).await, followed);
        assert_eq!(database.stores().meta("kept").await.unwrap().as_deref(), Some("1"));
    }
}

#[tokio::test]
async fn a_second_writer_is_noticed() {
    for home in homes("a_second_writer").await {
        let tape = sales(3);
        let mut one = Projection::open(&home.url, JOURNAL, 6).await.unwrap();
        let mut two = Projection::open(&home.url, JOURNAL, 6).await.unwrap();
        one.catch_up(&mut tape.from(1), 2).await.unwrap();
        let error = two.catch_up(&mut tape.from(1), 6).await.unwrap_err();
        assert!(matches!(error, PersistenceError::Contended { expected: 0 }) && !error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn a_gap_in_the_journal_is_refused() {
    for home in homes("a_gap").await {
        let tape = sales(3);
        let mut projection = Projection::open(&home.url, JOURNAL, 6).await.unwrap();
        projection.catch_up(&mut tape.from(1), 2).await.unwrap();
        let error = projection.catch_up(&mut tape.from(5), 6).await.unwrap_err();
        assert!(matches!(error, PersistenceError::Gap { expected: 3, found: 5 }), "{error}");
    }
}

#[tokio::test]
async fn the_projection_of_another_journal_is_refused_until_it_is_emptied() {
    for home in homes("another_journal").await {
        let tape = sales(3);
        apply_all(&home.url, &tape).await;
        let shorter = Projection::open(&home.url, JOURNAL, 5).await.unwrap_err();
        assert!(matches!(shorter, PersistenceError::AheadOfJournal { applied: 6, last: 5 }), "{shorter}");
        let other = JournalId([1; 16]);
        let stranger = Projection::open(&home.url, other, 6).await.unwrap_err();
        assert!(matches!(stranger, PersistenceError::OtherJournal { .. }), "{stranger}");
        assert_eq!(Projection::open_emptied(&home.url, other).await.unwrap().applied_lsn(), 0);
        assert_eq!(Projection::open(&home.url, other, 0).await.unwrap().applied_lsn(), 0);
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_with_its_lsn() {
    for home in homes("a_bad_record").await {
        let mut tape = sales(2);
        tape.records[2][4] = 200;
        let mut projection = Projection::open(&home.url, JOURNAL, 4).await.unwrap();
        let error = projection.catch_up(&mut tape.from(1), 4).await.unwrap_err();
        assert!(matches!(error, PersistenceError::Record { lsn: 3, .. }), "{error}");
        assert_eq!(Projection::open(&home.url, JOURNAL, 4).await.unwrap().applied_lsn(), 0);
    }
}

async fn keys_of(database: &Database) -> Vec<IdempotencyKey> {
    let scope = RecoveryScope { now: Micros(0), recent_since: Micros(0), recent_max: 0 };
    let mut keys = Vec::new();
    let take = |item| {
        if let RecoveryItem::Key { key, .. } = item {
            keys.push(key)
        }
    };
    database.queries().recover(scope, take).await.unwrap();
    keys
}

#[tokio::test]
async fn the_first_answer_under_a_key_stands_until_the_key_is_used_anew() {
    for home in homes("the_first_answer").await {
        let database = Database::open(&home.url).await.unwrap();
        let mut projection = Projection::open(&home.url, JOURNAL, 0).await.unwrap();
        let mut tape = Tape::default();
        let first = with_key(sale(1), 1, 500);
        let mut late = approved(approved(first, Xid::NONE), Xid::NONE);
        late.answers = 0;
        let again = with_key(sale(2), 1, 900);
        let steps = [
            (Kind::Intent, first, (1, 0)),
            (Kind::Outcome, approved(first, Xid::NONE), (1, 2)),
            (Kind::Outcome, late, (1, 2)),
            (Kind::Intent, again, (2, 0)),
            (Kind::Outcome, approved(again, Xid::NONE), (2, 2)),
            (Kind::ReversalQueued, late, (2, 2)),
            (Kind::Settled, with_key(late, 7, 1), (2, 2)),
        ];
        for (kind, version, (transaction, answer_version)) in steps {
            tape.push(kind, &version, &[]);
            projection.catch_up(&mut tape, u64::MAX).await.unwrap();
            let newest_use = keys_of(&database).await.remove(0);
            assert_eq!((newest_use.transaction, newest_use.answer_version), (id(transaction), answer_version), "{kind:?}");
            assert_eq!((newest_use.request, newest_use.verb), ([1 ^ 0x55; 16], Verb::Sale));
        }
        let one_by_one = dump(&database, "idempotency").await;
        let mut rebuilt = Projection::open_emptied(&home.url, JOURNAL).await.unwrap();
        rebuilt.catch_up(&mut tape.from(1), u64::MAX).await.unwrap();
        assert_eq!(dump(&database, "idempotency").await, one_by_one);
    }
}

#[tokio::test]
async fn keys_that_expired_long_before_the_newest_record_are_purged() {
    for home in homes("keys_are_purged").await {
        let mut tape = Tape::default();
        tape.push(Kind::Intent, &with_key(sale(1), 1, -KEY_GRACE_MICROS), &[]);
        tape.push(Kind::Intent, &with_key(sale(2), 2, 1_000_000), &[]);
        let mut projection = Projection::open(&home.url, JOURNAL, 2).await.unwrap();
        projection.catch_up(&mut tape, 2).await.unwrap();
        assert_eq!(projection.purge_expired_keys().await.unwrap(), 1);
        let database = Database::open(&home.url).await.unwrap();
        assert_eq!(keys_of(&database).await.iter().map(|key| key.hash[0]).collect::<Vec<_>>(), [2]);
    }
}

#[tokio::test]
async fn every_version_but_the_intents_is_kept_as_it_was() {
    for home in homes("every_version_is_kept").await {
        let queries = Database::open(&home.url).await.unwrap().queries();
        let mut projection = Projection::open_emptied(&home.url, JOURNAL).await.unwrap();
        let (mut tape, mut version) = (Tape::default(), sale(1));
        let steps: [(Kind, &[u32]); 6] = [
            (Kind::Intent, &[1]),
            (Kind::Outcome, &[2]),
            (Kind::StepIntent, &[2, 3]),
            (Kind::StepOutcome, &[2, 4]),
            (Kind::StepIntent, &[2, 4, 5]),
            (Kind::ReversalQueued, &[2, 4, 6]),
        ];
        let numbers =
            |versions: &[StoredTransaction]| versions.iter().map(|stored| stored.transaction().version.get()).collect::<Vec<_>>();
        for (place, (kind, kept)) in steps.into_iter().enumerate() {
            version.version = (place as u32 + 1).into();
            let mut tail = Vec::new();
            protocol::tail::push(&mut tail, protocol::tail::tag::DESCRIPTION, &[b'0' + place as u8]);
            tape.push(kind, &version, &tail);
            projection.catch_up(&mut tape, u64::MAX).await.unwrap();
            let versions = queries.versions(&id(1)).await.unwrap();
            assert_eq!(numbers(&versions), kept, "{kind:?}");
            for stored in versions {
                assert_eq!(stored.body(), &tape.records[stored.lsn as usize - 1][32..32 + 448 + 5]);
                assert_eq!(queries.version(&id(1), stored.transaction().version.get()).await.unwrap(), Some(stored));
            }
        }
        assert_eq!(queries.version(&id(1), 1).await.unwrap(), None);
        let one_by_one = dump(&queries.database, "versions").await;
        let mut rebuilt = Projection::open_emptied(&home.url, JOURNAL).await.unwrap();
        rebuilt.catch_up(&mut tape.from(1), u64::MAX).await.unwrap();
        assert_eq!(dump(&queries.database, "versions").await, one_by_one);
    }
}

#[tokio::test]
async fn the_time_of_the_newest_record_outlives_it_and_never_goes_back() {
    for home in homes("the_newest_time").await {
        let queries = Database::open(&home.url).await.unwrap().queries();
        let mut tape = Tape::default();
        tape.push(Kind::Intent, &sale(1), &[]);
        tape.push_batch(Kind::BatchOpened, &batch(1, BatchState::Open));
        let mut projection = Projection::open(&home.url, JOURNAL, 2).await.unwrap();
        assert_eq!(queries.newest_record_at().await.unwrap(), None);
        projection.catch_up(&mut tape, u64::MAX).await.unwrap();
        assert_eq!(queries.newest_record_at().await.unwrap(), Some(Micros(2_000)), "that of the batch's record");
        let set_back = Decided { shard: 0, sequence: 3, at: Micros(7) };
        let mut bytes = Vec::new();
        write_transaction(&mut bytes, Kind::Outcome, set_back, &approved(sale(1), Xid::NONE), &[]);
        tape.records.push(bytes);
        let mut reopened = Projection::open(&home.url, JOURNAL, 3).await.unwrap();
        reopened.catch_up(&mut tape, u64::MAX).await.unwrap();
        assert_eq!(queries.newest_record_at().await.unwrap(), Some(Micros(2_000)));
    }
}

fn batch(number: u32, state: BatchState) -> Batch {
    let mut batch = Batch::empty();
    (batch.id, batch.merchant) = (id(900 + number), Xid([9; 12]));
    batch.processor = 3.into();
    batch.number = number.into();
    batch.state = state as u8;
    batch
}

/// Three batches, members in every condition, and what a restart must be told of them.
fn settlement_tape() -> Tape {
    let mut tape = Tape::default();
    tape.push_batch(Kind::BatchOpened, &batch(1, BatchState::Open));
    tape.push_batch(Kind::BatchOpened, &batch(2, BatchState::Open));
    tape.push_batch(Kind::BatchComplete, &batch(3, BatchState::Complete));
    let open = id(901);
    tape.push(Kind::Outcome, &approved(sale(1), open), &[]);
    let mut credit = approved(sale(2), open);
    credit.verb = Verb::Credit.number();
    credit.amount_captured = 1000.into();
    tape.push(Kind::Outcome, &credit, &[]);
    let mut in_flight = sale(3);
    in_flight.batch = open;
    tape.push(Kind::Intent, &in_flight, &[]);
    let mut being_voided = approved(sale(4), open);
    (being_voided.step.verb, being_voided.step.state) = (Verb::Void.number(), ExchangeState::InFlight.number());
    tape.push(Kind::StepIntent, &being_voided, &[]);
    let mut settled = approved(sale(5), id(903));
    settled.status = Status::Settled.number();
    tape.push(Kind::Settled, &settled, &[]);
    let mut being_reversed = approved(sale(6), open);
    being_reversed.reversal.state = ReversalState::Queued.number();
    tape.push(Kind::ReversalQueued, &being_reversed, &[]);
    let mut rejected = batch(4, BatchState::Rejected);
    (rejected.stan, rejected.capture_count, rejected.captured) = (78.into(), 2.into(), 2224.into());
    tape.push_batch(Kind::BatchAnswered, &rejected);
    tape.push(Kind::Outcome, &approved(sale(7), id(904)), &[]);
    let mut closing = batch(2, BatchState::Closing);
    (closing.stan, closing.capture_count, closing.captured) = (77.into(), 5.into(), 123.into());
    tape.push_batch(Kind::BatchClosed, &closing);
    tape
}

#[tokio::test]
async fn recovery_gets_what_is_under_way_and_what_is_remembered() {
    for home in homes("recovery_gets").await {
        let tape = settlement_tape();
        apply_all(&home.url, &tape).await;
        let queries = Database::open(&home.url).await.unwrap().queries();
        let (mut open, mut recent, mut batches, mut numbers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let scope = RecoveryScope { now: Micros(0), recent_since: Micros(1_000_002), recent_max: 3 };
        let lsn = queries.recover(scope, |item| match item {
            RecoveryItem::Open(stored) => {
                assert_eq!(batches.len(), 3, "batches come before the transactions that are undecided in them");
                open.push(stored.transaction().id);
            }
            RecoveryItem::Recent(stored) => recent.push(stored.transaction().id),
            RecoveryItem::Batch(batch) => batches.push(batch),
            RecoveryItem::BatchNumber { merchant, processor, number } => numbers.push((merchant, processor, number)),
            RecoveryItem::Key { key, .. } => panic!("no record had a key, got {key:?}"),
        });
        assert_eq!(lsn.await.unwrap(), tape.last_lsn());
        assert_eq!(open, [id(3), id(4), id(6)]);
        assert_eq!(recent, [id(7), id(6), id(5)]);
        assert_eq!(numbers, [(Xid([9; 12]), 3, 4)]);
        let totals = |batch: &Batch| {
            let Batch { capture_count, credit_count, captured, credited, .. } = batch;
            (batch.id, capture_count.get(), captured.get(), credit_count.get(), credited.get())
        };
        assert_eq!(
            batches.iter().map(totals).collect::<Vec<_>>(),
            [(id(901), 1, 1112, 1, 1000), (id(902), 5, 123, 0, 0), (id(904), 1, 1112, 0, 0)]
        );
    }
}

#[tokio::test]
async fn an_accepted_batch_says_how_many_of_its_members_are_settled() {
    for home in homes("accepted_batch").await {
        let mut tape = Tape::default();
        let mut accepted = batch(3, BatchState::Accepted);
        accepted.capture_count = 3.into();
        tape.push_batch(Kind::BatchAnswered, &accepted);
        for (number, status) in [(1, Status::Settled), (2, Status::PendingSettlement), (3, Status::Settled)] {
            let mut member = approved(sale(number), id(903));
            member.status = status.number();
            tape.push(Kind::Settled, &member, &[]);
        }
        apply_all(&home.url, &tape).await;
        let mut settled_count = None;
        let scope = RecoveryScope { now: Micros(0), recent_since: Micros(i64::MAX), recent_max: 0 };
        let take = |item| {
            if let RecoveryItem::Batch(batch) = item {
                settled_count = Some(batch.settled_count.get());
            }
        };
        Database::open(&home.url).await.unwrap().queries().recover(scope, take).await.unwrap();
        assert_eq!(settled_count, Some(2));
    }
}

#[tokio::test]
async fn recovery_reads_on_past_a_page() {
    for home in homes("recovery_pages").await {
        const COUNT: u32 = 9_000;
        let mut tape = Tape::default();
        for number in 1..=COUNT {
            let mut sale = with_key(sale(number), 0, 1 << 40);
            sale.key.hash[..4].copy_from_slice(&number.to_be_bytes());
            // All at one moment: the id must carry the paging.
            sale.created_at = 5.into();
            tape.push(Kind::Intent, &sale, &[]);
        }
        let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        projection.catch_up(&mut tape, u64::MAX).await.unwrap();
        let (mut open, mut keys, mut recent) = (0, 0, std::collections::BTreeSet::new());
        let scope = RecoveryScope { now: Micros(0), recent_since: Micros(5), recent_max: COUNT - 1 };
        let take = |item| match item {
            RecoveryItem::Open(_) => open += 1,
            RecoveryItem::Key { merchant, .. } => {
                assert_eq!(merchant, sale(1).merchant);
                keys += 1;
            }
            RecoveryItem::Recent(stored) => assert!(recent.insert(stored.transaction().id)),
            RecoveryItem::Batch(_) | RecoveryItem::BatchNumber { .. } => panic!("no record was a batch"),
        };
        Database::open(&home.url).await.unwrap().queries().recover(scope, take).await.unwrap();
        assert_eq!((open, keys, recent.len() as u32), (COUNT, COUNT, COUNT - 1));
        assert!(!recent.contains(&id(1)));
    }
}

#[tokio::test]
async fn queries_give_a_merchant_its_own_and_every_version_as_it_was() {
    for home in homes("queries_give").await {
        let mut tape = Tape::default();
        let mut tail = Vec::new();
        protocol::tail::push(&mut tail, protocol::tail::tag::ORDER_ID, b"order\0 7");
        tape.push(Kind::Intent, &sale(1), &tail);
        tape.push(Kind::Outcome, &approved(sale(1), id(901)), &tail);
        for number in [2, 3] {
            let mut refund = sale(number);
            (refund.verb, refund.parent, refund.batch) = (Verb::Refund.number(), id(1), id(901));
            tape.push(Kind::Intent, &refund, &[]);
        }
        tape.push_batch(Kind::BatchOpened, &batch(1, BatchState::Open));
        apply_all(&home.url, &tape).await;
        let queries = Database::open(&home.url).await.unwrap().queries();
        let newest = queries.transaction(&Xid([9; 12]), &id(1)).await.unwrap().unwrap();
        assert_eq!((newest.lsn, newest.transaction().version.get(), newest.parts().1.bytes()), (2, 2, &tail[..]));
        assert_eq!(queries.transaction(&Xid([8; 12]), &id(1)).await.unwrap(), None);
        assert_eq!(queries.transaction_by_id(&id(4)).await.unwrap(), None);
        assert_eq!(newest.body(), &tape.records[1][32..32 + 448 + tail.len()]);
        assert_eq!(queries.version(&id(1), 2).await.unwrap(), Some(newest.clone()));
        assert_eq!(queries.version(&id(1), 3).await.unwrap(), None);
        assert_eq!(queries.versions(&id(1)).await.unwrap(), [newest]);
        let ids = |page: Vec<StoredTransaction>| page.iter().map(|stored| stored.transaction().id).collect::<Vec<_>>();
        assert_eq!(ids(queries.children(&id(1)).await.unwrap()), [id(2), id(3)]);
        assert_eq!(ids(queries.batch_members(&id(901), &Xid::NONE, 2).await.unwrap()), [id(1), id(2)]);
        assert_eq!(ids(queries.batch_members(&id(901), &id(2), 2).await.unwrap()), [id(3)]);
        assert_eq!(queries.unfinished_batches().await.unwrap(), [batch(1, BatchState::Open)]);
        assert_eq!(queries.batch(&id(901)).await.unwrap(), Some(batch(1, BatchState::Open)));
        assert_eq!(queries.applied_lsn().await.unwrap(), 5);
    }
}

#[tokio::test]
async fn no_card_number_reaches_the_database_in_clear() {
    let home = homes("no_card_number").await.remove(0);
    let sealer = crate::sealing::Sealer::open_or_create(&home.folder.path().join("keys")).unwrap();
    let pan = protocol::secret::Pan::new("4012000098765439").unwrap();
    let mut sale = sale(1);
    sale.fingerprint = sealer.fingerprint(&pan);
    (sale.first_six, sale.last_four, sale.pan_digits) = (pan.first_six().into(), pan.last_four().into(), pan.digit_count());
    let (mut sealed, mut tail) = (Vec::new(), Vec::new());
    sealer.seal(&pan, &sale.merchant, &sale.fingerprint, &mut sealed).unwrap();
    protocol::tail::push(&mut tail, protocol::tail::tag::SEALED_CARD, &sealed);
    let mut tape = Tape::default();
    tape.push(Kind::Intent, &sale, &tail);
    apply_all(&home.url, &tape).await;
    let mut searched = 0;
    for file in std::fs::read_dir(home.folder.path()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"98765439"), "{}", file.display());
        searched += bytes.windows(sealed.len()).filter(|window| *window == sealed).count();
    }
    assert!(searched > 0, "the sealed card itself must be found, or the search proves nothing");
}
