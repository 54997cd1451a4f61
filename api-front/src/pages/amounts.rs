//! Amounts as a shopper is used to read them: the currency's decimals (ISO 4217), the language's separators.
//!
//! Which language is said by `Accept-Language`. Only its numbers are followed; the page's words are English.

use axum::http::{HeaderMap, header};
use protocol::money::Currency;

/// How a language writes amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    thousands: char,
    decimal: char,
    is_symbol_last: bool,
}

const NARROW_SPACE: char = '\u{202f}';
const NO_BREAK_SPACE: char = '\u{a0}';
const ENGLISH: Manner = Manner { thousands: ',', decimal: '.', is_symbol_last: false };

/// Languages that do otherwise than English. Regions that differ from their language come first.
const MANNERS: &[(&str, Manner)] = &[
    ("de-ch", Manner { thousands: '’', decimal: '.', is_symbol_last: false }),
    ("de-li", Manner { thousands: '’', decimal: '.', is_symbol_last: false }),
    ("es-mx", ENGLISH),
    ("pt-br", Manner { thousands: '.', decimal: ',', is_symbol_last: false }),
    ("de", Manner { thousands: '.', decimal: ',', is_symbol_last: true }),
    ("es", Manner { thousands: '.', decimal: ',', is_symbol_last: true }),
    ("it", Manner { thousands: '.', decimal: ',', is_symbol_last: true }),
    ("pt", Manner { thousands: '.', decimal: ',', is_symbol_last: true }),
    ("da", Manner { thousands: '.', decimal: ',', is_symbol_last: true }),
    ("nl", Manner { thousands: '.', decimal: ',', is_symbol_last: false }),
    ("tr", Manner { thousands: '.', decimal: ',', is_symbol_last: false }),
    ("fr", Manner { thousands: NARROW_SPACE, decimal: ',', is_symbol_last: true }),
    ("pl", Manner { thousands: NARROW_SPACE, decimal: ',', is_symbol_last: true }),
    ("cs", Manner { thousands: NARROW_SPACE, decimal: ',', is_symbol_last: true }),
    ("sv", Manner { thousands: NARROW_SPACE, decimal: ',', is_symbol_last: true }),
    ("nb", Manner { thousands: NARROW_SPACE, decimal: ',', is_symbol_last: true }),
    ("no", Manner { thousands: NARROW_SPACE, decimal: ',', is_symbol_last: true }),
    ("fi", Manner { thousands: NARROW_SPACE, decimal: ',', is_symbol_last: true }),
    ("uk", Manner { thousands: NARROW_SPACE, decimal: ',', is_symbol_last: true }),
    ("ru", Manner { thousands: NARROW_SPACE, decimal: ',', is_symbol_last: true }),
];

impl Manner {
    /// By the first language that a browser asks for; English where it asks for none.
    pub(super) fn of(headers: &HeaderMap) -> Manner {
        let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let first = asked.split([',', ';']).next().unwrap_or("").trim().to_ascii_lowercase();
        let is_of = |name: &str| first.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        MANNERS.iter().find(|(name, _)| is_of(name)).map_or(ENGLISH, |(_, manner)| *manner)
    }

    /// An amount with its currency's symbol, or its code where it has none that everybody knows.
    pub(super) fn amount(self, minor: i64, currency: Currency) -> String {
        let number = self.number(minor.unsigned_abs(), currency.exponent());
        let minus = if minor < 0 { "−" } else { "" };
        match (symbol(currency), self.is_symbol_last) {
            (Some(symbol), true) => format!("{minus}{number}{NO_BREAK_SPACE}{symbol}"),
            (Some(symbol), false) => format!("{minus}{symbol}{number}"),
            (None, true) => format!("{minus}{number}{NO_BREAK_SPACE}{}", currency.code()),
            (None, false) => format!("{minus}{}{NO_BREAK_SPACE}{number}", currency.code()),
        }
    }

    fn number(self, minor: u64, exponent: u8) -> String {
        let unit = 10_u64.pow(exponent.into());
        let whole = (minor / unit).to_string();
        let mut out = String::with_capacity(whole.len() * 2);
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place).is_multiple_of(3) {
                out.push(self.thousands);
            }
            out.push(digit);
        }
        if exponent > 0 {
            out.push(self.decimal);
            out.push_str(&format!("{:0width$}", minor % unit, width = exponent.into()));
        }
        out
    }
}

/// Symbols that are not taken for another currency's.
fn symbol(currency: Currency) -> Option<&'static str> {
    Some(match currency.code() {
        "USD" => "$",
        "EUR" => "€",
        "GBP" => "£",
        "JPY" => "¥",
        "CNY" => "CN¥",
        "KRW" => "₩",
        "INR" => "₹",
        "AUD" => "A$",
        "CAD" => "CA$",
        "HKD" => "HK$",
        "NZD" => "NZ$",
        "MXN" => "MX$",
        "BRL" => "R$",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(language: &str, minor: i64, code: &str) -> String {
        let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, language.parse().unwrap())]);
        Manner::of(&headers).amount(minor, Currency::from_code(code).unwrap())
    }

    #[test]
    fn amounts_follow_the_currency_and_the_language() {
        for (language, minor, code, expected) in [
            ("en-US,en;q=0.9", 123_456_789, "USD", "$1,234,567.89"),
            ("", 5, "USD", "$0.05"),
            ("en", 123_456, "JPY", "¥123,456"),
            ("en", 1_234_567, "BHD", "BHD\u{a0}1,234.567"),
            ("de-DE,de;q=0.9,en;q=0.8", 123_456, "EUR", "1.234,56\u{a0}€"),
            ("de-CH", 123_456, "CHF", "CHF\u{a0}1’234.56"),
            ("fr", 123_456, "EUR", "1\u{202f}234,56\u{a0}€"),
            ("nb-NO", 99_900, "NOK", "999,00\u{a0}NOK"),
            ("ko-KR", 15_000, "KRW", "₩15,000"),
            ("pt-BR", 123_456, "BRL", "R$1.234,56"),
            ("en", -500, "GBP", "−£5.00"),
            // Not every name that begins with a language's is that language.
            ("fry", 100, "EUR", "€1.00"),
        ] {
            assert_eq!(shown(language, minor, code), expected, "{language}");
        }
    }
}
