//! `DATA/sandbox.json`: the sandbox merchant's keys, drawn once, and the addresses of this run.

use crate::config::SandboxSettings;
use crate::data_folder::replace_private;
use protocol::id::Xid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// Random bytes in a key.
const KEY_RANDOM_BYTES: usize = 32;
/// Random bytes in the password.
const PASSWORD_RANDOM_BYTES: usize = 12;

/// The file, word for word.
#[derive(Serialize, Deserialize)]
pub struct SandboxFile {
    /// Address of REST and pages.
    pub http: String,
    /// Address of the binary protocol.
    pub binary: String,
    /// The merchant and its keys.
    #[serde(flatten)]
    pub identity: Identity,
    /// The hosts, by name.
    pub processors: BTreeMap<String, HostAddresses>,
}

/// What stays the same from start to start.
#[derive(Clone, Serialize, Deserialize)]
pub struct Identity {
    /// Name for a log-in.
    pub username: String,
    /// Password for a log-in.
    pub password: String,
    /// Key for all calls.
    pub api_key: String,
    /// Key that may only create payments.
    pub pub_key: String,
    /// The account.
    pub merchant_id: String,
    /// Key of the operator's calls.
    pub operator_key: String,
    /// Secret that signs webhooks.
    pub webhook_secret: String,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostAddresses {
    /// The processor's id.
    pub id: String,
    /// Where it takes payments.
    pub addr: String,
    /// Where its ledger and faults are.
    pub control: String,
    /// The first of the sandbox merchant's terminals behind it; only of the host that has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal_id: Option<String>,
}

impl Identity {
    /// The identity of the last start, or a new one; what the configuration fixes wins. A key that the configuration has given to
    /// another merchant since, one of those `taken`, is drawn anew.
    pub fn load_or_draw(path: &Path, settings: &SandboxSettings, taken: &[&str], merchant: Xid) -> io::Result<Identity> {
        let mut identity = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice::<SandboxFile>(&bytes)?.identity,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Identity::draw(merchant)?,
            Err(error) => return Err(error),
        };
        identity.merchant_id = merchant.to_string();
        for (key, prefix) in [(&mut identity.api_key, "api_"), (&mut identity.pub_key, "pub_")] {
            if taken.contains(&key.as_str()) {
                *key = random_text(prefix, KEY_RANDOM_BYTES)?;
            }
        }
        let fixed = [
            (&mut identity.api_key, &settings.api_key),
            (&mut identity.pub_key, &settings.pub_key),
            (&mut identity.username, &settings.username),
            (&mut identity.password, &settings.password),
            (&mut identity.operator_key, &settings.operator_key),
        ];
        for (value, fixed) in fixed {
            if let Some(fixed) = fixed {
                value.clone_from(fixed);
            }
        }
        Ok(identity)
    }

    fn draw(merchant: Xid) -> io::Result<Identity> {
        Ok(Identity {
            username: "sandbox".to_owned(),
            password: random_text("", PASSWORD_RANDOM_BYTES)?,
            api_key: random_text("api_", KEY_RANDOM_BYTES)?,
            pub_key: random_text("pub_", KEY_RANDOM_BYTES)?,
            merchant_id: merchant.to_string(),
            operator_key: random_text("op_", KEY_RANDOM_BYTES)?,
            // It follows from the installation's keys, and the start writes it.
            webhook_secret: String::new(),
        })
    }
}

impl SandboxFile {
    /// This run's file.
    pub fn new(
        http: SocketAddr,
        binary: SocketAddr,
        identity: Identity,
        processors: BTreeMap<String, HostAddresses>,
    ) -> SandboxFile {
        SandboxFile { http: http.to_string(), binary: binary.to_string(), identity, processors }
    }

    /// Replaces the file, readable by its owner only.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        replace_private(path, &text)
    }
}

/// A prefix and random bytes in hexadecimal digits.
fn random_text(prefix: &str, byte_count: usize) -> io::Result<String> {
    let mut text = prefix.to_owned();
    for byte in random_bytes(byte_count)? {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Bytes from the system's generator.
pub fn random_bytes(count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Xid {
        Xid::from_parts(1, [2; 5], 4)
    }

    #[test]
    fn keys_last_and_addresses_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbox.json");
        let first = Identity::load_or_draw(&path, &SandboxSettings::default(), &[], id()).unwrap();
        let file = |port: u16, identity: &Identity| {
            let addr = SocketAddr::from(([127, 0, 0, 1], port));
            SandboxFile::new(addr, addr, identity.clone(), BTreeMap::new()).write(&path).unwrap();
        };
        file(1, &first);
        let settings = SandboxSettings { pub_key: Some("pub_fixed_key".into()), ..SandboxSettings::default() };
        let second = Identity::load_or_draw(&path, &settings, &[], id()).unwrap();
        file(2, &second);
        assert_eq!((&second.api_key, second.merchant_id), (&first.api_key, id().to_string()));
        assert_eq!(second.pub_key, "pub_fixed_key");
        let moved = Identity::load_or_draw(&path, &SandboxSettings::default(), &["pub_fixed_key"], id()).unwrap();
        assert_ne!(moved.pub_key, "pub_fixed_key", "it is another merchant's now");
        assert_eq!(moved.api_key, first.api_key);
        let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(value["http"], "127.0.0.1:2");
        assert_eq!(value["api_key"], first.api_key.as_str());
        let mut words: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        words.sort_unstable();
        let expected = "api_key binary http merchant_id operator_key password processors pub_key username webhook_secret";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn drawn_keys_are_long_and_differ() {
        let (one, other) = (Identity::draw(id()).unwrap(), Identity::draw(id()).unwrap());
        assert_ne!(one.api_key, other.api_key);
        assert_eq!(one.api_key.len(), 4 + 64);
    }
}
