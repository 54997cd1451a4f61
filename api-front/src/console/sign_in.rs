//! Signing in and out.

use super::act::{go_to, read};
use super::figures::age;
use super::session::{NotIn, no_cookie};
use super::{Console, page};
use crate::rest::Encrypted;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

/// `GET /console/sign-in`
pub(super) async fn show() -> Response {
    page::bare("Sign in", form("", None))
}

/// `POST /console/sign-in`
pub(super) async fn enter(State(console): State<Console>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(sent) = read(body).await else { return StatusCode::BAD_REQUEST.into_response() };
    let (name, secret) = (sent.text("name"), sent.text("secret"));
    if is_of_another_site(&parts.headers) {
        return (StatusCode::FORBIDDEN, "this form is not ours: open /console and sign in there").into_response();
    }
    let address = console.front.client_address(&parts).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    if let Some(wait) = console.attempts.wait(address, Instant::now()) {
        return refused(
            name,
            StatusCode::TOO_MANY_REQUESTS,
            &format!("Too many were wrong: try again in {}.", age(wait.as_secs() + 1)),
        );
    }
    let is_key = console.front.switch().is_operator(secret);
    match console.sessions.judge(name, secret, is_key).await {
        Ok((name, role)) => {
            tracing::info!(by = name, role = role.word(), "signed in to the console");
            console.attempts.was_right(address);
            // Behind a proxy that ends TLS the cookie must not travel in clear either.
            let is_encrypted_before = parts.headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
            let is_encrypted = is_encrypted_before || parts.extensions.get::<Encrypted>().is_some();
            match console.sessions.begin(name, role, is_encrypted) {
                Ok(cookie) => with_cookie(go_to("/console"), &cookie),
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
        Err(NotIn::Wrong) => {
            tracing::warn!(%address, "a wrong sign-in to the console");
            console.attempts.was_wrong(address, Instant::now());
            refused(name, StatusCode::UNAUTHORIZED, "That name and password, or that key, opens nothing here.")
        }
        Err(NotIn::Busy) => refused(name, StatusCode::TOO_MANY_REQUESTS, "Too many sign in at this moment: try again."),
    }
}

/// A browser says where a form stands; programs say nothing and bring no cookies of anybody's.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

fn refused(name: &str, status: StatusCode, fault: &str) -> Response {
    (status, page::bare("Sign in", form(name, Some(fault)))).into_response()
}

/// `POST /console/sign-out`
pub(super) async fn leave(State(console): State<Console>, request: Request) -> Response {
    match console.sent(request).await {
        Ok((viewer, _)) => {
            console.sessions.end(&viewer);
            with_cookie(go_to("/console/sign-in"), &no_cookie())
        }
        Err(response) => *response,
    }
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn form(name: &str, fault: Option<&str>) -> Markup {
    html! {
        main.sign-in {
            h1 { (page::mark()) "Switchyard" }
            form.card method="post" action="/console/sign-in" {
                @if let Some(fault) = fault { p.notice.bad role="alert" { (fault) } }
                label { "Name" span.hint { "leave empty to use the operator key" }
                    input name="name" value=(name) autocomplete="username" autofocus; }
                label { "Password, or the operator key"
                    input name="secret" type="password" autocomplete="current-password" required; }
                button.primary { "Sign in" }
            }
        }
    }
}
