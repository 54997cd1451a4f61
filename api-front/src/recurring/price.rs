//! What one bill of a subscription comes to: its base amount, what is added, what is taken off. Integers only.

/// Thousandths of a percent in the whole.
const WHOLE: u128 = 100_000;
/// Highest percentage that is taken, thousandths of a percent.
pub const PERCENTAGE_MAX: u64 = 1_000_000;

/// An addition or a discount as one plan or subscription has it: a copy, so that a later change of the original changes no bill.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Adjustment {
    /// The add-on or discount that it was copied from.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Minor units; or `percentage`.
    pub amount: Option<u64>,
    /// Thousandths of a percent of the base amount: 1000 is 1 %.
    pub percentage: Option<u64>,
    /// For how many bills it holds; 0 for all.
    pub duration: u32,
}

impl Adjustment {
    fn holds(&self, bill: u32) -> bool {
        self.duration == 0 || bill <= self.duration
    }

    /// Minor units of a base amount, half a unit rounded up.
    pub fn of(&self, base: u64) -> u64 {
        let percentage = self.percentage.map(|percentage| {
            let share = (u128::from(base) * u128::from(percentage) + WHOLE / 2) / WHOLE;
            u64::try_from(share).unwrap_or(u64::MAX)
        });
        self.amount.or(percentage).unwrap_or(0)
    }
}

/// The sum of those that hold for a bill, counted from 1.
pub fn total(adjustments: &[Adjustment], base: u64, bill: u32) -> u64 {
    let holding = adjustments.iter().filter(|adjustment| adjustment.holds(bill));
    holding.fold(0, |sum: u64, adjustment| sum.saturating_add(adjustment.of(base)))
}

/// What the bill comes to: never below zero.
pub fn bill(base: u64, add_ons: &[Adjustment], discounts: &[Adjustment], bill: u32) -> u64 {
    base.saturating_add(total(add_ons, base, bill)).saturating_sub(total(discounts, base, bill))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(amount: u64, duration: u32) -> Adjustment {
        Adjustment { amount: Some(amount), ..percent(0, duration) }
    }

    fn percent(percentage: u64, duration: u32) -> Adjustment {
        let text = String::new;
        Adjustment { id: text(), name: text(), description: text(), amount: None, percentage: Some(percentage), duration }
    }

    #[test]
    fn the_documents_plan_comes_to_its_amount_with_both() {
        assert_eq!((total(&[flat(100, 0)], 100, 1), total(&[flat(50, 0)], 100, 1)), (100, 50));
        assert_eq!(bill(100, &[flat(100, 0)], &[flat(50, 0)], 1), 150);
    }

    #[test]
    fn percentages_are_thousandths_of_the_base_and_round_half_up() {
        assert_eq!(percent(1000, 0).of(10_000), 100);
        assert_eq!(percent(43_440, 0).of(1_000), 434);
        assert_eq!((percent(500, 0).of(100), percent(499, 0).of(100)), (1, 0));
        assert_eq!(bill(999, &[], &[percent(100_000, 0)], 1), 0);
        assert_eq!(percent(PERCENTAGE_MAX, 0).of(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_duration_counts_bills() {
        let first_two = [flat(30, 2)];
        assert_eq!([1, 2, 3].map(|number| bill(100, &[], &first_two, number)), [70, 70, 100]);
    }

    #[test]
    fn nobody_is_paid_by_discounts() {
        assert_eq!(bill(100, &[], &[flat(150, 0)], 1), 0);
    }
}
