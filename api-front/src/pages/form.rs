//! The form in which a shopper pays: read, checked, and answered field by field. Nothing of a card or an account is ever repeated, but for
//! an account's type.
//!
//! What is wrong with a form stands as words in the address that its answer leads to, and what is no card's in a cookie for some minutes:
//! so that a step back, or a reload, sends nothing again.

use super::account;
use crate::intake::Card;
use crate::payables::{AccountType, Means, Payer};
use axum::http::{HeaderMap, header};
use protocol::calendar::Civil;
use protocol::card::{Expiry, luhn};
use protocol::secret::{Cvv, Pan};
use protocol::words::EntryType;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Longest name that is taken, characters: that of an address.
const NAME_MAX_CHARS: usize = 50;
/// Longest postal code, characters.
const POSTAL_CODE_MAX_CHARS: usize = 10;
/// Where what was typed is kept until the form is shown again.
const COOKIE: &str = "typed";
const COOKIE_MAX_AGE_S: u32 = 300;
/// American Express, whose security code has four digits.
const FOUR_DIGIT_CODES: [&str; 2] = ["34", "37"];

/// What a form pays with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum By {
    /// A card; so does a form that does not say.
    #[default]
    Card,
    /// A bank account.
    Account,
}

/// What a browser has sent.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) by: By,
    attempt: String,
    agreed: String,
    number: Zeroizing<String>,
    expiry: String,
    code: Zeroizing<String>,
    pub(super) routing_number: String,
    pub(super) account_number: Zeroizing<String>,
    pub(super) account_type: String,
    pub(super) name: String,
    pub(super) postal_code: String,
}

/// Something that is wrong with a field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// In an address.
    word: &'static str,
    /// The field's id.
    field: &'static str,
    /// To a shopper.
    said: &'static str,
}

/// All that can be wrong, in the order of the fields.
static FAULTS: [Fault; 16] = [
    Fault { word: "no-number", field: "number", said: "Enter the number of your card." },
    Fault { word: "number", field: "number", said: "This is not the number of a card. Check the digits." },
    Fault { word: "no-expiry", field: "expiry", said: "Enter the expiry date, as on the card: MM/YY." },
    Fault { word: "expiry", field: "expiry", said: "Enter the expiry date as MM/YY." },
    Fault { word: "expired", field: "expiry", said: "This card has expired." },
    Fault { word: "code-3", field: "code", said: "Enter the three digits on the back of the card." },
    Fault { word: "code-4", field: "code", said: "Enter the four digits on the front of the card." },
    Fault { word: "name", field: "name", said: "Enter the name as it stands on the card." },
    Fault { word: "holder", field: "name", said: "Enter the name of whoever holds the account." },
    Fault { word: "long-name", field: "name", said: "Enter at most 50 characters." },
    Fault { word: "postal-code", field: "postal_code", said: "Enter letters and digits only, such as 60601 or SW1A 1AA." },
    Fault { word: "no-routing", field: "routing_number", said: "Enter the nine digits of your bank, as on a check." },
    Fault { word: "routing", field: "routing_number", said: "No bank has this routing number. Check the digits." },
    Fault { word: "no-account", field: "account_number", said: "Enter the number of your account." },
    Fault { word: "account", field: "account_number", said: "Enter at most 17 digits, as on a check." },
    Fault { word: "account-type", field: "account_type", said: "Choose what kind of account it is." },
];

/// What is wrong, at most one thing with a field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Faults(Vec<&'static Fault>);

/// A form that was not accepted, as its shopper sees it again.
#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) faults: Faults,
    pub(super) name: String,
    pub(super) postal_code: String,
    pub(super) account_type: String,
}

/// A form that can be paid with.
pub(super) struct Filled {
    /// Which attempt it is.
    pub(super) attempt: u32,
    /// What it asked for.
    pub(super) agreed: String,
    pub(super) means: Means,
    pub(super) payer: Payer,
}

impl By {
    /// In an address and in a form.
    pub(super) const fn word(self) -> &'static str {
        match self {
            By::Card => "card",
            By::Account => "account",
        }
    }

    /// The other one.
    pub(super) const fn other(self) -> By {
        match self {
            By::Card => By::Account,
            By::Account => By::Card,
        }
    }

    fn of(word: &str) -> By {
        if word == By::Account.word() { By::Account } else { By::Card }
    }

    /// What the query of an address asks for.
    pub(super) fn asked(query: Option<&str>) -> By {
        By::of(&parameter(query, "by").unwrap_or_default())
    }
}

