//! On which days a subscription is billed. Pure: a date in, a date out.

use jiff::civil::Date;
use jiff::{Span, ToSpan};

/// Days between two bills, or months between two billing cycles, at most.
pub const INTERVAL_MAX: u32 = 999;
/// Days of a daily cycle at most.
pub const CYCLE_DAYS_MAX: u32 = 999;

/// How a subscription's bills follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// Every so many cycles, from 1.
    pub interval: u32,
    /// What a cycle is.
    pub cycle: Cycle,
}

/// What a cycle is, and on which of its days the bill comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cycle {
    /// So many days.
    Days(u32),
    /// A month, billed on this day; 0 is its last.
    Month(u32),
    /// A month, billed on two days, ascending.
    HalfMonths(u32, u32),
}

/// What is wrong with a cadence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongCadence {
    /// The interval.
    Interval,
    /// The frequency's word.
    Frequency,
    /// The days, for this frequency.
    Days(&'static str),
}

impl Cadence {
    /// From the words of the gateway document: `billing_cycle_interval`, `billing_frequency`, `billing_days`.
    pub fn read(interval: u64, frequency: &str, days: &str) -> Result<Cadence, WrongCadence> {
        let interval = u32::try_from(interval).ok().filter(|interval| (1..=INTERVAL_MAX).contains(interval));
        let interval = interval.ok_or(WrongCadence::Interval)?;
        let cycle = match frequency {
            "daily" => Cycle::Days(one_day(days, 1..=CYCLE_DAYS_MAX, "a number of days, 1 to 999")?),
            "monthly" => Cycle::Month(one_day(days, 0..=31, "a day of the month, 1 to 31, or 0 for the last")?),
            "twice_monthly" => two_days(days)?,
            _ => return Err(WrongCadence::Frequency),
        };
        Ok(Cadence { interval, cycle })
    }

    /// The first day on which a bill may come, from this one on.
    pub fn first_from(self, today: Date) -> Date {
        match self.cycle {
            Cycle::Days(_) => today,
            Cycle::Month(day) => first_of([day, day], today),
            Cycle::HalfMonths(first, second) => first_of([first, second], today),
        }
    }

    /// A first day that was asked for, or, where it is past, the first day after it in this cadence that is not: what was never asked
    /// for before is not billed for the past.
    pub fn first_asked(self, asked: Date, today: Date) -> Date {
        let mut first = asked;
        while first < today {
            first = self.next_after(first);
        }
        first
    }

    /// The day of the bill after the one of `billed`. A day past a month's end is its last day.
    pub fn next_after(self, billed: Date) -> Date {
        let interval = i64::from(self.interval);
        match self.cycle {
            Cycle::Days(days) => later(billed, (interval * i64::from(days)).days()),
            Cycle::Month(day) => on(later(billed.first_of_month(), interval.months()), day),
            Cycle::HalfMonths(first, second) => {
                let second = on(billed, second);
                if second > billed { second } else { on(later(billed.first_of_month(), interval.months()), first) }
            }
        }
    }
}

/// The first of a month's two days that is not before `today`, else the first one of the next month.
fn first_of(days: [u32; 2], today: Date) -> Date {
    let found = days.iter().map(|day| on(today, *day)).find(|day| *day >= today);
    found.unwrap_or_else(|| on(later(today.first_of_month(), 1.months()), days[0]))
}

/// A day of the month in which `date` is; 0, and what the month does not have, is its last.
fn on(date: Date, day: u32) -> Date {
    let last = date.last_of_month();
    match i8::try_from(day) {
        Ok(day @ 1..) if day <= last.day() => jiff::civil::date(date.year(), date.month(), day),
        _ => last,
    }
}

/// Dates end in the year 9999; whoever is billed then is billed on its last day for good.
fn later(date: Date, by: Span) -> Date {
    date.saturating_add(by)
}

fn one_day(text: &str, range: std::ops::RangeInclusive<u32>, accepted: &'static str) -> Result<u32, WrongCadence> {
    text.trim().parse().ok().filter(|day| range.contains(day)).ok_or(WrongCadence::Days(accepted))
}

