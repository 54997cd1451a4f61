//! `switchyard keys`: asks a running switch for what only its operator may do with the keys that seal cards.
//!
//! The switch does it, not this process: it seals while the keys change, and the vault is its own. The operator's key comes from the
//! environment or, in a sandbox, from its data folder; it never stands on the command line, where every process of the machine reads it.

use crate::config::TlsSettings;
use crate::links::host::{Host, TlsError};
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

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
    /// What should prove that it is the switch can't be read.
    #[error("rotate the seal key: {0}")]
    Tls(#[from] TlsError),
    /// The switch says no.
    #[error("rotate the seal key: {said}")]
    Refused {
        /// In its words.
        said: String,
    },
}

/// A new key seals from now on, and the vault is sealed anew under it. Gives its id and how many things were sealed anew.
/// `tls` is what a switch that serves TLS must prove before it hears the operator's key.
pub fn rotate(
    data: &Path,
    http: Option<SocketAddr>,
    tls: Option<&TlsSettings>,
    operator_key: Option<String>,
) -> Result<(u64, u64), KeysError> {
    let sandbox = sandbox(data);
    let named = |name: &str| sandbox[name].as_str().map(str::to_owned);
    let addr = http.or_else(|| named("http")?.parse().ok()).ok_or(KeysError::Unnamed)?;
    let key = operator_key.or_else(|| named("operator_key")).ok_or(KeysError::Unnamed)?;
    let host = Host::at(addr, tls)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.and_then(|runtime| runtime.block_on(ask(&host, &key)));
    let answer = answer.map_err(|error| KeysError::Unreachable { addr, error })?;
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
async fn ask(host: &Host, key: &str) -> io::Result<String> {
    let mut wire = host.connect().await.map_err(io::Error::other)?;
    let request = format!(
        "POST /operator/keys/rotate HTTP/1.1\r\nHost: {}\r\nAuthorization: {key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        host.authority()
    );
    wire.write_all(request.as_bytes()).await?;
    wire.flush().await?;
    let mut answer = Vec::new();
    timeout(ANSWER_TIMEOUT, wire.take(ANSWER_BYTES_MAX).read_to_end(&mut answer))
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    let answer = String::from_utf8_lossy(&answer);
    // A switch that serves TLS answers what comes in clear with an alert, or not at all.
    let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no answer in HTTP: does it serve TLS?"))?;
    Ok(body.to_owned())
}
