use super::terms::Discount;
use super::totals::{Percent, SumError, item_amount, total};
use super::uuid;
use protocol::limits::AMOUNT_MAX_MINOR;

fn percent(text: &str) -> Percent {
    Percent::parse(text).unwrap()
}

#[test]
fn percentages_are_read_exactly_or_not_at_all() {
    for (text, thousandths) in [("0", 0), ("0.00", 0), ("7", 7_000), ("7.25", 7_250), ("0.125", 125), ("100.000", 100_000)] {
        assert_eq!(percent(text).thousandths(), thousandths, "{text}");
    }
    for text in ["", ".5", "7.1234", "100.001", "1000", "-1", "7,5", "1e1", " 7"] {
        assert_eq!(Percent::parse(text), None, "{text:?}");
    }
    assert_eq!(percent("60").plus(percent("40")), Some(percent("100")));
    assert_eq!(percent("60").plus(percent("40.001")), None);
}

#[test]
fn an_item_costs_quantity_times_price_less_discount() {
    let rows = [
        (1, 100, Discount::Amount(0), Ok(100)),
        (3, 100, Discount::Amount(50), Ok(250)),
        (3, 333, Discount::Percent(10, percent("10")), Ok(899)),
        (1, 5, Discount::Percent(50, percent("50")), Ok(2)),
        (1, 100, Discount::Percent(100, percent("100")), Ok(0)),
        (0, 100, Discount::Amount(0), Ok(0)),
        (1, 100, Discount::Amount(101), Err(SumError::BelowZero { field: "items.discount" })),
        (2, AMOUNT_MAX_MINOR, Discount::Amount(0), Err(SumError::TooLarge { field: "items.amount" })),
        (u64::MAX, 2, Discount::Amount(0), Err(SumError::TooLarge { field: "items.amount" })),
    ];
    for (quantity, price, discount, expected) in rows {
        assert_eq!(item_amount(quantity, price, discount), expected, "{quantity} × {price} less {discount:?}");
    }
}

#[test]
fn tax_is_laid_on_what_is_taxable_and_rounded_half_up_once() {
    let items = [(100, 0, false), (1_005, 7, true), (1_000, 0, true)];
    let sums = total(items.into_iter(), percent("10"), 0).unwrap();
    // 10 % of 2,005 is 200.5.
    assert_eq!((sums.subtotal, sums.tax, sums.total), (2_105, 208, 2_313));
    assert_eq!(total(items.into_iter(), percent("0"), -112).unwrap().total, 2_000);
    let below = total(items.into_iter(), percent("0"), -2_113);
    assert_eq!(below, Err(SumError::BelowZero { field: "adjustment" }));
    let large = total([(AMOUNT_MAX_MINOR, 0, true)].into_iter(), percent("0.001"), 0);
    assert_eq!(large, Err(SumError::TooLarge { field: "total" }));
}

#[test]
fn public_ids_are_random_uuids() {
    let (one, other) = (uuid().unwrap(), uuid().unwrap());
    assert_ne!(one, other);
    let lengths: Vec<usize> = one.split('-').map(str::len).collect();
    assert_eq!((lengths, &one[14..15]), (vec![8, 4, 4, 4, 12], "4"));
    assert!("89ab".contains(&one[19..20]), "{one}");
}
