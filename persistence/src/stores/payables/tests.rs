use super::*;
use crate::sql::Database;
use crate::sql::tests::homes;

fn id(number: u8) -> Xid {
    Xid([number; 12])
}

fn order(number: u8) -> Payable {
    Payable {
        id: id(number),
        merchant: id(1),
        face: Face::Order,
        reference: format!("order {number}"),
        public_id: format!("page-{number}"),
        amount: 12_200,
        currency: Currency::USD,
        state: PayableState::Open,
        page: r#"{"title":"Ågot's"}"#.into(),
        body: "{}".into(),
        expires_at: Micros::NONE,
        attempts: 0,
        transaction: Xid::NONE,
        amount_paid: 0,
        amount_refunded: 0,
        version: 1,
        created_at: Micros(i64::from(number)),
        updated_at: Micros(i64::from(number)),
        paid_at: Micros::NONE,
    }
}

fn attempt(number: u32, response_code: u16) -> Attempt {
    let transaction = id(100 + number as u8);
    Attempt { payable: id(5), number, transaction, amount: 12_200, begun_at: Micros(7), response_code, paid: 0, refunded: 0 }
}

fn with(attempt: Attempt) -> Aftermath {
    Aftermath { attempt: Some(attempt), ..Aftermath::default() }
}

#[tokio::test]
async fn a_payable_is_found_by_its_names_and_made_once() {
    for home in homes("a_payable_is_found").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let made = order(5);
        assert!(stores.add_payable(&made, &Aftermath::default()).await.unwrap());
        let again = Payable { id: id(6), public_id: "page-6".into(), ..made.clone() };
        assert!(!stores.add_payable(&again, &Aftermath::default()).await.unwrap(), "its reference is taken");
        assert_eq!(stores.payable(&id(5)).await.unwrap().as_ref(), Some(&made));
        assert_eq!(stores.payable_of_page("page-5").await.unwrap().as_ref(), Some(&made));
        let of_reference = async |merchant, face| stores.payable_of_reference(&merchant, face, "order 5").await.unwrap();
        assert_eq!(of_reference(id(1), Face::Order).await, Some(made));
        assert_eq!((of_reference(id(2), Face::Order).await, of_reference(id(1), Face::Link).await), (None, None));
        assert_eq!(stores.payable_of_page("page-6").await.unwrap(), None);
    }
}

#[tokio::test]
async fn of_two_changes_of_one_version_one_is_done_and_its_attempt_with_it() {
    for home in homes("of_two_changes").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        stores.add_payable(&order(5), &Aftermath::default()).await.unwrap();
        let paying = Payable { state: PayableState::Paying, attempts: 1, version: 2, ..order(5) };
        let begun = with(attempt(1, 0));
        assert!(stores.change_payable(&paying, 1, &begun).await.unwrap());
        let late = with(attempt(2, 0));
        assert!(!stores.change_payable(&Payable { attempts: 1, ..paying.clone() }, 1, &late).await.unwrap());
        assert_eq!(stores.attempts(&id(5)).await.unwrap(), [attempt(1, 0)]);
        assert_eq!(stores.open_attempts(9).await.unwrap(), [attempt(1, 0)]);
        let done = Attempt { paid: 12_200, ..attempt(1, 100) };
        let paid = Payable {
            state: PayableState::Paid,
            version: 3,
            transaction: done.transaction,
            amount_paid: 12_200,
            paid_at: Micros(9),
            ..paying
        };
        assert!(stores.change_payable(&paid, 2, &with(done.clone())).await.unwrap());
        assert_eq!(stores.payable(&id(5)).await.unwrap(), Some(paid));
        assert_eq!((stores.attempts(&id(5)).await.unwrap(), stores.open_attempts(9).await.unwrap()), (vec![done], vec![]));
    }
}

#[tokio::test]
async fn open_ones_expire_and_lists_are_newest_first() {
    for home in homes("open_ones_expire").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        assert_eq!(stores.next_payable_over().await.unwrap(), Micros::NEVER);
        let later = Payable { expires_at: Micros(50), ..order(5) };
        let sooner = Payable { expires_at: Micros(40), ..order(6) };
        let closed = Payable { expires_at: Micros(30), state: PayableState::Cancelled, ..order(7) };
        for payable in [&later, &sooner, &closed, &order(8)] {
            stores.add_payable(payable, &Aftermath::default()).await.unwrap();
        }
        assert_eq!(stores.next_payable_over().await.unwrap(), Micros(40));
        assert_eq!(stores.payables_over(Micros(45), 9).await.unwrap(), std::slice::from_ref(&sooner));
        assert_eq!(stores.payables_over(Micros(50), 9).await.unwrap(), [sooner.clone(), later.clone()]);
        let listed = async |states: &[PayableState], page| stores.payables(&id(1), Face::Order, states, page).await.unwrap();
        assert_eq!(listed(&[PayableState::Open], (2, 0)).await, [order(8), sooner]);
        assert_eq!(listed(&[PayableState::Open], (9, 2)).await, [later]);
        assert_eq!(listed(&[PayableState::Cancelled, PayableState::Paid], (9, 0)).await, [closed]);
    }
}

#[tokio::test]
async fn an_invoice_and_what_asks_for_it_change_together_or_not_at_all() {
    for home in homes("an_invoice_and_what_asks").await {
        let stores = Database::open(&home.url).await.unwrap().stores();
        let invoice = StoredInvoice {
            id: id(9),
            merchant: id(1),
            public_id: "d038ea94".into(),
            amount_due: 12_200,
            amount_paid: 0,
            date_due: Micros::NONE,
            body: "{}".into(),
            created_at: Micros(7),
            updated_at: Micros(7),
        };
        let asked = Payable { face: Face::Invoice, reference: id(9).to_string(), ..order(5) };
        stores.add_invoice(&invoice).await.unwrap();
        stores.add_payable(&asked, &Aftermath::default()).await.unwrap();
        let changed = StoredInvoice { amount_due: 60, date_due: Micros(50), updated_at: Micros(8), ..invoice.clone() };
        let revised = Payable { amount: 60, version: 2, ..asked.clone() };
        let with = |read_at| Aftermath { invoice: Some((changed.clone(), read_at)), ..Aftermath::default() };
        assert!(!stores.change_payable(&revised, 1, &with(Micros(6))).await.unwrap(), "somebody has changed the invoice");
        assert_eq!(stores.payable(&id(5)).await.unwrap().as_ref(), Some(&asked));
        assert!(stores.change_payable(&revised, 1, &with(Micros(7))).await.unwrap());
        assert_eq!(stores.invoice(&id(1), &id(9)).await.unwrap().as_ref(), Some(&changed));
        let paid = Payable { state: PayableState::Paid, amount_paid: 60, version: 3, ..revised };
        assert!(stores.change_payable(&paid, 2, &Aftermath::default()).await.unwrap());
        let shown = stores.invoice(&id(1), &id(9)).await.unwrap().unwrap();
        assert_eq!((shown.amount_due, shown.amount_paid), (0, 60), "a payment is seen in the invoice");
    }
}
