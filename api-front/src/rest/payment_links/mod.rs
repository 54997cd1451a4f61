//! The calls of the payment links' documents: `/api/v2/…`, all of them POST, a form or JSON each, with the key in the header `token`;
//! and what shoppers' phones ask for, the QR picture and the way from a link to its page.

mod books;
mod envelope;
mod fields;
mod period;
mod recipients;
mod view;

#[cfg(test)]
mod tests;

use super::auth::Right;
use super::limits::DESCRIPTION_MAX_CHARS;
use super::problem::Problem;
use super::{Caller, Front, body};
use crate::pages::nothing_here;
use crate::payment_links::{LinkAsked, RecipientAsked, UNUSED, USED};
use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use envelope::{Fault, list, one};
use fields::Fields;
use period::Period;
use persistence::stores::{ApiKey, LinkSearch, PayableState, PayoutSearch, RefundState};
use protocol::calendar::Micros;
use recipients::recipients;
use serde::Deserialize;
use view::{FeeInvoiceShown, LinkShown, PayInShown, PayoutShown, RefundShown};

/// Items of a list that says nothing of its length, and most that one may have.
const LIST_LIMIT: u64 = 100;
const LIST_LIMIT_MAX: u64 = 1_000;
/// Longest name of a page that is looked for.
const KEY_MAX_CHARS: usize = 64;

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/v2/createLink", only(post(create)))
        .route("/api/v2/createSplitLink", only(post(create_split)))
        .route("/api/v2/getMyUnusedLinks", only(post(unused)))
        .route("/api/v2/getMyUsedLinks", only(post(used)))
        .route("/api/v2/deleteLink", only(post(delete)))
        .route("/api/v2/getPayInTransactions", only(post(pay_ins)))
        .route("/api/v2/getPayOutTransactions", only(post(payouts)))
        .route("/api/v2/refundPayment", only(post(refund)))
        .route("/api/v2/getTaxInvoiceList", only(post(fee_invoices)))
        .route("/operator/books", get(books::read))
        .route("/payment", get(to_page))
        .route("/qr/{picture}", get(qr_picture))
}

/// A path of this API that is no call of it is refused in its envelope.
pub(super) fn unknown_call(uri: &Uri) -> Option<Response> {
    uri.path().starts_with("/api/v2/").then(|| Fault::Other(Problem::NotFound).into_response())
}

/// Other methods are refused in this API's envelope.
fn only(methods: MethodRouter<Front>) -> MethodRouter<Front> {
    methods.fallback(|| async {
        let mut refused = Fault::Other(Problem::MethodNotAllowed).into_response();
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        refused
    })
}

impl Front {
    /// Who asks, if the key's allowance has room, and the body's fields.
    async fn link_call(&self, request: Request) -> Result<(Caller, Fields), Fault> {
        let (parts, sent) = request.into_parts();
        let token = token_of(&parts.headers).ok_or(Fault::NoToken)?;
        let caller = self.caller_with(Some(token), Right::Manage).await.map_err(|problem| match problem {
            Problem::Unauthorized => Fault::UserNotFound,
            problem => Fault::Other(problem),
        })?;
        let allowed = self.links.allow(&ApiKey::hash_of(token), &caller.merchant.links);
        allowed.map_err(|retry_after_s| Problem::TooManyRequests { retry_after_s })?;
        let fields = body::read_any_type(&parts.headers, sent, |bytes| Fields::read(&parts.headers, bytes)).await?;
        Ok((caller, fields))
    }

