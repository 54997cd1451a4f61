//! What an invoice sums up to: integers only, a part of a minor unit is rounded half up where it comes about.

use super::terms::Discount;
use protocol::limits::AMOUNT_MAX_MINOR;

/// Thousandths in the whole: 100.000 percent.
const WHOLE: u64 = 100_000;
const DECIMALS: usize = 3;

/// A percentage, thousandths of a percent; at most the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Percent(u32);

/// Why parts do not sum up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SumError {
    /// A sum is larger than an amount may be.
    #[error("sum an invoice up: {field} would be more than {AMOUNT_MAX_MINOR}")]
    TooLarge {
        /// Which.
        field: &'static str,
    },
    /// More is taken off than is there.
    #[error("sum an invoice up: {field} takes off more than there is")]
    BelowZero {
        /// What takes it off.
        field: &'static str,
    },
}

impl SumError {
    /// The field that is to blame.
    pub fn field(self) -> &'static str {
        match self {
            SumError::TooLarge { field } | SumError::BelowZero { field } => field,
        }
    }

    /// What would be accepted.
    pub fn reason(self) -> String {
        match self {
            SumError::TooLarge { .. } => format!("must sum up to at most {AMOUNT_MAX_MINOR}"),
            SumError::BelowZero { .. } => "must not take off more than there is".to_owned(),
        }
    }
}

/// Sums of an invoice, minor units.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) subtotal: u64,
    pub(super) tax: u64,
    pub(super) total: u64,
}

impl Percent {
    /// Reads `7`, `7.25`, `0.125`: at most 100, at most three decimals.
    pub fn parse(text: &str) -> Option<Percent> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let has_form = !whole.is_empty() && whole.len() <= 3 && part.len() <= DECIMALS && is_digits(whole) && is_digits(part);
        let digits = has_form.then(|| format!("{whole}{part:0<DECIMALS$}"))?;
        digits.parse().ok().filter(|thousandths| u64::from(*thousandths) <= WHOLE).map(Percent)
    }

    pub(super) fn of_thousandths(thousandths: u32) -> Percent {
        Percent(thousandths)
    }

    pub(super) fn thousandths(self) -> u32 {
        self.0
    }

    /// The sum of both, at most the whole.
    pub fn plus(self, other: Percent) -> Option<Percent> {
        let sum = self.0.checked_add(other.0)?;
        (u64::from(sum) <= WHOLE).then_some(Percent(sum))
    }

    /// This part of an amount, half up.
    fn of(self, amount: u64) -> u64 {
        let part = (u128::from(amount) * u128::from(self.0) + u128::from(WHOLE) / 2) / u128::from(WHOLE);
        // At most the amount itself, for a percentage is at most the whole.
        u64::try_from(part).unwrap_or(amount)
    }
}

/// Quantity times price less discount.
pub(super) fn item_amount(quantity: u64, unit_price: u64, discount: Discount) -> Result<u64, SumError> {
    let price = quantity.checked_mul(unit_price).filter(|price| *price <= AMOUNT_MAX_MINOR);
    let price = price.ok_or(SumError::TooLarge { field: "items.amount" })?;
    let off = match discount {
        Discount::Amount(amount) => amount,
        Discount::Percent(_, percent) => percent.of(price),
    };
    price.checked_sub(off).ok_or(SumError::BelowZero { field: "items.discount" })
}

/// An item's own taxes.
pub(super) fn item_tax(amount: u64, taxes: Percent) -> u64 {
    taxes.of(amount)
}

/// The whole invoice: of each item its amount, its own taxes, and whether the invoice's tax is laid on it too.
pub(super) fn total(items: impl Iterator<Item = (u64, u64, bool)>, tax: Percent, adjustment: i64) -> Result<Sums, SumError> {
    let (mut subtotal, mut own_taxes, mut taxed) = (0_u64, 0_u64, 0_u64);
    for (amount, own_tax, is_taxable) in items {
        subtotal = bounded(subtotal.checked_add(amount), "subtotal")?;
        own_taxes = bounded(own_taxes.checked_add(own_tax), "tax")?;
        taxed += if is_taxable { amount } else { 0 };
    }
    let tax = bounded(own_taxes.checked_add(tax.of(taxed)), "tax")?;
    let before = bounded(subtotal.checked_add(tax), "total")?;
    let total = before.checked_add_signed(adjustment).ok_or(SumError::BelowZero { field: "adjustment" })?;
    Ok(Sums { subtotal, tax, total: bounded(Some(total), "total")? })
}

fn bounded(sum: Option<u64>, field: &'static str) -> Result<u64, SumError> {
    sum.filter(|sum| *sum <= AMOUNT_MAX_MINOR).ok_or(SumError::TooLarge { field })
}
