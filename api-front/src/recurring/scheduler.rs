//! The scheduler: bills what is due by the calendar, once each, whatever crashes.
//!
//! An attempt at a bill is a row with the id of the transaction that it will be, written before the payment is handed over. Whoever finds
//! that row later, after a crash or in a second process, hands over the same transaction under the same idempotency key, or, when the
//! transaction is known already, takes its outcome. A transaction whose outcome is unknown is reversed by the switch, so that the next
//! attempt may go out as one of its own.
//!
//! Bills that came due while the switch was down are made up for one by one, each with its own date.

use super::dunning::{self, Answered as BillAnswered};
use super::{Recurring, RecurringError, adjustments_of, price, terms, told};
use crate::calendar::Diligence;
use crate::intake::{self, Asker, Key, Payment};
use crate::rest::request::CustomerMeans;
use crate::switch::handle::Answered;
use crate::vault::{Vault, VaultError};
use persistence::stores::{Bill, Subscription};
use protocol::calendar::Micros;
use protocol::command::flag;
use protocol::id::Xid;
use protocol::limits::IDEMPOTENCY_WINDOW_MAX_S;
use protocol::money::Currency;
use protocol::response_code::ResponseCode;
use protocol::tail::{self, tag};
use protocol::transaction::Transaction;
use protocol::words::{Source, Status, Verb};
use std::time::Duration;

/// Subscriptions that are read at a time.
const PAGE: u32 = 64;
/// Wait after something of ours could not be reached.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// What a bill counts as that the switch refused to take, for a merchant that is suspended: it is tried again on another day.
const POSTPONED: ResponseCode = ResponseCode::COMMUNICATION_ERROR;
/// The name that is shown as the user of a bill's payment.
const USER_NAME: &str = "recurring";

/// The scheduler.
pub struct Scheduler {
    recurring: Recurring,
    vault: Vault,
}

/// Why a bill could not be brought to an end now. It is tried again soon, as the same attempt.
#[derive(Debug, thiserror::Error)]
enum NotNow {
    #[error(transparent)]
    Recurring(#[from] RecurringError),
    #[error(transparent)]
    Store(#[from] persistence::error::PersistenceError),
    #[error(transparent)]
    Vault(VaultError),
    #[error("the switch can't answer: {0}")]
    Unavailable(String),
    #[error("its payment is still under way")]
    UnderWay,
}

impl Scheduler {
    /// A scheduler that charges what the vault has.
    pub fn new(recurring: Recurring, vault: Vault) -> Scheduler {
        Scheduler { recurring, vault }
    }

    /// Runs as long as the switch.
    pub async fn run(self) {
        let mut diligence = self.recurring.switch.calendar().worked_by().await;
        loop {
            let next = match self.bill_all_due(&mut diligence).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "bills wait");
                    let now = diligence.now();
                    diligence.has_come_to(now);
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            };
            tokio::select! {
                () = diligence.wait_until(next) => {}
                () = self.recurring.changed.notified() => {}
            }
        }
    }

    /// Bills everything that is due, several times over where bills were missed, and gives the moment at which the next one is. A bill
    /// that must wait keeps no other waiting.
    async fn bill_all_due(&self, diligence: &mut Diligence) -> Result<Micros, NotNow> {
        loop {
            let now = diligence.now();
            let (mut place, mut last_error, mut count) = ((Micros(i64::MIN), Xid::NONE), None, 0);
            loop {
                let due = self.recurring.stores().due_subscriptions(now, place, PAGE).await?;
                let Some(last) = due.last() else { break };
                place = (last.next_attempt_at, last.id);
                count += due.len();
                for subscription in &due {
                    if let Err(error) = self.bill(subscription, now).await {
                        tracing::warn!(%error, subscription = %subscription.id, "a bill waits");
                        last_error = Some(error);
                    }
                }
            }
            match last_error {
                Some(error) => return Err(error),
                None if count == 0 => {
                    diligence.has_come_to(now);
                    return Ok(self.recurring.stores().next_bill_due().await?);
                }
                None => {}
            }
        }
    }

    async fn bill(&self, subscription: &Subscription, now: Micros) -> Result<(), NotNow> {
        let number = subscription.billed + 1;
        let (add_ons, discounts) = (adjustments_of(&subscription.terms.add_ons), adjustments_of(&subscription.terms.discounts));
        let asked = Bill {
            transaction: self.recurring.switch.draw_id(),
            subscription: subscription.id,
            number,
            attempt: subscription.attempts,
            due_at: subscription.next_bill_at,
            amount: price::bill(subscription.terms.amount, &add_ons, &discounts, number),
            begun_at: now,
            response_code: 0,
        };
        let drawn = asked.transaction;
        let mut bill = self.recurring.stores().begin_bill(&asked).await?;
        let answer = if bill.amount == 0 {
            BillAnswered::NothingToPay
        } else {
            BillAnswered::Code(self.outcome(subscription, &bill, bill.transaction == drawn).await?)
        };
        let transaction = match answer {
            BillAnswered::NothingToPay => Xid::NONE,
            BillAnswered::Code(code) => {
                bill.response_code = code.0;
                bill.transaction
            }
        };
        // Read again: the merchant may have changed it while its payment was under way.
        let merchant = &subscription.merchant;
        let Some(present) = self.recurring.stores().subscription(merchant, &subscription.id).await? else { return Ok(()) };
        let cadence = terms::cadence(&present.terms)?;
        let after = dunning::after_answer(&present, cadence, transaction, answer, now);
        let told: Vec<_> =
            told::of_bill(&present, &after).into_iter().map(|became| self.recurring.event(&after, became)).collect();
        Ok(self.recurring.stores().end_bill(&bill, &after, &told).await?)
    }

