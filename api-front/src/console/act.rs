//! Forms: who has sent one, what it says, and what is told afterwards.

use super::Console;
use super::session::{Notice, Role, Sessions, Viewer};
use crate::operator::actions;
use crate::operator::changes::NotMade;
use crate::switch::handle::Unavailable;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// Longest form: a table of rules is some 100 KiB.
const FORM_MAX_BYTES: usize = 1 << 20;
/// How long a form may take to come.
const FORM_WAIT: Duration = Duration::from_secs(15);

/// A form's fields, the last of each name.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(pub(super) BTreeMap<String, String>);

impl Form {
    /// A field, trimmed; empty when it is not there.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    fn parse(bytes: &[u8]) -> Form {
        Form(form_urlencoded::parse(bytes).into_owned().collect())
    }
}

/// Reads a form's body.
pub(super) async fn read(body: Body) -> Option<Form> {
    let whole = timeout(FORM_WAIT, Limited::new(body, FORM_MAX_BYTES).collect()).await;
    Some(Form::parse(&whole.ok()?.ok()?.to_bytes()))
}

/// Sends the browser on to another page.
pub(super) fn go_to(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    response
}

/// Why an action was not done, as the next page tells it.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotDone {
    #[error("nothing was changed: {0}")]
    NotMade(#[from] NotMade),
    #[error("nothing was done: {0}")]
    NotActed(#[from] actions::NotDone),
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    #[error("{0}")]
    Because(&'static str),
}

impl Console {
    /// Who looks at a page; whoever has not signed in is sent to do so.
    pub(super) fn viewer(&self, headers: &HeaderMap) -> Result<Viewer, Box<Response>> {
        self.sessions.viewer(headers).ok_or_else(|| Box::new(go_to("/console/sign-in")))
    }

    /// Who has sent a form, and what it says. A form that this session was not given, or that its role does not allow, does nothing.
    pub(super) async fn sent(&self, request: Request) -> Result<(Viewer, Form), Box<Response>> {
        let (parts, body) = request.into_parts();
        let viewer = self.viewer(&parts.headers)?;
        let refused = |why: &'static str| Box::new((StatusCode::FORBIDDEN, why).into_response());
        let form = read(body).await.ok_or_else(|| Box::new(StatusCode::BAD_REQUEST.into_response()))?;
        if !Sessions::has_sent(&viewer, form.text("form_token")) {
            return Err(refused("this form is not of your session: go back and load the page again"));
        }
        Ok((viewer, form))
    }

    /// The same for an action, which only an operator may take.
    pub(super) async fn ordered(&self, request: Request) -> Result<(Viewer, Form), Box<Response>> {
        let (viewer, form) = self.sent(request).await?;
        match viewer.role {
            Role::Operator => Ok((viewer, form)),
            Role::Viewer => Err(Box::new((StatusCode::FORBIDDEN, "a viewer changes nothing").into_response())),
        }
    }

    /// Notes what became of an action, in the log and for the next page, and goes there.
    pub(super) fn done(&self, viewer: &Viewer, path: &str, action: &str, done: Result<String, NotDone>) -> Response {
        let by = viewer.name.as_str();
        let notice = match done {
            Ok(text) => {
                tracing::info!(by, action, "done in the console");
                Notice { is_good: true, text }
            }
            Err(error) => {
                tracing::warn!(by, action, %error, "not done in the console");
                Notice { is_good: false, text: error.to_string() }
            }
        };
        self.sessions.note(viewer, notice);
        go_to(path)
    }
}
