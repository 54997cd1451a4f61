//! The links' document's envelope, around what is asked for and around what went wrong.

use crate::payment_links::{CURRENCY, LinkError};
use crate::rest::answer::{ok, with_status};
use crate::rest::problem::Problem;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use persistence::stores::PayableState;
use serde::Serialize;
use serde_json::Value;

/// The zone of the times in answers that name none.
const SERVER_TIME: &str = "UTC";

/// What every answer has. The names are the document's.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a, T: Serialize> {
    #[serde(rename = "data")]
    data: T,
    #[serde(rename = "totalRecords", skip_serializing_if = "Option::is_none")]
    total_records: Option<u64>,
    response_code: u8,
    response_msg: &'a str,
    result: &'static str,
    server_time: &'static str,
    #[serde(rename = "error", skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(rename = "errorMessage", skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

/// One thing.
pub(super) fn one(data: impl Serialize, said: &str) -> Result<Response, Fault> {
    done(data, None, said)
}

/// The page of a list, and how many there are.
pub(super) fn list(data: Vec<impl Serialize>, total: u64) -> Result<Response, Fault> {
    done(data, Some(total), "List retrieved successfully")
}

fn done(data: impl Serialize, total_records: Option<u64>, response_msg: &str) -> Result<Response, Fault> {
    let envelope = Envelope {
        data,
        total_records,
        response_code: 1,
        response_msg,
        result: "True",
        server_time: SERVER_TIME,
        error: None,
        error_message: None,
    };
    serde_json::to_vec(&envelope).map(ok).map_err(|_| Fault::Other(Problem::Internal))
}

/// Why a request is not done.
#[derive(Debug)]
pub(super) enum Fault {
    /// The `token` header is not there.
    NoToken,
    /// The key matches nobody.
    UserNotFound,
    /// Whatever every API refuses.
    Other(Problem),
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Fault {
        Fault::Other(problem)
    }
}

impl From<LinkError> for Fault {
    fn from(error: LinkError) -> Fault {
        Fault::Other(match error {
            LinkError::NotFound => Problem::NotFound,
            LinkError::UnknownRecipient { place } => {
                Problem::invalid(format!("recipients[{place}].token"), "must be the token of a merchant")
            }
            LinkError::WrongState(state) => Problem::Conflict(format!("the link is {}", words(state))),
            LinkError::TooMuch { left } => {
                let left = CURRENCY.major(left);
                Problem::invalid("amount", format!("must be at most {left}: no more is left of the payment"))
            }
            LinkError::Payable(error) => error.into(),
            LinkError::Unreadable => {
                tracing::error!(%error, "payment links");
                Problem::Internal
            }
            LinkError::Failed(_) => {
                tracing::warn!(%error, "payment links");
                Problem::StoreUnavailable
            }
        })
    }
}

/// A state, and what is possible in it.
fn words(state: PayableState) -> &'static str {
    match state {
        PayableState::Open => "unused; possible now: deleteLink",
        PayableState::Paying => "being paid at this moment: try again",
        PayableState::Paid | PayableState::PartiallyRefunded => "used; possible now: refundPayment",
        PayableState::Refunded => "used and refunded; possible now: nothing",
        PayableState::Cancelled | PayableState::Expired => "deleted; possible now: nothing",
    }
}

impl Fault {
    /// Of a link that a field of the request names.
    pub(super) fn about(field: &'static str, error: LinkError) -> Fault {
        match error {
            LinkError::WrongState(state) => Fault::Other(Problem::invalid(field, format!("the link is {}", words(state)))),
            error => error.into(),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Fault::NoToken | Fault::UserNotFound => StatusCode::UNAUTHORIZED,
            Fault::Other(problem) => problem.status(),
        }
    }

    /// The document's word, and ours where it has none.
    fn word(&self) -> &'static str {
        if let Fault::UserNotFound = self {
            return "UserNotFound";
        }
        match self.status() {
            StatusCode::BAD_REQUEST => "InvalidParameters",
            StatusCode::UNAUTHORIZED => "Unauthorized",
            StatusCode::FORBIDDEN => "Forbidden",
            StatusCode::NOT_FOUND => "NotFound",
            StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
            StatusCode::CONFLICT => "Conflict",
            StatusCode::REQUEST_TIMEOUT => "RequestTimeout",
            StatusCode::PAYLOAD_TOO_LARGE => "PayloadTooLarge",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "UnsupportedMediaType",
            StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
            StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
            _ => "InternalServerError",
        }
    }

    fn said(&self) -> String {
        match self {
            Fault::NoToken => "Invalid API key or token: the header token is required.".to_owned(),
            Fault::UserNotFound => "No user found with the provided API key.".to_owned(),
            Fault::Other(Problem::UnsupportedType) => {
                "unsupported content type: application/x-www-form-urlencoded, multipart/form-data and application/json are accepted".to_owned()
            }
            Fault::Other(problem) => problem.to_string(),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let said = self.said();
        let envelope = Envelope {
            data: Value::Null,
            total_records: None,
            response_code: 0,
            response_msg: &said,
            result: "False",
            server_time: SERVER_TIME,
            error: Some(self.word()),
            error_message: Some(&said),
        };
        // Texts and a number: it can't fail.
        let mut response = with_status(self.status(), serde_json::to_vec(&envelope).unwrap_or_default());
        if let Fault::Other(problem) = &self
            && let Some(seconds) = problem.retry_after_s()
        {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
