use super::*;
use crate::sql::Database;
use crate::sql::tests::{Home, homes};
use crate::stores::events::{Became, EventKind, NewEvent, Subject};
use crate::stores::{FeeInvoice, NewPayout, Payout, PayoutSearch};
use proptest::prelude::*;

const DAY_US: i64 = 86_400_000_000;

fn id(number: u8) -> Xid {
    Xid([number; 12])
}

fn eur() -> Currency {
    Currency::EUR
}

fn day(number: i64) -> Micros {
    Micros(number * DAY_US)
}

/// A payment of so much to a merchant, and the fee for it.
fn pay_in(transaction: u8, amount: i64, fee: i64, at: Micros) -> [Posting; 2] {
    let leg = |purpose, amount| Leg { merchant: id(1), purpose, amount };
    let posting = |kind, legs| Posting { cause: Cause { id: id(transaction), kind, number: 0 }, currency: eur(), at, legs };
    [
        posting(Kind::PayIn, vec![leg(Purpose::Shoppers, -amount), leg(Purpose::Balance, amount)]),
        posting(Kind::ServiceFee, vec![leg(Purpose::Balance, -fee), leg(Purpose::Fees, fee)]),
    ]
}

/// The return of so much of it, `refunded` with all before.
fn refund(transaction: u8, amount: i64, refunded: i64, at: Micros) -> Posting {
    let leg = |purpose, amount| Leg { merchant: id(1), purpose, amount };
    let cause = Cause { id: id(transaction), kind: Kind::Refund, number: refunded };
    let legs = vec![leg(Purpose::Shoppers, amount), leg(Purpose::Balance, -amount)];
    Posting { cause, currency: eur(), at, legs }
}

async fn post_all(stores: &Stores, postings: &[Posting]) -> Vec<bool> {
    let mut transaction = stores.begin_write("test").await.unwrap();
    let mut fresh = Vec::new();
    for posting in postings {
        fresh.push(post(&mut transaction, posting).await.unwrap());
    }
    transaction.commit().await.unwrap();
    fresh
}

fn payout(number: u8, night: Micros) -> NewPayout {
    NewPayout { id: id(100 + number), merchant: id(1), name: format!("po-{number}"), night, currency: eur(), at: night }
}

fn fee_invoice(number: u8, month: Micros) -> FeeInvoice {
    let (id, merchant) = (id(200 + number), id(1));
    FeeInvoice { id, merchant, number: 0, month, fees: 0, payments: 0, currency: eur(), created_at: month }
}

/// The event of a payout or an invoice.
fn told(about: Xid, subject: Subject) -> NewEvent {
    let kind = EventKind::new(subject, Became::Created);
    NewEvent { id: about, merchant: id(1), kind, about, at: day(1), body: "{}".into(), callback: None }
}

async fn make_payout(stores: &Stores, new: NewPayout) -> Option<Payout> {
    stores.make_payout(new, |made| told(made.id, Subject::Payout)).await.unwrap()
}

async fn end_payout(stores: &Stores, payout: &Payout, at: Micros) -> bool {
    stores.end_payout(payout, at, told(payout.id, Subject::Payout)).await.unwrap()
}

async fn invoice_fees(stores: &Stores, new: FeeInvoice, month_end: Micros) -> Option<FeeInvoice> {
    stores.make_fee_invoice(new, month_end, |made| told(made.id, Subject::FeeInvoice)).await.unwrap()
}

/// What stands on the merchant's accounts.
async fn balances(stores: &Stores) -> [i64; 5] {
    stores.books(eur()).await.unwrap().remove(&id(1)).unwrap_or_default()
}

async fn open(home: &Home) -> Stores {
    Database::open(&home.url).await.unwrap().stores()
}

