//! The time of day at which a processor's business day ends, UTC.

use protocol::calendar::Micros;
use std::fmt;
use std::str::FromStr;

const DAY_US: i64 = 86_400_000_000;
const MINUTE_US: i64 = 60_000_000;

/// A cut-over time, minutes after midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOver(u16);

impl CutOver {
    /// The end of the calendar day.
    pub const MIDNIGHT: CutOver = CutOver(0);

    /// The newest cut-over that is not after `now`.
    pub fn latest(self, now: Micros) -> Micros {
        let offset = i64::from(self.0) * MINUTE_US;
        Micros((now.0 - offset).div_euclid(DAY_US) * DAY_US + offset)
    }

    /// The first cut-over after `now`.
    pub fn next(self, now: Micros) -> Micros {
        Micros(self.latest(now).0 + DAY_US)
    }
}

impl FromStr for CutOver {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<CutOver, &'static str> {
        let two = |digits: &str| {
            let sound = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            if sound { digits.parse::<u16>().ok() } else { None }
        };
        let parts = text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
        let (hour, minute) = parts.filter(|(hour, minute)| *hour < 24 && *minute < 60).ok_or("must be HH:MM, UTC")?;
        Ok(CutOver(hour * 60 + minute))
    }
}

impl fmt::Display for CutOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, minute: i64) -> Micros {
        Micros(Micros::from_date(2026, 3, 1).0 + (hour * 60 + minute) * MINUTE_US)
    }

    #[test]
    fn the_latest_is_today_or_yesterday_and_the_next_a_day_later() {
        let evening: CutOver = "22:30".parse().unwrap();
        for (now, latest) in [(at(22, 29), at(-2, 30)), (at(22, 30), at(22, 30)), (at(23, 59), at(22, 30))] {
            assert_eq!((evening.latest(now), evening.next(now)), (latest, Micros(latest.0 + DAY_US)), "{now}");
        }
        assert_eq!(CutOver::MIDNIGHT.latest(at(0, 0)), at(0, 0));
    }

    #[test]
    fn a_time_of_day_is_read_and_nothing_else_is() {
        assert_eq!("00:00".parse(), Ok(CutOver::MIDNIGHT));
        assert_eq!("23:59".parse::<CutOver>().unwrap().to_string(), "23:59");
        for wrong in ["24:00", "12:60", "1:00", "12:0", "12", "", "ab:cd", "+1:00"] {
            assert!(wrong.parse::<CutOver>().is_err(), "{wrong}");
        }
    }
}