    async fn make_link(
        &self,
        caller: &Caller,
        fields: &Fields,
        recipients: Option<Vec<RecipientAsked>>,
    ) -> Result<Response, Fault> {
        let tokens: Vec<String> = recipients.iter().flatten().map(|recipient| recipient.token.clone()).collect();
        let is_sandbox = self.switch.calendar().is_movable();
        let asked = LinkAsked {
            note: fields.text("recipient_note", DESCRIPTION_MAX_CHARS)?.unwrap_or_default(),
            amount: fields.amount("amount")?.ok_or_else(|| Problem::invalid("amount", "is required"))?,
            payment_endpoint: self.told_at(fields.address("paymentEndpoint", is_sandbox)?)?,
            callback_url: fields.address("callback_url", is_sandbox)?,
            recipients,
        };
        let link = self.links.create(&caller.merchant, asked).await?;
        one(LinkShown::of(&self.links, &link, Some(&tokens))?, "Link has been created successfully")
    }

    /// Where a merchant is told must be where webhooks may go.
    fn told_at(&self, url: String) -> Result<String, Problem> {
        let checked = if url.is_empty() { Ok(()) } else { self.webhooks.check_address(&url) };
        checked.map(|()| url).map_err(|reason| Problem::invalid("paymentEndpoint", reason))
    }

    async fn list_links(&self, request: Request, states: &[PayableState]) -> Result<Response, Fault> {
        let (caller, fields) = self.link_call(request).await?;
        let search = LinkSearch {
            merchant: caller.merchant.id,
            states,
            after: fields.number("since")?.unwrap_or(0),
            paid_from: Micros::NONE,
            paid_to: Micros::NEVER,
            limit: limit(&fields)?,
        };
        let (total, links) = self.links.links(&search).await?;
        list(links.iter().map(|link| LinkShown::of(&self.links, link, None)).collect::<Result<_, _>>()?, total)
    }
}

/// The header `token`: the key, or, as the document says of one call, the key "in Bearer format".
fn token_of(headers: &HeaderMap) -> Option<&str> {
    let token = headers.get("token")?.to_str().ok()?.trim();
    let bearer = token.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Some(bearer.map_or(token, |(_, token)| token.trim())).filter(|token| !token.is_empty())
}

fn limit(fields: &Fields) -> Result<u32, Problem> {
    let limit = fields.number("limit")?.unwrap_or(LIST_LIMIT);
    let said = || Problem::invalid("limit", format!("must be 1 to {LIST_LIMIT_MAX}"));
    u32::try_from(limit).ok().filter(|_| (1..=LIST_LIMIT_MAX).contains(&limit)).ok_or_else(said)
}

/// `POST /api/v2/createLink`
async fn create(State(front): State<Front>, request: Request) -> Result<Response, Fault> {
    let (caller, fields) = front.link_call(request).await?;
    front.make_link(&caller, &fields, None).await
}

/// `POST /api/v2/createSplitLink`
async fn create_split(State(front): State<Front>, request: Request) -> Result<Response, Fault> {
    let (caller, fields) = front.link_call(request).await?;
    let recipients = recipients(&fields)?;
    front.make_link(&caller, &fields, Some(recipients)).await
}

/// `POST /api/v2/getMyUnusedLinks`
async fn unused(State(front): State<Front>, request: Request) -> Result<Response, Fault> {
    front.list_links(request, UNUSED).await
}

/// `POST /api/v2/getMyUsedLinks`
async fn used(State(front): State<Front>, request: Request) -> Result<Response, Fault> {
    front.list_links(request, USED).await
}

/// `POST /api/v2/deleteLink`
async fn delete(State(front): State<Front>, request: Request) -> Result<Response, Fault> {
    let (caller, fields) = front.link_call(request).await?;
    let (number, name) = fields.link_number(&["link_id", "id", "pay_id"])?;
    let link = front.links.delete(&caller.merchant.id, number).await.map_err(|error| Fault::about(name, error))?;
    one(LinkShown::of(&front.links, &link, None)?, "Link has been deleted successfully")
}