impl Sent {
    /// Reads the body of a form. Fields that are not known are passed over.
    pub(super) fn read(body: &[u8]) -> Sent {
        let mut sent = Sent::default();
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.trim();
            match name.as_ref() {
                "by" => sent.by = By::of(value),
                "attempt" => sent.attempt = value.to_owned(),
                "agreed" => sent.agreed = value.to_owned(),
                "number" => sent.number = Zeroizing::new(digits_of(value)),
                "expiry" => sent.expiry = value.to_owned(),
                "code" => sent.code = Zeroizing::new(value.to_owned()),
                "routing_number" => sent.routing_number = digits_of(value),
                "account_number" => sent.account_number = Zeroizing::new(digits_of(value)),
                "account_type" => sent.account_type = value.to_owned(),
                "name" => sent.name = value.to_owned(),
                "postal_code" => sent.postal_code = value.to_owned(),
                _ => {}
            }
        }
        sent
    }

    /// Checks all fields. A form without the number of an attempt is none of ours: it counts as an old one.
    pub(super) fn check(&self, today: Civil, in_sandbox: bool) -> Result<Filled, Faults> {
        let (means, postal_code) = match self.by {
            By::Card => (self.card(today)?, self.postal_code.clone()),
            By::Account => (self.account(in_sandbox)?, String::new()),
        };
        let payer = Payer { name: self.name.clone(), postal_code, ip: None };
        Ok(Filled { attempt: self.attempt.parse().unwrap_or(0), agreed: self.agreed.clone(), means, payer })
    }

    fn account(&self, in_sandbox: bool) -> Result<Means, Faults> {
        let holder = name_fault(&self.name, "holder");
        let (account, faults) = account::check(self, in_sandbox);
        let faults = Faults::of_words(holder.into_iter().chain(faults));
        account.filter(|_| faults.0.is_empty()).ok_or(faults)
    }

    fn card(&self, today: Civil) -> Result<Means, Faults> {
        let (number, expiry, code) = (self.pan(), self.month(today), self.code());
        let card = [number.as_ref().err().copied(), expiry.as_ref().err().copied(), code.as_ref().err().copied()];
        let words = card.into_iter().chain([name_fault(&self.name, "name"), postal_code_fault(&self.postal_code)]).flatten();
        let faults = Faults::of_words(words);
        match (number, expiry, code) {
            (Ok(pan), Ok(expiry), Ok(cvv)) if faults.0.is_empty() => {
                Ok(Means::Card(Card { entry: EntryType::Keyed, pan, expiry, cvv: Some(cvv), track_2: None, track_1: None }))
            }
            _ => Err(faults),
        }
    }

    fn pan(&self) -> Result<Pan, &'static str> {
        if self.number.is_empty() {
            return Err("no-number");
        }
        let pan = Pan::new(&self.number).filter(|pan| luhn(pan.expose()));
        pan.ok_or("number")
    }

    fn month(&self, today: Civil) -> Result<Expiry, &'static str> {
        if self.expiry.is_empty() {
            return Err("no-expiry");
        }
        let expiry = month_of(&self.expiry).ok_or("expiry")?;
        if expiry.is_past(today.year, today.month) {
            return Err("expired");
        }
        Ok(expiry)
    }

    fn code(&self) -> Result<Cvv, &'static str> {
        let is_amex = FOUR_DIGIT_CODES.iter().any(|prefix| self.number.starts_with(prefix));
        let (length, word) = if is_amex { (4, "code-4") } else { (3, "code-3") };
        Cvv::new(&self.code).filter(|_| self.code.len() == length).ok_or(word)
    }
}

impl Faults {
    /// From their words. What is no word of ours says nothing.
    fn of_words<'w>(words: impl Iterator<Item = &'w str>) -> Faults {
        let mut faults: Vec<&Fault> = words.filter_map(|word| FAULTS.iter().find(|fault| fault.word == word)).collect();
        faults.dedup_by_key(|fault| fault.field);
        faults.truncate(FAULTS.len());
        Faults(faults)
    }

    /// The id of the first field that is wrong.
    pub(super) fn first(&self) -> Option<&'static str> {
        self.0.first().map(|fault| fault.field)
    }

    /// What is wrong with a field, to a shopper.
    pub(super) fn of(&self, field: &str) -> Option<&'static str> {
        self.0.iter().find(|fault| fault.field == field).map(|fault| fault.said)
    }

    /// The query of the address at which they are told.
    pub(super) fn query(&self) -> String {
        format!("check={}", self.0.iter().map(|fault| fault.word).collect::<Vec<_>>().join("+"))
    }
}

impl Refused {
    /// From the query of an address and the cookie that came with it; `None` where the query tells of no fault.
    pub(super) fn told(query: Option<&str>, headers: &HeaderMap) -> Option<Refused> {
        let words = parameter(query, "check")?;
        let faults = Faults::of_words(words.split(' '));
        if faults.0.is_empty() {
            return None;
        }
        let typed = Sent::read(cookie(headers).unwrap_or("").as_bytes());
        Some(Refused { faults, name: typed.name, postal_code: typed.postal_code, account_type: typed.account_type })
    }
}

