//! Payment requests: `POST /v1/payment/create`, `GET /v1/payment/status/{id}`. Bearer.

mod read;

#[cfg(test)]
mod tests;

use super::Front;
use super::auth::Right;
use super::body;
use super::plain_problem::{PlainProblem, only};
use super::problem::Problem;
use super::sent::Sent;
use crate::payables::{Made, NewPayable, object};
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use persistence::stores::{Face, Payable};
use serde_json::Value;

/// Seconds of a day.
const DAY_S: u32 = 86_400;

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/v1/payment/create", only(post(create), "POST"))
        .route("/v1/payment/status/{id}", only(get(status), "GET,HEAD"))
}

/// `POST /v1/payment/create`
async fn create(State(front): State<Front>, request: Request) -> Result<Response, PlainProblem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let in_sandbox = caller.merchant.sandbox;
    let asked = body::read(&parts.headers, body, |bytes| read::request(Sent::read(bytes)?, in_sandbox)).await?;
    let read::Asked { id, amount, currency, page, callback_url, body } = asked;
    front.webhooks.check_address(&callback_url).map_err(|reason| Problem::invalid("callback_url", reason))?;
    let asked = NewPayable {
        merchant: caller.merchant.id,
        face: Face::Request,
        reference: id,
        public_id: None,
        amount,
        currency,
        page,
        body: Value::Object(body.clone()).to_string(),
        expires_at: front.switch.calendar().now().plus_s(front.payment_request_days * DAY_S),
    };
    match front.payables.create_again(asked).await? {
        Made::New(made) => shown(&front, &made),
        Made::Known(known) if is_the_same(&known, &Value::Object(body)) => shown(&front, &known),
        Made::Known(_) => {
            Err(Problem::Conflict("id: a payment request with this id and another content is there".to_owned()).into())
        }
    }
}

/// `GET /v1/payment/status/{id}`
async fn status(
    State(front): State<Front>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, PlainProblem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let Path(id) = id.map_err(|_| Problem::NotFound)?;
    let request = front.payables.of_page(&id).await?;
    if request.merchant != caller.merchant.id || request.face != Face::Request {
        return Err(Problem::NotFound.into());
    }
    shown(&front, &request)
}

fn is_the_same(request: &Payable, body: &Value) -> bool {
    serde_json::from_str::<Value>(&request.body).is_ok_and(|kept| kept == *body)
}

fn shown(front: &Front, request: &Payable) -> Result<Response, PlainProblem> {
    let shown = object(request, &front.payables.pay_url(request))?;
    Ok(super::answer::ok(Value::Object(shown).to_string().into_bytes()))
}
