//! What a card number says of itself: check digit, brand, mask; and expiry dates.

use crate::words::Brand;

/// The Luhn check digit, ISO/IEC 7812-1 annex B. `digits` are ASCII digits.
pub fn luhn(digits: &str) -> bool {
    let mut sum = 0u32;
    for (place, byte) in digits.bytes().rev().enumerate() {
        if !byte.is_ascii_digit() {
            return false;
        }
        let digit = u32::from(byte - b'0');
        sum += match place % 2 {
            0 => digit,
            _ if digit > 4 => 2 * digit - 9,
            _ => 2 * digit,
        };
    }
    !digits.is_empty() && sum.is_multiple_of(10)
}

/// Ranges of first six digits and the brand that issues in them, first match wins; public issuer tables.
const BRAND_RANGES: &[(u32, u32, Brand)] = &[
    (340_000, 349_999, Brand::Amex),
    (370_000, 379_999, Brand::Amex),
    (300_000, 305_999, Brand::Diners),
    (309_500, 309_599, Brand::Diners),
    (360_000, 369_999, Brand::Diners),
    (380_000, 399_999, Brand::Diners),
    (352_800, 358_999, Brand::Jcb),
    (601_100, 601_199, Brand::Discover),
    (622_126, 622_925, Brand::Discover),
    (644_000, 659_999, Brand::Discover),
    (620_000, 629_999, Brand::UnionPay),
    (222_100, 272_099, Brand::Mastercard),
    (510_000, 559_999, Brand::Mastercard),
    (500_000, 509_999, Brand::Maestro),
    (560_000, 589_999, Brand::Maestro),
    (600_000, 699_999, Brand::Maestro),
    (400_000, 499_999, Brand::Visa),
];

/// The brand of a card by its first six digits.
pub fn brand(first_six: u32) -> Brand {
    let hit = BRAND_RANGES.iter().find(|(from, to, _)| (*from..=*to).contains(&first_six));
    hit.map_or(Brand::Unknown, |(_, _, brand)| *brand)
}

/// Digits in the middle of a card number that are neither shown nor kept in clear, whatever its length.
const HIDDEN_MIN_DIGITS: u8 = 4;
/// Digits of an issuer identification number that are shown.
const FIRST_DIGITS: u8 = 6;

/// How many of a card number's last digits may be shown and kept in clear beside the first six: four, and fewer for numbers of 12 and
/// 13 digits. PCI DSS 3.4.1 allows issuer number and last four at most, and no brand takes fewer than four hidden digits for
/// truncated: of a 12-digit number two would be left, and the check digit would tell one of them.
pub const fn last_digits_shown(digit_count: u8) -> u8 {
    match digit_count.saturating_sub(FIRST_DIGITS + HIDDEN_MIN_DIGITS) {
        few @ 0..4 => few,
        _ => 4,
    }
}

/// First six, stars, last four: `401200******5439`, and fewer at the end of a short number. Fails closed: with fewer than 12 digits
/// nothing but stars is shown.
pub fn masked(first_six: u32, last_four: u16, digit_count: u8) -> String {
    if usize::from(digit_count) < crate::secret::PAN_MIN_DIGITS {
        return "*".repeat(digit_count.into());
    }
    let shown = last_digits_shown(digit_count);
    let stars = usize::from(digit_count - FIRST_DIGITS - shown);
    let mut text = String::with_capacity(digit_count.into());
    push_digits(&mut text, first_six, FIRST_DIGITS);
    (0..stars).for_each(|_| text.push('*'));
    push_digits(&mut text, last_four.into(), shown);
    text
}

/// The last digits as a text: four, and fewer of a short number. `last_four` is as [`crate::secret::Pan::last_four`] gives it.
pub fn last_digits(last_four: u16, digit_count: u8) -> String {
    let mut text = String::with_capacity(4);
    push_digits(&mut text, last_four.into(), last_digits_shown(digit_count));
    text
}

/// Appends so many digits of a number, the lowest ones, at most ten. Every answer shows a card: the formatting machinery costs ten times
/// this.
fn push_digits(text: &mut String, mut number: u32, count: u8) {
    let mut digits = [b'0'; 10];
    let shown = &mut digits[..usize::from(count)];
    for digit in shown.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    text.push_str(core::str::from_utf8(shown).unwrap_or(""));
}