/// `POST /api/v2/getPayInTransactions`: today's, unless another day, a moment or one payment is named.
async fn pay_ins(State(front): State<Front>, request: Request) -> Result<Response, Fault> {
    let (caller, fields) = front.link_call(request).await?;
    let merchant = caller.merchant.id;
    if fields.has("pay_id") {
        let (number, _) = fields.link_number(&["pay_id"])?;
        let link = front.links.link(&merchant, number).await?;
        let shown: Vec<_> = USED.contains(&link.state).then(|| PayInShown::of(&front.links, &link)).into_iter().collect();
        let total = shown.len() as u64;
        return list(shown.into_iter().collect::<Result<_, _>>()?, total);
    }
    let period = Period::of_pay_ins(&fields, front.switch.calendar().now())?;
    let Period { after, from, to } = period;
    let search = LinkSearch { merchant, states: USED, after, paid_from: from, paid_to: to, limit: limit(&fields)? };
    let (total, links) = front.links.links(&search).await?;
    list(links.iter().map(|link| PayInShown::of(&front.links, link)).collect::<Result<_, _>>()?, total)
}

/// `POST /api/v2/getPayOutTransactions`
async fn payouts(State(front): State<Front>, request: Request) -> Result<Response, Fault> {
    let (caller, fields) = front.link_call(request).await?;
    let Period { after, from, to } = Period::of_payouts(&fields)?;
    let search = PayoutSearch { merchant: caller.merchant.id, after, from, to, limit: limit(&fields)? };
    let (total, payouts) = front.switch.stores().payouts(&search).await.map_err(crate::payment_links::LinkError::from)?;
    list(payouts.iter().map(PayoutShown::of).collect(), total)
}

/// `POST /api/v2/refundPayment`: all that is left of the payment, or an amount of it.
async fn refund(State(front): State<Front>, request: Request) -> Result<Response, Fault> {
    let (caller, fields) = front.link_call(request).await?;
    let (number, name) = fields.link_number(&["pay_id", "id", "link_id"])?;
    let refunded = front.links.refund(&caller.merchant.id, number, fields.amount("amount")?).await;
    let (refund, link) = refunded.map_err(|error| Fault::about(name, error))?;
    let said = match refund.state {
        RefundState::Done => "Payment has been refunded successfully",
        RefundState::Waiting => "Refund request has been submitted: it is carried out when the payment is settled",
        RefundState::Refused => "Refund has been declined",
    };
    one(RefundShown::of(&front.links, &refund, &link)?, said)
}

/// `POST /api/v2/getTaxInvoiceList`
async fn fee_invoices(State(front): State<Front>, request: Request) -> Result<Response, Fault> {
    let (caller, fields) = front.link_call(request).await?;
    let after = fields.number("since")?.unwrap_or(0);
    let invoices = front.switch.stores().fee_invoices(&caller.merchant.id, after, limit(&fields)?).await;
    let (total, invoices) = invoices.map_err(crate::payment_links::LinkError::from)?;
    list(invoices.iter().map(FeeInvoiceShown::of).collect(), total)
}

/// The query of a link.
#[derive(Deserialize)]
struct LinkQuery {
    key: Option<String>,
}

/// `GET /payment?link_id=…&key=…`: the page on which the link is paid. Without a key that could be one, a shopper's page says so.
async fn to_page(State(front): State<Front>, Query(query): Query<LinkQuery>) -> Response {
    match query.key.filter(|key| is_key(key)) {
        Some(key) => Redirect::to(&front.links.page_url(&key)).into_response(),
        None => nothing_here(),
    }
}

/// `GET /qr/{key}.png`. A link's address never changes, so neither does its picture.
async fn qr_picture(State(front): State<Front>, Path(picture): Path<String>) -> Result<Response, Problem> {
    let key = picture.strip_suffix(".png").filter(|key| is_key(key)).ok_or(Problem::NotFound)?;
    let png = front.links.qr_picture(key).await.map_err(|error| match Fault::from(error) {
        Fault::Other(problem) => problem,
        Fault::NoToken | Fault::UserNotFound => Problem::NotFound,
    })?;
    let headers = [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "private, max-age=86400, immutable")];
    Ok((headers, png).into_response())
}

fn is_key(key: &str) -> bool {
    (1..=KEY_MAX_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
