//! What a velocity condition counts: payments of one card, address, e-mail address or merchant within a window.

use super::error::Fault;
use crate::limits::VELOCITY_WINDOW_MAX_S;

/// Whose payments are counted, always within one merchant account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// One card number.
    Card,
    /// One address of the internet; of IPv6 one network of 64 bits, which is what one household has.
    Ip,
    /// One e-mail address, in either case.
    Email,
    /// The whole account.
    Merchant,
}

impl Per {
    /// All of them, in the order of their subjects in [`super::Facts`].
    pub const ALL: [Per; 4] = [Per::Card, Per::Ip, Per::Email, Per::Merchant];

    /// The word in a condition.
    pub const fn word(self) -> &'static str {
        match self {
            Per::Card => "card",
            Per::Ip => "ip",
            Per::Email => "email",
            Per::Merchant => "merchant",
        }
    }

    /// True when who it is stands in the tail.
    pub(super) const fn is_in_tail(self) -> bool {
        match self {
            Per::Ip | Per::Email => true,
            Per::Card | Per::Merchant => false,
        }
    }
}

/// One count that a table asks for. Equal gauges of different rules, and of a table and the one after it, share their counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauge {
    /// Whose payments.
    pub per: Per,
    /// Within how long, seconds.
    pub window_s: u32,
}

impl Gauge {
    pub(super) fn parse(per: Option<&str>, window_s: Option<u64>) -> Result<Gauge, Fault> {
        let word = per.unwrap_or("");
        let per = Per::ALL.into_iter().find(|per| per.word() == word);
        let per = per.ok_or_else(|| Fault::new("per", format!("{word:?}"), "card, ip, email or merchant"))?;
        let seconds = window_s.unwrap_or(0);
        match u32::try_from(seconds) {
            Ok(window_s @ 1..=VELOCITY_WINDOW_MAX_S) => Ok(Gauge { per, window_s }),
            Ok(_) | Err(_) => {
                Err(Fault::new("window_s", seconds, format!("a whole number of seconds from 1 to {VELOCITY_WINDOW_MAX_S}")))
            }
        }
    }
}
