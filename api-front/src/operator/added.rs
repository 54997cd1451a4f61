//! A processor that an operator adds at run time, as the journal keeps it: what the configuration would say of it, its secrets sealed.

use crate::config::ProcessorSettings;
use crate::config::typed::TypedProcessor;
use crate::links::host::Host;
use data_encoding::HEXLOWER;
use persistence::PersistenceError;
use persistence::sealing::{Sealer, SecretKind};
use protocol::id::Xid;
use serde::{Deserialize, Serialize};

/// A secret of a processor has nobody's fingerprint.
const NO_FINGERPRINT: [u8; 16] = [0; 16];

/// A processor that was added at run time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Added {
    index: u16,
    /// As an operator typed it, without its secrets.
    settings: TypedProcessor,
    #[serde(default, skip_serializing_if = "Secrets::is_none")]
    sealed: Secrets,
}

/// Secrets, sealed for the processor's id, in hexadecimal digits.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac_key_hex: Option<String>,
}

impl Secrets {
    fn is_none(&self) -> bool {
        self.password.is_none() && self.mac_key_hex.is_none()
    }
}

impl Added {
    /// Under this number in records and this id. The secrets leave the text here.
    pub(super) fn new(index: u16, id: &Xid, mut typed: TypedProcessor, sealer: &Sealer) -> Result<Added, PersistenceError> {
        let seal = |kind, secret: Option<String>| secret.map(|secret| sealed(sealer, kind, &secret, id)).transpose();
        let password = seal(SecretKind::HostPassword, typed.password.take())?;
        let mac_key_hex = seal(SecretKind::HostMacKey, typed.mac_key_hex.take())?;
        Ok(Added { index, settings: typed, sealed: Secrets { password, mac_key_hex } })
    }

    /// The number in records.
    pub fn index(&self) -> u16 {
        self.index
    }

    /// What it comes to, with its secrets open; the files that it names are there and of use.
    pub(super) fn checked(&self, id: &Xid, sealer: &Sealer) -> Result<ProcessorSettings, String> {
        let open = |kind, text: &Option<String>| text.as_ref().map(|text| opened(sealer, kind, text, id)).transpose();
        let mut typed = self.settings.clone();
        typed.password = open(SecretKind::HostPassword, &self.sealed.password)?;
        typed.mac_key_hex = open(SecretKind::HostMacKey, &self.sealed.mac_key_hex)?;
        let settings = ProcessorSettings::check("", typed).map_err(|error| error.to_string())?;
        Host::of(&settings).map_err(|error| error.to_string())?;
        Ok(settings)
    }
}

fn sealed(sealer: &Sealer, kind: SecretKind, secret: &str, id: &Xid) -> Result<String, PersistenceError> {
    let mut sealed = Vec::new();
    sealer.seal_text(kind, &[secret], id, &NO_FINGERPRINT, &mut sealed)?;
    Ok(HEXLOWER.encode(&sealed))
}

fn opened(sealer: &Sealer, kind: SecretKind, text: &str, id: &Xid) -> Result<String, String> {
    let sealed = HEXLOWER.decode(text.as_bytes()).map_err(|error| error.to_string())?;
    let opened = sealer.open_text(kind, &sealed, id, &NO_FINGERPRINT).map_err(|error| error.to_string())?;
    Ok(opened.to_string())
}
