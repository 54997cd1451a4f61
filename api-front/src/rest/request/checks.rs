//! What a text must look like: one predicate for each kind, with the words that tell a client.

use crate::rest::limits::{EMAIL_MAX_CHARS, PHONE_MAX_DIGITS};
use std::net::IpAddr;

/// No control characters.
pub(in crate::rest) fn printable(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// No control characters but line breaks and tabs.
pub(in crate::rest) fn lines(text: &str) -> bool {
    !text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t'))
}

/// Visible ASCII: no spaces, no controls.
pub(in crate::rest) fn visible_ascii(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Two letters or digits: a state, ISO 3166-2 without its country.
pub(in crate::rest) fn state(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Two letters: a country, ISO 3166-1 alpha-2.
pub(in crate::rest) fn country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// `60187`, `56393-4328`, `K1C2N6`, `SW1A 1AA`.
pub(in crate::rest) fn postal_code(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-'))
}

/// `5555555555`, `(674) 966-1211`, `+44 20 7946 0018`.
pub(in crate::rest) fn phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let marks = text.bytes().all(|byte| byte.is_ascii_digit() || b" ()-+./".contains(&byte));
    marks && (1..=PHONE_MAX_DIGITS).contains(&digits)
}

/// Something before one `@`, a name with a dot behind it. Whether it exists, only a mail can tell.
pub(in crate::rest) fn email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let labels = |name: &str| name.contains('.') && name.split('.').all(|label| !label.is_empty());
    text.len() <= EMAIL_MAX_CHARS
        && !local.is_empty()
        && !text.chars().any(|character| character.is_whitespace() || character.is_control())
        && !domain.contains('@')
        && labels(domain)
}

/// IPv4 or IPv6.
pub(in crate::rest) fn ip_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}
