//! `payment_method.ach`: a bank account, and how the automated clearing house is to charge it.

use crate::intake::Account;
use crate::rest::json::Scope;
use crate::rest::limits::CHECK_NUMBER_MAX_DIGITS;
use crate::rest::problem::Problem;
use protocol::aba;
use protocol::secret::{AccountNumber, LicenceNumber};
use protocol::tail::{self, tag};

/// Standard entry class codes: what the account holder has agreed to, and how.
const SEC_CODES: [&str; 4] = ["web", "ccd", "ppd", "tel"];
const ACCOUNT_TYPES: [&str; 2] = ["checking", "savings"];

/// Reads what is sealed. Whether the routing number's check digit must be right, its merchant's kind decides.
pub(in crate::rest) fn read(scope: Scope<'_, '_>) -> Result<Account, Problem> {
    Ok(Account { number: number(scope)?, routing: routing(scope)?.to_owned(), licence: licence(holder(scope)?)? })
}

/// Appends what travels in the open, tags ascending.
pub(in crate::rest) fn push_travelling(scope: Scope<'_, '_>, out: &mut Vec<u8>) -> Result<(), Problem> {
    let sec_code = word(scope, "sec_code", &SEC_CODES)?.ok_or_else(|| wrong_word(scope, "sec_code", &SEC_CODES))?;
    tail::push(out, tag::SEC_CODE, sec_code.as_bytes());
    let account_type =
        word(scope, "account_type", &ACCOUNT_TYPES)?.ok_or_else(|| wrong_word(scope, "account_type", &ACCOUNT_TYPES))?;
    tail::push(out, tag::ACCOUNT_TYPE, account_type.as_bytes());
    match check_number(scope)? {
        Some(number) => tail::push(out, tag::CHECK_NUMBER, number.as_bytes()),
        None if sec_code == "tel" => return Err(scope.invalid("check_number", "is required when sec_code is tel")),
        None => {}
    }
    if let Some(state) = licence_state(holder(scope)?)? {
        tail::push(out, tag::DL_STATE, state.to_ascii_uppercase().as_bytes());
    }
    tail::push(out, tag::ROUTING_NUMBER, routing(scope)?.as_bytes());
    tail::push(out, tag::MASKED_ACCOUNT, number(scope)?.masked().as_bytes());
    Ok(())
}

fn holder<'n, 'a>(scope: Scope<'n, 'a>) -> Result<Scope<'n, 'a>, Problem> {
    scope.object("accountholder_authentication", "payment_method.ach.accountholder_authentication.")
}

fn number(scope: Scope<'_, '_>) -> Result<AccountNumber, Problem> {
    let text = scope.text("account_number")?.ok_or_else(|| scope.invalid("account_number", "is required"))?;
    let accepted = "must be 1 to 17 letters and digits without spaces";
    AccountNumber::new(text).ok_or_else(|| scope.invalid("account_number", accepted))
}

fn routing<'n>(scope: Scope<'n, '_>) -> Result<&'n str, Problem> {
    let text = scope.text("routing_number")?.ok_or_else(|| scope.invalid("routing_number", "is required"))?;
    if aba::is_nine_digits(text) { Ok(text) } else { Err(scope.invalid("routing_number", "must be 9 digits")) }
}

/// Words are taken in either case.
fn word(scope: Scope<'_, '_>, name: &str, words: &[&'static str]) -> Result<Option<&'static str>, Problem> {
    let Some(text) = scope.text(name)? else { return Ok(None) };
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    found.map(|word| Some(*word)).ok_or_else(|| wrong_word(scope, name, words))
}

fn wrong_word(scope: Scope<'_, '_>, name: &str, words: &[&str]) -> Problem {
    scope.invalid(name, format!("is required: one of {}", words.join(", ")))
}

fn check_number<'n>(scope: Scope<'n, '_>) -> Result<Option<&'n str>, Problem> {
    let Some(text) = scope.text("check_number")? else { return Ok(None) };
    let is_number = text.len() <= CHECK_NUMBER_MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        Ok(Some(text))
    } else {
        Err(scope.invalid("check_number", format!("must be at most {CHECK_NUMBER_MAX_DIGITS} digits")))
    }
}

fn licence(holder: Scope<'_, '_>) -> Result<Option<LicenceNumber>, Problem> {
    let Some(text) = holder.text("dl_number")? else { return Ok(None) };
    if licence_state(holder)?.is_none() {
        return Err(holder.invalid("dl_state", "is required with dl_number"));
    }
    let licence = LicenceNumber::new(text).ok_or_else(|| holder.invalid("dl_number", "must be 1 to 32 visible characters"))?;
    Ok(Some(licence))
}

fn licence_state<'n>(holder: Scope<'n, '_>) -> Result<Option<&'n str>, Problem> {
    let Some(text) = holder.text("dl_state")? else { return Ok(None) };
    if super::checks::state(text) { Ok(Some(text)) } else { Err(holder.invalid("dl_state", "must be two letters such as IL")) }
}
