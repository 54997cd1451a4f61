//! Orders: `POST /api/v1/orders`, `GET /api/v1/orders/{id}`. HTTP Basic, the secret key as the user's name.

mod read;

#[cfg(test)]
mod tests;

use super::auth::Right;
use super::body;
use super::peer::is_readable_by_others;
use super::plain_problem::{PlainProblem, only};
use super::problem::Problem;
use super::sent::Sent;
use super::{Caller, Front};
use crate::payables::{Made, NewPayable, object};
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderValue, LOCATION};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use persistence::stores::{Face, Payable};
use protocol::calendar::Micros;
use serde_json::Value;

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/v1/orders", only(post(create), "POST"))
        .route("/api/v1/orders/{id}", only(get(read_one), "GET,HEAD"))
}

/// `POST /api/v1/orders`
async fn create(State(front): State<Front>, request: Request) -> Result<Response, PlainProblem> {
    let (parts, body) = request.into_parts();
    let caller = caller(&front, &parts).await?;
    let order = body::read(&parts.headers, body, |bytes| read::order(Sent::read(bytes)?)).await?;
    let merchant = caller.merchant.id;
    let read::Order { id, amount, currency, page, body } = order;
    let asked = NewPayable {
        merchant,
        face: Face::Order,
        reference: id,
        public_id: None,
        amount,
        currency,
        page,
        body: Value::Object(body.clone()).to_string(),
        expires_at: Micros::NONE,
    };
    match front.payables.create(asked).await? {
        Made::New(order) => shown(&front, &order),
        Made::Known(order) if is_the_same(&order, &Value::Object(body)) => shown(&front, &order),
        Made::Known(_) => Err(Problem::Conflict("id: an order with this id and another content is there".to_owned()).into()),
    }
}

/// `GET /api/v1/orders/{id}`
async fn read_one(
    State(front): State<Front>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, PlainProblem> {
    let (parts, _) = request.into_parts();
    let caller = caller(&front, &parts).await?;
    let Path(id) = id.map_err(|_| Problem::NotFound)?;
    // The document's sample makes an order under an id in capitals and asks for it in small letters.
    let order = front.payables.of_any_case(&caller.merchant.id, Face::Order, &id).await?;
    shown(&front, &order)
}

/// Who asks. A key in clear on a network that others can listen to is refused, as the document promises.
async fn caller(front: &Front, parts: &Parts) -> Result<Caller, Problem> {
    if is_readable_by_others(parts, &front.trusted_proxies) {
        return Err(Problem::Forbidden("plain HTTP is refused here: use HTTPS"));
    }
    front.caller_with(basic_user(&parts.headers).as_deref(), Right::Manage).await
}

/// The user's name in `Authorization: Basic …`; the password is not looked at.
fn basic_user(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = text.split_once(' ')?;
    let decoded = STANDARD.decode(credentials.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let (user, _) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(user.to_owned()).filter(|user| !user.is_empty())
}

fn is_the_same(order: &Payable, body: &Value) -> bool {
    serde_json::from_str::<Value>(&order.body).is_ok_and(|kept| kept == *body)
}

fn shown(front: &Front, order: &Payable) -> Result<Response, PlainProblem> {
    let shown = object(order, &front.payables.pay_url(order))?;
    let mut response = super::answer::ok(Value::Object(shown).to_string().into_bytes());
    if let Ok(place) = HeaderValue::try_from(format!("/api/v1/orders/{}", read::path_segment(&order.reference))) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}
