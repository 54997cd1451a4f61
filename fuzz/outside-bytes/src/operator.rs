//! What an operator or a developer types or leaves in files: the configuration, the sandbox's control, its ledger.

use api_front::config::{self, Overrides};
use protocol::frame::BLOCK_BYTES;
use sandbox::faults::Faults;
use sandbox::ledger::{ROW_BYTES, Row};
use std::path::Path;
use zerocopy::IntoBytes;

/// Shortest value of a key that a message must not repeat: shorter ones may be words of the message itself.
const SECRET_MIN_CHARS: usize = 12;
/// Longest file that is worth a try.
const FILE_MAX_BYTES: usize = BLOCK_BYTES;

/// Any text as the configuration file. It is checked or refused; a refusal says why and holds no key of the file.
pub fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(&input[..input.len().min(FILE_MAX_BYTES)]) else { return };
    let Err(error) = config::check(Path::new("switchyard.toml"), text, &Overrides::default()) else { return };
    let message = error.to_string();
    assert!(!message.is_empty());
    // In a text of several lines a line may look like a key and be none.
    if text.contains("\"\"\"") || text.contains("'''") {
        return;
    }
    for secret in keys_in(text) {
        assert!(!message.contains(secret), "a key is in {message:?}");
    }
}

/// Values of lines such as `api_key = "…"` that look like keys: letters and digits, so that no bound of ours is meant.
fn keys_in(text: &str) -> impl Iterator<Item = &str> {
    let is_secret = |name: &str| name.ends_with("key") || name == "password";
    let looks_like_one = |value: &str| {
        let has = |wanted: fn(&u8) -> bool| value.bytes().any(|byte| wanted(&byte));
        value.len() >= SECRET_MIN_CHARS && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
    };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let values = pairs.filter(move |(name, _)| is_secret(name.trim())).map(|(_, value)| value.trim().trim_matches(['"', '\'']));
    values.filter(move |value| looks_like_one(value))
}

/// Any bytes as faults for a sandbox host. What is accepted is within its bounds, and is shown as it is read again.
pub fn host_faults(input: &[u8]) {
    let Ok(faults) = Faults::from_json(input) else { return };
    assert!(faults.delay_ms[0] <= faults.delay_ms[1]);
    let shown = serde_json::to_vec(&faults).expect("faults are plain values");
    assert_eq!(Faults::from_json(&shown), Ok(faults));
}

/// Any bytes as a row of the sandbox's ledger. A row that opens is the very bytes that would be written.
pub fn ledger_rows(input: &[u8]) {
    for bytes in input.chunks(ROW_BYTES) {
        match Row::open(bytes) {
            Ok(row) => assert_eq!(row.sealed().as_bytes(), bytes),
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
}
