//! What a change of a link's payable means for the books: who gets which share, what our fee is, what a refund takes from whom.
//!
//! A link's fee is one amount, borne by all who share the payment in proportion to their shares, so that nobody owes a fee for money that
//! went to somebody else. It stays with us when the payment is given back. A refund is taken from what is left of each share. Pure.

use super::body::{Body, Share};
use super::shares::{apportion, part_of};
use persistence::stores::{Cause, Kind, Leg, Payable, Posting, Purpose};
use protocol::calendar::Micros;
use protocol::id::Xid;

/// The postings of a change, and the shares as they are after it.
pub(super) fn of_change(before: &Payable, after: &Payable, body: &mut Body, at: Micros) -> Vec<Posting> {
    let mut postings = Vec::new();
    if after.amount_paid > before.amount_paid {
        let paid = after.amount_paid - before.amount_paid;
        body.shares = body.divided(after.merchant, paid);
        postings.push(pay_in(after, body, at));
        postings.extend(service_fee(after, body, paid, at));
    }
    if after.amount_refunded > before.amount_refunded {
        let left: Vec<u64> = body.shares.iter().map(|share| share.amount - share.refunded).collect();
        let parts = apportion((after.amount_refunded - before.amount_refunded).min(left.iter().sum()), &left);
        body.shares.iter_mut().zip(&parts).for_each(|(share, part)| share.refunded += part);
        postings.push(refund(after, body, &parts, -1, at));
    }
    if after.amount_refunded < before.amount_refunded {
        // A refund that did not come about after all.
        let taken: Vec<u64> = body.shares.iter().map(|share| share.refunded).collect();
        let parts = apportion((before.amount_refunded - after.amount_refunded).min(taken.iter().sum()), &taken);
        body.shares.iter_mut().zip(&parts).for_each(|(share, part)| share.refunded -= part);
        postings.push(refund(after, body, &parts, 1, at));
    }
    postings
}

impl Body {
    /// The shares of a payment: the recipients' percentages, and the rest the merchant's, who comes first when a unit is left over.
    fn divided(&self, merchant: Xid, paid: u64) -> Vec<Share> {
        let recipients = self.recipients.iter().flatten();
        let given: u32 = recipients.clone().map(|recipient| recipient.share_bp).sum();
        let rest = 10_000_u32.saturating_sub(given);
        let mut of = vec![(merchant, u64::from(rest))];
        of.extend(recipients.map(|recipient| (recipient.merchant, u64::from(recipient.share_bp))));
        let parts = apportion(paid, &of.iter().map(|(_, weight)| *weight).collect::<Vec<_>>());
        of.into_iter().zip(parts).map(|((merchant, _), amount)| Share { merchant, amount, refunded: 0 }).collect()
    }
}

fn posting(payable: &Payable, (kind, number): (Kind, i64), at: Micros, mut legs: Vec<Leg>) -> Posting {
    legs.retain(|leg| leg.amount != 0);
    Posting { cause: Cause { id: payable.transaction, kind, number }, currency: payable.currency, at, legs }
}

fn pay_in(payable: &Payable, body: &Body, at: Micros) -> Posting {
    let mut legs = vec![leg(payable.merchant, Purpose::Shoppers, -sum(body.shares.iter().map(|share| share.amount)))];
    legs.extend(body.shares.iter().map(|share| leg(share.merchant, Purpose::Balance, signed(share.amount))));
    posting(payable, (Kind::PayIn, 0), at, legs)
}

fn service_fee(payable: &Payable, body: &Body, paid: u64, at: Micros) -> Option<Posting> {
    let fee = part_of(paid, body.service_fee_bp);
    let weights: Vec<u64> = body.shares.iter().map(|share| share.amount).collect();
    let both = |(share, part): (&Share, u64)| {
        let part = signed(part);
        [leg(share.merchant, Purpose::Balance, -part), leg(share.merchant, Purpose::Fees, part)]
    };
    let legs = body.shares.iter().zip(apportion(fee, &weights)).flat_map(both).collect();
    (fee > 0).then(|| posting(payable, (Kind::ServiceFee, 0), at, legs))
}

/// `direction` is -1 where it takes from the balances, 1 where it gives back. The payable's version tells one refund from another.
fn refund(payable: &Payable, body: &Body, parts: &[u64], direction: i64, at: Micros) -> Posting {
    let mut legs = vec![leg(payable.merchant, Purpose::Shoppers, -direction * sum(parts.iter().copied()))];
    let takes = body.shares.iter().zip(parts);
    legs.extend(takes.map(|(share, part)| leg(share.merchant, Purpose::Balance, direction * signed(*part))));
    posting(payable, (Kind::Refund, signed(payable.version)), at, legs)
}

fn leg(merchant: Xid, purpose: Purpose, amount: i64) -> Leg {
    Leg { merchant, purpose, amount }
}

fn sum(amounts: impl Iterator<Item = u64>) -> i64 {
    signed(amounts.sum())
}

/// Amounts end at twelve digits.
fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
