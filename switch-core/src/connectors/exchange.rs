//! The shape of every connector that asks its processor by HTTP: a request with its answer is an exchange of its own, sans I/O.
//!
//! A connector's exchange is begun with what is to be asked and gives the first [`HttpRequest`]. Whoever owns the socket tells it
//! what came ([`Came`]) and does what it says ([`Next`]), until that ends it. Must not live here: sockets, time, and what the
//! bytes of any processor mean.

use crate::input::Answer;
use core::fmt;
use zeroize::Zeroizing;

/// Largest answer that is read, bytes. A terminal's signature is the largest part of any: about 12 KiB.
pub const ANSWER_MAX_BYTES: usize = 64 * 1024;
/// Requests that one exchange makes at most: its own, questions about it, and what takes it back. Past it the exchange is lost.
pub const EXCHANGE_REQUESTS_MAX: u8 = 16;

/// A request to the processor, a POST.
pub struct HttpRequest {
    /// Path and query, from the `/` on.
    pub path: String,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `SOAPAction`, SOAP 1.1, without its quotes.
    pub soap_action: Option<&'static str>,
    /// The body: it holds account numbers and keys, so it is wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for HttpRequest {
    /// Of the body only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("path", &self.path)
            .field("content_type", &self.content_type)
            .field("soap_action", &self.soap_action)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// What came of a request.
#[derive(Clone, Copy)]
pub enum Came<'a> {
    /// An answer, whole.
    Answer {
        /// HTTP status.
        status: u16,
        /// Body, at most [`ANSWER_MAX_BYTES`].
        body: &'a [u8],
    },
    /// Provably nothing of the request was written.
    NotSent,
    /// It was written, or may have been, and no whole answer came: time-out, cut connection, answer too large.
    Lost,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Next {
    /// Send this.
    Ask(HttpRequest),
    /// Send this after a wait.
    AskAfter {
        /// How long, milliseconds.
        wait_ms: u32,
        /// What to send then.
        request: HttpRequest,
    },
    /// The processor has answered: the end of the exchange.
    Answered {
        /// What it says.
        answer: Answer,
        /// What else it tells of the transaction, as fields of a [`protocol::tail::Tail`]; empty when nothing.
        facts: Vec<u8>,
    },
    /// Provably nothing of the exchange reached the processor: its end.
    NotSent,
    /// What became of it at the processor is unknown (I6): its end.
    Lost,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_without_its_body() {
        let request = HttpRequest {
            path: "/spin".to_owned(),
            content_type: "text/xml",
            soap_action: None,
            body: Zeroizing::new(b"<AuthKey>secret".to_vec()),
        };
        let shown = format!("{request:?}");
        assert!(shown.contains("body_bytes: 15") && !shown.contains("secret"), "{shown}");
    }
}
