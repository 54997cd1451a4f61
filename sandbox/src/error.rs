//! What can go wrong in the sandbox on our side of the wire. What a client sends wrong is answered, not raised.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::tls::TlsError;

/// A failed operation of the sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The hosts give money away to whoever asks; they listen on loopback only.
    #[error("listen on {addr}: the sandbox listens on loopback addresses only")]
    NotLoopback {
        /// The address that was asked for.
        addr: SocketAddr,
    },
    /// An address could not be bound.
    #[error("listen on {addr}")]
    Listen {
        /// The address that was asked for.
        addr: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread or its event loop could not be started.
    #[error("start the sandbox's thread")]
    Thread(#[source] io::Error),
    /// The ledger's folder or file could not be made, opened, read or cut.
    #[error("{operation} {}", path.display())]
    Ledger {
        /// What was tried.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A row of the ledger is not what was written. Only an incomplete last row is cut; anything else needs a person.
    #[error("ledger {} is damaged at byte {offset}: {reason}; move it away to start with an empty one", path.display())]
    LedgerDamaged {
        /// The file.
        path: PathBuf,
        /// Where the row starts.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The hosts' ports can't speak TLS.
    #[error("TLS at the sandbox's ports: {0}")]
    Tls(#[from] TlsError),
    /// A time beyond its limit.
    #[error("late_ms {late_ms}: at most {max}")]
    LateTooLong {
        /// What was asked for, in milliseconds.
        late_ms: u32,
        /// The limit, in milliseconds.
        max: u32,
    },
}
