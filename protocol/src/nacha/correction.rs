//! What a notification of change asks for: its corrected data by its reason, in the columns of the Nacha rules' table or set off by blanks.

use crate::aba;
use crate::secret::AccountNumber;

/// Digits of a routing number.
const ROUTING_DIGITS: usize = 9;

/// What to use from now on. What is absent stays.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Correction {
    /// The bank's routing number.
    pub routing: Option<String>,
    /// The account's number.
    pub account: Option<AccountNumber>,
    /// Whether it is a savings account.
    pub is_savings: Option<bool>,
}

impl Correction {
    /// Reads the corrected data of a reason (`C01`). `None` when it corrects nothing of an account, or its data can't be read whole:
    /// half of a correction would be a wrong account.
    pub fn read(code: &[u8; 3], corrected: &str) -> Option<Correction> {
        let mut words = corrected.split_ascii_whitespace();
        let mut next = || words.next();
        let read = match code {
            b"C01" => Correction { account: Some(account(next()?)?), ..Correction::default() },
            b"C02" => Correction { routing: Some(routing(next()?)?), ..Correction::default() },
            b"C05" => Correction { is_savings: Some(is_savings(next()?)?), ..Correction::default() },
            b"C06" => {
                Correction { account: Some(account(next()?)?), is_savings: Some(is_savings(next()?)?), ..Correction::default() }
            }
            b"C03" | b"C07" => {
                let (bank, rest) = corrected.split_at_checked(ROUTING_DIGITS)?;
                words = rest.split_ascii_whitespace();
                let number = account(words.next()?)?;
                let is_savings = if code == b"C07" { Some(is_savings(words.next()?)?) } else { None };
                Correction { routing: Some(routing(bank)?), account: Some(number), is_savings }
            }
            _ => return None,
        };
        words.next().is_none().then_some(read)
    }
}

fn routing(text: &str) -> Option<String> {
    aba::is_valid(text).then(|| text.to_owned())
}

fn account(text: &str) -> Option<AccountNumber> {
    AccountNumber::new(text)
}

/// From a transaction code: the first digit says which kind of account.
fn is_savings(text: &str) -> Option<bool> {
    match text {
        "22" | "23" | "24" | "27" | "28" | "29" => Some(false),
        "32" | "33" | "34" | "37" | "38" | "39" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_corrects_its_own_and_nothing_is_guessed() {
        let bank = || Some("011000015".to_owned());
        let number = || AccountNumber::new("1918171614");
        let of = |routing, account, is_savings| Some(Correction { routing, account, is_savings });
        for (code, corrected, expected) in [
            (b"C01", "1918171614", of(None, number(), None)),
            (b"C01", "1918171614                   ", of(None, number(), None)),
            (b"C02", "011000015", of(bank(), None, None)),
            (b"C03", "011000015   1918171614       ", of(bank(), number(), None)),
            (b"C05", "37", of(None, None, Some(true))),
            (b"C06", "1918171614          22", of(None, number(), Some(false))),
            (b"C07", "0110000151918171614       37", of(bank(), number(), Some(true))),
            (b"C02", "011000016", None),
            (b"C03", "0110000150", of(bank(), AccountNumber::new("0"), None)),
            (b"C03", "011000015", None),
            (b"C05", "99", None),
            (b"C06", "1918171614", None),
            (b"C01", "", None),
            (b"C01", "19181716 14", None),
            (b"C01", "1918-1716", None),
            (b"C04", "JANE Q SAMPLE", None),
            (b"C03", "01100001\u{e9}5 19", None),
        ] {
            assert_eq!(Correction::read(code, corrected), expected, "{} {corrected:?}", code.escape_ascii());
        }
    }
}