fn two_days(text: &str) -> Result<Cycle, WrongCadence> {
    const ACCEPTED: &str = "two days of the month, comma-separated, such as 1,15";
    let (first, second) = text.split_once(',').ok_or(WrongCadence::Days(ACCEPTED))?;
    let (first, second) = (one_day(first, 0..=31, ACCEPTED)?, one_day(second, 0..=31, ACCEPTED)?);
    // The last day comes last.
    let place = |day: u32| if day == 0 { 32 } else { day };
    match place(first).cmp(&place(second)) {
        std::cmp::Ordering::Less => Ok(Cycle::HalfMonths(first, second)),
        std::cmp::Ordering::Greater => Ok(Cycle::HalfMonths(second, first)),
        std::cmp::Ordering::Equal => Err(WrongCadence::Days(ACCEPTED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    /// The first days of a cadence after a date, as texts.
    fn days(interval: u64, frequency: &str, days: &str, from: Date, count: usize) -> Vec<String> {
        let cadence = Cadence::read(interval, frequency, days).unwrap();
        let bills = std::iter::successors(Some(from), |billed| Some(cadence.next_after(*billed)));
        bills.skip(1).take(count).map(|day| day.to_string()).collect()
    }

    #[test]
    fn the_documents_four_scenarios() {
        let from = date(2019, 11, 21);
        assert_eq!(days(1, "daily", "7", from, 2), ["2019-11-28", "2019-12-05"]);
        assert_eq!(days(2, "daily", "7", from, 2), ["2019-12-05", "2019-12-19"]);
        assert_eq!(days(3, "monthly", "15", from, 2), ["2020-02-15", "2020-05-15"]);
        assert_eq!(days(1, "twice_monthly", "1,15", from, 3), ["2019-12-01", "2019-12-15", "2020-01-01"]);
    }

    #[test]
    fn a_day_past_a_months_end_bills_on_its_last_and_comes_back() {
        let from = date(2027, 12, 31);
        assert_eq!(days(1, "monthly", "31", from, 3), ["2028-01-31", "2028-02-29", "2028-03-31"]);
        assert_eq!(days(1, "monthly", "0", date(2027, 1, 31), 2), ["2027-02-28", "2027-03-31"]);
        assert_eq!(
            days(1, "twice_monthly", "15,0", date(2027, 1, 15), 4),
            ["2027-01-31", "2027-02-15", "2027-02-28", "2027-03-15"]
        );
        // Two days that fall together in February are one bill, not two.
        assert_eq!(days(1, "twice_monthly", "30,31", date(2027, 1, 31), 2), ["2027-02-28", "2027-03-30"]);
    }

    #[test]
    fn every_second_month_skips_one_whole_month() {
        assert_eq!(
            days(2, "twice_monthly", "1,15", date(2027, 1, 1), 4),
            ["2027-01-15", "2027-03-01", "2027-03-15", "2027-05-01"]
        );
    }

    #[test]
    fn a_first_day_is_today_or_later() {
        let first = |frequency, days, today| Cadence::read(1, frequency, days).unwrap().first_from(today).to_string();
        assert_eq!(first("daily", "7", date(2027, 1, 20)), "2027-01-20");
        assert_eq!(first("monthly", "20", date(2027, 1, 20)), "2027-01-20");
        assert_eq!(first("monthly", "19", date(2027, 1, 20)), "2027-02-19");
        assert_eq!(first("monthly", "31", date(2027, 2, 1)), "2027-02-28");
        assert_eq!(first("twice_monthly", "1,15", date(2027, 1, 2)), "2027-01-15");
        assert_eq!(first("twice_monthly", "1,15", date(2027, 12, 16)), "2028-01-01");
    }

    #[test]
    fn a_first_day_that_is_past_is_the_cadences_next_one() {
        let first = |interval, frequency, days, asked, today| {
            Cadence::read(interval, frequency, days).unwrap().first_asked(asked, today).to_string()
        };
        let (asked, today) = (date(2019, 11, 21), date(2027, 1, 20));
        assert_eq!(first(1, "daily", "7", asked, today), "2027-01-21");
        assert_eq!(first(3, "monthly", "15", asked, today), "2027-02-15");
        assert_eq!(first(1, "twice_monthly", "1,15", asked, today), "2027-02-01");
        assert_eq!(first(1, "daily", "7", today, today), "2027-01-20");
        assert_eq!(first(1, "monthly", "15", date(2027, 1, 21), today), "2027-01-21", "one to come holds, whatever day it is");
    }

    #[test]
    fn what_is_no_cadence_is_refused_by_the_field_that_is_wrong() {
        for (interval, frequency, days, wrong) in [
            (0, "daily", "1", WrongCadence::Interval),
            (1000, "daily", "1", WrongCadence::Interval),
            (1, "weekly", "1", WrongCadence::Frequency),
        ] {
            assert_eq!(Cadence::read(interval, frequency, days), Err(wrong));
        }
        for (frequency, days) in [
            ("daily", "0"),
            ("daily", "1,2"),
            ("daily", ""),
            ("monthly", "32"),
            ("monthly", "-1"),
            ("twice_monthly", "15"),
            ("twice_monthly", "1,1"),
            ("twice_monthly", "1,15,20"),
            ("twice_monthly", "x,15"),
        ] {
            assert!(matches!(Cadence::read(1, frequency, days), Err(WrongCadence::Days(_))), "{frequency} {days}");
        }
    }

    #[test]
    fn the_calendars_end_is_no_panic() {
        let cadence = Cadence::read(999, "daily", "999").unwrap();
        assert_eq!(cadence.next_after(Date::MAX), Date::MAX);
        let cadence = Cadence::read(999, "monthly", "0").unwrap();
        assert_eq!(cadence.next_after(Date::MAX), Date::MAX);
    }
}
