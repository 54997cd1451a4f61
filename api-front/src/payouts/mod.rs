//! Payouts and fee invoices: what the books owe merchants goes out every night, and our fees are invoiced every month, by the calendar.
//!
//! Nothing is remembered here. What stands open in the books says which nights and months are still to be made: those that passed while
//! the switch was down are made up for, each with its own date, and none is made twice, for a payout and what it takes are one SQL
//! transaction. What was refunded after its payout leaves a balance below zero, which is carried over until later pay-ins cover it.
//!
//! A payout is on its way for a day: its status is `InProgress` until the next night's. Must not live here: SQL, and who gets what of a
//! payment ([`crate::payment_links`]).

mod months;
mod told;

use crate::payment_links::CURRENCY;
use crate::sandbox_home::random_bytes;
use crate::settlement::cut_over::CutOver;
use crate::switch::handle::Switch;
use months::{month_of, next_month};
use persistence::PersistenceError;
use persistence::stores::{FeeInvoice, NewPayout, Purpose, Stores};
use protocol::calendar::Micros;
use protocol::id::Xid;
use std::time::Duration;

pub use told::{Standing, day_of};

/// How long a payout is on its way, by the calendar, seconds.
const TRANSIT_S: u32 = 86_400;
/// Payouts that are read at a time.
const PAGE: u32 = 64;
/// Wait after the SQL home could not be asked.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// The calendar is looked at again at least so often, seconds: a merchant may have been given another cut-over.
const LOOK_EVERY_S: u32 = 60;
/// Characters of a payout's name that are drawn.
const NAME_DRAWN_CHARS: usize = 10;
const NAME_ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What makes payouts and fee invoices.
pub struct Payouts {
    switch: Switch,
}

impl Payouts {
    /// Over a switch's stores, by its calendar.
    pub fn new(switch: Switch) -> Payouts {
        Payouts { switch }
    }

    /// Runs as long as the switch.
    pub async fn run(self) {
        let mut diligence = self.switch.calendar().worked_by().await;
        loop {
            let now = diligence.now();
            let made = self.catch_up(now).await;
            diligence.has_come_to(now);
            match made {
                Ok(next) => diligence.wait_until(next).await,
                Err(error) => {
                    tracing::warn!(%error, "payouts wait");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    /// Makes all that is due by now, and gives the moment at which it is to be looked again.
    async fn catch_up(&self, now: Micros) -> Result<Micros, PersistenceError> {
        for merchant in self.stores().merchants_with_open_legs(Purpose::Balance).await? {
            self.pay_out(&merchant, now).await?;
        }
        for merchant in self.stores().merchants_with_open_legs(Purpose::Fees).await? {
            self.invoice_fees(&merchant, now).await?;
        }
        self.end_payouts(now).await?;
        let soonest = self.switch.merchants().all().iter().map(|merchant| merchant.links.payout_at.next(now)).min();
        Ok(soonest.unwrap_or(Micros::NEVER).min(now.plus_s(LOOK_EVERY_S)))
    }

    /// Makes a merchant's payouts of all nights up to now of which something is open.
    async fn pay_out(&self, merchant: &Xid, now: Micros) -> Result<(), PersistenceError> {
        let cut_over = self.switch.merchant(merchant).map_or(CutOver::MIDNIGHT, |merchant| merchant.links.payout_at);
        let mut newest = self.stores().newest_payout_night(merchant).await?.unwrap_or(Micros(i64::MIN));
        let mut from = Micros(i64::MIN);
        while let Some(first) = self.stores().first_open_leg(merchant, Purpose::Balance, from).await? {
            // What is posted late goes out in the night after those that are made.
            let night = cut_over.next(if first < newest { newest } else { first });
            if night > now {
                return Ok(());
            }
            let new = NewPayout {
                id: self.switch.draw_id(),
                merchant: *merchant,
                name: name(night)?,
                night,
                currency: CURRENCY,
                at: now,
            };
            let event = self.switch.draw_id();
            if let Some(payout) = self.stores().make_payout(new, |made| told::of_payout(made, event, now)).await? {
                tracing::info!(payout = payout.name, net = payout.net(), "a payout is made");
                newest = night;
            }
            from = night;
        }
        Ok(())
    }

    async fn invoice_fees(&self, merchant: &Xid, now: Micros) -> Result<(), PersistenceError> {
        let mut newest = self.stores().newest_fee_invoice_month(merchant).await?;
        while let Some(first) = self.stores().first_open_leg(merchant, Purpose::Fees, Micros(i64::MIN)).await? {
            let month = newest.map_or(month_of(first), |newest| next_month(newest).max(month_of(first)));
            let end = next_month(month);
            if end > now {
                return Ok(());
            }
            let (id, event, currency) = (self.switch.draw_id(), self.switch.draw_id(), CURRENCY);
            let new = FeeInvoice { id, merchant: *merchant, number: 0, month, fees: 0, payments: 0, currency, created_at: now };
            let made = self.stores().make_fee_invoice(new, end, |made| told::of_fee_invoice(made, event, now)).await?;
            if made.is_none() {
                return Ok(());
            }
            newest = Some(month);
        }
        Ok(())
    }

    /// What was on its way for long enough has arrived.
    async fn end_payouts(&self, now: Micros) -> Result<(), PersistenceError> {
        let until = Micros(now.0 - i64::from(TRANSIT_S) * 1_000_000);
        loop {
            let arrived = self.stores().payouts_under_way(until, PAGE).await?;
            if arrived.is_empty() {
                return Ok(());
            }
            for mut payout in arrived {
                payout.paid_at = now;
                let event = told::of_payout(&payout, self.switch.draw_id(), now);
                self.stores().end_payout(&payout, now, event).await?;
            }
        }
    }

    fn stores(&self) -> &Stores {
        self.switch.stores()
    }
}

/// A payout's id in the API: the day whose pay-ins it carries, and characters that nobody has drawn before.
fn name(night: Micros) -> Result<String, PersistenceError> {
    let drawn = random_bytes(NAME_DRAWN_CHARS);
    let drawn = drawn.map_err(|_| PersistenceError::Cryptography { operation: "draw a payout's name" })?;
    let characters = drawn.iter().map(|byte| char::from(NAME_ALPHABET[usize::from(*byte) % NAME_ALPHABET.len()]));
    Ok(format!("{}-po-{}", day_of(night).replace('-', ""), characters.collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_the_day_that_ends_with_its_night() {
        let midnight = Micros::from_date(2024, 10, 13);
        let names = [name(midnight).unwrap(), name(Micros(midnight.0 - 7_200_000_000)).unwrap()];
        for name in &names {
            assert!(name.starts_with("20241012-po-") && name.len() == "20241012-po-WHk3KxTdHQ".len(), "{name}");
            assert!(name[12..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}");
        }
        assert_ne!(names[0], names[1]);
    }
}
