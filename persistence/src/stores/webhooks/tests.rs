use super::*;
use crate::sql::Database;
use crate::sql::tests::homes;
use crate::stores::events::{Became, Callback, EventKind, Message, NewEvent, Subject};
use protocol::calendar::Micros;
use protocol::id::Xid;

const SHOP: Xid = Xid([7; 12]);
const NOW: Micros = Micros(1_800_000_000_000_000);

fn endpoint(id: u8) -> Endpoint {
    Endpoint {
        id: Xid([id; 12]),
        merchant: SHOP,
        url: "https://shop.example/hook".into(),
        description: String::new(),
        kinds: "*".into(),
        active: true,
        reason: String::new(),
        began: 0,
        told: 0,
        failing_since: Micros::NONE,
        generation: 0,
        rotated_at: Micros::NONE,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn event(number: u8, about: u8) -> NewEvent {
    let kind = EventKind::new(Subject::Order, Became::Paid);
    NewEvent { id: Xid([number; 12]), merchant: SHOP, kind, about: Xid([about; 12]), at: NOW, body: "{}".into(), callback: None }
}

fn waiting(sequence: u64, about: u8, next_attempt_at: Micros) -> Delivery {
    let place = Place { merchant: SHOP, sequence, endpoint: Xid([1; 12]) };
    Delivery { next_attempt_at, ..Delivery::fresh(place, Xid([about; 12]), NOW) }
}

#[tokio::test]
async fn an_endpoint_is_told_of_what_happens_from_now_on_and_a_merchant_has_so_many() {
    for home in homes("an_endpoint_from_now_on").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        stores.add_event(&event(1, 1)).await.unwrap();
        assert!(stores.add_endpoint(&endpoint(1), 2).await.unwrap());
        assert_eq!(stores.endpoint(&Xid([1; 12])).await.unwrap(), Some(Endpoint { began: 1, told: 1, ..endpoint(1) }));
        assert_eq!(stores.endpoints_behind().await.unwrap(), []);
        stores.add_event(&event(2, 1)).await.unwrap();
        assert_eq!(stores.endpoints_behind().await.unwrap().len(), 1);
        assert!(stores.add_endpoint(&endpoint(2), 2).await.unwrap());
        assert!(!stores.add_endpoint(&endpoint(3), 2).await.unwrap());
        let changed = Endpoint { active: false, generation: 3, rotated_at: NOW, ..endpoint(1) };
        assert!(stores.change_endpoint(&changed).await.unwrap());
        assert_eq!(stores.endpoint(&Xid([1; 12])).await.unwrap(), Some(Endpoint { began: 1, told: 1, ..changed }));
        assert_eq!(stores.endpoints_behind().await.unwrap(), [], "one that is off is told nothing");
        assert!(!stores.delete_endpoint(&Xid([8; 12]), &Xid([1; 12])).await.unwrap(), "another merchant's");
        assert!(stores.delete_endpoint(&SHOP, &Xid([1; 12])).await.unwrap());
        assert_eq!(stores.endpoints(&SHOP).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_is_about_one_thing_waits_for_what_came_before() {
    for home in homes("what_is_about_one_thing").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        assert!(stores.add_endpoint(&endpoint(1), 2).await.unwrap());
        let failed = [waiting(1, 50, NOW.plus_s(5)), waiting(2, 50, NOW), waiting(3, 60, NOW)];
        stores.pass_events(&endpoint(1), 3, &failed).await.unwrap();
        assert_eq!(stores.endpoint(&Xid([1; 12])).await.unwrap().unwrap().told, 3);
        let due = async |now| {
            let due = stores.due_deliveries(now, 10).await.unwrap();
            due.iter().map(|delivery| delivery.place.sequence).collect::<Vec<_>>()
        };
        assert_eq!(due(NOW).await, [3], "2 waits for 1, whose time has not come");
        assert_eq!(due(NOW.plus_s(5)).await, [3, 1]);
        let arrived = Delivery { state: DeliveryState::Delivered, attempts: 2, status: 204, ..failed[0].clone() };
        stores.note_delivery(&arrived).await.unwrap();
        assert_eq!(due(NOW).await, [2, 3]);
        assert_eq!(stores.deliveries(&Xid([1; 12]), 0, 1).await.unwrap(), [arrived]);
        assert_eq!(stores.waiting_about(&Xid([1; 12])).await.unwrap().len(), 2);
        stores.switch_endpoint_off(&Xid([1; 12]), "gone").await.unwrap();
        assert_eq!(due(NOW).await, [0; 0], "an endpoint that is off is left alone");
    }
}

#[tokio::test]
async fn a_page_that_was_told_from_somewhere_else_counts_for_nothing() {
    for home in homes("a_page_from_somewhere_else").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        assert!(stores.add_endpoint(&endpoint(1), 2).await.unwrap());
        stores.pass_events(&endpoint(1), 9, &[]).await.unwrap();
        stores.pass_events(&endpoint(1), 4, &[waiting(2, 50, NOW)]).await.unwrap();
        assert_eq!(stores.endpoint(&Xid([1; 12])).await.unwrap().unwrap().told, 9);
        assert_eq!(stores.due_deliveries(NOW, 10).await.unwrap(), []);
        let present = Endpoint { told: 9, ..endpoint(1) };
        assert_eq!(stores.rewind_endpoint(&present, 6).await.unwrap(), 3);
        assert_eq!(stores.endpoint(&Xid([1; 12])).await.unwrap().unwrap().told, 6);
    }
}

#[tokio::test]
async fn a_callback_keeps_its_address_and_the_dead_are_revived() {
    for home in homes("a_callback_keeps").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let callback = Callback { url: "https://shop.example/paid".into(), message: Message::Form("a=b".into()) };
        stores.add_event(&NewEvent { callback: Some(callback), ..event(1, 5) }).await.unwrap();
        let due = stores.due_deliveries(NOW, 10).await.unwrap();
        let to = To::Address { url: "https://shop.example/paid".into(), form: true, body: Some("a=b".into()) };
        assert_eq!((due.len(), &due[0].to), (1, &to));
        stores
            .note_delivery(&Delivery { state: DeliveryState::Dead, fault: "answered 500".into(), ..due[0].clone() })
            .await
            .unwrap();
        assert_eq!(stores.due_deliveries(NOW, 10).await.unwrap(), []);
        assert_eq!(stores.revive_deliveries(&Xid([8; 12]), &Xid::NONE, NOW).await.unwrap(), 0, "another merchant's");
        assert_eq!(stores.revive_deliveries(&SHOP, &Xid::NONE, NOW).await.unwrap(), 1);
        assert_eq!(stores.due_deliveries(NOW, 10).await.unwrap()[0].to, to);
        let delivered = Delivery { state: DeliveryState::Delivered, last_attempt_at: NOW, ..due[0].clone() };
        stores.note_delivery(&delivered).await.unwrap();
        assert_eq!(stores.forget_delivered(NOW).await.unwrap(), 0);
        assert_eq!(stores.callbacks(&SHOP, 0, 9).await.unwrap(), [delivered]);
        assert!(stores.revive_callback(&SHOP, 1, NOW).await.unwrap(), "what has arrived may be sent again");
        assert_eq!(stores.forget_delivered(NOW.plus_s(1)).await.unwrap(), 0, "what waits is not forgotten");
        stores
            .note_delivery(&Delivery { state: DeliveryState::Delivered, last_attempt_at: NOW, ..due[0].clone() })
            .await
            .unwrap();
        assert_eq!(stores.forget_delivered(NOW.plus_s(1)).await.unwrap(), 1);
        assert!(!stores.revive_callback(&SHOP, 1, NOW).await.unwrap());
    }
}
