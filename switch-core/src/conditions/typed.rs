//! Conditions as an operator types them: plain words and numbers, nothing checked.

/// One condition; all of an entry's must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// What is looked at: a word of [`super::field_words`], or `velocity`.
    pub field: String,
    /// `=`, `!=`, `<`, `>` or `in`.
    pub op: String,
    /// What it is compared with; a list for `in`.
    pub value: Value,
    /// Velocity only: `card`, `ip`, `email` or `merchant`.
    pub per: Option<String>,
    /// Velocity only: length of the window, seconds.
    pub window_s: Option<u64>,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Number(u64),
    /// A word or a code.
    Text(String),
    /// Several, for `in`.
    List(Vec<Value>),
}

impl Default for Value {
    fn default() -> Value {
        Value::Number(0)
    }
}

impl core::fmt::Display for Value {
    /// As a message shows it to the operator who typed it.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::List(values) => write!(f, "a list of {}", values.len()),
        }
    }
}