/// An expiry month. Stored as `year × 100 + month` with a two-digit year, ISO 8583 DE14 `YYMM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(u16);

impl Expiry {
    /// Reads `MM/YY` or `MMYY`.
    pub fn parse(text: &str) -> Option<Expiry> {
        let digits = match *text.as_bytes() {
            [a, b, b'/', c, d] | [a, b, c, d] => [a, b, c, d],
            _ => return None,
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let two = |at: usize| u16::from(digits[at] - b'0') * 10 + u16::from(digits[at + 1] - b'0');
        Expiry::from_parts(two(2), two(0))
    }

    /// From a two-digit year and a month of 1 to 12.
    pub fn from_parts(year: u16, month: u16) -> Option<Expiry> {
        (year < 100 && (1..=12).contains(&month)).then_some(Expiry(year * 100 + month))
    }

    /// From the stored form, `YYMM`.
    pub fn from_yymm(yymm: u16) -> Option<Expiry> {
        Expiry::from_parts(yymm / 100, yymm % 100)
    }

    /// The stored form, `YYMM`, as ISO 8583 DE14 carries it.
    pub fn yymm(self) -> u16 {
        self.0
    }

    /// `MM/YY`, as every API answers it.
    pub fn to_text(self) -> [u8; 5] {
        let [year, month] = [self.0 / 100, self.0 % 100].map(|part| [part / 10, part % 10].map(|digit| b'0' + digit as u8));
        [month[0], month[1], b'/', year[0], year[1]]
    }

    /// True once the month is over. `today` as calendar year and month; a card is good through its month.
    /// Two-digit years are this century's.
    pub fn is_past(self, year: i32, month: u8) -> bool {
        let last = 2000 * 12 + i32::from(self.0 / 100) * 12 + i32::from(self.0 % 100);
        year * 12 + i32::from(month) > last
    }
}

impl core::fmt::Display for Expiry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(core::str::from_utf8(&self.to_text()).unwrap_or(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_cards_have_their_brands_and_check_digits() {
        let cards = [
            ("4111111111111111", Brand::Visa),
            ("4012000098765439", Brand::Visa),
            ("5555555555554444", Brand::Mastercard),
            ("2223000048400011", Brand::Mastercard),
            ("378282246310005", Brand::Amex),
            ("6011111111111117", Brand::Discover),
            ("30569309025904", Brand::Diners),
            ("3530111333300000", Brand::Jcb),
        ];
        for (number, expected) in cards {
            assert!(luhn(number), "{number}");
            let first_six = number[..6].parse().unwrap();
            assert_eq!(brand(first_six), expected, "{number}");
        }
        for number in ["", "4111111111111112", "4012000098765430", "41111111111111x1"] {
            assert!(!luhn(number), "{number}");
        }
    }

    #[test]
    fn both_forms_of_an_expiry_are_read_and_one_is_written() {
        for text in ["12/20", "1220"] {
            assert_eq!(Expiry::parse(text).unwrap().to_string(), "12/20");
        }
        for text in ["", "13/20", "00/20", "1/20", "12-20", "122", "12/2020", "ab/cd"] {
            assert_eq!(Expiry::parse(text), None, "{text:?}");
        }
        let expiry = Expiry::parse("12/20").unwrap();
        assert!(!expiry.is_past(2020, 12));
        assert!(expiry.is_past(2021, 1));
        assert_eq!(expiry.yymm(), 2012);
    }

    #[test]
    fn a_mask_fails_closed() {
        assert_eq!(masked(401_200, 5439, 16), "401200******5439");
        assert_eq!(masked(378_282, 5, 15), "378282*****0005");
        assert_eq!(masked(0, 0, 0), "");
        assert_eq!(masked(305_693, 5904, 14), "305693****5904");
        assert_eq!(masked(500_000, 345, 13), "500000****345");
        assert_eq!(masked(500_000, 12_345, 13), "500000****345", "even if more was kept");
        assert_eq!((masked(500_000, 5, 12).as_str(), last_digits(5, 12).as_str()), ("500000****05", "05"));
        assert_eq!(last_digits(0, 0), "");
        assert!((12..=19).all(|digits| digits - FIRST_DIGITS - last_digits_shown(digits) >= HIDDEN_MIN_DIGITS));
        assert_eq!(masked(123_456, 7890, 10), "**********");
    }
}
