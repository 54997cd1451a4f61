//! A shopper's attempt at paying: once, whatever is clicked, reloaded, opened twice or cut off.
//!
//! The page's form carries the number of the attempt that it would be. Whoever is first writes the attempt down, with the id that its
//! transaction will have, and only then hands the payment to the switch. Whoever comes with the same number waits for that one; whoever
//! comes with an older one is told how the payable stands. An attempt that a crash has left is never sent again: its transaction, if the
//! journal has it, decides what came of it, else nothing did. See [`super::follower`].

use super::means::Means;
use super::outcome::next;
use super::{Page, PayableError, Payables};
use crate::intake::{self, Asker, Key, Payment};
use crate::switch::handle::Answered;
use persistence::stores::{Payable, PayableAttempt, PayableState};
use protocol::command::flag;
use protocol::id::Xid;
use protocol::limits::IDEMPOTENCY_WINDOW_MAX_S;
use protocol::refusal::Refusal;
use protocol::response_code::ResponseCode;
use protocol::tail::{self, tag};
use protocol::words::{Source, Verb};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How often an attempt is begun anew when others change the payable in between.
const TRIES_MAX: u32 = 8;
/// How long a second click waits for what came of the first.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How often it looks, should it have missed the news.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// An attempt that a shopper asks for.
#[derive(Debug)]
pub struct Asked {
    /// Name of the page.
    pub public_id: String,
    /// Which attempt its form would be.
    pub number: u32,
    /// What its form asked for, as [`asked_for`] has it; empty where a form does not say. A payable that was changed since is shown anew,
    /// and not paid: nobody agreed to that.
    pub agreed: String,
    /// What it is to be paid with.
    pub means: Means,
    /// Who pays, as far as it is known.
    pub payer: Payer,
}

/// Who pays.
#[derive(Debug, Clone, Default)]
pub struct Payer {
    /// As on the card, or the account's holder.
    pub name: String,
    /// Where the card's statements go; empty where it was not asked.
    pub postal_code: String,
    /// The shopper's machine.
    pub ip: Option<IpAddr>,
}

/// What a payable asks for, for a form to say what it was agreed to: minor units and currency.
pub fn asked_for(payable: &Payable) -> String {
    format!("{} {}", payable.due(), payable.currency.code())
}

/// An attempt that this process has in hand. While it lives nobody takes the attempt for one that a crash has left.
pub(super) struct InHand {
    payables: Payables,
    transaction: Xid,
}

impl InHand {
    fn take(payables: &Payables, transaction: Xid) -> InHand {
        payables.0.in_hand.insert(transaction);
        InHand { payables: payables.clone(), transaction }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.payables.0.in_hand.remove(&self.transaction);
    }
}

impl Payables {
    /// Pays, or finds out why that is not possible (any more). Gives the payable as it stands then; a decline is no error. A shopper who
    /// goes away does not stop it.
    pub async fn pay(&self, asked: Asked) -> Result<Payable, PayableError> {
        let room = self.clone();
        let paid = tokio::spawn(async move { room.attempt(asked).await }).await;
        paid.unwrap_or_else(|error| {
            tracing::error!(%error, "an attempt at paying has panicked; the follower finds out what came of it");
            Err(PayableError::Busy)
        })
    }

    async fn attempt(&self, asked: Asked) -> Result<Payable, PayableError> {
        let Asked { public_id, number, agreed, means, payer } = asked;
        for _ in 0..TRIES_MAX {
            let payable = self.of_page(&public_id).await?;
            match payable.state {
                PayableState::Open if !agreed.is_empty() && agreed != asked_for(&payable) => return Ok(payable),
                PayableState::Open if number == payable.attempts + 1 && payable.due() > 0 => {
                    if let Some((begun, attempt, in_hand)) = self.begin(&payable).await? {
                        return self.carry(begun, attempt, means, &payer, in_hand).await;
                    }
                }
                PayableState::Paying => return self.wait_decided(payable).await,
                PayableState::Open
                | PayableState::Paid
                | PayableState::PartiallyRefunded
                | PayableState::Refunded
                | PayableState::Cancelled
                | PayableState::Expired => return Ok(payable),
            }
        }
        Err(PayableError::Busy)
    }

