//! An operator's readings.

use super::*;

#[tokio::test]
async fn a_story_is_told_in_order_and_queued_reversals_are_listed_in_pages() {
    for home in homes("operations").await {
        let mut tape = sales(3);
        for number in 4..=9 {
            let mut unknown = sale(number);
            unknown.status = Status::Unknown.number();
            unknown.original.state = ExchangeState::Unknown.number();
            unknown.reversal.state = ReversalState::Queued.number();
            tape.push(Kind::ReversalQueued, &unknown, &[]);
        }
        apply_all(&home.url, &tape).await;
        // What an operator took over, in two further versions.
        let mut over = approved(sale(5), Xid::NONE);
        over.reversal.state = ReversalState::TakenOver.number();
        let begun = tape.last_lsn();
        tape.push(Kind::ReversalDone, &over, &[]);
        tape.push(Kind::Settled, &settled(over), &[]);
        let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        projection.catch_up(&mut tape.from(begun + 1), u64::MAX).await.unwrap();
        let queries = Database::open(&home.url).await.unwrap().queries();
        let story: Vec<Kind> = queries.story(&id(5)).await.unwrap().iter().map(|chapter| chapter.kind).collect();
        assert_eq!(story, [Kind::ReversalQueued, Kind::ReversalDone, Kind::Settled]);
        let ids = async |after: &Xid, limit| -> Vec<Xid> {
            queries.queued_reversals(after, limit).await.unwrap().iter().map(|stored| stored.transaction().id).collect()
        };
        assert_eq!(ids(&Xid::NONE, 3).await, [id(4), id(6), id(7)]);
        assert_eq!(ids(&id(7), 3).await, [id(8), id(9)]);
    }
}
