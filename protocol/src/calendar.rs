//! Time as a value: microseconds since 1970, and the civil dates that ISO 8583 and RFC 3339 write of it.
//!
//! No clock here. A moment arrives with an input; this only takes it apart, the same way on every machine.

use core::fmt;

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub i64);

/// A moment in parts, UTC, proleptic Gregorian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Calendar year, for example 2026.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 1 to 366.
    pub day_of_year: u16,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub microsecond: u32,
}

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl Micros {
    /// The moment that is never reached, for deadlines that do not run.
    pub const NEVER: Micros = Micros(i64::MAX);
    /// The absent moment: zero.
    pub const NONE: Micros = Micros(0);

    /// True for [`Micros::NONE`].
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Later by `ms` milliseconds, saturating.
    pub fn plus_ms(self, ms: u32) -> Micros {
        Micros(self.0.saturating_add(i64::from(ms) * 1000))
    }

    /// Later by `s` seconds, saturating.
    pub fn plus_s(self, s: u32) -> Micros {
        Micros(self.0.saturating_add(i64::from(s) * MICROS_PER_SECOND))
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Microseconds since that second began, 0 to 999,999.
    pub fn microsecond(self) -> u32 {
        self.0.rem_euclid(MICROS_PER_SECOND) as u32
    }

    /// Year, month, day and time of day.
    pub fn civil(self) -> Civil {
        let seconds = self.seconds();
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        Civil {
            year: year as i32,
            month,
            day,
            day_of_year: (days - days_from_civil(year, 1, 1) + 1) as u16,
            hour: (of_day / 3600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
            microsecond: self.microsecond(),
        }
    }

    /// The midnight (UTC) that begins a civil date.
    pub fn from_date(year: i32, month: u8, day: u8) -> Micros {
        Micros(days_from_civil(i64::from(year), i64::from(month), i64::from(day)) * SECONDS_PER_DAY * MICROS_PER_SECOND)
    }
}

impl fmt::Display for Micros {
    /// RFC 3339 in UTC with six decimals: `2017-10-19T20:15:19.560708Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, second, microsecond, .. } = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microsecond:06}Z")
    }
}

/// Days since 1970 of a civil date: years are counted from March, so that the leap day is a year's last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u8;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_are_written_as_rfc_3339() {
        assert_eq!(Micros(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(Micros(1_508_444_119_560_708).to_string(), "2017-10-19T20:15:19.560708Z");
        assert_eq!(Micros(951_782_400_000_000).to_string(), "2000-02-29T00:00:00.000000Z");
        assert_eq!(Micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn every_day_of_two_centuries_goes_there_and_back() {
        let mut day_of_year = 0;
        for days in -25_567..47_482 {
            let moment = Micros(days * SECONDS_PER_DAY * MICROS_PER_SECOND);
            let civil = moment.civil();
            assert_eq!(Micros::from_date(civil.year, civil.month, civil.day), moment);
            let starts_a_year = (civil.month, civil.day) == (1, 1);
            day_of_year = if starts_a_year { 1 } else { day_of_year + 1 };
            if days > -25_000 {
                assert_eq!(civil.day_of_year, day_of_year, "{moment}");
            }
        }
    }
}
