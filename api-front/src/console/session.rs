//! Who has signed in: sessions in memory, known by the hash of their cookie. A restart ends them all.

use crate::accounts::{AccountError, passwords};
use crate::sandbox_home::random_bytes;
use axum::http::{HeaderMap, header};
use parking_lot::Mutex;
use persistence::stores::ApiKey;
use protocol::change::ChangedBy;
use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use zeroize::Zeroizing;

/// The cookie's name.
const COOKIE: &str = "switchyard_console";
/// Sessions at a time; past it the one that was used longest ago ends.
const SESSIONS_MAX: usize = 256;
/// A session that is not used for so long ends.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// A session ends after so long, used or not.
const AGE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// Passwords that are compared at a time; further ones are refused at once, for each costs a core some 50 ms.
const SIGN_INS_MAX: usize = 4;
/// How long a wrong sign-in waits for its answer, so that guessing is slow.
const WRONG_WAIT: Duration = Duration::from_secs(1);
/// Random bytes of a cookie and of a form's token.
const TOKEN_BYTES: usize = 32;

/// What somebody who has signed in may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Change what an operator may change.
    Operator,
}

impl Role {
    /// The word on pages and in the configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
        }
    }
}

/// Somebody whom the configuration lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleUser {
    /// The name to sign in with.
    pub name: String,
    /// What this user may do.
    pub role: Role,
    /// Argon2 hash of the password, PHC form.
    pub password_hash: String,
}

impl ConsoleUser {
    /// What the configuration keeps of a password.
    pub fn hash_of(password: &str) -> Result<String, AccountError> {
        passwords::hash(password)
    }
}

/// Who looks at a page.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    /// The name in the log.
    pub(crate) name: String,
    /// The name in the changes that are made.
    pub(crate) by: ChangedBy,
    pub(crate) role: Role,
    /// What a form of this session must bring back.
    pub(crate) form_token: String,
    key: [u8; 32],
}

/// Something to be told on the next page.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) is_good: bool,
    pub(crate) text: String,
}

struct Session {
    viewer: Viewer,
    began: Instant,
    used: Instant,
    notice: Option<Notice>,
}

impl Session {
    fn lives(&self, now: Instant) -> bool {
        now.duration_since(self.used) < IDLE_MAX && now.duration_since(self.began) < AGE_MAX
    }
}

/// Why nobody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotIn {
    /// The name, the password or the key is wrong.
    Wrong,
    /// Too many try at a time.
    Busy,
}

/// All sessions, and who may begin one.
pub(crate) struct Sessions {
    users: Vec<ConsoleUser>,
    open: Mutex<HashMap<[u8; 32], Session>>,
    turns: Arc<Semaphore>,
}

impl Sessions {
    pub(crate) fn new(users: Vec<ConsoleUser>) -> Sessions {
        Sessions { users, open: Mutex::default(), turns: Arc::new(Semaphore::new(SIGN_INS_MAX)) }
    }

    /// Whether a name and a password, or the operator's key alone, may come in.
    pub(crate) async fn judge(&self, name: &str, secret: &str, is_operator_key: bool) -> Result<(String, Role), NotIn> {
        let turn = self.turns.try_acquire().map_err(|_| NotIn::Busy)?;
        if name.is_empty() && is_operator_key {
            return Ok((ChangedBy::OPERATOR_KEY.name().to_owned(), Role::Operator));
        }
        let user = self.users.iter().find(|user| user.name == name);
        if !name.is_empty() {
            let (secret, hash) = (Zeroizing::new(secret.to_owned()), user.map(|user| user.password_hash.clone()));
            let judged = spawn_blocking(move || passwords::is_right(&secret, hash.as_deref())).await;
            if let (Ok(true), Some(user)) = (judged, user) {
                return Ok((user.name.clone(), user.role));
            }
        }
        // Whoever is wrong waits without keeping others from their turn.
        drop(turn);
        sleep(WRONG_WAIT).await;
        Err(NotIn::Wrong)
    }

