use super::outcome::*;
use super::told::{became, object};
use super::*;
use persistence::stores::events::Became;
use protocol::transaction::Transaction;
use protocol::words::{Status, Verb};

fn payable(state: PayableState) -> Payable {
    Payable {
        id: Xid([1; 12]),
        merchant: Xid([2; 12]),
        face: Face::Request,
        reference: "12345".into(),
        public_id: "d038ea94".into(),
        amount: 1_000,
        currency: Currency::USD,
        state,
        page: "{}".into(),
        body: r#"{"id":"12345","callback_url":"https://shop.example/told"}"#.into(),
        expires_at: Micros::NONE,
        attempts: 1,
        transaction: Xid::NONE,
        amount_paid: 0,
        amount_refunded: 0,
        version: 4,
        created_at: Micros(1),
        updated_at: Micros(7),
        paid_at: Micros::NONE,
    }
}

fn attempt(number: u8, response_code: u16, paid: u64, refunded: u64) -> PayableAttempt {
    let transaction = Xid([10 + number; 12]);
    let (payable, begun_at) = (Xid([1; 12]), Micros(5));
    PayableAttempt { payable, number: number.into(), transaction, amount: 1_000, begun_at, response_code, paid, refunded }
}

fn sale(status: Status, code: u16, captured: u64, refunded: u64) -> Transaction {
    let mut transaction = Transaction::empty();
    transaction.verb = Verb::Sale.number();
    transaction.status = status.number();
    transaction.response_code = code.into();
    transaction.amount_captured = captured.into();
    transaction.amount_refunded = refunded.into();
    transaction
}

#[test]
fn a_transaction_decides_what_its_attempt_has_paid_and_what_was_given_back() {
    let rows = [
        (Status::Pending, 0, 0, 0, (0, 0, 0)),
        (Status::Declined, 202, 0, 0, (202, 0, 0)),
        (Status::PendingSettlement, 100, 1_000, 0, (100, 1_000, 0)),
        (Status::Settled, 100, 1_000, 0, (100, 1_000, 0)),
        (Status::PartiallyRefunded, 100, 1_000, 300, (100, 1_000, 300)),
        (Status::Refunded, 100, 1_000, 1_000, (100, 1_000, 1_000)),
        (Status::Unknown, 421, 0, 0, (421, 0, 0)),
        (Status::Reversed, 421, 0, 0, (421, 0, 0)),
    ];
    for (status, code, captured, refunded, expected) in rows {
        let after = of_transaction(&attempt(1, 0, 0, 0), &sale(status, code, captured, refunded));
        assert_eq!((after.response_code, after.paid, after.refunded), expected, "{status:?}");
    }
    for status in [Status::Voided, Status::Returned, Status::Reversed] {
        let after = of_transaction(&attempt(1, 100, 1_000, 0), &sale(status, 100, 0, 0));
        assert_eq!((after.response_code, after.paid, after.refunded), (100, 1_000, 1_000), "{status:?}");
    }
}

#[test]
fn attempts_decide_how_a_payable_stands() {
    let declined = attempt(1, 202, 0, 0);
    let rows: [(PayableState, Vec<PayableAttempt>, PayableState); 9] = [
        (PayableState::Paying, vec![attempt(1, 0, 0, 0)], PayableState::Paying),
        (PayableState::Paying, vec![declined.clone()], PayableState::Open),
        (PayableState::Paying, vec![declined.clone(), attempt(2, 100, 1_000, 0)], PayableState::Paid),
        (PayableState::Paid, vec![attempt(1, 100, 1_000, 400)], PayableState::PartiallyRefunded),
        (PayableState::Paid, vec![attempt(1, 100, 1_000, 1_000)], PayableState::Refunded),
        (PayableState::PartiallyRefunded, vec![attempt(1, 100, 1_000, 0)], PayableState::Paid),
        (PayableState::Paying, vec![attempt(1, 100, 600, 0)], PayableState::Open),
        (PayableState::Cancelled, vec![declined.clone()], PayableState::Cancelled),
        (PayableState::Expired, vec![declined], PayableState::Expired),
    ];
    for (before, attempts, expected) in rows {
        let after = of_attempts(&payable(before), &attempts, Micros(9));
        assert_eq!((after.state, after.version), (expected, 5), "{before:?} {attempts:?}");
        assert_eq!(after.paid_at.is_none(), expected != PayableState::Paid);
    }
}

#[test]
fn each_change_that_somebody_sees_is_told_once() {
    let of = |state, refunded| Payable { amount_refunded: refunded, ..payable(state) };
    let rows = [
        (of(PayableState::Open, 0), of(PayableState::Paying, 0), Some(Became::Pending)),
        (of(PayableState::Paying, 0), of(PayableState::Open, 0), Some(Became::Declined)),
        (of(PayableState::Paying, 0), of(PayableState::Paid, 0), Some(Became::Paid)),
        (of(PayableState::Paid, 0), of(PayableState::Paid, 0), None),
        (of(PayableState::Paid, 0), of(PayableState::PartiallyRefunded, 1), Some(Became::PartiallyRefunded)),
        (of(PayableState::PartiallyRefunded, 1), of(PayableState::PartiallyRefunded, 2), Some(Became::PartiallyRefunded)),
        (of(PayableState::PartiallyRefunded, 1), of(PayableState::Paid, 0), Some(Became::RefundUndone)),
        (of(PayableState::Open, 0), of(PayableState::Cancelled, 0), Some(Became::Cancelled)),
        (of(PayableState::Open, 0), of(PayableState::Expired, 0), Some(Became::Expired)),
    ];
    for (before, after, expected) in rows {
        assert_eq!(became(Some(&before), &after), expected, "{before:?} {after:?}");
    }
    assert_eq!(became(None, &payable(PayableState::Open)), Some(Became::Created));
}

#[test]
fn a_request_shows_what_was_sent_and_the_plugins_word() {
    let words = |state, attempts| {
        let shown = object(&Payable { attempts, ..payable(state) }, "http://pay.example/pay/d038ea94").unwrap();
        (shown["status"].as_str().unwrap().to_owned(), shown["kupay_status"].as_str().unwrap().to_owned())
    };
    for (state, attempts, status, plugin) in [
        (PayableState::Open, 0, "created", "open"),
        (PayableState::Open, 1, "pending", "open"),
        (PayableState::Paying, 1, "pending", "open"),
        (PayableState::Paid, 1, "paid", "completed"),
        (PayableState::PartiallyRefunded, 1, "paid", "completed"),
        (PayableState::Refunded, 1, "refunded", "completed"),
        (PayableState::Cancelled, 0, "cancelled", "cancelled"),
        (PayableState::Expired, 0, "expired", "expired"),
    ] {
        assert_eq!(words(state, attempts), (status.to_owned(), plugin.to_owned()), "{state:?}");
    }
    let shown = object(&payable(PayableState::Open), "http://pay.example/pay/d038ea94").unwrap();
    assert_eq!((shown["id"].as_str(), shown["payment_id"].as_str()), (Some("12345"), Some("d038ea94")));
    assert_eq!(shown["transaction_id"], serde_json::Value::Null);
}