#[tokio::test]
async fn a_cause_is_posted_once_and_a_payout_takes_each_leg_once() {
    for home in homes("a_cause_is_posted_once").await {
        let stores = open(&home).await;
        let postings = pay_in(10, 10_000, 150, day(1));
        assert_eq!(post_all(&stores, &postings).await, [true, true]);
        assert_eq!(post_all(&stores, &postings).await, [false, false]);
        assert_eq!(balances(&stores).await, [-10_000, 9_850, 150, 0, 0]);
        assert_eq!(make_payout(&stores, payout(1, day(1))).await, None, "a night takes what came before it");
        let made = make_payout(&stores, payout(1, day(2))).await.unwrap();
        assert_eq!((made.amount, made.fee, made.net(), made.number), (10_000, 150, 9_850, 1));
        assert_eq!(make_payout(&stores, payout(2, day(3))).await, None);
        assert_eq!(balances(&stores).await, [-10_000, 0, 150, 9_850, 0]);
        assert_eq!(stores.payouts_under_way(day(2), 9).await.unwrap(), std::slice::from_ref(&made));
        assert!(end_payout(&stores, &made, day(3)).await && !end_payout(&stores, &made, day(4)).await);
        assert_eq!(balances(&stores).await, [-10_000, 0, 150, 0, 9_850]);
        assert_eq!(stores.newest_payout_night(&id(1)).await.unwrap(), Some(day(2)));
        assert_eq!(stores.unbalanced_postings().await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_refund_after_its_payout_is_carried_over() {
    for home in homes("a_refund_after_its_payout").await {
        let stores = open(&home).await;
        post_all(&stores, &pay_in(10, 1_000, 10, day(1))).await;
        make_payout(&stores, payout(1, day(2))).await.unwrap();
        post_all(&stores, &[refund(10, 1_000, 1_000, day(3))]).await;
        assert_eq!(make_payout(&stores, payout(2, day(4))).await, None);
        assert_eq!(balances(&stores).await[1], -1_000);
        post_all(&stores, &pay_in(11, 1_500, 15, day(5))).await;
        let made = make_payout(&stores, payout(2, day(6))).await.unwrap();
        assert_eq!((made.amount, made.fee, made.number), (500, 15, 2));
        let all = PayoutSearch { merchant: id(1), after: 1, from: Micros(0), to: day(99), limit: 9 };
        let (total, page) = stores.payouts(&all).await.unwrap();
        assert_eq!((total, page), (1, vec![made]));
    }
}

#[tokio::test]
async fn a_months_fees_are_invoiced_once() {
    for home in homes("a_months_fees_are_invoiced_once").await {
        let stores = open(&home).await;
        assert_eq!(invoice_fees(&stores, fee_invoice(1, day(1)), day(31)).await, None);
        for transaction in 10..13 {
            post_all(&stores, &pay_in(transaction, 1_000, 10, day(30))).await;
        }
        post_all(&stores, &pay_in(20, 1_000, 10, day(31))).await;
        let first = invoice_fees(&stores, fee_invoice(1, day(1)), day(31)).await.unwrap();
        assert_eq!((first.fees, first.payments, first.number), (30, 3, 1));
        assert_eq!(stores.first_open_leg(&id(1), Purpose::Fees, Micros(0)).await.unwrap(), Some(day(31)));
        assert_eq!(stores.newest_fee_invoice_month(&id(1)).await.unwrap(), Some(day(1)));
        assert_eq!(stores.fee_invoices(&id(1), 0, 9).await.unwrap(), (1, vec![first]));
        // Fees stand on their account; an invoice of what was kept moves no money.
        assert_eq!(balances(&stores).await[2], 40);
    }
}

#[tokio::test]
#[should_panic(expected = "sum to 1")]
async fn legs_that_make_money_are_refused() {
    let home = homes("legs_that_make_money").await.remove(0);
    let stores = open(&home).await;
    let mut posting = refund(1, 5, 5, day(1));
    posting.legs[0].amount += 1;
    post_all(&stores, &[posting]).await;
}

/// What a day may bring.
#[derive(Debug, Clone)]
enum Event {
    PayIn {
        amount: i64,
        fee: i64,
    },
    Refund {
        share_percent: i64,
    },
    Night,
    Arrival,
    /// Everything of the last step once more, as after a crash.
    Again,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (1i64..100_000, 0i64..3).prop_map(|(amount, percent)| Event::PayIn { amount, fee: amount * percent / 100 }),
        3 => (1i64..=100).prop_map(|share_percent| Event::Refund { share_percent }),
        3 => Just(Event::Night),
        2 => Just(Event::Arrival),
        2 => Just(Event::Again),
    ];
    prop::collection::vec(event, 1..40)
}

/// Plays events on real tables and on plain sums, and compares.
async fn play(stores: &Stores, events: &[Event]) -> Result<(), TestCaseError> {
    let (mut today, mut owed, mut in_transit, mut paid_out, mut fees) = (1, 0i64, 0i64, 0i64, 0i64);
    let (mut payments, mut last, mut nights): (Vec<(i64, i64)>, Vec<Posting>, u8) = (Vec::new(), Vec::new(), 0);
    for event in events {
        match event {
            Event::PayIn { amount, fee } => {
                last = pay_in(payments.len() as u8, *amount, *fee, day(today)).to_vec();
                payments.push((*amount, 0));
                (owed, fees) = (owed + amount - fee, fees + fee);
                post_all(stores, &last).await;
            }
            Event::Refund { share_percent } => {
                let Some((amount, refunded)) = payments.last_mut() else { continue };
                let part = (*amount - *refunded) * share_percent / 100;
                if part == 0 {
                    continue;
                }
                *refunded += part;
                last = vec![refund(payments.len() as u8 - 1, part, payments[payments.len() - 1].1, day(today))];
                owed -= part;
                post_all(stores, &last).await;
            }
            Event::Night => {
                (today, nights) = (today + 1, nights + 1);
                let made = make_payout(stores, payout(nights, day(today))).await;
                prop_assert_eq!(made.as_ref().map(Payout::net), (owed > 0).then_some(owed));
                if owed > 0 {
                    (in_transit, owed) = (in_transit + owed, 0);
                }
            }
            Event::Arrival => {
                for payout in stores.payouts_under_way(day(today), 100).await.unwrap() {
                    prop_assert!(end_payout(stores, &payout, day(today)).await);
                }
                (paid_out, in_transit) = (paid_out + in_transit, 0);
            }
            Event::Again => prop_assert!(post_all(stores, &last).await.iter().all(|fresh| !fresh)),
        }
        let shoppers = -(owed + in_transit + paid_out + fees);
        prop_assert_eq!(balances(stores).await, [shoppers, owed, fees, in_transit, paid_out]);
    }
    prop_assert_eq!(stores.unbalanced_postings().await.unwrap(), 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_books_close_whatever_a_day_brings(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = homes("the_books_close").await.remove(0);
            play(&open(&home).await, &events).await
        })?;
    }
}
