//! The form in which a shopper pays: read, checked, and answered field by field. Nothing of a card is ever repeated.

use crate::intake::Card;
use crate::payables::Payer;
use protocol::calendar::Civil;
use protocol::card::{Expiry, luhn};
use protocol::secret::{Cvv, Pan};
use protocol::words::EntryType;
use zeroize::Zeroizing;

/// Longest name that is taken, characters: that of an address.
const NAME_MAX_CHARS: usize = 50;
/// Longest postal code, characters.
const POSTAL_CODE_MAX_CHARS: usize = 10;
/// American Express, whose security code has four digits.
const FOUR_DIGIT_CODES: [&str; 2] = ["34", "37"];

/// What a browser has sent.
#[derive(Default)]
pub(super) struct Sent {
    attempt: String,
    number: Zeroizing<String>,
    expiry: String,
    code: Zeroizing<String>,
    pub(super) name: String,
    pub(super) postal_code: String,
}

/// What is wrong, field by field, in words for a shopper.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Faults {
    pub(super) number: Option<&'static str>,
    pub(super) expiry: Option<&'static str>,
    pub(super) code: Option<&'static str>,
    pub(super) name: Option<&'static str>,
    pub(super) postal_code: Option<&'static str>,
}

/// A form that can be paid with.
pub(super) struct Filled {
    /// Which attempt it is.
    pub(super) attempt: u32,
    pub(super) card: Card,
    pub(super) payer: Payer,
}

impl Sent {
    /// Reads the body of a form. Fields that are not known are passed over.
    pub(super) fn read(body: &[u8]) -> Sent {
        let mut sent = Sent::default();
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.trim();
            match name.as_ref() {
                "attempt" => sent.attempt = value.to_owned(),
                "number" => sent.number = Zeroizing::new(digits_of(value)),
                "expiry" => sent.expiry = value.to_owned(),
                "code" => sent.code = Zeroizing::new(value.to_owned()),
                "name" => sent.name = value.to_owned(),
                "postal_code" => sent.postal_code = value.to_owned(),
                _ => {}
            }
        }
        sent
    }

    /// Checks all fields. A form without the number of an attempt is none of ours: it counts as an old one.
    pub(super) fn check(&self, today: Civil) -> Result<Filled, Faults> {
        let (number, expiry, code) = (self.pan(), self.month(today), self.code());
        let faults = Faults {
            number: number.as_ref().err().copied(),
            expiry: expiry.as_ref().err().copied(),
            code: code.as_ref().err().copied(),
            name: name_fault(&self.name),
            postal_code: postal_code_fault(&self.postal_code),
        };
        match (number, expiry, code) {
            (Ok(pan), Ok(expiry), Ok(cvv)) if faults == Faults::default() => Ok(Filled {
                attempt: self.attempt.parse().unwrap_or(0),
                card: Card { entry: EntryType::Keyed, pan, expiry, cvv: Some(cvv), track_2: None, track_1: None },
                payer: Payer { name: self.name.clone(), postal_code: self.postal_code.clone(), ip: None },
            }),
            _ => Err(faults),
        }
    }

    fn pan(&self) -> Result<Pan, &'static str> {
        if self.number.is_empty() {
            return Err("Enter the number of your card.");
        }
        let pan = Pan::new(&self.number).filter(|pan| luhn(pan.expose()));
        pan.ok_or("This is not the number of a card. Check the digits.")
    }

    fn month(&self, today: Civil) -> Result<Expiry, &'static str> {
        if self.expiry.is_empty() {
            return Err("Enter the expiry date, as on the card: MM/YY.");
        }
        let expiry = month_of(&self.expiry).ok_or("Enter the expiry date as MM/YY.")?;
        if expiry.is_past(today.year, today.month) {
            return Err("This card has expired.");
        }
        Ok(expiry)
    }

    fn code(&self) -> Result<Cvv, &'static str> {
        let is_amex = FOUR_DIGIT_CODES.iter().any(|prefix| self.number.starts_with(prefix));
        let (length, words) = match is_amex {
            true => (4, "Enter the four digits on the front of the card."),
            false => (3, "Enter the three digits on the back of the card."),
        };
        Cvv::new(&self.code).filter(|_| self.code.len() == length).ok_or(words)
    }
}

