//! A restart without SQL is given what a restart with SQL is given, whatever the journal holds.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::property::{Step, step};
use super::*;

/// A random step of a transaction, or of one of the batches.
#[derive(Debug, Clone)]
enum Event {
    Payment(Step, ExchangeState, ReversalState),
    Batch { number: u32, state: BatchState, stan: u32, captures: u32 },
}

fn event() -> impl Strategy<Value = Event> {
    let exchanges = prop::sample::select(ExchangeState::ALL.to_vec());
    let reversals = prop::sample::select(ReversalState::ALL.to_vec());
    let states = (1..=5u8).prop_map(|number| BatchState::from_number(number).unwrap());
    let batch = (0..3u32, states, 0..2u32, 0..6u32).prop_map(|(number, state, stan, captures)| Event::Batch {
        number,
        state,
        stan,
        captures,
    });
    let payment = (step(), exchanges, reversals).prop_map(|(step, exchange, reversal)| Event::Payment(step, exchange, reversal));
    prop_oneof![4 => payment, 1 => batch]
}

fn batch_id(number: u32) -> Xid {
    id(900 + number)
}

/// Transactions 1 to 5, of two merchants, in three batches.
fn payment_of(step: &Step, version: u32, exchange: ExchangeState, reversal: ReversalState) -> Transaction {
    let mut transaction = sale(step.transaction);
    transaction.merchant = Xid([step.transaction as u8 % 2; 12]);
    transaction.verb = if step.transaction == 3 { Verb::Credit } else { Verb::Sale }.number();
    transaction.version = version.into();
    transaction.status = step.status.number();
    transaction.amount_captured = step.amount.into();
    transaction.created_at = (i64::from(step.transaction) * 1_000).into();
    transaction.original.state = exchange.number();
    transaction.reversal.state = reversal.number();
    transaction.batch = if step.amount % 4 == 3 { Xid::NONE } else { batch_id((step.amount % 4) as u32) };
    transaction.answers = u8::from(step.answers);
    if step.key == 0 { transaction } else { with_key(transaction, step.key, step.expires_at) }
}

fn batch_of(number: u32, state: BatchState, stan: u32, captures: u32) -> Batch {
    let mut batch = Batch::empty();
    (batch.id, batch.merchant, batch.state) = (batch_id(number), Xid([number as u8 % 2; 12]), state as u8);
    (batch.number, batch.stan, batch.capture_count) = ((7 + number).into(), stan.into(), captures.into());
    batch.processor = 1.into();
    batch
}

fn tape(events: &[Event]) -> Tape {
    let (mut tape, mut versions) = (Tape::default(), [0; 6]);
    for event in events {
        match event {
            Event::Payment(step, exchange, reversal) => {
                let version = &mut versions[step.transaction as usize];
                *version += 1;
                tape.push(step.kind, &payment_of(step, *version, *exchange, *reversal), b"\x02\x00\x01\x00x");
            }
            Event::Batch { number, state, stan, captures } => {
                tape.push_batch(Kind::BatchClosed, &batch_of(*number, *state, *stan, *captures));
            }
        }
    }
    tape
}

async fn check(url: &DatabaseUrl, events: &[Event], scope: RecoveryScope) {
    let tape = tape(events);
    let mut projection = Projection::open_emptied(url, JOURNAL).await.unwrap();
    projection.catch_up(&mut tape.from(1), u64::MAX).await.unwrap();
    let database = Database::open(url).await.unwrap();
    let (mut stored, mut folded) = (Vec::new(), Vec::new());
    let lsn = database.queries().recover(scope, |item| stored.push(item)).await.unwrap();
    let newest_at = database.queries().newest_record_at().await.unwrap();
    database.close().await;

    let mut fold = Fold::new(scope);
    (1..).zip(&tape.records).for_each(|(lsn, record)| fold.take(lsn, record).unwrap());
    assert_eq!((fold.last_lsn(), fold.newest_record_at()), (lsn, newest_at));
    fold.recover(|item| folded.push(item));
    assert_eq!(in_order(folded), in_order(stored));
}

/// Numbers come in the database's own order; all else is in order as it comes.
fn in_order(mut items: Vec<RecoveryItem>) -> Vec<RecoveryItem> {
    items.sort_by_key(|item| match item {
        RecoveryItem::Batch(_) => (0, Xid::NONE),
        RecoveryItem::BatchNumber { merchant, .. } => (1, *merchant),
        RecoveryItem::Open(_) => (2, Xid::NONE),
        RecoveryItem::Recent(_) => (3, Xid::NONE),
        RecoveryItem::Key { .. } => (4, Xid::NONE),
    });
    items
}

#[test]
fn the_fold_gives_what_the_tables_give() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for home in runtime.block_on(homes("fold")) {
        let config = ProptestConfig { cases: 48, ..ProptestConfig::default() };
        let scopes = (0..12i64, 0..6i64, 1..6u32);
        let journals = (prop::collection::vec(event(), 1..60), scopes);
        let run = TestRunner::new(config).run(&journals, |(events, (now, since, recent_max))| {
            let scope = RecoveryScope { now: Micros(now), recent_since: Micros(since * 1_000), recent_max };
            runtime.block_on(check(&home.url, &events, scope));
            Ok(())
        });
        run.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn a_journal_whose_beginning_is_gone_is_not_folded() {
    let mut fold = Fold::new(RecoveryScope { now: Micros(0), recent_since: Micros(0), recent_max: 1 });
    let refused = fold.take(2, &tape(&[Event::Batch { number: 0, state: BatchState::Open, stan: 0, captures: 0 }]).records[0]);
    assert!(matches!(refused, Err(PersistenceError::Gap { expected: 1, found: 2 })), "{refused:?}");
}
