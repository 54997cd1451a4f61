//! Why the switch does not start: what was tried, on what.

use crate::accounts::AccountError;
use crate::accounts::mail::MailError;
use crate::config::ConfigError;
use crate::links::host::TlsError;
use persistence::PersistenceError;
use persistence::journal::JournalError;
use sandbox::SandboxError;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A start that failed. Nothing was taken from anybody.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file or folder can't be used.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What it is.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal can't be opened, or must not be: it is damaged, or another switch has it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The sandbox's user can't be made.
    #[error(transparent)]
    Accounts(#[from] AccountError),
    /// Mails can't be sent as configured.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The SQL home or the sealing keys can't be used.
    #[error(transparent)]
    Persistence(#[from] PersistenceError),
    /// The sandbox can't be started.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// An address can't be listened on.
    #[error("listen on {addr} for {what}: {source}")]
    Listen {
        /// For what.
        what: &'static str,
        /// Where.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Certificate or key of the fronts can't be used.
    #[error("{what} {}: {reason}", path.display())]
    Tls {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The table of rules in force can't be used.
    #[error("the rules in force can't be used, and payments would pass that they deny: {0}")]
    Rules(String),
    /// A processor's TLS can't be spoken as configured.
    #[error("processor {processor:?}: {source}")]
    ProcessorTls {
        /// Its name.
        processor: String,
        /// Why.
        source: TlsError,
    },
    /// The authorities that webhooks' receivers are to be proved by can't be read.
    #[error("webhooks: {0}")]
    WebhookTls(TlsError),
    /// A thread can't be started.
    #[error("start a thread: {0}")]
    Thread(io::Error),
    /// The system gives no random bytes.
    #[error("draw random bytes: {0}")]
    Random(io::Error),
}
