//! What a transaction means for the attempt that it is, and what its attempts mean for a payable. Pure.

use persistence::stores::{Payable, PayableAttempt, PayableState};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::response_code::ResponseCode;
use protocol::transaction::Transaction;
use protocol::words::Status;

/// The attempt as its transaction, in whatever version, lets it stand. What was paid once stays paid: what is taken back afterwards, by
/// whichever way, was given back.
pub(super) fn of_transaction(attempt: &PayableAttempt, transaction: &Transaction) -> PayableAttempt {
    let (captured, given_back) = (transaction.amount_captured.get(), transaction.amount_refunded.get());
    let standing = |paid: u64, refunded: u64| PayableAttempt {
        response_code: transaction.response_code().0,
        paid,
        refunded,
        ..attempt.clone()
    };
    match transaction.status() {
        Status::Pending => attempt.clone(),
        Status::Declined => standing(0, 0),
        Status::Authorized | Status::PendingSettlement | Status::Settled => standing(captured, given_back),
        Status::PartiallyRefunded | Status::Refunded => standing(captured, given_back),
        Status::Voided | Status::Returned => {
            let paid = attempt.paid.max(captured);
            standing(paid, paid)
        }
        // The switch reverses it by itself: it comes to nothing, now or later.
        Status::Unknown | Status::Reversed => {
            PayableAttempt { refunded: attempt.paid, ..abandoned(attempt, ResponseCode::COMMUNICATION_ERROR) }
        }
    }
}

/// An attempt of which nothing has come, and nothing will. One that is decided stays so.
pub(super) fn abandoned(attempt: &PayableAttempt, why: ResponseCode) -> PayableAttempt {
    let response_code = if attempt.response_code == 0 { why.0 } else { attempt.response_code };
    PayableAttempt { response_code, ..attempt.clone() }
}

/// The payable as its attempts let it stand, in its next version.
pub(super) fn of_attempts(payable: &Payable, attempts: &[PayableAttempt], now: Micros) -> Payable {
    let amount_paid = attempts.iter().map(|attempt| attempt.paid).sum();
    let amount_refunded = attempts.iter().map(|attempt| attempt.refunded).sum();
    let payer = attempts.iter().rev().find(|attempt| attempt.paid > 0);
    let mut after = next(payable, now);
    (after.amount_paid, after.amount_refunded) = (amount_paid, amount_refunded);
    after.transaction = payer.map_or(Xid::NONE, |attempt| attempt.transaction);
    after.state = state(payable, &after, attempts);
    if after.paid_at.is_none() && after.state == PayableState::Paid {
        after.paid_at = now;
    }
    after
}

fn state(before: &Payable, after: &Payable, attempts: &[PayableAttempt]) -> PayableState {
    let is_under_way = attempts.iter().any(|attempt| attempt.response_code == 0);
    let is_paid = after.amount_paid > 0 && after.due() == 0;
    match before.state {
        _ if is_under_way => PayableState::Paying,
        _ if is_paid && after.amount_refunded >= after.amount_paid => PayableState::Refunded,
        _ if is_paid && after.amount_refunded > 0 => PayableState::PartiallyRefunded,
        _ if is_paid => PayableState::Paid,
        PayableState::Cancelled | PayableState::Expired => before.state,
        PayableState::Open
        | PayableState::Paying
        | PayableState::Paid
        | PayableState::PartiallyRefunded
        | PayableState::Refunded => PayableState::Open,
    }
}

/// The same payable, as a change begins. Two changes within a microsecond must not look like one.
pub(super) fn next(payable: &Payable, now: Micros) -> Payable {
    let updated_at = Micros(now.0.max(payable.updated_at.0 + 1));
    Payable { version: payable.version + 1, updated_at, ..payable.clone() }
}
