//! What can be wrong with a configuration: the key, the value and the bound, each time.

use std::path::PathBuf;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("read configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or holds a key that is not known.
    #[error("configuration {}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        reason: String,
    },
    /// A value is out of its bound.
    #[error("configuration: {key} = {value}: {bound}")]
    Value {
        /// The key, dotted.
        key: String,
        /// The value, as typed; never a secret.
        value: String,
        /// What is accepted.
        bound: String,
    },
    /// A value is missing that others make necessary.
    #[error("configuration: {key} is missing: {why}")]
    Missing {
        /// The key, dotted.
        key: String,
        /// What makes it necessary.
        why: &'static str,
    },
    /// The address can be reached from other machines, and the traffic would be in clear.
    #[error(
        "configuration: {key} = {address}: not a loopback address and there is no TLS; give tls_certificate and tls_key, or say --insecure if that is meant"
    )]
    NotLoopback {
        /// The key.
        key: &'static str,
        /// The address.
        address: std::net::SocketAddr,
    },
    /// A processor is on another machine, and card numbers would go there in clear.
    #[error(
        "configuration: {key} = {address}: not a loopback address and there is no tls; give tls, or say insecure = true if that is meant"
    )]
    ClearHost {
        /// The key, dotted.
        key: String,
        /// The address.
        address: std::net::SocketAddr,
    },
}

impl ConfigError {
    /// A value out of its bound.
    pub(super) fn value(key: impl Into<String>, value: impl ToString, bound: impl Into<String>) -> ConfigError {
        ConfigError::Value { key: key.into(), value: value.to_string(), bound: bound.into() }
    }
}
