//! What merchants are told of the records, and that a rebuild tells nothing twice.

use super::*;
use crate::stores::Stores;
use crate::stores::events::Told;

/// `2 transaction.captured v2` for each event, and the same transaction in the version that it tells.
async fn told(stores: &Stores) -> Vec<String> {
    let page = stores.events(&Xid([9; 12]), 0, 10_000).await.unwrap();
    let line = |event: &crate::stores::events::Event| {
        let Told::Transaction(stored) = &event.told else { panic!("no transaction: {event:?}") };
        assert_eq!(event.id(), format!("evt_{}_{}", event.about, stored.transaction().version.get()));
        format!("{} {} v{}", event.sequence, event.kind.word(), stored.transaction().version.get())
    };
    page.events.iter().map(line).collect()
}

/// A sale with two partial refunds, the second of which is undone again.
fn refunded_sale() -> Tape {
    let mut tape = Tape::default();
    let mut sale = sale(1);
    tape.push(Kind::Intent, &sale, &[]);
    sale = approved(sale, Xid::NONE);
    tape.push(Kind::Outcome, &sale, &[]);
    let mut change = |kind, status: Status, refunded: u64, pending: u64| {
        sale.version = (sale.version.get() + 1).into();
        sale.status = status.number();
        (sale.amount_refunded, sale.amount_refund_pending) = (refunded.into(), pending.into());
        tape.push(kind, &sale, &[]);
    };
    change(Kind::Settled, Status::Settled, 0, 0);
    change(Kind::RefundsChanged, Status::Settled, 0, 100);
    change(Kind::RefundsChanged, Status::PartiallyRefunded, 100, 0);
    change(Kind::RefundsChanged, Status::PartiallyRefunded, 100, 1012);
    change(Kind::RefundsChanged, Status::Refunded, 1112, 0);
    change(Kind::RefundsChanged, Status::Refunded, 100, 1012);
    change(Kind::RefundsChanged, Status::PartiallyRefunded, 100, 0);
    tape
}

#[tokio::test]
async fn refunds_are_told_when_they_change_something_however_records_are_gathered() {
    let expected = [
        "1 transaction.captured v2",
        "2 transaction.settled v3",
        "3 transaction.partially_refunded v5",
        "4 transaction.refunded v7",
        "5 transaction.refund_undone v9",
    ];
    for gathered in [1, 2, 3, 100] {
        for home in homes(&format!("refunds_are_told_{gathered}")).await {
            let tape = refunded_sale();
            let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
            let mut source = tape.from(1);
            for until in (gathered..tape.last_lsn() + gathered).step_by(gathered as usize) {
                projection.catch_up(&mut source, until).await.unwrap();
            }
            let stores = Database::open(&home.url).await.unwrap().stores();
            assert_eq!(told(&stores).await, expected, "{gathered} at a time");
            for event in stores.events(&Xid([9; 12]), 0, 100).await.unwrap().events {
                assert_eq!(stores.event_of_id(&Xid([9; 12]), &event.id()).await.unwrap(), Some(event), "{gathered} at a time");
            }
            let not_told = format!("evt_{}_1", sale(1).id);
            assert_eq!(stores.event_of_id(&Xid([9; 12]), &not_told).await.unwrap(), None, "an intent is nobody's news");
        }
    }
}

#[tokio::test]
async fn a_rebuild_tells_nothing_twice_and_goes_on_where_it_was() {
    for home in homes("a_rebuild_tells").await {
        let (tape, longer) = (sales(300), sales(310));
        let stores = Database::open(&home.url).await.unwrap().stores();
        let mut following = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        following.catch_up(&mut tape.from(1), u64::MAX).await.unwrap();
        drop(following);
        let before = told(&stores).await;
        assert_eq!(before.len(), 360);
        let mut rebuilt = Projection::open_emptied(&home.url, JOURNAL).await.unwrap();
        assert_eq!(told(&stores).await, [""; 0], "what is told is not there, and no number is passed over");
        rebuilt.catch_up(&mut tape.from(1), 200).await.unwrap();
        drop(rebuilt);
        // A rebuild that was interrupted still knows what was told before it began.
        let mut rebuilt = Projection::open(&home.url, JOURNAL, longer.last_lsn()).await.unwrap();
        rebuilt.catch_up(&mut longer.from(201), u64::MAX).await.unwrap();
        let after = told(&stores).await;
        assert_eq!(after[..360], before[..]);
        assert_eq!((after.len(), stores.newest_event(&Xid([9; 12])).await.unwrap()), (372, 372));
    }
}

#[test]
fn only_what_a_merchant_can_see_is_told() {
    let mut sale = approved(sale(1), Xid::NONE);
    let told = |kind, sale: &Transaction| super::super::events::became(kind, sale).map(|became| became.word());
    assert_eq!(told(Kind::Intent, &sale), None);
    assert_eq!(told(Kind::StepIntent, &sale), None);
    sale.step.state = ExchangeState::Declined.number();
    assert_eq!(told(Kind::StepOutcome, &sale), None, "a void that was declined");
    sale.step.state = ExchangeState::Approved.number();
    sale.status = Status::Voided.number();
    assert_eq!(told(Kind::StepOutcome, &sale), Some("voided"));
    sale.status = Status::Declined.number();
    assert_eq!(told(Kind::ReversalDone, &sale), None, "declined, and what was approved of it taken back");
    sale.status = Status::Unknown.number();
    assert_eq!(told(Kind::ReversalQueued, &sale), Some("unknown"));
    sale.status = Status::Reversed.number();
    assert_eq!(told(Kind::ReversalDone, &sale), Some("reversed"));
}
