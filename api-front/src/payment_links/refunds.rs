//! Refunds of links: written down when they are asked for, carried out when the payment allows it, once each, whatever crashes.
//!
//! A part of a payment can only be given back once it is settled. A refund that comes before waits here and is tried again; its id is the
//! idempotency key of its step at the switch, so that whoever finds the row after a crash repeats the same step.

use super::{LinkError, PaymentLinks};
use crate::payables::{PayableError, Refunding};
use persistence::PersistenceError;
use persistence::stores::{LinkRefund, Payable, PayableState, RefundState};
use protocol::id::Xid;
use std::time::Duration;

/// Refunds that are read at a time.
const PAGE: u32 = 64;
/// How often refunds that wait are tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether any wait: another process may have taken them.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl PaymentLinks {
    /// Takes a refund of a link's payment, of all that is left where no amount is said, and carries it out if that is possible now. Gives
    /// it and the link as they stand after that.
    pub async fn refund(&self, merchant: &Xid, number: u64, amount: Option<u64>) -> Result<(LinkRefund, Payable), LinkError> {
        let payable = self.link(merchant, number).await?;
        match payable.state {
            PayableState::Paid | PayableState::PartiallyRefunded => {}
            state @ (PayableState::Open
            | PayableState::Paying
            | PayableState::Refunded
            | PayableState::Cancelled
            | PayableState::Expired) => return Err(LinkError::WrongState(state)),
        }
        let (switch, left) = (&self.0.switch, payable.amount_paid - payable.amount_refunded);
        let now = switch.calendar().now();
        let mut refund = LinkRefund {
            id: switch.draw_id(),
            merchant: *merchant,
            payable: payable.id,
            amount: amount.unwrap_or(left),
            state: RefundState::Waiting,
            note: String::new(),
            created_at: now,
            updated_at: now,
        };
        switch.stores().add_link_refund(&refund, left).await?.map_err(|left| LinkError::TooMuch { left })?;
        // It is written down: what fails now is tried again.
        if let Err(error) = self.carry_out(&mut refund).await {
            tracing::warn!(%error, refund = %refund.id, "a refund waits");
        }
        if refund.state == RefundState::Waiting {
            self.0.refund_waits.notify_one();
        }
        Ok((refund, self.0.payables.payable(&payable.id).await?))
    }

    /// Carries out refunds that wait, as long as the switch runs.
    pub async fn carry_out_refunds(self) {
        loop {
            let pause = match self.carry_out_all().await {
                Ok(0) => LOOK_EVERY,
                Ok(_) => RETRY_EVERY,
                Err(error) => {
                    tracing::warn!(%error, "refunds wait");
                    RETRY_EVERY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.0.refund_waits.notified(), if pause == LOOK_EVERY => {}
            }
        }
    }

    /// Tries each once; one that must wait keeps no other waiting. Gives how many still wait.
    async fn carry_out_all(&self) -> Result<usize, PersistenceError> {
        let (mut place, mut waiting) = (Xid::NONE, 0);
        loop {
            let page = self.0.switch.stores().waiting_link_refunds(&place, PAGE).await?;
            let Some(last) = page.last() else { return Ok(waiting) };
            place = last.id;
            for mut refund in page {
                if let Err(error) = self.carry_out(&mut refund).await {
                    tracing::warn!(%error, refund = %refund.id, "a refund waits");
                }
                waiting += usize::from(refund.state == RefundState::Waiting);
            }
        }
    }

    async fn carry_out(&self, refund: &mut LinkRefund) -> Result<(), LinkError> {
        let answer = self.0.payables.refund(&refund.payable, refund.amount, refund.id).await;
        let (state, note) = match answer {
            Ok(Refunding::Done(_)) => (RefundState::Done, String::new()),
            Ok(Refunding::NotYet) => return Ok(()),
            Ok(Refunding::Declined(text)) => (RefundState::Refused, text.to_owned()),
            // A crash came between the step and its row: a void leaves no transaction of its own that would say so.
            Err(PayableError::WrongState(PayableState::Refunded)) => (RefundState::Done, String::new()),
            Err(
                error @ (PayableError::WrongState(_)
                | PayableError::TooMuch { .. }
                | PayableError::Refused(_)
                | PayableError::NotFound
                | PayableError::Unreadable),
            ) => (RefundState::Refused, error.to_string()),
            Err(error @ (PayableError::Busy | PayableError::Unavailable(_) | PayableError::Failed(_))) => {
                return Err(error.into());
            }
        };
        (refund.state, refund.note, refund.updated_at) = (state, note, self.0.switch.calendar().now());
        Ok(self.0.switch.stores().end_link_refund(refund).await?)
    }
}
