//! Mails that leave: by SMTP where a server is configured, else as files in the data folder, for whoever looks there.

use super::limits::{MAIL_TIMEOUT, MAILS_MAX};
use crate::data_folder::replace_private;
use lettre::message::{Mailbox, header::ContentType};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::error::Error;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Whom mails come from, unless configured.
pub const FROM_DEFAULT: &str = "Switchyard <switchyard@localhost>";

/// One mail.
pub struct Mail {
    /// To which address.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// Where mails are put. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    from: Mailbox,
    way: Way,
    under_way: Arc<Semaphore>,
    numbered: AtomicU64,
}

enum Way {
    Folder(PathBuf),
    Server(AsyncSmtpTransport<Tokio1Executor>),
}

/// Why mails can't be sent as configured.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The sender is no mailbox.
    #[error("mail: from is no mailbox such as Shop <shop@example.com>")]
    From,
    /// The server's address can't be read. It is not shown, it may hold a password.
    #[error("mail: smtp is no address such as smtps://user:password@mail.example.com")]
    Server,
}

impl Outbox {
    /// An outbox that leaves each mail as a file. The folder is made when the first is written.
    pub fn folder(path: &Path, from: &str) -> Result<Outbox, MailError> {
        Outbox::with(from, Way::Folder(path.to_owned()))
    }

    /// An outbox that hands mails to a server: `smtps://user:password@host:465`, `smtp://host:587?tls=required`.
    pub fn server(url: &str, from: &str) -> Result<Outbox, MailError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| MailError::Server)?;
        Outbox::with(from, Way::Server(transport.timeout(Some(MAIL_TIMEOUT)).build()))
    }

    fn with(from: &str, way: Way) -> Result<Outbox, MailError> {
        let from = from.parse().map_err(|_| MailError::From)?;
        let under_way = Arc::new(Semaphore::new(MAILS_MAX));
        Ok(Outbox(Arc::new(Inner { from, way, under_way, numbered: AtomicU64::new(0) })))
    }

    /// Sends a mail in the background. What can't be sent is said in the log, without its address and text.
    pub fn post(&self, mail: Mail) {
        let Ok(place) = Arc::clone(&self.0.under_way).try_acquire_owned() else {
            tracing::warn!("a mail was dropped: {MAILS_MAX} are under way");
            return;
        };
        let outbox = self.clone();
        tokio::spawn(async move {
            if let Err(error) = outbox.send(mail).await {
                tracing::warn!(%error, "a mail was not sent");
            }
            drop(place);
        });
    }

    async fn send(&self, mail: Mail) -> Result<(), Box<dyn Error + Send + Sync>> {
        let to: Mailbox = mail.to.parse().map_err(|_| "the recipient is no mailbox")?;
        let message = Message::builder().from(self.0.from.clone()).to(to).subject(mail.subject);
        let message = message.header(ContentType::TEXT_PLAIN).body(mail.text)?;
        match &self.0.way {
            Way::Folder(folder) => {
                let path = folder.join(self.file_name());
                spawn_blocking(move || write(&path, &message.formatted())).await??;
            }
            Way::Server(transport) => {
                transport.send(message).await?;
            }
        }
        Ok(())
    }

    /// Sorts as mails were sent.
    fn file_name(&self) -> String {
        let number = self.0.numbered.fetch_add(1, Ordering::Relaxed);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{:020}-{number:06}.eml", since.as_micros())
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    replace_private(path, bytes)
}
