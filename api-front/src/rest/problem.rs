//! What is wrong with a request, and how a client is told: status code and message, never what was in a secret field.

use crate::rest::limits::{BODY_MAX_BYTES, BODY_READ_TIMEOUT, RETRY_AFTER_S};
use crate::switch::handle::Unavailable;
use axum::http::StatusCode;
use protocol::refusal::Refusal;
use std::borrow::Cow;
use std::fmt;

/// Why a request is not done. `Display` is the `msg` of the envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The body is not UTF-8.
    NotUtf8 {
        /// The first byte that is not.
        at: usize,
    },
    /// The body is not JSON.
    Malformed {
        /// What was expected, and in which line and column.
        reason: String,
    },
    /// A field or a header is missing, has a wrong type or a value that is not accepted.
    Invalid {
        /// Its full path: `payment_method.card.number`.
        field: Cow<'static, str>,
        /// What is accepted.
        reason: Cow<'static, str>,
    },
    /// No credentials, or unknown ones.
    Unauthorized,
    /// Too many attempts or requests, from here or about this.
    TooManyRequests {
        /// When it may be tried again, seconds from now.
        retry_after_s: u32,
    },
    /// The credentials are good but not for this.
    Forbidden(&'static str),
    /// Something else stands in the way now.
    Conflict(String),
    /// Not there, or another merchant's: which of the two is not said.
    NotFound,
    /// The path knows other methods; `Allow` lists them.
    MethodNotAllowed,
    /// The client was too slow in sending its body.
    BodyTimeout,
    /// The client's connection broke within the body.
    BodyBroken,
    /// The body is larger than [`BODY_MAX_BYTES`].
    TooLarge,
    /// The body's content type is not JSON.
    UnsupportedType,
    /// The switch has turned the command away.
    Refused(Refusal),
    /// The switch can't answer now.
    Unavailable(Unavailable),
    /// A database could not be read. The chain is in the log.
    StoreUnavailable,
    /// Something of ours failed. The chain is in the log.
    Internal,
}

impl Problem {
    /// A field that is not acceptable.
    pub fn invalid(field: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Problem {
        Problem::Invalid { field: field.into(), reason: reason.into() }
    }

    /// A `processor_id` that names none of ours.
    pub fn unknown_processor() -> Problem {
        Problem::invalid("processor_id", "no such processor; leave it empty for the default one")
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Problem::NotUtf8 { .. } | Problem::Malformed { .. } | Problem::Invalid { .. } | Problem::BodyBroken => {
                StatusCode::BAD_REQUEST
            }
            Problem::Unauthorized => StatusCode::UNAUTHORIZED,
            Problem::Forbidden(_) => StatusCode::FORBIDDEN,
            Problem::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Problem::Conflict(_) => StatusCode::CONFLICT,
            Problem::NotFound => StatusCode::NOT_FOUND,
            Problem::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Problem::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Problem::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Problem::Refused(refusal) => refusal_status(*refusal),
            Problem::Unavailable(_) | Problem::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Seconds of `Retry-After`, where trying again makes sense.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Problem::TooManyRequests { retry_after_s } => Some(*retry_after_s),
            _ => (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_S),
        }
    }
}

