//! What an operator or a developer types or leaves in files: the configuration, the sandbox's control, its ledger.

use api_front::config::{self, Overrides};
use protocol::frame::BLOCK_BYTES;
use sandbox::faults::Faults;
use sandbox::ledger::{ROW_BYTES, Row};
use std::path::Path;
use zerocopy::IntoBytes;

/// Shortest value of a key that a message must not repeat: shorter ones are words of the messages themselves.
const SECRET_MIN_CHARS: usize = 12;
/// Longest file that is worth a try.
const FILE_MAX_BYTES: usize = BLOCK_BYTES;

/// Any text as the configuration file. It is checked or refused; a refusal says why and holds no key of the file.
pub fn configuration(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(&input[..input.len().min(FILE_MAX_BYTES)]) else { return };
    let Err(error) = config::check(Path::new("switchyard.toml"), text, &Overrides::default()) else { return };
    let message = error.to_string();
    assert!(!message.is_empty());
    for secret in keys_in(text) {
        assert!(!message.contains(secret), "a key is in {message:?}");
    }
}

/// Values of lines such as `api_key = "…"`.
fn keys_in(text: &str) -> impl Iterator<Item = &str> {
    let values = text.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| {
        let name = name.trim();
        name.ends_with("key") || name == "password"
    });
    values.map(|(_, value)| value.trim().trim_matches(['"', '\''])).filter(|value| value.len() >= SECRET_MIN_CHARS)
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
