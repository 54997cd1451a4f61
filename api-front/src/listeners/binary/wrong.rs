//! What is wrong with a request, and how a client is told: a number, and words that never repeat what was in a secret field.

use protocol::binary::InvalidCode;
use std::borrow::Cow;

/// A request that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// As the client's program is told.
    pub code: InvalidCode,
    /// For people.
    pub text: Cow<'static, str>,
}

impl Wrong {
    /// What is wrong, in words.
    pub fn new(code: InvalidCode, text: impl Into<Cow<'static, str>>) -> Wrong {
        Wrong { code, text: text.into() }
    }
}
