//! `[mail]`: how mails leave.

use super::error::ConfigError;
use super::typed::TypedMail;
use crate::accounts::mail::{FROM_DEFAULT, MailError, Outbox};
use std::fmt;
use std::path::Path;

/// How mails leave.
#[derive(Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// The server they are handed to; `None` leaves each as a file in the data folder.
    smtp: Option<String>,
    /// Whom they come from.
    from: String,
}

/// The server's address may hold a password.
impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSettings").field("smtp", &self.smtp.is_some()).field("from", &self.from).finish()
    }
}

impl MailSettings {
    pub(super) fn check(typed: TypedMail) -> Result<MailSettings, ConfigError> {
        let settings = MailSettings { smtp: typed.smtp, from: typed.from.unwrap_or_else(|| FROM_DEFAULT.to_owned()) };
        let refused = |error: MailError| match error {
            MailError::From => ConfigError::value("mail.from", &settings.from, error.to_string()),
            MailError::Server => ConfigError::value("mail.smtp", "…", error.to_string()),
        };
        settings.outbox(Path::new("mail")).map_err(refused)?;
        Ok(settings)
    }

    /// The outbox; `folder` is where mails lie when no server is named.
    pub fn outbox(&self, folder: &Path) -> Result<Outbox, MailError> {
        match &self.smtp {
            Some(url) => Outbox::server(url, &self.from),
            None => Outbox::folder(folder, &self.from),
        }
    }
}
