//! Giving back what was paid: as a void while the payment is not settled and all of it goes back, as a refund after that.

use super::{PayableError, Payables, Refunding};
use crate::intake::{self, Asker, Key, Step};
use crate::switch::handle::Answered;
use persistence::stores::{Payable, PayableState};
use protocol::id::Xid;
use protocol::limits::IDEMPOTENCY_WINDOW_MAX_S;
use protocol::refusal::Refusal;
use protocol::response_code::Category;
use protocol::words::{Source, Status, Verb};

/// The name that is shown as the user of a refund.
const USER_NAME: &str = "payables";

impl Payables {
    /// Gives back so much of what was paid, minor units. `request` is drawn by whoever asks and asked again with: one request gives money
    /// back once.
    pub async fn refund(&self, id: &Xid, amount: u64, request: Xid) -> Result<Refunding, PayableError> {
        let payable = self.bring_up_to_date(id, None).await?;
        if !matches!(payable.state, PayableState::Paid | PayableState::PartiallyRefunded) {
            return self.of_request(&payable, request).await.unwrap_or(Err(PayableError::WrongState(payable.state)));
        }
        let switch = &self.0.switch;
        let sale = switch.transaction(payable.merchant, payable.transaction).await.map_err(PayableError::Unavailable)?;
        let Some(sale) = sale else { return Err(PayableError::Unreadable) };
        let is_whole = amount == sale.transaction().amount_captured.get();
        match sale.transaction().status() {
            Status::Authorized | Status::PendingSettlement if is_whole => self.step(payable, Verb::Void, None, request).await,
            Status::Authorized | Status::PendingSettlement => Ok(Refunding::NotYet),
            Status::Pending
            | Status::Unknown
            | Status::Settled
            | Status::Declined
            | Status::Voided
            | Status::Reversed
            | Status::PartiallyRefunded
            | Status::Refunded
            | Status::Returned => {
                if let Some(before) = self.of_request(&payable, request).await {
                    return before;
                }
                let left = payable.amount_paid - payable.amount_refunded;
                if amount > left {
                    return Err(PayableError::TooMuch { left });
                }
                self.step(payable, Verb::Refund, Some(amount), request).await
            }
        }
    }

    /// What came of a request that was made before: the refund that has its id.
    async fn of_request(&self, payable: &Payable, request: Xid) -> Option<Result<Refunding, PayableError>> {
        match self.0.switch.transaction(payable.merchant, request).await {
            Ok(None) => None,
            Ok(Some(refund)) if refund.transaction().response_code().category() == Category::Approval => {
                Some(Ok(Refunding::Done(payable.clone())))
            }
            Ok(Some(refund)) if refund.transaction().status() == Status::Pending => Some(Ok(Refunding::NotYet)),
            Ok(Some(refund)) => Some(Ok(Refunding::Declined(refund.transaction().response_code().text()))),
            Err(unavailable) => Some(Err(PayableError::Unavailable(unavailable))),
        }
    }

    async fn step(&self, payable: Payable, verb: Verb, amount: Option<u64>, request: Xid) -> Result<Refunding, PayableError> {
        let switch = &self.0.switch;
        let merchant = switch.merchant(&payable.merchant).ok_or(PayableError::Refused(Refusal::MerchantNotActive))?;
        let key = Key { text: format!("refund-{request}"), window_s: IDEMPOTENCY_WINDOW_MAX_S };
        let asker = Asker {
            merchant: &merchant,
            user_id: &Xid::NONE,
            user_name: USER_NAME,
            source: Source::Api,
            peer: None,
            id: request,
            today: switch.now().civil(),
            key: Some(&key),
        };
        let asked = Step { verb, target: payable.transaction, amount, travelling: &[] };
        let built = intake::of_step(&asked, &asker, switch.sealer());
        match switch.command(&built.command, &built.tail, built.sensitive).await {
            Answered::Version { version, .. } if version.transaction().response_code().category() == Category::Approval => {
                self.bring_up_to_date(&payable.id, None).await.map(Refunding::Done)
            }
            Answered::Version { version, .. } => Ok(Refunding::Declined(version.transaction().response_code().text())),
            Answered::Refused(Refusal::BatchClosing | Refusal::StepInFlight { .. } | Refusal::Busy) => Ok(Refunding::NotYet),
            Answered::Refused(refusal) => Err(PayableError::Refused(refusal)),
            Answered::Unavailable(unavailable) => Err(PayableError::Unavailable(unavailable)),
        }
    }
}
