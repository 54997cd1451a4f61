//! The follower: takes in what becomes of payables' transactions, whoever makes them change, ends attempts that a crash has left, and lets
//! open payables expire by the calendar.

use super::{PayableError, Payables};
use persistence::stores::{Payable, PayableState};
use protocol::calendar::Micros;
use protocol::response_code::ResponseCode;
use std::time::Duration;

/// Rows that are read at a time.
const PAGE: u32 = 64;
/// How often the news are read.
const NEWS_EVERY: Duration = Duration::from_millis(500);
/// Wait after something of ours could not be reached.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The follower.
pub struct Follower(Payables);

impl Follower {
    /// A follower of a room.
    pub fn new(payables: Payables) -> Follower {
        Follower(payables)
    }

    /// Runs as long as the switch.
    pub async fn run(self) {
        tokio::join!(self.follow(), self.let_expire());
    }

    async fn follow(&self) {
        loop {
            let rest = match self.look().await {
                Ok(()) => NEWS_EVERY,
                Err(error) => {
                    tracing::warn!(%error, "news of payables wait");
                    RETRY_AFTER
                }
            };
            tokio::time::sleep(rest).await;
        }
    }

    async fn look(&self) -> Result<(), PayableError> {
        self.end_what_was_left().await?;
        loop {
            let news = self.0.stores().payable_news(PAGE).await?;
            for one in &news {
                settled(self.0.bring_up_to_date(&one.payable, None).await)?;
                self.0.stores().forget_payable_news(one.lsn).await?;
            }
            if news.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// An attempt that nobody has in hand was left by a crash, or by a switch that could not answer: its transaction decides, and if the
    /// journal has none, nothing was sent and nothing will be.
    async fn end_what_was_left(&self) -> Result<(), PayableError> {
        for attempt in self.0.stores().open_attempts(PAGE).await? {
            if !self.0.0.in_hand.contains(&attempt.transaction) {
                let left = Some((attempt.transaction, ResponseCode::COMMUNICATION_ERROR));
                settled(self.0.bring_up_to_date(&attempt.payable, left).await)?;
            }
        }
        Ok(())
    }

    async fn let_expire(&self) {
        let mut diligence = self.0.0.switch.calendar().worked_by().await;
        loop {
            let now = diligence.now();
            let expired = self.expire_all_over(now).await;
            diligence.has_come_to(now);
            let next = match expired {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "payables that expire wait");
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            };
            tokio::select! {
                () = diligence.wait_until(next) => {}
                () = self.0.0.changed.notified() => {}
            }
        }
    }

    /// Lets go what is over by now, and gives the moment at which the next one is.
    async fn expire_all_over(&self, now: Micros) -> Result<Micros, PayableError> {
        loop {
            let over = self.0.stores().payables_over(now, PAGE).await?;
            for payable in &over {
                // One that somebody changes at this moment is met again.
                self.0.close(payable, PayableState::Expired).await?;
            }
            if over.is_empty() {
                return Ok(self.0.stores().next_payable_over().await?);
            }
        }
    }
}

/// What can't be helped by trying again must not hold up what comes behind it.
fn settled(outcome: Result<Payable, PayableError>) -> Result<(), PayableError> {
    match outcome {
        // Not there: a name that came from elsewhere.
        Ok(_) | Err(PayableError::NotFound) => Ok(()),
        Err(error @ (PayableError::Failed(_) | PayableError::Unavailable(_) | PayableError::Busy)) => Err(error),
        Err(
            error @ (PayableError::Unreadable
            | PayableError::WrongState(_)
            | PayableError::TooMuch { .. }
            | PayableError::Refused(_)),
        ) => {
            tracing::error!(%error, "a payable can't be brought up to date");
            Ok(())
        }
    }
}