    /// Begins a session and gives the `Set-Cookie` that carries it.
    pub(crate) fn begin(&self, name: String, role: Role, is_encrypted: bool) -> io::Result<String> {
        let (cookie, form_token) = (token()?, token()?);
        let (key, now) = (ApiKey::hash_of(&cookie), Instant::now());
        // The configuration was checked: its names are no longer than a change's.
        let by = ChangedBy::of(&name).unwrap_or_default();
        let viewer = Viewer { name, by, role, form_token, key };
        let mut open = self.open.lock();
        open.retain(|_, session| session.lives(now));
        if open.len() >= SESSIONS_MAX {
            let oldest = open.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key);
            oldest.and_then(|key| open.remove(&key));
        }
        open.insert(key, Session { viewer, began: now, used: now, notice: None });
        let secure = if is_encrypted { "; Secure" } else { "" };
        Ok(format!("{COOKIE}={cookie}; Path=/console; HttpOnly; SameSite=Strict{secure}"))
    }

    /// Whoever a request's cookie belongs to, and what is to be told on this page.
    pub(crate) fn viewer(&self, headers: &HeaderMap) -> Option<Viewer> {
        let key = ApiKey::hash_of(cookie(headers)?);
        let (mut open, now) = (self.open.lock(), Instant::now());
        let session = open.get_mut(&key).filter(|session| session.lives(now))?;
        session.used = now;
        Some(session.viewer.clone())
    }

    /// The same for a page that refreshes itself: that is no use, and keeps no session alive.
    pub(crate) fn viewer_unused(&self, headers: &HeaderMap) -> Option<Viewer> {
        let (key, now) = (ApiKey::hash_of(cookie(headers)?), Instant::now());
        self.open.lock().get(&key).filter(|session| session.lives(now)).map(|session| session.viewer.clone())
    }

    /// True when a form was given out to this viewer.
    pub(crate) fn has_sent(viewer: &Viewer, form_token: &str) -> bool {
        viewer.form_token.as_bytes().ct_eq(form_token.as_bytes()).into()
    }

    /// What the next page tells.
    pub(crate) fn note(&self, viewer: &Viewer, notice: Notice) {
        if let Some(session) = self.open.lock().get_mut(&viewer.key) {
            session.notice = Some(notice);
        }
    }

    /// What this page tells; told once.
    pub(crate) fn take_notice(&self, viewer: &Viewer) -> Option<Notice> {
        self.open.lock().get_mut(&viewer.key).and_then(|session| session.notice.take())
    }

    /// Ends a session.
    pub(crate) fn end(&self, viewer: &Viewer) {
        self.open.lock().remove(&viewer.key);
    }
}

/// The `Set-Cookie` that takes the cookie away.
pub(crate) fn no_cookie() -> String {
    format!("{COOKIE}=; Path=/console; HttpOnly; SameSite=Strict; Max-Age=0")
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    pairs.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn token() -> io::Result<String> {
    let mut text = String::with_capacity(TOKEN_BYTES * 2);
    for byte in random_bytes(TOKEN_BYTES)? {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookie(set: &str) -> HeaderMap {
        let pair = set.split(';').next().unwrap();
        HeaderMap::from_iter([(header::COOKIE, format!("a=b; {pair}").parse().unwrap())])
    }

    #[test]
    fn a_session_is_known_by_its_cookie_until_it_ends_and_its_forms_by_their_token() {
        let sessions = Sessions::new(Vec::new());
        let set = sessions.begin("ann".into(), Role::Viewer, false).unwrap();
        assert!(set.contains("HttpOnly; SameSite=Strict") && !set.contains("Secure"), "{set}");
        let viewer = sessions.viewer(&with_cookie(&set)).unwrap();
        assert_eq!((viewer.name.as_str(), viewer.role), ("ann", Role::Viewer));
        assert!(Sessions::has_sent(&viewer, &viewer.form_token.clone()) && !Sessions::has_sent(&viewer, ""));
        assert!(sessions.viewer(&with_cookie("switchyard_console=0000")).is_none());
        sessions.note(&viewer, Notice { is_good: true, text: "done".into() });
        assert!(sessions.take_notice(&viewer).is_some() && sessions.take_notice(&viewer).is_none(), "told once");
        sessions.end(&viewer);
        assert!(sessions.viewer(&with_cookie(&set)).is_none());
    }

    #[test]
    fn more_sessions_than_may_be_end_the_one_that_was_used_longest_ago() {
        let sessions = Sessions::new(Vec::new());
        let first = sessions.begin("first".into(), Role::Viewer, true).unwrap();
        assert!(first.ends_with("Secure"));
        (0..SESSIONS_MAX).for_each(|_| drop(sessions.begin("next".into(), Role::Viewer, true).unwrap()));
        assert!(sessions.viewer(&with_cookie(&first)).is_none());
        assert_eq!(sessions.open.lock().len(), SESSIONS_MAX);
    }

    #[tokio::test]
    async fn users_come_in_by_their_password_and_the_key_by_itself() {
        let password_hash = passwords::hash("correct horse").unwrap();
        let ann = ConsoleUser { name: "ann".into(), role: Role::Viewer, password_hash };
        let sessions = Sessions::new(vec![ann]);
        assert_eq!(sessions.judge("ann", "correct horse", false).await, Ok(("ann".into(), Role::Viewer)));
        assert_eq!(sessions.judge("", "the key", true).await.map(|(_, role)| role), Ok(Role::Operator));
        let wrong = [("ann", "wrong", false), ("bob", "correct horse", false), ("", "", false), ("ann", "key", true)];
        let [one, two, three, four] = wrong.map(|(name, secret, is_key)| sessions.judge(name, secret, is_key));
        let (one, two, three, four) = tokio::join!(one, two, three, four);
        assert_eq!([one, two, three, four], [const { Err(NotIn::Wrong) }; 4], "{wrong:?}");
    }
}
