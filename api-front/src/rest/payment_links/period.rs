//! `since` and `date` of a list: behind which item it begins, or on which days its items are.
//!
//! The document says of `since` no more than that it is a text. A number is the last item that the caller has seen; a date or a moment
//! is when the first was paid.

use super::fields::Fields;
use crate::rest::problem::Problem;
use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, tz::TimeZone};
use protocol::calendar::Micros;

const DAY_US: i64 = 86_400_000_000;

/// What of a list is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// Items with a greater number.
    pub(super) after: u64,
    /// From this moment on.
    pub(super) from: Micros,
    /// Before this one.
    pub(super) to: Micros,
}

impl Period {
    /// Today's pay-ins unless something else is said.
    pub(super) fn of_pay_ins(fields: &Fields, now: Micros) -> Result<Period, Problem> {
        let today = Micros(now.0.div_euclid(DAY_US) * DAY_US);
        let (after, since) = since(fields)?;
        Ok(match (day(fields)?, since) {
            (Some((from, to)), since) => Period { after, from: since.map_or(from, |since| since.max(from)), to },
            (None, Some(since)) => Period { after, from: since, to: Micros::NEVER },
            (None, None) => Period { after, from: today, to: Micros(today.0 + DAY_US) },
        })
    }

    /// All payouts unless something else is said. A payout is of the day that ended with its night.
    pub(super) fn of_payouts(fields: &Fields) -> Result<Period, Problem> {
        let (after, since) = since(fields)?;
        let next_moment = |at: Micros| Micros(at.0.saturating_add(1));
        Ok(match (day(fields)?, since) {
            (Some((from, to)), _) => Period { after, from: next_moment(from), to: next_moment(to) },
            (None, Some(since)) => Period { after, from: next_moment(since), to: Micros::NEVER },
            (None, None) => Period { after, from: Micros(i64::MIN), to: Micros::NEVER },
        })
    }
}

/// A number, or a moment.
fn since(fields: &Fields) -> Result<(u64, Option<Micros>), Problem> {
    match fields.written("since") {
        None => Ok((0, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok((fields.number("since")?.unwrap_or(0), None)),
        Some(text) => {
            let said = "must be the number of the last item that is known, a date such as 2024-10-26, or a moment";
            moment(text).map(|at| (0, Some(at))).ok_or_else(|| Problem::invalid("since", said))
        }
    }
}

/// The day that `date` names, from its first moment to the next day's.
fn day(fields: &Fields) -> Result<Option<(Micros, Micros)>, Problem> {
    let Some(text) = fields.written("date") else { return Ok(None) };
    let date = text.get(..10).and_then(|date| date.parse::<Date>().ok()).filter(|_| moment(text).is_some());
    let from = date.and_then(|date| in_utc(date.into()));
    let from = from.ok_or_else(|| Problem::invalid("date", "must be a date such as 2024-10-26"))?;
    Ok(Some((from, Micros(from.0.saturating_add(DAY_US)))))
}

/// `2024-10-26`, `2024-10-26 16:18:01`, or RFC 3339.
fn moment(text: &str) -> Option<Micros> {
    let exact: Option<Timestamp> = text.parse().ok();
    match exact {
        Some(at) => Some(Micros(at.as_microsecond())),
        None => text.parse::<DateTime>().ok().and_then(in_utc),
    }
}

fn in_utc(at: DateTime) -> Option<Micros> {
    at.to_zoned(TimeZone::UTC).ok().map(|zoned| Micros(zoned.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn fields(form: &str) -> Fields {
        Fields::read(&HeaderMap::new(), form.as_bytes()).unwrap()
    }

    #[test]
    fn pay_ins_are_todays_a_days_or_since_a_moment_or_an_item() {
        let noon = Micros::from_date(2024, 10, 26).plus_s(43_200);
        let day = |day: u8| Micros::from_date(2024, 10, day);
        for (form, after, from, to) in [
            ("", 0, day(26), day(27)),
            ("since=124&limit=5", 124, day(26), day(27)),
            ("date=2024-10-12", 0, day(12), day(13)),
            ("since=7&date=2024-10-12T00%3A00%3A00Z", 7, day(12), day(13)),
            ("since=2024-10-12", 0, day(12), Micros::NEVER),
            ("since=2024-10-12+12%3A00%3A00", 0, day(12).plus_s(43_200), Micros::NEVER),
            ("since=2024-10-12T14%3A00%3A00%2B02%3A00", 0, day(12).plus_s(43_200), Micros::NEVER),
        ] {
            assert_eq!(Period::of_pay_ins(&fields(form), noon), Ok(Period { after, from, to }), "{form}");
        }
        for (form, field) in [("since=yesterday", "since"), ("date=26.10.2024", "date"), ("date=2024-02-30", "date")] {
            let refused = Period::of_pay_ins(&fields(form), noon).unwrap_err().to_string();
            assert!(refused.contains(&format!("invalid {field}: must be")), "{form}: {refused}");
        }
    }

    #[test]
    fn a_payout_is_of_the_day_that_ends_with_its_night() {
        let period = Period::of_payouts(&fields("date=2024-10-12")).unwrap();
        let is_in = |night: Micros| period.from <= night && night < period.to;
        let midnight = |day| Micros::from_date(2024, 10, day);
        assert!(is_in(midnight(13)) && !is_in(midnight(12)));
        assert!(is_in(midnight(12).plus_s(79_200)) && !is_in(midnight(13).plus_s(79_200)), "a cut-over at 22:00");
    }
}
