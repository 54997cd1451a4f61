//! Whatever the order of versions and wherever batches end, the tables are the fold of the records.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use protocol::record::Record;

use super::*;

/// One record of a random tape.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) transaction: u32,
    pub(super) kind: Kind,
    pub(super) status: Status,
    pub(super) amount: u64,
    pub(super) key: u8,
    pub(super) expires_at: i64,
    pub(super) answers: bool,
    /// A SQL transaction ends behind this record.
    commit: bool,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let kinds = prop::sample::select(vec![
        Kind::Intent,
        Kind::Outcome,
        Kind::StepIntent,
        Kind::ReversalQueued,
        Kind::ReversalDone,
        Kind::Settled,
    ]);
    let statuses = prop::sample::select(Status::ALL.to_vec());
    let key = (0..4u8, 0..2i64, any::<bool>());
    (1..6u32, kinds, statuses, 0..1_000u64, key, prop::bool::weighted(0.2)).prop_map(
        |(transaction, kind, status, amount, (key, operation, answers), commit)| {
            // Two uses of a key never expire at one moment: the second begins when the first is over.
            let expires_at = i64::from(transaction) * 2 + operation;
            Step { transaction, kind, status, amount, key, expires_at, answers, commit }
        },
    )
}

/// What the tables must hold, folded record by record in the plainest way.
#[derive(Debug, Default, PartialEq)]
struct Model {
    newest: BTreeMap<Xid, (u64, Transaction)>,
    /// All that are kept, and the newest.
    versions: BTreeMap<Xid, Vec<(u64, Kind)>>,
    keys: BTreeMap<(i64, [u8; 16]), (Xid, u32)>,
}

impl Model {
    fn take(&mut self, lsn: u64, step: &Step, version: Transaction) {
        self.newest.insert(version.id, (lsn, version));
        let versions = self.versions.entry(version.id).or_default();
        versions.pop_if(|(_, kind)| matches!(kind, Kind::Intent | Kind::StepIntent));
        versions.push((lsn, step.kind));
        let is_operation = matches!(step.kind, Kind::Intent | Kind::Outcome | Kind::ReversalQueued);
        if step.key == 0 || !is_operation {
            return;
        }
        let answer = if step.answers { version.version.get() } else { 0 };
        let usage = self.keys.entry((step.expires_at, version.key.hash)).or_insert((version.id, 0));
        if usage.1 == 0 {
            *usage = (version.id, answer);
        }
    }
}

fn record(steps: &[Step]) -> (Tape, Model) {
    let (mut tape, mut model) = (Tape::default(), Model::default());
    let mut versions: BTreeMap<u32, u32> = BTreeMap::new();
    for step in steps {
        let version = versions.entry(step.transaction).or_insert(0);
        *version += 1;
        let mut transaction = sale(step.transaction);
        transaction.version = (*version).into();
        transaction.status = step.status.number();
        transaction.amount_captured = step.amount.into();
        transaction.batch = if step.amount % 3 == 0 { Xid::NONE } else { id(900) };
        transaction.answers = u8::from(step.answers);
        if step.key != 0 {
            transaction = with_key(transaction, step.key, step.expires_at);
        }
        tape.push(step.kind, &transaction, &[]);
        model.take(tape.last_lsn(), step, transaction);
    }
    (tape, model)
}

async fn stored(database: &Database, tape: &Tape) -> Model {
    let mut model = Model::default();
    for number in 1..6 {
        if let Some(stored) = database.queries().transaction_by_id(&id(number)).await.unwrap() {
            model.newest.insert(id(number), (stored.lsn, *stored.transaction()));
            let versions = database.queries().versions(&id(number)).await.unwrap();
            let kind_of = |lsn: u64| Record::parse(&tape.records[lsn as usize - 1]).unwrap().kind;
            model.versions.insert(id(number), versions.iter().map(|stored| (stored.lsn, kind_of(stored.lsn))).collect());
        }
    }
    for key in keys_of(database).await {
        model.keys.insert((key.expires_at.0, key.hash), (key.transaction, key.answer_version));
    }
    model
}

async fn check(url: &DatabaseUrl, steps: &[Step]) {
    let (tape, model) = record(steps);
    let mut projection = Projection::open_emptied(url, JOURNAL).await.unwrap();
    let mut source = tape.from(1);
    for (place, _) in steps.iter().enumerate().filter(|(_, step)| step.commit) {
        projection.catch_up(&mut source, place as u64 + 1).await.unwrap();
    }
    projection.catch_up(&mut source, u64::MAX).await.unwrap();
    let database = Database::open(url).await.unwrap();
    assert_eq!(stored(&database, &tape).await, model);
    database.close().await;
}

#[test]
fn tables_are_the_fold_of_the_records() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for home in runtime.block_on(homes("property")) {
        let config = ProptestConfig { cases: 32, ..ProptestConfig::default() };
        // A failure prints the least steps that give it.
        let run = TestRunner::new(config).run(&prop::collection::vec(step(), 1..60), |steps| {
            runtime.block_on(check(&home.url, &steps));
            Ok(())
        });
        run.unwrap_or_else(|failure| panic!("{failure}"));
    }
}
