//! Money: integer minor units with their currency, never a float.

use core::fmt;
use iso_currency::Currency as Iso;

/// A currency by its ISO 4217 numeric code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(Iso);

/// Why a decimal text is not an amount in a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAnAmount {
    /// Something other than digits and at most one decimal point.
    NotDecimal,
    /// More decimals than ISO 4217 gives the currency.
    TooPrecise {
        /// Decimals that the currency has.
        exponent: u8,
    },
    /// Does not fit 12 digits, ISO 8583's width of DE4.
    TooLarge,
}

impl fmt::Display for NotAnAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAnAmount::NotDecimal => f.write_str("must be a decimal number such as 12.34"),
            NotAnAmount::TooPrecise { exponent } => write!(f, "must have at most {exponent} decimals in this currency"),
            NotAnAmount::TooLarge => write!(f, "must be at most {} minor units", crate::limits::AMOUNT_MAX_MINOR),
        }
    }
}

impl core::error::Error for NotAnAmount {}

impl Currency {
    /// US dollar.
    pub const USD: Currency = Currency(Iso::USD);
    /// Euro.
    pub const EUR: Currency = Currency(Iso::EUR);

    /// By alphabetic code, in either case: `USD` or `usd`.
    pub fn from_code(code: &str) -> Option<Currency> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        // Nearly every payment: the table behind the others is searched from its beginning.
        if bytes.eq_ignore_ascii_case(b"USD") {
            return Some(Currency::USD);
        }
        let upper = bytes.map(|letter| letter.to_ascii_uppercase());
        Iso::from_code(core::str::from_utf8(&upper).ok()?).filter(|iso| iso.exponent().is_some()).map(Currency)
    }

    /// By numeric code, as ISO 8583 DE49 and our layouts carry it.
    pub fn from_numeric(number: u16) -> Option<Currency> {
        Iso::from_numeric(number).filter(|iso| iso.exponent().is_some()).map(Currency)
    }

    /// The numeric code, ISO 8583 DE49.
    pub fn numeric(self) -> u16 {
        self.0.numeric()
    }

    /// The alphabetic code in upper case.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimals of the minor unit: 2 for USD, 0 for JPY, 3 for BHD.
    pub fn exponent(self) -> u8 {
        // The constructors refuse currencies without one (gold, test codes).
        self.0.exponent().map_or(0, |exponent| exponent as u8)
    }

    /// Minor units of a decimal text in major units: `123.45` USD is 12345. Exact: no float on the way.
    pub fn parse_major(self, text: &str) -> Result<u64, NotAnAmount> {
        let exponent = self.exponent();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
            return Err(NotAnAmount::NotDecimal);
        }
        let significant = fraction.trim_end_matches('0');
        if significant.len() > exponent as usize {
            return Err(NotAnAmount::TooPrecise { exponent });
        }
        let mut minor: u64 = 0;
        let zeros = core::iter::repeat_n(b'0', exponent as usize - significant.len());
        for digit in whole.bytes().chain(significant.bytes()).chain(zeros) {
            minor = minor
                .checked_mul(10)
                .and_then(|minor| minor.checked_add(u64::from(digit - b'0')))
                .ok_or(NotAnAmount::TooLarge)?;
        }
        if minor > crate::limits::AMOUNT_MAX_MINOR { Err(NotAnAmount::TooLarge) } else { Ok(minor) }
    }

    /// Minor units as a decimal text in major units, with all decimals that the currency has: 12345 USD is `123.45`.
    pub fn major(self, minor: u64) -> String {
        let exponent = usize::from(self.exponent());
        let mut text = format!("{minor:0width$}", width = exponent + 1);
        if exponent > 0 {
            text.insert(text.len() - exponent, '.');
        }
        text
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_iso_4217s() {
        for (code, numeric, exponent) in [("USD", 840, 2), ("EUR", 978, 2), ("JPY", 392, 0), ("KRW", 410, 0), ("BHD", 48, 3)] {
            let currency = Currency::from_code(code).unwrap();
            assert_eq!((currency.numeric(), currency.exponent()), (numeric, exponent), "{code}");
            assert_eq!(Currency::from_numeric(numeric), Some(currency));
        }
        assert_eq!(Currency::from_code("usd"), Some(Currency::USD));
        for code in ["", "US", "USDX", "ZZZ", "XAU", "€€"] {
            assert_eq!(Currency::from_code(code), None, "{code}");
        }
    }

    #[test]
    fn major_units_are_read_exactly() {
        let parse = |code: &str, text: &str| Currency::from_code(code).unwrap().parse_major(text);
        assert_eq!(parse("USD", "123.45"), Ok(12345));
        assert_eq!(parse("USD", "123.4"), Ok(12340));
        assert_eq!(parse("USD", "123.450000"), Ok(12345));
        assert_eq!(parse("JPY", "500"), Ok(500));
        assert_eq!(parse("BHD", "1.234"), Ok(1234));
        assert_eq!(parse("USD", "1.234"), Err(NotAnAmount::TooPrecise { exponent: 2 }));
        assert_eq!(parse("JPY", "1.5"), Err(NotAnAmount::TooPrecise { exponent: 0 }));
        assert_eq!(parse("USD", "10000000000.00"), Err(NotAnAmount::TooLarge));
        for text in ["", ".", "1.", ".5", "-1", "1e3", "1,5", " 1", "NaN"] {
            assert_eq!(parse("USD", text), Err(NotAnAmount::NotDecimal), "{text:?}");
        }
    }

    #[test]
    fn minor_units_are_written_with_all_decimals() {
        for (code, minor, text) in [
            ("USD", 0, "0.00"),
            ("USD", 5, "0.05"),
            ("USD", 12345, "123.45"),
            ("JPY", 500, "500"),
            ("JPY", 0, "0"),
            ("BHD", 12, "0.012"),
        ] {
            let currency = Currency::from_code(code).unwrap();
            assert_eq!(currency.major(minor), text);
            assert_eq!(currency.parse_major(text), Ok(minor));
        }
    }
}