    /// What became of an attempt's payment: the known outcome of one that was begun before, else that of handing it over.
    async fn outcome(&self, subscription: &Subscription, bill: &Bill, is_fresh: bool) -> Result<ResponseCode, NotNow> {
        if bill.response_code != 0 {
            return Ok(ResponseCode(bill.response_code));
        }
        if !is_fresh {
            let known = self.recurring.switch.transaction(subscription.merchant, bill.transaction).await;
            if let Some(version) = known.map_err(|unavailable| NotNow::Unavailable(unavailable.to_string()))? {
                return outcome_of(version.transaction());
            }
        }
        self.pay(subscription, bill).await
    }

    async fn pay(&self, subscription: &Subscription, bill: &Bill) -> Result<ResponseCode, NotNow> {
        let switch = &self.recurring.switch;
        let Some(merchant) = switch.merchant(&subscription.merchant) else { return Ok(POSTPONED) };
        let means = CustomerMeans {
            id: subscription.customer,
            payment_method_type: None,
            payment_method_id: None,
            billing_address_id: None,
            shipping_address_id: None,
        };
        let instrument = match self.vault.resolve_customer(&merchant.id, &means).await {
            Ok(instrument) => instrument,
            // The customer, or what it paid with, was removed: no bill can be paid before the merchant changes that.
            Err(VaultError::NotIts { .. } | VaultError::NotFound) => return Ok(ResponseCode::INVALID_TRANSACTION),
            Err(error) => return Err(NotNow::Vault(error)),
        };
        let key = Key { text: format!("bill-{}", bill.transaction), window_s: IDEMPOTENCY_WINDOW_MAX_S };
        let travelling = travelling(subscription);
        let payment = Payment {
            verb: Verb::Sale,
            amount: bill.amount,
            currency: Currency::USD,
            // Bills of equal amounts follow one another by intent; what keeps a bill from coming twice is its id.
            flags: flag::ALLOW_DUPLICATE,
            processor: 0,
            travelling: &travelling,
        };
        let asker = Asker {
            merchant: &merchant,
            user_id: &Xid::NONE,
            user_name: USER_NAME,
            source: Source::Recurring,
            peer: None,
            id: bill.transaction,
            today: switch.now().civil(),
            key: Some(&key),
        };
        let built = intake::of_payment(&payment, instrument, &asker, switch.sealer())?;
        match switch.command(&built.command, &built.tail, built.sensitive).await {
            Answered::Version { version, .. } => outcome_of(version.transaction()),
            Answered::Refused(protocol::refusal::Refusal::Busy) => Err(NotNow::Unavailable("it is at its limit".to_owned())),
            Answered::Refused(refusal) => {
                tracing::warn!(subscription = %subscription.id, %refusal, "a bill is refused");
                Ok(POSTPONED)
            }
            Answered::Unavailable(unavailable) => Err(NotNow::Unavailable(unavailable.to_string())),
        }
    }
}

/// What a bill's payment shows beside its customer.
fn travelling(subscription: &Subscription) -> Vec<u8> {
    let mut out = Vec::new();
    if !subscription.description.is_empty() {
        tail::push(&mut out, tag::DESCRIPTION, subscription.description.as_bytes());
    }
    tail::push(&mut out, tag::ORDER_ID, &subscription.id.to_text());
    tail::push(&mut out, tag::CARD_ON_FILE_INDICATOR, b"C");
    tail::push(&mut out, tag::INITIATED_BY, b"merchant");
    out
}

/// The code of a payment that is decided. One in flight decides nothing yet.
fn outcome_of(transaction: &Transaction) -> Result<ResponseCode, NotNow> {
    match transaction.status() {
        Status::Pending => Err(NotNow::UnderWay),
        Status::Unknown | Status::Reversed => Ok(ResponseCode::COMMUNICATION_ERROR),
        Status::Authorized
        | Status::PendingSettlement
        | Status::Settled
        | Status::Declined
        | Status::Voided
        | Status::PartiallyRefunded
        | Status::Refunded
        | Status::Returned => Ok(transaction.response_code()),
    }
}
