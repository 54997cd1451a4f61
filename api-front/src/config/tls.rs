//! TLS as configured: the name that a host must prove, by which authorities, and how we prove ours. The files are read by whoever connects.

use super::error::ConfigError;
use super::typed::TypedTls;
use std::path::PathBuf;
use tokio_rustls::rustls::pki_types::ServerName;

/// TLS towards one processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// What its certificate must be for.
    pub server_name: ServerName<'static>,
    /// PEM file of the authorities that may vouch for it; `None`: those that browsers trust.
    pub ca_file: Option<PathBuf>,
    /// What proves us to it; `None` when it asks for no proof.
    pub client: Option<ClientCertificate>,
}

/// A certificate of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file of the chain, our own certificate first.
    pub cert_file: PathBuf,
    /// PEM file of its key.
    pub key_file: PathBuf,
}

impl TlsSettings {
    pub(super) fn check(at: &str, typed: TypedTls) -> Result<TlsSettings, ConfigError> {
        let TypedTls { server_name: name, ca_file, client_cert_file, client_key_file } = typed;
        let server_name = ServerName::try_from(name.clone())
            .map_err(|_| ConfigError::value(format!("{at}.server_name"), name, "must be a host's name, or an IP address"))?;
        let missing = |field, why| ConfigError::Missing { key: format!("{at}.{field}"), why };
        let client = match (client_cert_file, client_key_file) {
            (None, None) => None,
            (Some(cert_file), Some(key_file)) => Some(ClientCertificate { cert_file, key_file }),
            (Some(_), None) => return Err(missing("client_key_file", "a certificate proves nothing without its key")),
            (None, Some(_)) => return Err(missing("client_cert_file", "a key proves nothing without its certificate")),
        };
        Ok(TlsSettings { server_name, ca_file, client })
    }
}
