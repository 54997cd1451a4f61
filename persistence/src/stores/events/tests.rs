use super::*;
use crate::sql::Database;
use crate::sql::tests::{dump, homes};

const SHOP: Xid = Xid([7; 12]);
const OTHER_SHOP: Xid = Xid([8; 12]);

fn order_paid(merchant: Xid, id: u8) -> NewEvent {
    NewEvent {
        id: Xid([id; 12]),
        merchant,
        kind: EventKind::new(Subject::Order, Became::Paid),
        about: Xid([100; 12]),
        at: Micros(1_800_000_000_000_000),
        body: "{\"id\":\"100\"}".into(),
        callback: None,
    }
}

#[test]
fn every_kind_is_found_by_its_number_and_its_word() {
    for &subject in Subject::ALL {
        for &became in Became::ALL {
            let kind = EventKind { subject, became };
            assert_eq!(EventKind::from_number(kind.number()), Some(kind));
            assert_eq!(KindFilter::from_word(&kind.word()), Some(KindFilter::One(kind)));
        }
    }
    assert_eq!(EventKind::from_number(0), None);
}

#[test]
fn a_filter_takes_all_a_subjects_or_one() {
    let (paid, made) = (EventKind::new(Subject::Order, Became::Paid), EventKind::new(Subject::PaymentLink, Became::Created));
    for (word, takes) in
        [("*", (true, true)), ("order.*", (true, false)), ("order.paid", (true, false)), ("order.created", (false, false))]
    {
        let filter = KindFilter::from_word(word).unwrap();
        assert_eq!((filter.takes(paid), filter.takes(made)), takes, "{word}");
        assert_eq!(filter.word(), word);
    }
    for nothing in ["", "order", "order.", "orders.paid", "order.lost", ".*"] {
        assert_eq!(KindFilter::from_word(nothing), None, "{nothing}");
    }
}

#[tokio::test]
async fn numbers_have_no_gap_whoever_writes_at_once_and_whoever_gives_up() {
    for home in homes("numbers_have_no_gap").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let write = |id| {
            let stores = stores.clone();
            async move {
                let mut transaction = stores.begin_write("test").await.unwrap();
                append(&mut transaction, &order_paid(SHOP, id)).await.unwrap();
                if id % 3 == 0 { transaction.rollback().await.unwrap() } else { transaction.commit().await.unwrap() }
            }
        };
        let writers: Vec<_> = (1..=12).map(|id| tokio::spawn(write(id))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
        stores.add_event(&order_paid(OTHER_SHOP, 99)).await.unwrap();
        let page = stores.events(&SHOP, 0, 100).await.unwrap();
        let numbers: Vec<u64> = page.events.iter().map(|event| event.sequence).collect();
        assert_eq!((numbers, page.newest), ((1..=8).collect(), 8));
        let rest = stores.events(&SHOP, 5, 2).await.unwrap().events;
        assert_eq!(rest.iter().map(|event| event.sequence).collect::<Vec<_>>(), [6, 7]);
        let one = stores.event(&OTHER_SHOP, 1).await.unwrap().unwrap();
        assert_eq!(one.told, Told::Thing { id: Xid([99; 12]), body: "{\"id\":\"100\"}".into() });
        assert!(one.id().starts_with("evt_"));
        assert_eq!(stores.event(&OTHER_SHOP, 2).await.unwrap(), None);
        assert_eq!(stores.event_of_id(&OTHER_SHOP, &one.id()).await.unwrap(), Some(one.clone()));
        assert_eq!(stores.event_of_id(&SHOP, &one.id()).await.unwrap(), None, "another merchant's");
    }
}

#[tokio::test]
async fn a_callback_is_queued_with_its_event_or_not_at_all() {
    for home in homes("a_callback_is_queued").await {
        let database = Database::open(&home.url).await.unwrap();
        let callback = Callback { url: "https://shop.example/paid".into(), message: Message::Form("status=success".into()) };
        let event = NewEvent { callback: Some(callback), ..order_paid(SHOP, 1) };
        let mut transaction = database.stores().begin_write("test").await.unwrap();
        append(&mut transaction, &event).await.unwrap();
        transaction.rollback().await.unwrap();
        assert_eq!(dump(&database, "webhook_deliveries").await.len(), 0);
        database.stores().add_event(&event).await.unwrap();
        assert_eq!(dump(&database, "webhook_deliveries").await.len(), 1);
    }
}
