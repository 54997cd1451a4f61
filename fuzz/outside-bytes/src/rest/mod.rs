//! What a REST client can send: documents, the requests in them, headers, ids in paths.

pub mod bodies;
pub mod headers;
pub mod json;
pub mod requests;

use api_front::rest::Problem;
use serde_json::Value;

/// Fields whose JSON is kept as sent.
pub(crate) const RAW_FIELDS: [&str; 3] = ["custom_fields", "line_items", "descriptor"];
/// Digits in a row that a message may hold at most: a card number has twelve or more.
const DIGITS_MAX: usize = 8;
/// The one bound of ours that is longer.
const LONGEST_BOUND: &str = "999999999999";
/// How a reason begins, for it says what is accepted.
const REASONS: [&str; 5] = ["must ", "is required", "its check digit is wrong", "no such processor", "not available"];

/// A complaint is the client's to mend, names a field and what is accepted, and holds nothing that looks like a card number.
pub(crate) fn is_told_well(problem: &Problem) {
    assert_eq!(problem.status().as_u16(), 400, "{problem}");
    if let Problem::Invalid { field, reason } = problem {
        assert!(is_path(field), "no field is called {field:?}");
        assert!(REASONS.iter().any(|words| reason.starts_with(words)), "{reason:?} does not say what is accepted");
    }
    holds_no_card(problem);
}

/// Nothing in a complaint looks like a card number.
pub(crate) fn holds_no_card(problem: &Problem) {
    let message = problem.to_string().replace(LONGEST_BOUND, "");
    let longest = message.split(|character: char| !character.is_ascii_digit()).map(str::len).max();
    assert!(longest.is_none_or(|digits| digits <= DIGITS_MAX), "{message}");
}

/// `payment_method.card.number`, `Idempotency-Key`.
fn is_path(field: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    field.split('.').all(is_name)
}

/// True when a complaint is about how the JSON was written and not about what it says: how many fields an object has or repeats,
/// how deep it goes, how many bytes a value that travels along has.
pub(crate) fn is_about_writing(problem: &Problem) -> bool {
    let message = problem.to_string();
    message.contains("fields in one object")
        || message.contains("once in an object")
        || message.contains("nested deeper")
        || message.contains("bytes of JSON")
}

/// The same document as another writer would write it: no white space, no field twice, escapes only where they must be.
pub(crate) fn rewritten(body: &[u8]) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    serde_json::to_vec(&value).ok()
}