impl Faults {
    /// The id of the first field that is wrong.
    pub(super) fn first(&self) -> Option<&'static str> {
        let fields = [
            ("number", self.number),
            ("expiry", self.expiry),
            ("code", self.code),
            ("name", self.name),
            ("postal_code", self.postal_code),
        ];
        fields.into_iter().find(|(_, fault)| fault.is_some()).map(|(name, _)| name)
    }
}

/// Numbers are typed in groups, as they stand on the card.
fn digits_of(text: &str) -> String {
    text.chars().filter(|character| !matches!(character, ' ' | '-' | '\u{a0}')).collect()
}

/// `12/30`, `1230`, `12 / 30`, `12/2030`, `1/30`.
fn month_of(text: &str) -> Option<Expiry> {
    let (month, year) = match text.split_once(['/', '-', '.', ' ']) {
        Some((month, year)) => (month.trim(), year.trim_matches(['/', ' '])),
        None => text.split_at_checked(2)?,
    };
    let year = if year.len() == 4 { year.strip_prefix("20")? } else { year };
    Expiry::parse(&format!("{month:0>2}/{year}"))
}

fn name_fault(name: &str) -> Option<&'static str> {
    match name {
        "" => Some("Enter the name as it stands on the card."),
        name if name.chars().count() > NAME_MAX_CHARS => Some("Enter at most 50 characters."),
        name if name.chars().any(char::is_control) => Some("Enter the name as it stands on the card."),
        _ => None,
    }
}

fn postal_code_fault(text: &str) -> Option<&'static str> {
    let has_form = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-'));
    let fits = text.len() <= POSTAL_CODE_MAX_CHARS;
    (!has_form || !fits).then_some("Enter letters and digits only, such as 60601 or SW1A 1AA.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::calendar::Micros;

    fn today() -> Civil {
        Micros::from_date(2026, 11, 21).civil()
    }

    fn form(number: &str, expiry: &str, code: &str) -> Result<Filled, Faults> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("attempt", "3"), ("number", number), ("expiry", expiry), ("code", code)])
            .extend_pairs([("name", "Ada Lovelace"), ("postal_code", "SW1A 1AA"), ("other", "x")])
            .finish();
        Sent::read(body.as_bytes()).check(today())
    }

    #[test]
    fn a_card_is_read_however_people_type_it() {
        for (number, expiry) in [
            ("4111111111111111", "12/30"),
            ("4111 1111 1111 1111", "1230"),
            (" 4111-1111-1111-1111 ", "12 / 30"),
            ("4111\u{a0}1111\u{a0}1111\u{a0}1111", "12/2030"),
        ] {
            let filled = form(number, expiry, "123").ok().unwrap();
            assert_eq!((filled.card.pan.expose(), filled.card.expiry.yymm(), filled.attempt), ("4111111111111111", 3012, 3));
        }
        assert_eq!(form("4111111111111111", "1/30", "123").ok().unwrap().card.expiry.yymm(), 3001);
        assert!(form("378282246310005", "12/30", "1234").is_ok());
    }

    #[test]
    fn each_wrong_field_is_told_by_itself() {
        let wrong = |number, expiry, code| form(number, expiry, code).err().unwrap();
        assert_eq!(wrong("4111111111111112", "12/30", "123").first(), Some("number"));
        assert_eq!(wrong("4111111111111111", "10/26", "123").expiry, Some("This card has expired."));
        assert_eq!(wrong("4111111111111111", "13/30", "123").first(), Some("expiry"));
        assert_eq!(wrong("4111111111111111", "é", "123").first(), Some("expiry"));
        assert_eq!(wrong("4111111111111111", "12/30", "1234").first(), Some("code"));
        assert_eq!(wrong("378282246310005", "12/30", "123").first(), Some("code"));
        let all = Sent::read(b"").check(today()).err().unwrap();
        assert!(all.number.is_some() && all.expiry.is_some() && all.code.is_some() && all.name.is_some());
        assert_eq!(all.postal_code, None, "not every country has one");
    }
}
