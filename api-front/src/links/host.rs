//! The way to a host: its address, and TLS where the configuration asks for it.
//!
//! Lives here: the only place where a connection to a processor is made, and where certificates are read. A host that is to speak TLS
//! gets not a byte of ours before its certificate is proved; there is no way back to clear text.

use crate::config::{ClientCertificate, ProcessorSettings, TlsSettings};
use crate::limits::CONNECT_TIMEOUT;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tokio_util::either::Either;

/// A connection, in clear or in TLS.
pub type Wire = Either<TcpStream, Box<TlsStream<TcpStream>>>;
/// Its end that is read.
pub type Reader = Either<OwnedReadHalf, ReadHalf<Box<TlsStream<TcpStream>>>>;
/// Its end that is written.
pub type Writer = Either<OwnedWriteHalf, WriteHalf<Box<TlsStream<TcpStream>>>>;

/// A host as a link finds it. Clones are the same.
#[derive(Clone)]
pub struct Host {
    addr: SocketAddr,
    tls: Option<Secured>,
}

/// How a host proves who it is, and we to it.
#[derive(Clone)]
struct Secured {
    connector: TlsConnector,
    server_name: ServerName<'static>,
}

/// Why TLS can't be spoken as configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of certificates or a key is not there, or holds something else.
    #[error("{key} {}: {source}", path.display())]
    File {
        /// The key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A file of certificates holds none.
    #[error("{key} {}: holds no certificate", path.display())]
    NoCertificate {
        /// The key in the configuration.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Certificates or key are of no use.
    #[error("{key}: {source}")]
    Unusable {
        /// The key in the configuration.
        key: &'static str,
        /// Why.
        source: rustls::Error,
    },
}

/// Why a connection was not made. Nothing of a request was sent.
#[derive(Debug, thiserror::Error)]
pub enum NotConnected {
    /// Nobody is there.
    #[error("{0}")]
    Tcp(io::Error),
    /// Somebody is there, who is not the host or can't prove it.
    #[error("TLS as {server_name}: {source}")]
    Tls {
        /// The name that the host was to prove.
        server_name: String,
        /// Why.
        source: io::Error,
    },
    /// Time is up; a host that speaks no TLS is often silent.
    #[error("no {what} within {} s", CONNECT_TIMEOUT.as_secs())]
    TooLate {
        /// What was waited for.
        what: &'static str,
    },
}

impl Host {
    /// The host of a processor. Reads the files that its settings name.
    pub fn of(settings: &ProcessorSettings) -> Result<Host, TlsError> {
        Host::at(settings.addr, settings.tls.as_ref())
    }

    /// Whoever listens at an address, and what it must prove.
    pub fn at(addr: SocketAddr, tls: Option<&TlsSettings>) -> Result<Host, TlsError> {
        let secured = |tls: &TlsSettings| {
            let connector = TlsConnector::from(Arc::new(client_config(tls)?));
            Ok(Secured { connector, server_name: tls.server_name.clone() })
        };
        Ok(Host { addr, tls: tls.map(secured).transpose()? })
    }

    /// What a request over HTTP calls it.
    pub fn authority(&self) -> String {
        match &self.tls {
            Some(Secured { server_name: ServerName::DnsName(name), .. }) => format!("{}:{}", name.as_ref(), self.addr.port()),
            Some(_) | None => self.addr.to_string(),
        }
    }

    /// Connects, and lets the host prove who it is; [`CONNECT_TIMEOUT`] at most for each.
    pub async fn connect(&self) -> Result<Wire, NotConnected> {
        let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(self.addr)).await;
        let stream = connecting.map_err(|_| NotConnected::TooLate { what: "connection" })?.map_err(NotConnected::Tcp)?;
        if meets_itself(&stream).map_err(NotConnected::Tcp)? {
            return Err(NotConnected::Tcp(io::ErrorKind::ConnectionRefused.into()));
        }
        // What is written is in batches of our own making; waiting for more would only delay it.
        stream.set_nodelay(true).map_err(NotConnected::Tcp)?;
        let Some(Secured { connector, server_name }) = &self.tls else { return Ok(Either::Left(stream)) };
        let proving = timeout(CONNECT_TIMEOUT, connector.connect(server_name.clone(), stream)).await;
        let proved = proving.map_err(|_| NotConnected::TooLate { what: "answer in TLS" })?;
        let failed = |source| NotConnected::Tls { server_name: server_name.to_str().into_owned(), source };
        proved.map(|stream| Either::Right(Box::new(stream))).map_err(failed)
    }
}

/// True when both ends are ours: who knocks at a closed port of this machine often enough is once given that very port for the own end,
/// and TCP connects the two. Kept, the host could never listen there again.
fn meets_itself(stream: &TcpStream) -> io::Result<bool> {
    Ok(stream.local_addr()? == stream.peer_addr()?)
}

/// Two ends that two may hold at a time.
pub fn ends(wire: Wire) -> (Reader, Writer) {
    match wire {
        Either::Left(stream) => {
            let (reader, writer) = stream.into_split();
            (Either::Left(reader), Either::Left(writer))
        }
        Either::Right(stream) => {
            let (reader, writer) = split(stream);
            (Either::Right(reader), Either::Right(writer))
        }
    }
}

/// `127.0.0.1:9443 as host.example` where the host must prove a name.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tls {
            None => self.addr.fmt(f),
            Some(Secured { server_name, .. }) => write!(f, "{} as {}", self.addr, server_name.to_str()),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn client_config(TlsSettings { ca_file, client, .. }: &TlsSettings) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let unusable = |key| move |source| TlsError::Unusable { key, source };
    let config = versions.map_err(unusable("tls"))?.with_root_certificates(roots(ca_file.as_deref())?);
    let Some(ClientCertificate { cert_file, key_file }) = client else { return Ok(config.with_no_client_auth()) };
    let chain = certificates("tls.client_cert_file", cert_file)?;
    let (key, path) = ("tls.client_key_file", key_file.clone());
    let secret = PrivateKeyDer::from_pem_file(key_file).map_err(|source| TlsError::File { key, path, source })?;
    config.with_client_auth_cert(chain, secret).map_err(unusable(key))
}

/// Whom a host's certificate must come from: those of the file, or the authorities that everybody trusts.
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let Some(path) = ca_file else { return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()) };
    let mut roots = RootCertStore::empty();
    trust(&mut roots, "tls.ca_file", path)?;
    Ok(roots)
}

/// Adds the authorities of a file, which stands under this key in the configuration.
pub(crate) fn trust(roots: &mut RootCertStore, key: &'static str, path: &Path) -> Result<(), TlsError> {
    for certificate in certificates(key, path)? {
        roots.add(certificate).map_err(|source| TlsError::Unusable { key, source })?;
    }
    Ok(())
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = read.map_err(|source| TlsError::File { key, path: path.into(), source })?;
    if chain.is_empty() { Err(TlsError::NoCertificate { key, path: path.into() }) } else { Ok(chain) }
}
