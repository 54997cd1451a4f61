//! How clients reach the two fronts: addresses, certificate, event loops.

use super::checked::{address, in_bound};
use super::error::ConfigError;
use super::typed::Typed;
use super::{Overrides, checked};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const HTTP_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const BINARY_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8583);
/// Most event loops of the binary front.
const BINARY_LOOPS_MAX: u16 = 64;

/// Where both fronts listen, and how.
#[derive(Debug)]
pub struct FrontSettings {
    /// Address of REST and pages.
    pub http: SocketAddr,
    /// Address of the binary protocol.
    pub binary: SocketAddr,
    /// Event loops of the binary front, 1 to 64.
    pub binary_loops: u16,
    /// What both fronts prove themselves with; `None` speaks in clear.
    pub tls: Option<TlsFiles>,
}

/// Certificate and key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and behind it those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

impl FrontSettings {
    pub(super) fn check(typed: &Typed, overrides: &Overrides) -> Result<FrontSettings, ConfigError> {
        let tls = TlsFiles::check(typed.tls_certificate.clone(), typed.tls_key.clone())?;
        let is_covered = overrides.insecure || tls.is_some();
        let binary_loops = typed.binary_loops.unwrap_or_else(|| checked::half_of_the_cores(BINARY_LOOPS_MAX));
        Ok(FrontSettings {
            http: listen_address("http", overrides.http, typed.http.as_deref(), HTTP_DEFAULT, is_covered)?,
            binary: listen_address("binary", overrides.binary, typed.binary.as_deref(), BINARY_DEFAULT, is_covered)?,
            binary_loops: in_bound("binary_loops", binary_loops, 1..=BINARY_LOOPS_MAX)?,
            tls,
        })
    }
}

impl TlsFiles {
    fn check(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsFiles>, ConfigError> {
        let missing = |key: &str, why| Err(ConfigError::Missing { key: key.to_owned(), why });
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
            (None, None) => Ok(None),
            (Some(_), None) => missing("tls_key", "tls_certificate needs it"),
            (None, Some(_)) => missing("tls_certificate", "tls_key needs it"),
        }
    }
}

/// `is_covered`: other machines may reach it, in clear or not.
fn listen_address(
    key: &'static str,
    flag: Option<SocketAddr>,
    typed: Option<&str>,
    default: SocketAddr,
    is_covered: bool,
) -> Result<SocketAddr, ConfigError> {
    let address = match (flag, typed) {
        (Some(flag), _) => flag,
        (None, Some(typed)) => address(key, typed)?,
        (None, None) => default,
    };
    if address.ip().is_loopback() || is_covered { Ok(address) } else { Err(ConfigError::NotLoopback { key, address }) }
}
