//! The fields of a form that pays from a bank account, checked.

use super::form::Sent;
use crate::intake::Account;
use crate::payables::{AccountType, Means};
use protocol::aba;
use protocol::secret::AccountNumber;

/// What the fields say, or the words of what is wrong with them, in the order of the fields. A sandbox takes routing numbers of its own.
pub(super) fn check(sent: &Sent, in_sandbox: bool) -> (Option<Means>, Vec<&'static str>) {
    let (routing, number, account_type) =
        (routing(sent, in_sandbox), number(sent), type_of(&sent.account_type).ok_or("account-type"));
    match (routing, number, account_type) {
        (Ok(routing), Ok(number), Ok(account_type)) => {
            let account = Account { routing: routing.to_owned(), number, licence: None };
            (Some(Means::Account(account, account_type)), Vec::new())
        }
        (routing, number, account_type) => {
            (None, [routing.err(), number.err(), account_type.err()].into_iter().flatten().collect())
        }
    }
}

/// The type of account that a form names.
pub(super) fn type_of(word: &str) -> Option<AccountType> {
    AccountType::ALL.into_iter().find(|known| known.word() == word)
}

fn routing(sent: &Sent, in_sandbox: bool) -> Result<&str, &'static str> {
    match sent.routing_number.as_str() {
        "" => Err("no-routing"),
        text if aba::is_acceptable(text, in_sandbox) => Ok(text),
        _ => Err("routing"),
    }
}

fn number(sent: &Sent) -> Result<AccountNumber, &'static str> {
    match sent.account_number.as_str() {
        "" => Err("no-account"),
        text => AccountNumber::new(text).ok_or("account"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::calendar::Micros;

    fn form(routing: &str, number: &str, account_type: &str, name: &str, in_sandbox: bool) -> Result<Means, String> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("by", "account"), ("attempt", "1"), ("routing_number", routing), ("account_number", number)])
            .extend_pairs([("account_type", account_type), ("name", name)])
            .finish();
        let checked = Sent::read(body.as_bytes()).check(Micros::from_date(2026, 11, 21).civil(), in_sandbox);
        checked.map(|filled| filled.means).map_err(|faults| faults.query())
    }

    #[test]
    fn an_account_is_read_however_people_type_it() {
        for (routing, number) in [("011000015", "998899"), ("0110 0001 5", "99-88 99")] {
            let Ok(Means::Account(account, AccountType::Savings)) = form(routing, number, "savings", "Ada Lovelace", false)
            else {
                panic!("{routing} {number}");
            };
            assert_eq!((account.routing.as_str(), account.number.expose()), ("011000015", "998899"));
        }
    }

    #[test]
    fn each_wrong_field_is_told_by_itself() {
        let wrong = |routing, number, account_type, name| form(routing, number, account_type, name, false).unwrap_err();
        assert_eq!(wrong("011000016", "998899", "checking", "Ada"), "check=routing");
        assert_eq!(wrong("490000015", "998899", "checking", "Ada"), "check=routing", "the sandbox's own are nobody else's");
        assert!(form("490000015", "998899", "checking", "Ada", true).is_ok());
        assert_eq!(wrong("011000015", "123456789012345678", "checking", "Ada"), "check=account");
        assert_eq!(wrong("011000015", "998899", "current", "Ada"), "check=account-type");
        assert_eq!(wrong("", "", "", ""), "check=holder+no-routing+no-account+account-type");
    }
}
