//! The days on which the Federal Reserve settles entries: no Saturday, no Sunday, none of its holidays.
//!
//! Source: the Federal Reserve Banks' holiday schedule. A holiday on a Sunday is kept on the Monday; one on a Saturday is not kept.

use crate::calendar::{Civil, Micros};

const DAY_US: i64 = 86_400_000_000;

/// Holidays of the same date each year: month, day.
const FIXED: [(u8, u8); 5] = [(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Weekday {
    Monday,
    Thursday,
    Saturday,
    Sunday,
    Other,
}

/// Holidays of a weekday: month, weekday, first and last date it can fall on.
const FLOATING: [(u8, Weekday, u8, u8); 6] = [
    // Martin Luther King's birthday, Washington's birthday, Memorial Day, Labor Day, Columbus Day, Thanksgiving Day.
    (1, Weekday::Monday, 15, 21),
    (2, Weekday::Monday, 15, 21),
    (5, Weekday::Monday, 25, 31),
    (9, Weekday::Monday, 1, 7),
    (10, Weekday::Monday, 8, 14),
    (11, Weekday::Thursday, 22, 28),
];

/// The first day after this one on which entries are settled, at the same time of day.
pub fn next_banking_day(moment: Micros) -> Micros {
    let mut day = Micros(moment.0.saturating_add(DAY_US));
    while !is_banking_day(day) {
        day = Micros(day.0.saturating_add(DAY_US));
    }
    day
}

/// Whether entries are settled on the day of a moment.
pub fn is_banking_day(moment: Micros) -> bool {
    match weekday(moment) {
        Weekday::Saturday | Weekday::Sunday => false,
        Weekday::Monday => !is_holiday(moment) && !is_fixed_holiday(Micros(moment.0.saturating_sub(DAY_US))),
        Weekday::Thursday | Weekday::Other => !is_holiday(moment),
    }
}

fn is_holiday(moment: Micros) -> bool {
    let Civil { month, day, .. } = moment.civil();
    let weekday = weekday(moment);
    let is_it = |&(in_month, on, first, last): &(u8, Weekday, u8, u8)| {
        in_month == month && on == weekday && (first..=last).contains(&day)
    };
    is_fixed_holiday(moment) || FLOATING.iter().any(is_it)
}

fn is_fixed_holiday(moment: Micros) -> bool {
    let Civil { month, day, .. } = moment.civil();
    FIXED.contains(&(month, day))
}

fn weekday(moment: Micros) -> Weekday {
    // 1970 began on a Thursday.
    match moment.0.div_euclid(DAY_US).rem_euclid(7) {
        0 => Weekday::Thursday,
        2 => Weekday::Saturday,
        3 => Weekday::Sunday,
        4 => Weekday::Monday,
        _ => Weekday::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_moves_on_no_weekend_and_on_no_holiday_of_the_federal_reserve() {
        for (from, to) in [
            ((2026, 11, 19), (2026, 11, 20)),
            ((2026, 11, 20), (2026, 11, 23)),
            ((2026, 11, 21), (2026, 11, 23)),
            // Thanksgiving; Christmas on a Friday; New Year's Day on a Friday.
            ((2026, 11, 25), (2026, 11, 27)),
            ((2026, 12, 24), (2026, 12, 28)),
            ((2026, 12, 31), (2027, 1, 4)),
            // The Fourth of July 2026 is a Saturday and not kept, that of 2027 a Sunday and kept on the Monday.
            ((2026, 7, 2), (2026, 7, 3)),
            ((2027, 7, 2), (2027, 7, 6)),
            ((2026, 1, 16), (2026, 1, 20)),
            ((2026, 2, 13), (2026, 2, 17)),
            ((2026, 5, 22), (2026, 5, 26)),
            ((2026, 6, 18), (2026, 6, 22)),
            ((2026, 9, 4), (2026, 9, 8)),
            ((2026, 10, 9), (2026, 10, 13)),
            ((2026, 11, 10), (2026, 11, 12)),
        ] {
            let date = |(year, month, day)| Micros::from_date(year, month, day);
            assert_eq!(next_banking_day(date(from)), date(to), "{from:?}");
        }
        let late = Micros(Micros::from_date(2026, 11, 20).0 + DAY_US - 1);
        assert_eq!(next_banking_day(late), Micros(Micros::from_date(2026, 11, 23).0 + DAY_US - 1));
    }
}
