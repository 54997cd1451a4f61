//! Idempotency keys: in the body, as the gateway document has it, or in the header of the IETF draft, which wins.

use crate::intake::Key;
use crate::rest::json::Scope;
use crate::rest::limits::IDEMPOTENCY_KEY_MAX_CHARS;
use crate::rest::problem::Problem;
use protocol::limits::{IDEMPOTENCY_WINDOW_DEFAULT_S, IDEMPOTENCY_WINDOW_MAX_S};

/// The name of the header in messages.
const HEADER: &str = "Idempotency-Key";

/// Key and window as a body has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SentKey {
    key: Option<String>,
    window_s: Option<u32>,
}

impl SentKey {
    /// Takes both fields out of a body.
    pub(super) fn read(body: Scope<'_, '_>) -> Result<SentKey, Problem> {
        let key = body.text("idempotency_key")?;
        if key.is_some_and(|key| !acceptable(key)) {
            return Err(body.invalid("idempotency_key", WORDS));
        }
        let window_s =
            match body.integer("idempotency_time")? {
                // Clients whose language knows no unset integer send a zero; without a key it means nothing.
                Some(0) if key.is_none() => None,
                Some(seconds) => Some(window(seconds).ok_or_else(|| {
                    body.invalid("idempotency_time", format!("must be 1 to {IDEMPOTENCY_WINDOW_MAX_S} seconds"))
                })?),
                None => None,
            };
        Ok(SentKey { key: key.map(str::to_owned), window_s })
    }

    /// The key that holds: the header's, else the body's.
    pub fn with_header(self, header: Option<&[u8]>) -> Result<Option<Key>, Problem> {
        let from_header = header.map(of_header).transpose()?;
        let window_s = self.window_s.unwrap_or(IDEMPOTENCY_WINDOW_DEFAULT_S);
        Ok(from_header.or(self.key).map(|text| Key { text, window_s }))
    }
}

const WORDS: &str = "must be a UUID or 1 to 64 characters of visible ASCII";

fn acceptable(key: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_MAX_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

fn window(seconds: u64) -> Option<u32> {
    u32::try_from(seconds).ok().filter(|seconds| (1..=IDEMPOTENCY_WINDOW_MAX_S).contains(seconds))
}

/// The draft's value is a quoted string of structured fields, clients in use send it bare: both name the same key.
fn of_header(value: &[u8]) -> Result<String, Problem> {
    let text = std::str::from_utf8(value).map_err(|_| Problem::invalid(HEADER, WORDS))?.trim();
    let quoted = text.len() >= 2 && text.starts_with('"') && text.ends_with('"');
    let key = if quoted { text[1..text.len() - 1].replace("\\\"", "\"").replace("\\\\", "\\") } else { text.to_owned() };
    if acceptable(&key) { Ok(key) } else { Err(Problem::invalid(HEADER, WORDS)) }
}
