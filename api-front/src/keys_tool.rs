//! `switchyard keys`: asks a running switch for what only its operator may do with the keys that seal cards.
//!
//! The switch does it, not this process: it seals while the keys change, and the vault is its own. The operator's key comes from the
//! environment or, in a sandbox, from its data folder; it never stands on the command line, where every process of the machine reads it.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// Names the operator's key.
pub const OPERATOR_KEY: &str = "SWITCHYARD_OPERATOR_KEY";
/// How long the switch may take: it seals the whole vault anew before it answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Why nothing was done, or nothing is known of it.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Nobody says where the switch is and what opens it.
    #[error("rotate the seal key: name the switch by --http and the operator's key in {OPERATOR_KEY}, or a sandbox by --data")]
    Unnamed,
    /// The switch can't be reached, or has broken off. What it has begun it goes on with.
    #[error("rotate the seal key at {addr}: {error}")]
    Unreachable {
        /// Where it should be.
        addr: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The switch says no.
    #[error("rotate the seal key: {said}")]
    Refused {
        /// In its words.
        said: String,
    },
}

/// A new key seals from now on, and the vault is sealed anew under it. Gives its id and how many things were sealed anew.
pub fn rotate(data: &Path, http: Option<SocketAddr>, operator_key: Option<String>) -> Result<(u64, u64), KeysError> {
    let sandbox = sandbox(data);
    let named = |name: &str| sandbox[name].as_str().map(str::to_owned);
    let addr = http.or_else(|| named("http")?.parse().ok()).ok_or(KeysError::Unnamed)?;
    let key = operator_key.or_else(|| named("operator_key")).ok_or(KeysError::Unnamed)?;
    let answer = ask(addr, &key).map_err(|error| KeysError::Unreachable { addr, error })?;
    let answer: Value = serde_json::from_str(&answer).map_err(|_| KeysError::Refused { said: "no answer of a switch".into() })?;
    match (answer["data"]["key_id"].as_u64(), answer["data"]["resealed"].as_u64()) {
        (Some(key_id), Some(resealed)) => Ok((key_id, resealed)),
        _ => Err(KeysError::Refused { said: answer["msg"].as_str().unwrap_or("no reason").to_owned() }),
    }
}

/// What a sandbox has written down of itself; null where there is none.
fn sandbox(data: &Path) -> Value {
    let written = std::fs::read(data.join("sandbox.json")).unwrap_or_default();
    serde_json::from_slice(&written).unwrap_or_default()
}

/// The body of the answer.
fn ask(addr: SocketAddr, key: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let request = format!(
        "POST /operator/keys/rotate HTTP/1.1\r\nHost: {addr}\r\nAuthorization: {key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(body.to_owned())
}
