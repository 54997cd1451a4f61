//! An operator finds a payment by what a receipt or a host says of it.

use super::*;
use protocol::tail::{self, tag};

const HOUR_US: i64 = 3_600_000_000;
const YEN: u16 = 392;

#[test]
fn an_amount_is_what_some_currency_can_be() {
    for wrong in ["", ".", "-1", "1.", "1,5", "1.23456", "99999999999999999999"] {
        assert_eq!(Sum::read(wrong), None, "{wrong}");
    }
    let minor = |text: &str| Sum::read(text).unwrap().by_minor();
    let of = |text: &str, numeric: u16| {
        let found = minor(text).into_iter().find(|(_, currencies)| currencies.contains(&numeric));
        found.map(|(minor, _)| minor)
    };
    for (text, numeric, expected) in [
        ("12.5", 840, Some(1_250)),
        ("12.5", YEN, None),
        ("12", YEN, Some(12)),
        ("12.00", YEN, Some(12)),
        ("1.234", 48, Some(1_234)),
        ("1.234", 840, None),
    ] {
        assert_eq!(of(text, numeric), expected, "{text} of {numeric}");
    }
}

#[tokio::test]
async fn a_payment_is_found_by_its_trace_number_its_card_and_amount_and_its_order() {
    for home in homes("lookup").await {
        let mut tape = Tape::default();
        for number in 1..=6_u32 {
            let mut made = approved(sale(number), Xid::NONE);
            made.created_at = (i64::from(number) * HOUR_US).into();
            (made.last_four, made.amount) = ((5_439 + number as u16 % 2).into(), u64::from(100 * number).into());
            made.currency = (if number == 5 { YEN } else { 840 }).into();
            made.original.stan = (40 + number).into();
            made.reversal.stan = (if number == 6 { 41 } else { 0 }).into();
            let mut fields = Vec::new();
            tail::push(&mut fields, tag::ORDER_ID, format!("order-{}", number % 3).as_bytes());
            tape.push(Kind::Outcome, &made, &fields);
        }
        apply_all(&home.url, &tape).await;
        let queries = Database::open(&home.url).await.unwrap().queries();
        let day = Sighting { from: Micros(0), until: Micros(24 * HOUR_US), stan: None, last_four: None, amount: None };
        let ids = async |sighting: Sighting| -> Vec<Xid> {
            let found = queries.sighted(&[id(99), sale(1).merchant], &sighting, 2).await.unwrap();
            found.expect("there are few").iter().map(|stored| stored.transaction().id).collect()
        };
        assert_eq!(ids(Sighting { stan: Some(41), ..day }).await, [id(6), id(1)], "a reversal's number too");
        assert_eq!(ids(Sighting { stan: Some(41), until: Micros(6 * HOUR_US), ..day }).await, [id(1)]);
        assert_eq!(ids(Sighting { last_four: Some(5_440), ..day }).await, [id(5), id(3)], "the newest, as many as are wanted");
        assert_eq!(ids(Sighting { last_four: Some(5_440), amount: Sum::read("3"), ..day }).await, [id(3)]);
        assert_eq!(ids(Sighting { last_four: Some(5_439), amount: Sum::read("3"), ..day }).await, []);
        for (written, expected) in [("3.00", id(3)), ("300.00", Xid::NONE), ("500", id(5)), ("5", Xid::NONE), ("6.0", id(6))] {
            let found = ids(Sighting { amount: Sum::read(written), ..day }).await;
            assert_eq!(found.first(), Some(&expected).filter(|id| !id.is_none()), "{written} in the payment's own currency");
        }
        let others = queries.sighted(&[id(99)], &Sighting { amount: Sum::read("3"), ..day }, 2).await.unwrap();
        assert_eq!(others, Some(Vec::new()), "an amount is looked for among the merchants that are named");
        let among = async |rows_max: u64, sighting: Sighting| {
            let found = queries.sighted_among(rows_max, &[sale(1).merchant], &sighting, 9).await.unwrap();
            found.map(|found| found.len())
        };
        assert_eq!(among(6, Sighting { stan: Some(44), ..day }).await, Some(1));
        assert_eq!(among(5, Sighting { stan: Some(44), ..day }).await, None, "six would have to be read");
        assert_eq!(among(1, Sighting { stan: Some(44), amount: Sum::read("4"), ..day }).await, Some(1), "one has this amount");
        assert_eq!(among(0, Sighting { amount: Sum::read("4"), ..day }).await, None);
        assert_eq!(among(0, day).await, Some(6), "the newest of a day are the first that are met");
        let merchant = sale(1).merchant;
        let of_order = async |merchants: &[Xid], order: &str| -> Vec<Xid> {
            queries.of_order(merchants, order, 9).await.unwrap().iter().map(|stored| stored.transaction().id).collect()
        };
        assert_eq!(of_order(&[id(99), merchant], "order-1").await, [id(4), id(1)]);
        assert_eq!(of_order(&[id(99)], "order-1").await, []);
    }
}