/// What of a form may be kept for its next try, for the page of this path alone. `is_secure`: browsers send it by TLS only.
pub(super) fn typed_cookie(sent: &Sent, path: &str, is_secure: bool) -> String {
    let kept = |text: &str, max: usize| if text.chars().count() > max { String::new() } else { text.to_owned() };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("name", &kept(&sent.name, NAME_MAX_CHARS));
    form.append_pair("postal_code", &kept(&sent.postal_code, POSTAL_CODE_MAX_CHARS));
    form.append_pair("account_type", account::type_of(&sent.account_type).map_or("", AccountType::word));
    let secure = if is_secure { "; Secure" } else { "" };
    format!("{COOKIE}={}; Path={path}; Max-Age={COOKIE_MAX_AGE_S}; HttpOnly; SameSite=Lax{secure}", form.finish())
}

fn parameter<'q>(query: Option<&'q str>, name: &str) -> Option<Cow<'q, str>> {
    form_urlencoded::parse(query?.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Numbers are typed in groups, as they stand on the card or the check.
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

/// `nameless` is the word for a name that is none.
fn name_fault(name: &str, nameless: &'static str) -> Option<&'static str> {
    match name {
        name if name.chars().count() > NAME_MAX_CHARS => Some("long-name"),
        name if name.is_empty() || name.chars().any(char::is_control) => Some(nameless),
        _ => None,
    }
}

fn postal_code_fault(text: &str) -> Option<&'static str> {
    let has_form = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-'));
    let fits = text.len() <= POSTAL_CODE_MAX_CHARS;
    (!has_form || !fits).then_some("postal-code")
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
        Sent::read(body.as_bytes()).check(today(), false)
    }

    fn card(filled: &Filled) -> &Card {
        let Means::Card(card) = &filled.means else { panic!("not a card: {:?}", filled.means) };
        card
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
            let card = card(&filled);
            assert_eq!((card.pan.expose(), card.expiry.yymm(), filled.attempt), ("4111111111111111", 3012, 3));
        }
        assert_eq!(card(&form("4111111111111111", "1/30", "123").ok().unwrap()).expiry.yymm(), 3001);
        assert!(form("378282246310005", "12/30", "1234").is_ok());
    }

    #[test]
    fn each_wrong_field_is_told_by_itself() {
        let wrong = |number, expiry, code| form(number, expiry, code).err().unwrap();
        assert_eq!(wrong("4111111111111112", "12/30", "123").first(), Some("number"));
        assert_eq!(wrong("4111111111111111", "10/26", "123").of("expiry"), Some("This card has expired."));
        assert_eq!(wrong("4111111111111111", "13/30", "123").first(), Some("expiry"));
        assert_eq!(wrong("4111111111111111", "é", "123").first(), Some("expiry"));
        assert_eq!(wrong("4111111111111111", "12/30", "1234").first(), Some("code"));
        assert_eq!(wrong("378282246310005", "12/30", "123").first(), Some("code"));
        let all = Sent::read(b"").check(today(), false).err().unwrap();
        assert!(["number", "expiry", "code", "name"].iter().all(|field| all.of(field).is_some()));
        assert_eq!(all.of("postal_code"), None, "not every country has one");
    }

    #[test]
    fn a_refused_form_is_told_by_an_address_and_a_cookie_without_its_card() {
        let sent =
            Sent::read("attempt=1&number=4111111111111112&expiry=1&code=98&name=Zo\u{eb}+O%27Hara&postal_code=60601".as_bytes());
        let faults = sent.check(today(), false).err().unwrap();
        assert_eq!(faults.query(), "check=number+expiry+code-3");
        let cookie = typed_cookie(&sent, "/pay/d038ea94", true);
        assert!(!cookie.contains("4111") && !cookie.contains("98") && cookie.ends_with("; Secure"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, format!("other=1; {pair}").parse().unwrap())]);
        let told = Refused::told(Some(&faults.query()), &headers).unwrap();
        assert_eq!((told.faults, told.name.as_str(), told.postal_code.as_str()), (faults, "Zo\u{eb} O'Hara", "60601"));
        for nothing in [None, Some(""), Some("check="), Some("check=<script>"), Some("checks=number")] {
            assert!(Refused::told(nothing, &headers).is_none(), "{nothing:?}");
        }
    }

    #[test]
    fn what_can_be_wrong_is_told_once_a_field_and_in_the_order_of_the_fields() {
        let fields: Vec<&str> = FAULTS.iter().map(|fault| fault.field).collect();
        assert!(fields.is_sorted_by_key(|field| fields.iter().position(|other| other == field)));
        let words: std::collections::BTreeSet<&str> = FAULTS.iter().map(|fault| fault.word).collect();
        assert_eq!(words.len(), FAULTS.len());
        assert_eq!(Faults::of_words(["number", "no-number", "name"].into_iter()).0.len(), 2);
    }
}
