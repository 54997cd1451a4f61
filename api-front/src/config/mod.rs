//! Configuration: as typed ([`typed`]), then checked ([`checked`]); flags of the command line win over the file.
//!
//! Lives here: keys, defaults, bounds and the messages when one is broken. Must not live here: anything that opens, binds
//! or connects.

pub mod checked;
mod console_user;
pub mod error;
pub mod fronts;
pub mod limits;
pub mod links;
pub mod mail;
pub mod merchant;
pub mod nacha;
pub mod processor;
pub mod retention;
mod tables;
pub mod tls;
pub mod typed;
pub mod webhooks;

#[cfg(test)]
mod tests;

pub(crate) use checked::WINDOW_BOUND_S;
pub use checked::{
    CATEGORY_DEFAULT, DUPLICATE_WINDOW_S, JournalSettings, MerchantSettings, SANDBOX_MERCHANT, SandboxSettings, Settings,
};
pub use error::ConfigError;
pub use fronts::{FrontSettings, TlsFiles};
pub use limits::LimitSettings;
pub use links::TypedLinks;
pub use mail::MailSettings;
pub use nacha::NachaSettings;
pub use processor::{Password, ProcessorNames, ProcessorSettings, SANDBOX_HOSTS};
pub use retention::RetentionSettings;
pub use tls::{ClientCertificate, TlsSettings};
pub use webhooks::WebhookSettings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use typed::Typed;

/// What the command line says; each wins over the file.
#[derive(Debug, Default, Clone)]
pub struct Overrides {
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--http`.
    pub http: Option<SocketAddr>,
    /// `--binary`.
    pub binary: Option<SocketAddr>,
    /// `--database`.
    pub database: Option<String>,
    /// `--no-sandbox`.
    pub no_sandbox: bool,
    /// `--insecure`.
    pub insecure: bool,
}

/// Reads the file, if there is one, and checks all of it together with the command line.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Settings, ConfigError> {
    let Some(path) = file else { return Settings::check(Typed::default(), overrides) };
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
    check(path, &text, overrides)
}

/// The same for a file's text that is here already. `path` is what errors call it.
pub fn check(path: &Path, text: &str, overrides: &Overrides) -> Result<Settings, ConfigError> {
    let typed = parse(text).map_err(|reason| ConfigError::Syntax { path: path.into(), reason })?;
    Settings::check(typed, overrides)
}

fn parse(text: &str) -> Result<Typed, String> {
    toml::from_str(text).map_err(|error| complaint(text, &error))
}

/// Line and message without the line's text: toml shows the source line, which may hold a key.
fn complaint(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}
