//! Merchants: which there are, how one is made, and the switch that stops one.

use super::tables::expected;
use super::{PathId, data, id, list as list_of};
use crate::accounts::AccountError;
use crate::accounts::keys::NotMade as NoKey;
use crate::accounts::users::create_admin;
use crate::operator::changes::Order;
use crate::operator::{MerchantStanding, MerchantWish};
use crate::payment_links::percent;
use crate::rest::problem::Problem;
use crate::rest::{Front, body};
use crate::sandbox_home::random_bytes;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use persistence::stores::KeyKind;
use protocol::change::ChangedBy;
use protocol::id::Xid;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Write;

/// Name of the keys that a merchant is made with.
const FIRST_KEY: &str = "first";
/// Random bytes of a first user's password.
const PASSWORD_RANDOM_BYTES: usize = 12;
/// Characters of a merchant's name that its first user's name begins with.
const USERNAME_HEAD_CHARS: usize = 24;

/// A merchant that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMerchant {
    name: String,
    #[serde(default)]
    settings: Option<MerchantWish>,
}

/// `GET /operator/merchants`
pub(super) async fn list(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    Ok(list_of(front.switch.operator().merchants().await.iter().map(|merchant| front.show_merchant(merchant)).collect()))
}

/// `GET /operator/merchants/{id}`
pub(super) async fn read(State(front): State<Front>, path: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    front.merchant_now(id(path)?).await
}

/// `POST /operator/merchants`: what opens the account is told here and never again.
pub(super) async fn make(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, sent) = request.into_parts();
    front.permit_operator(&parts.headers)?;
    let NewMerchant { name, settings } = read_json(&parts.headers, sent).await?;
    let settings = settings.unwrap_or_default();
    let operator = front.switch.operator();
    operator.check_merchant(&name, &settings)?;
    let merchant = front.switch.draw_id();
    // Keys first: without its account a key opens nothing, but an account whose keys nobody was told could not be made again.
    let credentials = front.make_credentials(merchant, &name).await?;
    let made = operator.make_merchant(merchant, &name, settings, ChangedBy::OPERATOR_KEY).await?;
    let Credentials { api_key, pub_key, username, password } = credentials;
    Ok(data(json!({
        "id": merchant.to_string(),
        "name": name,
        "api_key": api_key,
        "pub_key": pub_key,
        "username": username,
        "password": password,
        "change_id": made.id.to_string(),
        "version": made.version,
    })))
}

/// `POST /operator/merchants/{id}/suspend`: nothing new from its next request on. What is under way is finished.
pub(super) async fn suspend(state: State<Front>, path: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    set_active(state, path, headers, false).await
}

/// `POST /operator/merchants/{id}/resume`
pub(super) async fn resume(state: State<Front>, path: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    set_active(state, path, headers, true).await
}

async fn set_active(State(front): State<Front>, path: PathId, headers: HeaderMap, active: bool) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    let merchant = front.known_merchant(id(path)?)?;
    let order = Order::of(ChangedBy::OPERATOR_KEY).expecting(expected(&headers)?);
    front.switch.operator().set_merchant_active(merchant, active, order).await?;
    front.merchant_now(merchant).await
}

/// `POST /operator/merchants/{id}/settings`: what is given changes, what is not stays.
pub(super) async fn settings(State(front): State<Front>, path: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, sent) = request.into_parts();
    front.permit_operator(&parts.headers)?;
    let merchant = front.known_merchant(id(path)?)?;
    let wish: MerchantWish = read_json(&parts.headers, sent).await?;
    let order = Order::of(ChangedBy::OPERATOR_KEY).expecting(expected(&parts.headers)?);
    front.switch.operator().set_merchant_settings(merchant, wish, order).await?;
    front.merchant_now(merchant).await
}

/// The body as the thing that it must be; the error names the field by its path.
pub(super) async fn read_json<T: DeserializeOwned>(headers: &HeaderMap, sent: Body) -> Result<T, Problem> {
    let read = body::read(headers, sent, |bytes| {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let parsed = serde_path_to_error::deserialize(&mut json);
        parsed.map_err(|error| Problem::invalid("body", error.to_string()))
    });
    read.await
}

/// What opens a new account.
struct Credentials {
    api_key: String,
    pub_key: String,
    username: String,
    password: String,
}

impl Front {
    pub(super) fn known_merchant(&self, id: Xid) -> Result<Xid, Problem> {
        self.switch.merchant(&id).map(|merchant| merchant.id).ok_or(Problem::NotFound)
    }

    async fn merchant_now(&self, id: Xid) -> Result<Response, Problem> {
        let standing = self.switch.operator().merchant(id).await.ok_or(Problem::NotFound)?;
        Ok(data(self.show_merchant(&standing)))
    }

    async fn make_credentials(&self, merchant: Xid, name: &str) -> Result<Credentials, Problem> {
        let (username, password) = (username(name, merchant), password()?);
        let (stores, id, now) = (self.switch.stores(), self.switch.draw_id(), self.switch.now());
        // The name ends with the merchant's own id, so that nobody else has it.
        create_admin(stores, merchant, &username, &password, id, now).await?;
        let api_key = self.make_key(merchant, KeyKind::Api).await?;
        let pub_key = self.make_key(merchant, KeyKind::Public).await?;
        Ok(Credentials { api_key, pub_key, username, password })
    }

    async fn make_key(&self, merchant: Xid, kind: KeyKind) -> Result<String, Problem> {
        let made = self.accounts.make_key(merchant, Xid::NONE, kind, FIRST_KEY.to_owned()).await;
        made.map(|made| made.text).map_err(|why| match why {
            NoKey::TooManyKeys => Problem::Internal,
            NoKey::Failed(error) => error.into(),
        })
    }

    fn show_merchant(&self, standing: &MerchantStanding) -> Value {
        let MerchantStanding { merchant, made_at_run_time, settings, version } = standing;
        let name = |index: u16| self.switch.processors().by_index(index).map(|processor| &processor.name);
        json!({
            "id": merchant.id.to_string(),
            "name": merchant.name,
            "active": merchant.active,
            "made_at_run_time": made_at_run_time,
            "duplicate_window_s": merchant.duplicate_window_s,
            "card_processor": name(merchant.processors.card),
            "ach_processor": name(merchant.processors.ach),
            "terminal_processor": name(merchant.processors.terminal),
            "compat": {"live": merchant.compat.live, "arrays": merchant.compat.arrays},
            "sandbox": merchant.sandbox,
            "links": {
                "service_fee": percent(merchant.links.service_fee_bp),
                "payout_at": merchant.links.payout_at.to_string(),
                "requests_per_s": merchant.links.requests_per_s,
                "requests_burst": merchant.links.requests_burst,
            },
            "settings": settings,
            "version": version,
        })
    }
}

fn username(name: &str, merchant: Xid) -> String {
    let head = name.chars().filter(char::is_ascii_alphanumeric).take(USERNAME_HEAD_CHARS);
    let head: String = head.map(|character| character.to_ascii_lowercase()).collect();
    format!("{head}_{merchant}")
}

fn password() -> Result<String, Problem> {
    let drawn = random_bytes(PASSWORD_RANDOM_BYTES);
    let drawn = drawn.map_err(|_| AccountError::Cryptography { operation: "draw a password" })?;
    let mut password = String::with_capacity(2 * PASSWORD_RANDOM_BYTES);
    for byte in drawn {
        // Writing to a string can't fail.
        let _ = write!(password, "{byte:02x}");
    }
    Ok(password)
}
