//! Subscriptions. The document reads one without `recurring` in its path too.

use super::terms;
use crate::recurring::SubscriptionAsked;
use crate::rest::auth::Right;
use crate::rest::envelope::{data, done, list, moment};
use crate::rest::json::{Document, Scope};
use crate::rest::problem::Problem;
use crate::rest::users::{PathId, path_id};
use crate::rest::{Front, body};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use jiff::civil::Date;
use persistence::stores::{Standing, Subscription};
use serde_json::{Map, Value, json};

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/recurring/subscription", post(create))
        .route("/api/recurring/subscriptions", get(all))
        .route("/api/recurring/subscription/{id}", get(read).post(change).delete(remove))
        // The document says GET, and its sample sends POST without a body.
        .route("/api/subscription/{id}", get(read).post(read))
}

async fn create(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let asked = body::read(&parts.headers, body, parse).await?;
    let subscription = front.recurring.create_subscription(caller.merchant.id, asked).await?;
    Ok(data(shown(&subscription)))
}

async fn change(State(front): State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let id = path_id(id)?;
    let asked = body::read(&parts.headers, body, parse).await?;
    let subscription = front.recurring.change_subscription(&caller.merchant.id, &id, asked).await?;
    Ok(data(shown(&subscription)))
}

async fn read(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let subscription = front.recurring.subscription(&caller.merchant.id, &path_id(id)?).await?;
    Ok(data(shown(&subscription)))
}

async fn all(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let subscriptions = front.recurring.subscriptions(&caller.merchant.id).await?;
    Ok(list(subscriptions.iter().map(shown).collect()))
}

async fn remove(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    front.recurring.delete_subscription(&caller.merchant.id, &path_id(id)?).await?;
    Ok(done("success"))
}

pub(super) fn parse(bytes: &[u8]) -> Result<SubscriptionAsked, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    Ok(SubscriptionAsked {
        plan: terms::id(body, "plan_id")?,
        customer: terms::id(body.object("customer", "customer.")?, "id")?,
        description: terms::description(body)?,
        terms: terms::read(body)?,
        next_bill_date: next_bill_date(body)?,
    })
}

fn next_bill_date(body: Scope<'_, '_>) -> Result<Option<Date>, Problem> {
    let Some(text) = body.text("next_bill_date")? else { return Ok(None) };
    // jiff reads more forms than the document has.
    let date = text.parse::<Date>().ok().filter(|date| date.year() >= 1970 && date.to_string() == text);
    date.map(Some).ok_or_else(|| body.invalid("next_bill_date", "must be a date such as 2027-11-21"))
}

/// The document's empty list is null here, and its adjustments have no moments.
const NAMES: terms::Names = terms::Names {
    total_add_ons: &["total_adds", "total_add_ons"],
    list: |adjustments| {
        if adjustments.is_empty() { Value::Null } else { adjustments.iter().map(terms::copied).collect() }
    },
};

/// A subscription as its calls and its events show it.
pub(crate) fn shown(subscription: &Subscription) -> Value {
    let mut out = Map::new();
    let plan = if subscription.plan.is_none() { String::new() } else { subscription.plan.to_string() };
    out.insert("id".into(), subscription.id.to_string().into());
    out.insert("plan_id".into(), plan.into());
    out.insert("description".into(), subscription.description.clone().into());
    out.insert("customer".into(), json!({"id": subscription.customer.to_string()}));
    terms::show(&subscription.terms, subscription.billed + 1, &NAMES, &mut out);
    let is_over = matches!(subscription.standing, Standing::Completed);
    out.insert("next_bill_date".into(), if is_over { Value::Null } else { terms::date(subscription.next_bill_at) });
    out.insert("status".into(), subscription.standing.word().into());
    out.insert("number_of_bills".into(), subscription.billed.into());
    out.insert("failed_attempts".into(), subscription.attempts.into());
    let last = subscription.last_transaction;
    out.insert("last_transaction_id".into(), if last.is_none() { String::new() } else { last.to_string() }.into());
    out.insert("created_at".into(), moment(subscription.created_at));
    out.insert("updated_at".into(), moment(subscription.updated_at));
    out.into()
}
