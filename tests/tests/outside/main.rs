//! What others read of us: the card wire and the bank's files, by readers in another language that know the published page, or the rules, and
//! nothing of this code.

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

mod bank_files;
mod card_wire;

/// Runs a reader and gives what it has read.
#[track_caller]
fn read(reader: &str, arguments: &[&str], input: &[u8]) -> Value {
    let program = format!("{}/tests/outside/{reader}", env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new("python3");
    python.arg(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut python = python.spawn().expect("python3 is there");
    let mut stdin = python.stdin.take().expect("its input");
    let input = input.to_owned();
    // Beside the reading of its output, so that neither waits for the other.
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = python.wait_with_output().expect("it ends");
    let written = writing.join().expect("the writer ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{reader}: {complaint}");
    written.expect("it reads all of its input");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Names and places of whoever pays.
fn billing() -> Value {
    json!({"first_name": "Jürgen", "last_name": "Müller", "company": "Wholesale Goods", "address_line_1": "123 Some St", "city": "Wheaton",
        "state": "IL", "postal_code": "60187", "country": "US"})
}
