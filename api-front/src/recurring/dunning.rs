//! What an answer to a bill means for its subscription. Pure.

use super::cadence::Cadence;
use super::subscriptions::{date_of, midnight};
use persistence::stores::{Standing, Subscription};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::response_code::{Category, ResponseCode};

/// Days after which a declined bill is tried again, one for each attempt; then the subscription has failed.
pub const RETRY_AFTER_DAYS: [u32; 4] = [1, 3, 5, 7];
const DAY_S: u32 = 86_400;

/// The subscription after its next bill was answered with a code, or came to nothing and needed no payment.
pub fn after_answer(before: &Subscription, cadence: Cadence, transaction: Xid, answer: Answered, now: Micros) -> Subscription {
    let mut after = before.clone();
    after.updated_at = now.max(Micros(before.updated_at.0 + 1));
    if !transaction.is_none() {
        after.last_transaction = transaction;
    }
    match answer {
        Answered::NothingToPay => paid(&mut after, cadence),
        Answered::Code(code) => match code.category() {
            Category::Approval => paid(&mut after, cadence),
            _ if is_stop(code) => end(&mut after, Standing::Stopped),
            _ if may_be_tried_again(code) => declined(&mut after, now),
            Category::Unknown | Category::ProcessorDecline | Category::GatewayDecline | Category::ProcessorError => {
                after.attempts += 1;
                end(&mut after, Standing::Failed);
            }
        },
    }
    after
}

/// What a bill came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Its discounts took all of it.
    NothingToPay,
    /// A payment was answered with this code.
    Code(ResponseCode),
}

/// The bank of the cardholder has said that it wants no more of these.
fn is_stop(code: ResponseCode) -> bool {
    [ResponseCode::STOP_RECURRING, ResponseCode::STOP_ALL_RECURRING, ResponseCode::STOP_RECURRING_DECLINE].contains(&code)
}

/// The same request may succeed on another day. Plain declines are among them: a bank that gives no reason may change its mind.
fn may_be_tried_again(code: ResponseCode) -> bool {
    let plain = [ResponseCode::DECLINE, ResponseCode::DO_NOT_HONOR, ResponseCode::UNKNOWN, ResponseCode::PENDING];
    plain.contains(&code) || code.row().is_some_and(|row| row.retryable)
}

fn paid(after: &mut Subscription, cadence: Cadence) {
    after.billed += 1;
    after.attempts = 0;
    after.next_bill_at = midnight(cadence.next_after(date_of(after.next_bill_at)));
    if after.terms.duration != 0 && after.billed >= after.terms.duration {
        end(after, Standing::Completed);
    } else {
        after.standing = Standing::Active;
        after.next_attempt_at = after.next_bill_at;
    }
}

fn declined(after: &mut Subscription, now: Micros) {
    let wait_days = RETRY_AFTER_DAYS.get(after.attempts as usize);
    after.attempts += 1;
    match wait_days {
        Some(days) => {
            after.standing = Standing::PastDue;
            after.next_attempt_at = now.plus_s(days * DAY_S);
        }
        None => end(after, Standing::Failed),
    }
}

fn end(after: &mut Subscription, standing: Standing) {
    after.standing = standing;
    after.next_attempt_at = Micros::NEVER;
}
