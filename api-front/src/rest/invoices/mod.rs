//! The invoice calls.

mod read;
mod view;

use super::Front;
use super::auth::Right;
use super::bodies::Body;
use super::body;
use super::envelope::{data, done, page};
use super::problem::Problem;
use super::users::{PathId, path_id};
use crate::invoices::InvoiceError;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use protocol::id::Xid;

pub(super) const BODIES: &[Body] =
    &[("invoice", |bytes| read::terms(bytes).map(drop)), ("invoice_search", |bytes| read::search(bytes, Xid::NONE).map(drop))];

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/api/invoice", post(create))
        .route("/api/invoice/{id}", get(read_one).post(change).delete(remove))
        .route("/api/invoices/search", post(search))
}

/// `POST /api/invoice`
async fn create(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let terms = body::read(&parts.headers, body, read::terms).await?;
    let invoice = front.invoices.create(caller.merchant.id, terms).await?;
    Ok(data(view::invoice(&invoice, &front.invoices.hosted_url(&invoice))))
}

/// `GET /api/invoice/{id}`
async fn read_one(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    let invoice = front.invoices.invoice(&caller.merchant.id, &path_id(id)?).await?;
    Ok(data(view::invoice(&invoice, &front.invoices.hosted_url(&invoice))))
}

/// `POST /api/invoice/{id}`
async fn change(State(front): State<Front>, id: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let id = path_id(id)?;
    let terms = body::read(&parts.headers, body, read::terms).await?;
    let invoice = front.invoices.change(&caller.merchant.id, &id, terms).await?;
    Ok(data(view::invoice(&invoice, &front.invoices.hosted_url(&invoice))))
}

/// `POST /api/invoices/search`
async fn search(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let search = body::read(&parts.headers, body, |bytes| read::search(bytes, caller.merchant.id)).await?;
    let (total, found) = front.invoices.search(&search).await?;
    let shown = found.iter().map(|invoice| view::invoice(invoice, &front.invoices.hosted_url(invoice)));
    Ok(page(shown.collect(), total))
}

/// `DELETE /api/invoice/{id}`
async fn remove(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let caller = front.caller(&headers, Right::Manage).await?;
    front.invoices.delete(&caller.merchant.id, &path_id(id)?).await?;
    Ok(done("success"))
}

impl From<InvoiceError> for Problem {
    fn from(error: InvoiceError) -> Problem {
        match error {
            InvoiceError::NotFound => Problem::NotFound,
            InvoiceError::Changed => Problem::Conflict("the invoice was changed meanwhile".to_owned()),
            InvoiceError::Sum(error) => Problem::invalid(error.field(), error.reason()),
            InvoiceError::NoAddress { party } => {
                Problem::invalid(format!("{party}.id"), "must be the id of a customer's address")
            }
            InvoiceError::BeingPaid => Problem::Conflict("a payment of the invoice is under way".to_owned()),
            InvoiceError::OtherCurrency(code) => Problem::invalid("currency", format!("must be {code}: a part is paid in it")),
            InvoiceError::Payable(error) => error.into(),
            InvoiceError::Unreadable => {
                tracing::error!(%error, "invoices");
                Problem::Internal
            }
            InvoiceError::Failed(_) => {
                tracing::warn!(%error, "invoices");
                Problem::StoreUnavailable
            }
        }
    }
}
