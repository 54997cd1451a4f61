//! TLS at the hosts' ports, with certificates of an authority that lives as long as one start.
//!
//! Its certificate is written to `ca.pem` in the sandbox's folder, for whoever is to trust the hosts; with [`Tls::Mutual`] there is a
//! client's certificate and key beside it, and the hosts serve nobody who has none of the authority's.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

/// Names and addresses that the hosts' certificate is for.
pub const SERVER_NAMES: [&str; 3] = ["localhost", "sandbox.test", "127.0.0.1"];

/// What the hosts' own wires are wrapped in. Control addresses are in clear always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tls {
    /// Nothing.
    #[default]
    Off,
    /// The hosts prove who they are.
    Server,
    /// So do those who connect.
    Mutual,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A certificate could not be made.
    #[error("make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A certificate that was made is of no use.
    #[error("use a certificate: {0}")]
    Unusable(#[from] rustls::Error),
    /// Clients' certificates can't be asked for.
    #[error("ask for certificates: {0}")]
    Clients(#[from] VerifierBuilderError),
    /// A file could not be written.
    #[error("write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

type Authority = CertifiedIssuer<'static, KeyPair>;

/// What the hosts accept connections with; `None` in clear. Files are written into the folder.
pub(crate) fn acceptor(tls: Tls, folder: &Path) -> Result<Option<TlsAcceptor>, TlsError> {
    if tls == Tls::Off {
        return Ok(None);
    }
    let authority = authority()?;
    write(&folder.join("ca.pem"), &authority.pem())?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions()?;
    let builder = match tls {
        Tls::Off | Tls::Server => builder.with_no_client_auth(),
        Tls::Mutual => {
            let (certificate, key) = issued(&authority, &["client.test"], ExtendedKeyUsagePurpose::ClientAuth)?;
            write(&folder.join("client.pem"), &certificate.pem())?;
            write(&folder.join("client-key.pem"), &key.serialize_pem())?;
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone())?;
            let provider = Arc::new(default_provider());
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build()?)
        }
    };
    let (certificate, key) = issued(&authority, &SERVER_NAMES, ExtendedKeyUsagePurpose::ServerAuth)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = builder.with_single_cert(vec![certificate.der().clone()], key)?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn authority() -> Result<Authority, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn issued(
    authority: &Authority,
    names: &[&str],
    purpose: ExtendedKeyUsagePurpose,
) -> Result<(rcgen::Certificate, KeyPair), rcgen::Error> {
    let mut params = CertificateParams::new(names.iter().copied().map(str::to_owned).collect::<Vec<_>>())?;
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, authority)?, key))
}

/// For its owner only, like all that the sandbox writes.
fn write(path: &Path, text: &str) -> Result<(), TlsError> {
    let written = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|source| TlsError::File { path: path.into(), source })
}
