//! What somebody who looks for a payment knows of it, read from the form, and the payments that it may be.

use super::Console;
use jiff::civil::Date;
use persistence::projection::search::LOOKED_AT_ROWS_MAX;
use persistence::projection::{Sighting, StoredTransaction, Sum};
use protocol::calendar::Micros;
use protocol::id::Xid;
use serde::Deserialize;
use switch_core::ids_of_rrn;

/// Payments that are listed, at most.
pub(super) const LISTED: u32 = 50;
/// Longest order number that is looked for, characters.
const NAME_MAX_CHARS: usize = 255;
const DAY_S: u32 = 86_400;

/// The form, as it was filled in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    /// An id, a retrieval reference number, or an order number.
    pub(super) id: String,
    pub(super) stan: String,
    pub(super) last_four: String,
    pub(super) amount: String,
    /// A date; today when it is left out.
    pub(super) day: String,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing was asked: the newest are shown.
    Newest,
    /// This very transaction.
    Transaction(Xid),
    /// A number that may be a retrieval reference number, an order's, or both.
    Named(String),
    /// A request's number, a card, an amount, on a day.
    Sighted(Sighting),
}

impl Asked {
    /// What is meant, or why it can't be looked for.
    pub(super) fn wanted(&self, now: Micros) -> Result<Wanted, &'static str> {
        let name = self.id.trim();
        if !name.is_empty() {
            if name.chars().count() > NAME_MAX_CHARS {
                return Err("An order number has at most 255 characters.");
            }
            return Ok(name.parse().map_or_else(|_| Wanted::Named(name.to_owned()), Wanted::Transaction));
        }
        let stan = number(&self.stan, 999_999).map_err(|()| "A STAN is a number of at most six digits.")?;
        let last_four = number(&self.last_four, 9_999).map_err(|()| "A card's last four are four digits.")?;
        let amount =
            amount(&self.amount).map_err(|()| "An amount is a number such as 12.34, with the decimals of its currency.")?;
        let from = self.day(now)?;
        if stan.is_none() && last_four.is_none() && amount.is_none() && self.day.trim().is_empty() {
            return Ok(Wanted::Newest);
        }
        let last_four = last_four.map(|digits| digits as u16);
        Ok(Wanted::Sighted(Sighting { from, until: from.plus_s(DAY_S), stan, last_four, amount }))
    }

    fn day(&self, now: Micros) -> Result<Micros, &'static str> {
        let text = self.day.trim();
        if text.is_empty() {
            let today = now.civil();
            return Ok(Micros::from_date(today.year, today.month, today.day));
        }
        let day: Date = text.parse().map_err(|_| "A day is a date such as 2026-11-21.")?;
        match i32::from(day.year()) {
            year @ 1970..=9_998 => Ok(Micros::from_date(year, day.month().unsigned_abs(), day.day().unsigned_abs())),
            _ => Err("A day is a date such as 2026-11-21."),
        }
    }
}

/// A number of digits alone; `None` when nothing was written.
fn number(text: &str, most: u32) -> Result<Option<u32>, ()> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number.filter(|number| *number <= most).map(Some).ok_or(())
}

/// `12.34` and `12` as people write them; `None` when nothing was written.
fn amount(text: &str) -> Result<Option<Sum>, ()> {
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { Sum::read(text).map(Some).ok_or(()) }
}

impl Console {
    /// The payments that have this retrieval reference number or order number, whichever merchant's.
    pub(super) async fn named(&self, name: &str) -> Result<Vec<StoredTransaction>, String> {
        let switch = self.front.switch();
        let history = switch.history();
        history.catch_up().await.map_err(|error| error.to_string())?;
        let mut found = Vec::new();
        let ids = <&[u8; 12]>::try_from(name.as_bytes()).ok().and_then(|rrn| ids_of_rrn(rrn, switch.now()));
        if let Some(ids) = ids {
            found.extend(history.queries().transaction_by_rrn(ids, name).await.map_err(unreadable)?);
        }
        found.extend(history.queries().of_order(&self.merchants(), name, LISTED).await.map_err(unreadable)?);
        Ok(found)
    }

    /// The payments that were seen so.
    pub(super) async fn sighted(&self, sighting: &Sighting) -> Result<Vec<StoredTransaction>, String> {
        let history = self.front.switch().history();
        history.catch_up().await.map_err(|error| error.to_string())?;
        let found = history.queries().sighted(&self.merchants(), sighting, LISTED).await.map_err(unreadable)?;
        found.ok_or_else(|| match sighting.amount {
            None => format!("More than {LOOKED_AT_ROWS_MAX} payments were made on that day: say the amount, too."),
            Some(_) => {
                format!("More than {LOOKED_AT_ROWS_MAX} payments of that day have this amount: say an id or an order number.")
            }
        })
    }

    fn merchants(&self) -> Vec<Xid> {
        self.front.switch().merchants().all().iter().map(|merchant| merchant.id).collect()
    }
}

/// What is told of a reading that failed; the log has the rest.
pub(super) fn unreadable(error: persistence::PersistenceError) -> String {
    tracing::warn!(%error, "payments can't be read");
    "the payments can't be read at the moment".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_795_224_642_000_000);

    fn asked(id: &str, [stan, last_four, amount, day]: [&str; 4]) -> Result<Wanted, &'static str> {
        let [id, stan, last_four, amount, day] = [id, stan, last_four, amount, day].map(str::to_owned);
        Asked { id, stan, last_four, amount, day }.wanted(NOW)
    }

    #[test]
    fn a_form_asks_for_one_thing() {
        assert_eq!(asked("", [""; 4]), Ok(Wanted::Newest));
        let id = Xid::from_parts(7, [1; 5], 9);
        assert_eq!(asked(&format!(" {id} "), ["1", "", "", ""]), Ok(Wanted::Transaction(id)));
        assert_eq!(asked("order-7", [""; 4]), Ok(Wanted::Named("order-7".to_owned())));
        let from = Micros::from_date(2026, 11, 20);
        let sighting =
            Sighting { from, until: from.plus_s(86_400), stan: Some(41), last_four: Some(42), amount: Sum::read("12.50") };
        assert_eq!(asked("", ["000041", "0042", "12.5", "2026-11-20"]), Ok(Wanted::Sighted(sighting)));
        let today = Micros::from_date(NOW.civil().year, NOW.civil().month, NOW.civil().day);
        let seen = Sighting { from: today, until: today.plus_s(86_400), stan: None, last_four: None, amount: Sum::read("7.00") };
        assert_eq!(asked("", ["", "", "7", ""]), Ok(Wanted::Sighted(seen)), "today");
    }

    #[test]
    fn what_cant_be_meant_is_told() {
        let wrong =
            [["x", "", "", ""], ["1000000", "", "", ""], ["", "12345", "", ""], ["", "+123", "", ""], ["", "", "1.23456", ""]];
        let wrong = wrong.into_iter().chain([["", "", "-1", ""], ["", "", ".", ""], ["", "", "", "21.11.2026"]]);
        wrong.for_each(|fields| assert!(asked("", fields).is_err(), "{fields:?}"));
        assert!(asked(&"x".repeat(256), [""; 4]).is_err());
        assert!(asked("", ["", "", "99999999999999999999", ""]).is_err());
    }
}
