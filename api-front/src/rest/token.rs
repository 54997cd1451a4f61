//! Logging in and out, and the ways back in: `/token-auth`, `/logout`, `/forgot-…`.

use super::auth::presented;
use super::bodies::Body;
use super::body;
use super::envelope::done;
use super::json::Document;
use super::multipart;
use super::peer::client_address;
use super::problem::Problem;
use super::users::{checked_password, required};
use super::{Front, answer};
use crate::accounts::AccountError;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::{get, post};
use persistence::stores::ApiKey;
use serde_json::json;
use zeroize::Zeroizing;

/// Parts of a form that are read.
const PARTS_MAX: usize = 16;
const PROCESSED: &str = "Request processed successfully";

pub(super) const BODIES: &[Body] = &[
    ("log_in", |bytes| LogIn::parse(&HeaderMap::new(), bytes).map(drop)),
    ("password_reset", |bytes| Reset::parse(bytes).map(drop)),
];

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/token-auth", post(log_in))
        .route("/api/logout", get(log_out))
        .route("/api/forgot-username", post(forgot_username))
        .route("/api/forgot-password", post(forgot_password))
        .route("/api/forgot-password/reset", post(reset_password))
        // Where clients in use look for them.
        .route("/api/user/forgot-username", post(forgot_username))
        .route("/api/user/forgot-password", post(forgot_password))
        .route("/api/user/forgot-password/reset", post(reset_password))
}

/// `POST /api/token-auth`
async fn log_in(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let LogIn { username, password } =
        body::read_any_type(&parts.headers, body, |bytes| LogIn::parse(&parts.headers, bytes)).await?;
    let token = front.accounts.log_in(&username, &password).await?;
    Ok(answer::ok(json!({"status": "successful", "token": token}).to_string().into_bytes()))
}

/// `GET /api/logout`
async fn log_out(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    let token = presented(&headers).ok_or(Problem::Unauthorized)?;
    if !front.accounts.log_out(token).await? {
        return Err(Problem::Unauthorized);
    }
    front.keyring.forget(&ApiKey::hash_of(token));
    Ok(done(PROCESSED))
}

/// `POST /api/forgot-username`
async fn forgot_username(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let email = body::read(&parts.headers, body, |bytes| required(Document::read(bytes)?.scope(), "email")).await?;
    front.accounts.forgot_username(&front.client(&parts), email)?;
    Ok(done(PROCESSED))
}

/// `POST /api/forgot-password`
async fn forgot_password(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let username = body::read(&parts.headers, body, |bytes| required(Document::read(bytes)?.scope(), "username")).await?;
    front.accounts.forgot_password(&front.client(&parts), username)?;
    Ok(done(PROCESSED))
}

/// `POST /api/forgot-password/reset`
async fn reset_password(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let Reset { username, code, password } = body::read(&parts.headers, body, Reset::parse).await?;
    let reset = front.accounts.reset_password(&front.client(&parts), &username, &code, &password).await;
    let user = reset.map_err(|error| match error {
        AccountError::Credentials => Problem::invalid("reset_code", "is wrong, was used or has expired"),
        error => error.into(),
    })?;
    front.keyring.forget_user(&user.id);
    Ok(done(PROCESSED))
}

impl Front {
    fn client(&self, parts: &Parts) -> String {
        client_address(parts, &self.trusted_proxies).map_or_else(String::new, |address| address.to_string())
    }
}

struct LogIn {
    username: String,
    password: Zeroizing<String>,
}

impl LogIn {
    /// A form, as the document shows, in parts, as PHP's curl makes it of an array, or JSON, as clients in use send; some of them call it a
    /// form.
    fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<LogIn, Problem> {
        let typed = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        if let Some(parameters) = in_parts(typed) {
            let text = std::str::from_utf8(bytes).map_err(|_| Problem::invalid("body", "must be UTF-8"))?;
            let parts = multipart::parts(parameters, text, PARTS_MAX)?;
            return LogIn::of(|name| parts.iter().rfind(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()));
        }
        let is_json = typed.to_ascii_lowercase().starts_with("application/json") || bytes.trim_ascii_start().starts_with(b"{");
        if is_json {
            let document = Document::read(bytes)?;
            let (username, password) = (required(document.scope(), "username")?, required(document.scope(), "password")?);
            return Ok(LogIn { username, password: Zeroizing::new(password) });
        }
        LogIn::of(|name| form_urlencoded::parse(bytes).filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).last())
    }

    fn of(sent: impl Fn(&str) -> Option<String>) -> Result<LogIn, Problem> {
        let field = |name: &'static str| {
            sent(name).filter(|value| !value.is_empty()).ok_or_else(|| Problem::invalid(name, "is required"))
        };
        Ok(LogIn { username: field("username")?, password: Zeroizing::new(field("password")?) })
    }
}

/// The parameters of a content type that says that a form comes in parts.
fn in_parts(typed: &str) -> Option<&str> {
    let (media, parameters) = typed.split_once(';')?;
    media.trim().eq_ignore_ascii_case("multipart/form-data").then_some(parameters)
}

struct Reset {
    username: String,
    code: String,
    password: Zeroizing<String>,
}

impl Reset {
    fn parse(bytes: &[u8]) -> Result<Reset, Problem> {
        let document = Document::read(bytes)?;
        let body = document.scope();
        let (username, code) = (required(body, "username")?, required(body, "reset_code")?);
        Ok(Reset { username, code, password: checked_password(body, "password")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn parsed(content_type: &'static str, body: &str) -> Result<(String, String), Problem> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        LogIn::parse(&headers, body.as_bytes()).map(|log_in| (log_in.username, log_in.password.to_string()))
    }

    #[test]
    fn a_form_whole_or_in_parts_and_json_and_json_called_a_form_log_in() {
        let expected = Ok(("some one".to_owned(), "a+b&c=d é".to_owned()));
        let form = "application/x-www-form-urlencoded";
        assert_eq!(parsed(form, "username=some+one&password=a%2Bb%26c%3Dd%20%C3%A9"), expected);
        let json = r#" {"username":"some one","password":"a+b&c=d é"}"#;
        for content_type in [form, "application/json; charset=UTF-8", "text/plain"] {
            assert_eq!(parsed(content_type, json), expected, "{content_type}");
        }
        let part = |name: &str, value: &str| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        let parts = format!("{}{}--x--\r\n", part("username", "some one"), part("password", "a+b&c=d é"));
        assert_eq!(parsed("multipart/form-data; boundary=x", &parts), expected);
        let half = format!("{}--x--\r\n", part("username", "some one"));
        for (content_type, body) in [
            ("multipart/form-data; boundary=x", half.as_str()),
            ("multipart/form-data; boundary=y", &parts),
            (form, "username=x"),
            (form, ""),
            ("application/json", r#"{"username":null,"password":"x"}"#),
        ] {
            assert!(matches!(parsed(content_type, body), Err(Problem::Invalid { .. })), "{body}");
        }
    }
}