fn refusal_status(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::MerchantNotActive => StatusCode::FORBIDDEN,
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::ProcessorNotAvailable
        | Refusal::IllegalStep { .. }
        | Refusal::AmountTooLarge { .. }
        | Refusal::AmountZero
        | Refusal::BatchClosing
        | Refusal::StepInFlight { .. }
        | Refusal::MethodNotTaken { .. }
        | Refusal::TailTooLong => StatusCode::BAD_REQUEST,
        Refusal::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NotUtf8 { at } => write!(f, "bad request error: invalid body: not UTF-8 at byte {at}"),
            Problem::Malformed { reason } => write!(f, "bad request error: invalid body: not JSON: {reason}"),
            Problem::Invalid { field, reason } => write!(f, "bad request error: invalid {field}: {reason}"),
            Problem::Unauthorized => f.write_str("unauthorized"),
            Problem::Forbidden(why) => write!(f, "forbidden: {why}"),
            Problem::TooManyRequests { retry_after_s } => {
                write!(f, "too many requests: try again in {retry_after_s} seconds")
            }
            Problem::Conflict(what) => write!(f, "conflict: {what}"),
            Problem::NotFound | Problem::Refused(Refusal::NotFound) => f.write_str("not found"),
            Problem::MethodNotAllowed => f.write_str("method not allowed: see the Allow header"),
            Problem::BodyTimeout => {
                write!(f, "request timeout: the body must arrive within {} seconds", BODY_READ_TIMEOUT.as_secs())
            }
            Problem::BodyBroken => f.write_str("bad request error: invalid body: it ends before its length"),
            Problem::TooLarge => write!(f, "body too large: at most {BODY_MAX_BYTES} bytes are accepted"),
            Problem::UnsupportedType => f.write_str("unsupported content type: application/json is accepted"),
            Problem::Refused(refusal) => write!(f, "{}{refusal}", refusal_preface(*refusal)),
            Problem::Unavailable(reason) => write!(f, "service unavailable: {reason}"),
            Problem::StoreUnavailable => f.write_str("service unavailable: the accounts can't be read at the moment"),
            Problem::Internal => f.write_str("internal error"),
        }
    }
}

impl std::error::Error for Problem {}

fn refusal_preface(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Busy => "service unavailable: ",
        Refusal::MerchantNotActive => "forbidden: ",
        Refusal::NotFound => "",
        Refusal::KeyReused => "unprocessable: ",
        Refusal::ProcessorNotAvailable
        | Refusal::IllegalStep { .. }
        | Refusal::AmountTooLarge { .. }
        | Refusal::AmountZero
        | Refusal::BatchClosing
        | Refusal::StepInFlight { .. }
        | Refusal::MethodNotTaken { .. }
        | Refusal::TailTooLong => "bad request error: ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::words::{Status, Verb};

    #[test]
    fn each_refusal_has_its_status_and_a_message_that_says_what_is_possible() {
        let rows = [
            (Refusal::Busy, 503, "service unavailable: the switch is at its limit, try again later"),
            (Refusal::MerchantNotActive, 403, "forbidden: this merchant account is not active"),
            (Refusal::NotFound, 404, "not found"),
            (
                Refusal::IllegalStep { verb: Verb::Sale, status: Status::Settled },
                400,
                "bad request error: the transaction is settled; possible now: refund",
            ),
            (
                Refusal::AmountTooLarge { status: Status::Authorized, max: 7 },
                400,
                "bad request error: invalid amount: must be at most 7: the transaction is authorized",
            ),
            (
                Refusal::AmountTooLarge { status: Status::Settled, max: 0 },
                400,
                "bad request error: invalid amount: must be at most 0: the transaction is settled; possible now: nothing",
            ),
            (
                Refusal::BatchClosing,
                400,
                "bad request error: the transaction is pending_settlement in a batch that is being closed; possible now: \
                 nothing until it is settled",
            ),
            (Refusal::AmountZero, 400, "bad request error: invalid amount: must be at least 1"),
            (
                Refusal::StepInFlight { status: Status::Authorized },
                400,
                "bad request error: the transaction is authorized; possible now: nothing until its capture or void in progress \
                 is answered",
            ),
            (Refusal::KeyReused, 422, "unprocessable: invalid idempotency_key: it was used with a different request"),
        ];
        for (refusal, status, message) in rows {
            let problem = Problem::Refused(refusal);
            assert_eq!((problem.status().as_u16(), problem.to_string().as_str()), (status, message));
        }
        assert_eq!(Problem::Refused(Refusal::Busy).retry_after_s(), Some(1));
        assert_eq!(Problem::NotFound.retry_after_s(), None);
    }
}
