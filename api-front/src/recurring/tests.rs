//! What answers mean for a subscription.

use super::cadence::Cadence;
use super::dunning::{Answered, RETRY_AFTER_DAYS, after_answer};
use super::subscriptions::{date_of, midnight};
use jiff::civil::{Date, date};
use persistence::stores::{BillingTerms, Standing, Subscription};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::response_code::ResponseCode;

const DUE: Date = date(2027, 1, 31);

fn monthly(duration: u32) -> (Subscription, Cadence) {
    let terms = BillingTerms {
        amount: 100,
        interval: 1,
        frequency: "monthly".to_owned(),
        days: "0".to_owned(),
        duration,
        add_ons: "[]".to_owned(),
        discounts: "[]".to_owned(),
    };
    let subscription = Subscription {
        id: Xid([1; 12]),
        merchant: Xid([2; 12]),
        plan: Xid::NONE,
        customer: Xid([3; 12]),
        description: String::new(),
        terms,
        standing: Standing::Active,
        next_bill_at: midnight(DUE),
        next_attempt_at: midnight(DUE),
        billed: 0,
        attempts: 0,
        last_transaction: Xid::NONE,
        created_at: Micros(1),
        updated_at: Micros(1),
    };
    (subscription, Cadence::read(1, "monthly", "0").unwrap())
}

fn answered(before: &Subscription, cadence: Cadence, code: ResponseCode) -> Subscription {
    after_answer(before, cadence, Xid([9; 12]), Answered::Code(code), before.next_attempt_at)
}

#[test]
fn dates_and_midnights_lead_back_to_one_another() {
    assert_eq!(date_of(midnight(DUE)), DUE);
    assert_eq!(date_of(Micros(midnight(DUE).0 + 86_399_999_999)), DUE);
}

#[test]
fn a_paid_bill_counts_and_the_next_comes_on_its_day() {
    let (subscription, cadence) = monthly(0);
    let after = answered(&subscription, cadence, ResponseCode::APPROVED);
    assert_eq!((after.standing, after.billed, after.attempts), (Standing::Active, 1, 0));
    assert_eq!((date_of(after.next_bill_at), after.next_attempt_at), (date(2027, 2, 28), after.next_bill_at));
    assert_eq!(after.last_transaction, Xid([9; 12]));
}

#[test]
fn the_last_bill_completes() {
    let (subscription, cadence) = monthly(2);
    let first = answered(&subscription, cadence, ResponseCode::APPROVED);
    let last = after_answer(&first, cadence, Xid::NONE, Answered::NothingToPay, first.next_attempt_at);
    assert_eq!((last.standing, last.billed, last.next_attempt_at), (Standing::Completed, 2, Micros::NEVER));
    assert_eq!(last.last_transaction, first.last_transaction, "a bill of nothing has no transaction");
}

#[test]
fn a_soft_decline_is_tried_again_later_each_time_and_fails_in_the_end() {
    let (mut subscription, cadence) = monthly(0);
    for (attempt, days) in (1..).zip(RETRY_AFTER_DAYS) {
        let after = answered(&subscription, cadence, ResponseCode::INSUFFICIENT_FUNDS);
        assert_eq!((after.standing, after.billed, after.attempts), (Standing::PastDue, 0, attempt));
        assert_eq!(after.next_attempt_at, subscription.next_attempt_at.plus_s(days * 86_400));
        assert_eq!(after.next_bill_at, midnight(DUE), "the bill stays the one of its day");
        subscription = after;
    }
    let paid = answered(&subscription, cadence, ResponseCode::APPROVED);
    assert_eq!((paid.standing, paid.attempts, date_of(paid.next_bill_at)), (Standing::Active, 0, date(2027, 2, 28)));
    let failed = answered(&subscription, cadence, ResponseCode::INSUFFICIENT_FUNDS);
    assert_eq!((failed.standing, failed.next_attempt_at), (Standing::Failed, Micros::NEVER));
}

#[test]
fn a_hard_decline_fails_at_once_and_a_bank_that_wants_no_more_stops() {
    let (subscription, cadence) = monthly(0);
    for (code, standing) in [
        (ResponseCode::STOLEN_CARD, Standing::Failed),
        (ResponseCode::EXPIRED_CARD, Standing::Failed),
        (ResponseCode::STOP_RECURRING, Standing::Stopped),
        (ResponseCode::STOP_ALL_RECURRING, Standing::Stopped),
    ] {
        let after = answered(&subscription, cadence, code);
        assert_eq!((after.standing, after.billed, after.next_attempt_at), (standing, 0, Micros::NEVER), "{code:?}");
    }
}
