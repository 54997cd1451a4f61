//! The automated clearing house as Nacha's rules draw it: what entries are called, and why they come back.
//!
//! Lives here: standard entry class codes, reason codes, what a correction says, banking days, and the file that settlement gives to a
//! bank. Must not live here: which processor
//! is asked, and how.

mod correction;
mod days;
pub mod file;
pub mod reasons;
#[cfg(test)]
mod tests;

pub use correction::Correction;
pub use days::{is_banking_day, next_banking_day};
pub use reasons::{ChangeReason, ReturnReason};

/// Standard entry class: how the account holder agreed to the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecCode {
    /// On the internet.
    Web,
    /// On the telephone.
    Tel,
    /// A consumer, in writing.
    Ppd,
    /// A company, in writing.
    Ccd,
}

impl SecCode {
    /// All of them.
    pub const ALL: [SecCode; 4] = [SecCode::Web, SecCode::Tel, SecCode::Ppd, SecCode::Ccd];

    /// The word in the APIs, lower case.
    pub const fn word(self) -> &'static str {
        match self {
            SecCode::Web => "web",
            SecCode::Tel => "tel",
            SecCode::Ppd => "ppd",
            SecCode::Ccd => "ccd",
        }
    }

    /// From that word.
    pub fn from_word(word: &str) -> Option<SecCode> {
        SecCode::ALL.into_iter().find(|code| code.word() == word)
    }

    /// The three letters in a batch header.
    pub const fn letters(self) -> &'static str {
        match self {
            SecCode::Web => "WEB",
            SecCode::Tel => "TEL",
            SecCode::Ppd => "PPD",
            SecCode::Ccd => "CCD",
        }
    }
}
