//! Fields that are made of parts: DE90 original data, DE95 replacement amounts, DE54 additional amounts.

use std::fmt::{self, Write as _};

use super::mti::Mti;

/// DE90: which message a reversal or an advice is about. 42 digits: MTI 4, DE11 6, DE7 10, DE32 11, DE33 11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginalData {
    /// Message type of the original.
    pub mti: Mti,
    /// DE11 of the original, 0 to 999 999.
    pub stan: u32,
    /// DE7 of the original, MMDDhhmmss, as a number.
    pub transmitted: u64,
    /// DE32 of the original, 0 when it had none.
    pub acquirer: u64,
    /// DE33 of the original, 0 when it had none.
    pub forwarder: u64,
}

/// DE95: what a partial reversal leaves standing. 42 characters: DE4 12, DE5 12, C/D + 8, C/D + 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplacementAmounts {
    /// Actual amount of the transaction, in minor units of DE49.
    pub transaction: u64,
    /// Actual amount of the settlement, in minor units of DE50.
    pub settlement: u64,
}

/// One of the up to six amounts of DE54. 20 characters: account type 2, amount type 2, currency 3, C or D, amount 12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdditionalAmount {
    /// Account type as in DE3, 0 to 99 (00 default, 30 credit).
    pub account_type: u8,
    /// Amount type, 0 to 99 (01 ledger balance, 02 available balance, 40 cash back, 57 original amount).
    pub amount_type: u8,
    /// ISO 4217 number, 0 to 999.
    pub currency: u16,
    /// Whether the amount is owed (`D`), not owned (`C`).
    pub debit: bool,
    /// In minor units of the currency.
    pub amount: u64,
}

/// A part that has more digits than its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartTooLarge;

impl fmt::Display for PartTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part has more digits than its place")
    }
}

impl std::error::Error for PartTooLarge {}

/// Text of a composite field on the stack, `N` characters at most.
#[derive(Clone, Copy)]
pub struct Composed<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Composed<N> {
    const fn new() -> Self {
        Composed { bytes: [0; N], length: 0 }
    }

    /// The text, ready for [`Encoder::text`](super::Encoder::text).
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// Writes a number with leading zeros into exactly `width` digits.
    fn digits(&mut self, value: u64, width: usize) -> Result<(), PartTooLarge> {
        let end = self.length + width;
        write!(self, "{value:0width$}").map_err(|_| PartTooLarge)?;
        if self.length == end { Ok(()) } else { Err(PartTooLarge) }
    }
}

impl<const N: usize> fmt::Write for Composed<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// Characters of DE90 and of DE95.
const TWO_AND_FORTY: usize = 42;
/// Characters of one amount of DE54.
const AMOUNT_CHARACTERS: usize = 20;
/// Amounts in one DE54.
pub const ADDITIONAL_AMOUNTS_MAX: usize = 6;

impl OriginalData {
    /// As DE90.
    pub fn compose(&self) -> Result<Composed<TWO_AND_FORTY>, PartTooLarge> {
        let mut text = Composed::new();
        write!(text, "{}", self.mti).map_err(|_| PartTooLarge)?;
        text.digits(u64::from(self.stan), 6)?;
        text.digits(self.transmitted, 10)?;
        text.digits(self.acquirer, 11)?;
        text.digits(self.forwarder, 11)?;
        Ok(text)
    }

    /// From DE90; `None` when it is not 42 digits.
    pub fn parse(text: &str) -> Option<OriginalData> {
        let digits: &[u8; TWO_AND_FORTY] = text.as_bytes().try_into().ok()?;
        let part = |from, to| number(digits, from, to);
        Some(OriginalData {
            mti: text.get(..4)?.parse().ok()?,
            stan: u32::try_from(part(4, 10)?).ok()?,
            transmitted: part(10, 20)?,
            acquirer: part(20, 31)?,
            forwarder: part(31, 42)?,
        })
    }
}

impl ReplacementAmounts {
    /// As DE95, with both fees credit zero.
    pub fn compose(&self) -> Result<Composed<TWO_AND_FORTY>, PartTooLarge> {
        let mut text = Composed::new();
        text.digits(self.transaction, 12)?;
        text.digits(self.settlement, 12)?;
        text.write_str("C00000000C00000000").map_err(|_| PartTooLarge)?;
        Ok(text)
    }

    /// From DE95; `None` when the amounts are not digits. The fees are not read.
    pub fn parse(text: &str) -> Option<ReplacementAmounts> {
        let bytes: &[u8; TWO_AND_FORTY] = text.as_bytes().try_into().ok()?;
        Some(ReplacementAmounts { transaction: number(bytes, 0, 12)?, settlement: number(bytes, 12, 24)? })
    }
}

impl AdditionalAmount {
    /// Several amounts as DE54. More than six do not fit.
    pub fn compose(
        amounts: &[AdditionalAmount],
    ) -> Result<Composed<{ AMOUNT_CHARACTERS * ADDITIONAL_AMOUNTS_MAX }>, PartTooLarge> {
        let mut text = Composed::new();
        for part in amounts {
            text.digits(u64::from(part.account_type), 2)?;
            text.digits(u64::from(part.amount_type), 2)?;
            text.digits(u64::from(part.currency), 3)?;
            text.write_char(if part.debit { 'D' } else { 'C' }).map_err(|_| PartTooLarge)?;
            text.digits(part.amount, 12)?;
        }
        Ok(text)
    }

    /// The amounts of a DE54, in order; a part that is no amount comes as `None`.
    pub fn parse_all(text: &str) -> impl Iterator<Item = Option<AdditionalAmount>> + '_ {
        text.as_bytes().chunks(AMOUNT_CHARACTERS).map(AdditionalAmount::parse)
    }

    fn parse(bytes: &[u8]) -> Option<AdditionalAmount> {
        if bytes.len() != AMOUNT_CHARACTERS {
            return None;
        }
        let debit = match bytes.get(7)? {
            b'C' => false,
            b'D' => true,
            _ => return None,
        };
        Some(AdditionalAmount {
            account_type: u8::try_from(number(bytes, 0, 2)?).ok()?,
            amount_type: u8::try_from(number(bytes, 2, 4)?).ok()?,
            currency: u16::try_from(number(bytes, 4, 7)?).ok()?,
            debit,
            amount: number(bytes, 8, 20)?,
        })
    }
}

fn number(bytes: &[u8], from: usize, to: usize) -> Option<u64> {
    bytes.get(from..to)?.iter().try_fold(0, |sum: u64, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| sum * 10 + u64::from(digit))
    })
}
