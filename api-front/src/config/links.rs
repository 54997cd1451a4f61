//! The terms on which a merchant has payment links, as typed in the file and said by an operator, then checked.

use super::checked::in_bound;
use super::error::ConfigError;
use crate::settlement::cut_over::CutOver;
use crate::switch::directory::LinkTerms;
use protocol::money::Currency;
use serde::{Deserialize, Serialize};

/// Highest service fee, hundredths of a percent.
const SERVICE_FEE_MAX_BP: u64 = 5_000;
/// Most requests a second that a key may be given, and most that it may make at once.
const REQUESTS_MAX: u32 = 100_000;

/// `links`: of a merchant, of `[sandbox]`, and of an operator's settings. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedLinks {
    /// What is kept of each pay-in, percent with at most two decimals: `"1.5"`. Default `"0"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_fee: Option<String>,
    /// When payouts are made, `HH:MM` in UTC. Default `00:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payout_at: Option<String>,
    /// Requests a second that one key may make. Default 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_s: Option<u32>,
    /// Requests that one key may make at once after a rest. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_burst: Option<u32>,
}

impl TypedLinks {
    /// These over older ones.
    pub fn over(self, older: TypedLinks) -> TypedLinks {
        TypedLinks {
            service_fee: self.service_fee.or(older.service_fee),
            payout_at: self.payout_at.or(older.payout_at),
            requests_per_s: self.requests_per_s.or(older.requests_per_s),
            requests_burst: self.requests_burst.or(older.requests_burst),
        }
    }

    /// As they hold, where `base` holds for what they don't say. `at` names them in an error.
    pub fn check(&self, at: &str, base: LinkTerms) -> Result<LinkTerms, ConfigError> {
        let key = |field: &str| format!("{at}.{field}");
        let requests = |field: &str, typed: Option<u32>, base: u32| {
            typed.map_or(Ok(base), |typed| in_bound(key(field), typed, 1..=REQUESTS_MAX))
        };
        Ok(LinkTerms {
            service_fee_bp: match &self.service_fee {
                Some(text) => service_fee_bp(key("service_fee"), text)?,
                None => base.service_fee_bp,
            },
            payout_at: match &self.payout_at {
                Some(text) => text.parse().map_err(|why| ConfigError::value(key("payout_at"), text, why))?,
                None => base.payout_at,
            },
            requests_per_s: requests("requests_per_s", self.requests_per_s, base.requests_per_s)?,
            requests_burst: requests("requests_burst", self.requests_burst, base.requests_burst)?,
        })
    }
}

/// A percentage with two decimals has the form of an amount.
fn service_fee_bp(key: String, text: &str) -> Result<u32, ConfigError> {
    let parsed = Currency::USD.parse_major(text).ok().filter(|bp| *bp <= SERVICE_FEE_MAX_BP);
    let parsed = parsed.and_then(|bp| u32::try_from(bp).ok());
    parsed.ok_or_else(|| ConfigError::value(key, text, "must be a percentage of 0 to 50 with at most two decimals, like 1.5"))
}

impl Default for LinkTerms {
    fn default() -> LinkTerms {
        LinkTerms { service_fee_bp: 0, payout_at: CutOver::MIDNIGHT, requests_per_s: 50, requests_burst: 100 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_checked_and_what_is_not_said_stays() {
        let typed = |text: &str| serde_json::from_str::<TypedLinks>(text).unwrap();
        let said = typed(r#"{"service_fee": "1.5", "payout_at": "22:30"}"#);
        let terms = said.check("links", LinkTerms::default()).unwrap();
        let expected = LinkTerms { service_fee_bp: 150, payout_at: "22:30".parse().unwrap(), ..LinkTerms::default() };
        assert_eq!(terms, expected);
        let later = typed(r#"{"requests_per_s": 7}"#).over(said);
        assert_eq!(later.check("links", LinkTerms::default()).unwrap(), LinkTerms { requests_per_s: 7, ..expected });
        for (wrong, field) in [
            (r#"{"service_fee": "50.01"}"#, "links.service_fee"),
            (r#"{"service_fee": "1.234"}"#, "links.service_fee"),
            (r#"{"service_fee": "-1"}"#, "links.service_fee"),
            (r#"{"payout_at": "24:00"}"#, "links.payout_at"),
            (r#"{"requests_per_s": 0}"#, "links.requests_per_s"),
            (r#"{"requests_burst": 100001}"#, "links.requests_burst"),
        ] {
            let said = typed(wrong).check("links", LinkTerms::default()).unwrap_err().to_string();
            assert!(said.contains(field), "{wrong}: {said}");
        }
    }
}
