//! The state digest is that of the records that were applied, each once.

use protocol::record::Record;

use super::*;
use crate::digest;
use crate::sql::digest_step;

fn digest_of(tape: &Tape, lsns: RangeInclusive<usize>) -> StateDigest {
    let records = tape.records[*lsns.start() - 1..*lsns.end()].iter();
    records.fold(StateDigest::ZERO, |digest, bytes| digest.plus(digest::of_record(&Record::parse(bytes).unwrap(), bytes)))
}

#[tokio::test]
async fn the_digest_is_that_of_the_records_wherever_commits_and_crashes_fall() {
    for home in homes("the_digest").await {
        let tape = sales(300);
        let mut source = tape.from(1);
        let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        let queries = Database::open(&home.url).await.unwrap().queries();
        assert_eq!(queries.applied_state().await.unwrap().digest, StateDigest::ZERO);
        for until in (13..tape.last_lsn()).step_by(101) {
            if until % 2 == 0 {
                // Anew, and from the start: what is applied already is passed over.
                projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
                source = tape.from(1);
            }
            projection.catch_up(&mut source, until).await.unwrap();
            let state = queries.applied_state().await.unwrap();
            let expected = AppliedState { digest: digest_of(&tape, 1..=until as usize), from_lsn: 1, lsn: until };
            assert_eq!(state, expected);
        }
    }
}

#[tokio::test]
async fn a_database_from_before_the_digest_says_from_where_it_counts() {
    for home in homes("before_the_digest").await {
        let tape = sales(50);
        let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        projection.catch_up(&mut tape.from(1), 60).await.unwrap();
        projection.close().await.unwrap();
        let database = Database::open(&home.url).await.unwrap();
        let before = ["ALTER TABLE projection DROP COLUMN digest", "ALTER TABLE projection DROP COLUMN digest_from"];
        // On one connection: another one's idea of the columns may be of before.
        let mut connection = database.pool.acquire().await.unwrap();
        for statement in before.map(str::to_owned).into_iter().chain(digest_step(home.url.dialect())) {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *connection).await.unwrap();
        }
        drop(connection);
        database.close().await;
        let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        projection.catch_up(&mut tape.from(61), u64::MAX).await.unwrap();
        let state = Database::open(&home.url).await.unwrap().queries().applied_state().await.unwrap();
        assert_eq!((state.from_lsn, state.digest), (61, digest_of(&tape, 61..=110)));
        assert!(state.to_string().ends_with("as of LSN 110, counted from LSN 61"), "{state}");
    }
}

#[tokio::test]
async fn the_applied_lsn_is_secured_as_it_stands_and_leaves_the_tables_alone() {
    for home in homes("secured").await {
        let tape = sales(20);
        let queries = Database::open(&home.url).await.unwrap().queries();
        assert_eq!(queries.secure_applied_lsn().await.unwrap(), 0, "nothing was ever applied");
        let once = apply_all(&home.url, &tape).await;
        for _ in 0..2 {
            assert_eq!(queries.secure_applied_lsn().await.unwrap(), tape.last_lsn());
        }
        assert_eq!(dump_all(&Database::open(&home.url).await.unwrap()).await, once);
    }
}
