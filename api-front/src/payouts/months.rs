//! Months of the calendar, UTC.

use protocol::calendar::Micros;

/// The first moment of the month of a moment.
pub(super) fn month_of(at: Micros) -> Micros {
    let civil = at.civil();
    Micros::from_date(civil.year, civil.month, 1)
}

/// The first moment of the month after that of a moment.
pub(super) fn next_month(at: Micros) -> Micros {
    let civil = at.civil();
    let (year, month) = if civil.month == 12 { (civil.year + 1, 1) } else { (civil.year, civil.month + 1) };
    Micros::from_date(year, month, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_on_its_first_and_ends_where_the_next_begins() {
        let december = Micros::from_date(2026, 12, 31).plus_s(86_399);
        assert_eq!((month_of(december), next_month(december)), (Micros::from_date(2026, 12, 1), Micros::from_date(2027, 1, 1)));
        let first = Micros::from_date(2028, 2, 1);
        assert_eq!((month_of(first), next_month(first)), (first, Micros::from_date(2028, 3, 1)));
    }
}
