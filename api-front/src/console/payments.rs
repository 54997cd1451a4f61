//! Looking payments up: by id, or among the newest.

use super::act::go_to;
use super::{Console, figures};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use maud::{Markup, html};
use persistence::projection::StoredTransaction;
use protocol::id::Xid;
use protocol::money::Currency;
use protocol::transaction::Transaction;
use protocol::words::Status;
use serde::Deserialize;

/// Payments that are listed, the newest.
const LISTED: u32 = 50;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    id: String,
}

/// `GET /console/payments?id=`
pub(super) async fn show(
    State(console): State<Console>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let viewer = match console.viewer(&headers) {
        Ok(viewer) => viewer,
        Err(response) => return *response,
    };
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let wanted = asked.id.trim();
    if let Ok(id) = wanted.parse::<Xid>() {
        return go_to(&format!("/console/payments/{id}"));
    }
    let body = html! {
        h1 { "Payments" }
        (search(wanted))
        @if !wanted.is_empty() { p.notice.bad { "An id has twenty letters and digits, as in every answer's “id”." } }
        h2 { "The newest" }
        @match console.newest().await {
            Err(error) => p.notice.bad { (error) },
            Ok(payments) => (console.list(&payments)),
        }
    };
    console.page(&viewer, "/console/payments", body)
}

pub(super) fn search(wanted: &str) -> Markup {
    html! {
        form.search method="get" action="/console/payments" role="search" {
            label.grow { "Transaction id" input name="id" value=(wanted) autocomplete="off" spellcheck="false"; }
            button.primary { "Look up" }
        }
    }
}

/// The colour of a status.
pub(super) fn colour(status: Status) -> &'static str {
    match status {
        Status::Declined | Status::Returned => "bad",
        Status::Unknown | Status::Reversed => "warn",
        Status::Settled | Status::PendingSettlement | Status::Authorized => "good",
        _ => "off",
    }
}

impl Console {
    async fn newest(&self) -> Result<Vec<StoredTransaction>, String> {
        let history = self.front.switch().history();
        history.catch_up().await.map_err(|error| error.to_string())?;
        let fault = |error: persistence::PersistenceError| {
            tracing::warn!(%error, "the newest payments can't be read");
            "the payments can't be read at the moment".to_owned()
        };
        let Some(from) = history.queries().payments_begin(LISTED).await.map_err(fault)? else { return self.all_of_few().await };
        let mut payments = history.queries().payments(from, LISTED).await.map_err(fault)?;
        payments.reverse();
        Ok(payments)
    }

    /// Where there are fewer than are listed.
    async fn all_of_few(&self) -> Result<Vec<StoredTransaction>, String> {
        let oldest = persistence::projection::Place::at(protocol::calendar::Micros(i64::MIN));
        let payments = self.front.switch().history().queries().payments(oldest, LISTED).await;
        let mut payments = payments.map_err(|_| "the payments can't be read at the moment".to_owned())?;
        payments.reverse();
        Ok(payments)
    }

    fn list(&self, payments: &[StoredTransaction]) -> Markup {
        html! {
            @if payments.is_empty() { p.hint { "There is none yet." } }
            div.scroll { table.payments {
                thead { tr { th { "at" } th { "id" } th { "type" } th { "status" } th.n { "code" } th.n { "amount" } th { "by" } th { "processor" } } }
                tbody { @for stored in payments { (self.row(stored.transaction())) } }
            } }
        }
    }

    fn row(&self, payment: &Transaction) -> Markup {
        let processor = self.front.switch().processors().by_index(payment.processor.get());
        let by = match payment.masked_card() {
            card if card.is_empty() => payment.payment_method().word().to_owned(),
            card => card,
        };
        html! {
            tr {
                td { (figures::moment(protocol::calendar::Micros(payment.created_at.get()))) }
                td { a href={ "/console/payments/" (payment.id) } { code { (payment.id) } } }
                td { (payment.verb().word()) }
                td { span.pill.(colour(payment.status())) { (payment.status().word().replace('_', " ")) } }
                td.n { (payment.response_code().0) }
                td.n { (figures::money(payment.amount.get(), Currency::from_numeric(payment.currency.get()))) }
                td { (by) }
                td { (processor.map_or("–", |processor| processor.name.as_str())) }
            }
        }
    }
}
