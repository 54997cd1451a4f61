//! Looking payments up: by what is known of them, or among the newest.

use super::act::go_to;
use super::lookup::{Asked, LISTED, Wanted, unreadable};
use super::{Console, figures};
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use maud::{Markup, html};
use persistence::projection::StoredTransaction;
use protocol::money::Currency;
use protocol::transaction::Transaction;
use protocol::words::Status;

/// `GET /console/payments?id=&stan=&last_four=&amount=&day=`
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
    let wanted = asked.wanted(console.front.switch().now());
    let found = match &wanted {
        Ok(Wanted::Transaction(id)) => return go_to(&format!("/console/payments/{id}")),
        Ok(Wanted::Named(name)) => console.named(name).await,
        Ok(Wanted::Sighted(sighting)) => console.sighted(sighting).await,
        Ok(Wanted::Newest) => console.newest().await,
        Err(fault) => Err((*fault).to_owned()),
    };
    let is_search = wanted != Ok(Wanted::Newest);
    if is_search && let Ok([only]) = found.as_deref() {
        return go_to(&format!("/console/payments/{}", only.transaction().id));
    }
    let body = html! {
        h1 { "Payments" }
        (search(&asked))
        @match &found {
            Err(error) => p.notice.bad role="alert" { (error) },
            Ok(payments) if payments.is_empty() => p.hint #nothing {
                @if is_search { "No payment is known by that. A STAN, a card and an amount are looked for on one day: today, if none is given." }
                @else { "There is none yet." }
            },
            Ok(payments) => {
                h2 { @if is_search { "Found" } @else { "The newest" }
                    @if payments.len() == LISTED as usize { small { "the newest " (LISTED) " are shown" } } }
                (console.list(payments))
            },
        }
    };
    console.page(&viewer, "/console/payments", body)
}

pub(super) fn search(asked: &Asked) -> Markup {
    let short = |name: &str, label: &str, value: &str, kind: &str, example: &str| {
        html! { label { (label) input.short[kind == "text"] type=(kind) name=(name) value=(value) placeholder=(example) autocomplete="off"; } }
    };
    html! {
        form.search method="get" action="/console/payments" role="search" {
            label.grow { "Id, RRN or order number" input name="id" value=(asked.id.trim()) autocomplete="off" spellcheck="false"; }
            (short("stan", "or STAN", &asked.stan, "text", "000123"))
            (short("last_four", "last four", &asked.last_four, "text", "5439"))
            (short("amount", "amount", &asked.amount, "text", "12.34"))
            (short("day", "on the day (UTC)", &asked.day, "date", ""))
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
        let begin = history.queries().payments_begin(LISTED).await.map_err(unreadable)?;
        let Some(from) = begin else { return self.all_of_few().await };
        let mut payments = history.queries().payments(from, LISTED).await.map_err(unreadable)?;
        payments.reverse();
        Ok(payments)
    }

    /// Where there are fewer than are listed.
    async fn all_of_few(&self) -> Result<Vec<StoredTransaction>, String> {
        let oldest = persistence::projection::Place::at(protocol::calendar::Micros(i64::MIN));
        let payments = self.front.switch().history().queries().payments(oldest, LISTED).await;
        let mut payments = payments.map_err(unreadable)?;
        payments.reverse();
        Ok(payments)
    }

    fn list(&self, payments: &[StoredTransaction]) -> Markup {
        html! {
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