    /// Writes an attempt down. `None` when somebody else was faster.
    async fn begin(&self, payable: &Payable) -> Result<Option<(Payable, PayableAttempt, InHand)>, PayableError> {
        let now = self.now();
        let attempt = PayableAttempt {
            payable: payable.id,
            number: payable.attempts + 1,
            transaction: self.0.switch.draw_id(),
            amount: payable.due(),
            begun_at: now,
            response_code: 0,
            paid: 0,
            refunded: 0,
        };
        let in_hand = InHand::take(self, attempt.transaction);
        let begun = Payable { state: PayableState::Paying, attempts: attempt.number, ..next(payable, now) };
        let changed = self.change(payable, begun, Some(attempt.clone())).await?;
        Ok(changed.map(|begun| (begun, attempt, in_hand)))
    }

    /// Hands the payment over and takes in what came of it.
    async fn carry(
        &self,
        payable: Payable,
        attempt: PayableAttempt,
        means: Means,
        payer: &Payer,
        in_hand: InHand,
    ) -> Result<Payable, PayableError> {
        let came_to_nothing = match self.send(&payable, &attempt, means, payer).await? {
            Answered::Version { .. } => None,
            Answered::Refused(Refusal::Busy) => Some(ResponseCode::COMMUNICATION_ERROR),
            Answered::Refused(refusal) => {
                tracing::warn!(payable = %payable.id, %refusal, "a shopper's payment is refused");
                Some(ResponseCode::INVALID_MERCHANT_CONFIGURATION)
            }
            Answered::Unavailable(unavailable) => return Err(PayableError::Unavailable(unavailable)),
        };
        let ended = self.bring_up_to_date(&payable.id, came_to_nothing.map(|why| (attempt.transaction, why))).await;
        drop(in_hand);
        ended
    }

    async fn send(
        &self,
        payable: &Payable,
        attempt: &PayableAttempt,
        means: Means,
        payer: &Payer,
    ) -> Result<Answered, PayableError> {
        let switch = &self.0.switch;
        let Some(merchant) = switch.merchant(&payable.merchant).filter(|merchant| merchant.active) else {
            return Ok(Answered::Refused(Refusal::MerchantNotActive));
        };
        let page = self.page(payable)?;
        let processor = means.processor_id(&page).parse().ok().and_then(|id| switch.processors().by_id(&id));
        let travelling = travelling(payable, &page, payer, &means);
        let payment = Payment {
            verb: Verb::Sale,
            amount: attempt.amount,
            currency: payable.currency,
            // Two payables of one amount may well be paid with one card or account; what keeps one from being paid twice is its attempt.
            flags: flag::ALLOW_DUPLICATE,
            processor: processor.map_or(0, |processor| processor.index),
            travelling: &travelling,
        };
        let key = Key { text: format!("payable-{}-{}", payable.id, attempt.number), window_s: IDEMPOTENCY_WINDOW_MAX_S };
        let asker = Asker {
            merchant: &merchant,
            user_id: &Xid::NONE,
            user_name: "",
            source: Source::HostedPage,
            peer: payer.ip,
            id: attempt.transaction,
            today: switch.now().civil(),
            key: Some(&key),
        };
        let built = intake::of_payment(&payment, means.instrument(), &asker, switch.sealer())?;
        Ok(switch.command(&built.command, &built.tail, built.sensitive).await)
    }

    /// What came of the attempt that is under way, or that it still is after a while.
    pub async fn wait_decided(&self, payable: Payable) -> Result<Payable, PayableError> {
        let deadline = tokio::time::Instant::now() + WAIT_MAX;
        let mut present = payable;
        while present.state == PayableState::Paying && tokio::time::Instant::now() < deadline {
            let _ = tokio::time::timeout(LOOK_EVERY, Arc::clone(&self.0.changed).notified_owned()).await;
            present = self.payable(&present.id).await?;
        }
        Ok(present)
    }
}

/// What the payment shows beside what it is paid with. Tags ascend.
fn travelling(payable: &Payable, page: &Page, payer: &Payer, means: &Means) -> Vec<u8> {
    let (first_name, last_name) = payer.name.rsplit_once(' ').unwrap_or(("", &payer.name));
    let mut out = Vec::new();
    for (tag, text) in [(tag::DESCRIPTION, &page.title), (tag::ORDER_ID, &page.order_id), (tag::EMAIL_ADDRESS, &page.email)] {
        if !text.is_empty() {
            tail::push(&mut out, tag, text.as_bytes());
        }
    }
    means.push_travelling(&mut out);
    tail::push(&mut out, tag::PAYABLE, &payable.id.0);
    let billing = [(0, first_name), (1, last_name), (tail::POSTAL_CODE, payer.postal_code.as_str())];
    for (field, text) in billing.into_iter().filter(|(_, text)| !text.is_empty()) {
        tail::push(&mut out, tag::BILLING + field, text.as_bytes());
    }
    out
}
