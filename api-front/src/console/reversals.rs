//! Reversals that wait for their processor, and how an operator ends one.

use super::act::NotDone;
use super::session::Viewer;
use super::{Console, figures, page};
use crate::operator::actions;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use persistence::projection::StoredTransaction;
use protocol::id::Xid;
use protocol::money::Currency;

/// Reversals that are listed.
const LISTED: u32 = 200;

/// `GET /console/reversals`
pub(super) async fn show(State(console): State<Console>, headers: HeaderMap) -> Response {
    let viewer = match console.viewer(&headers) {
        Ok(viewer) => viewer,
        Err(response) => return *response,
    };
    let queued = console.front.switch().past().queued_reversals(Xid::NONE, LISTED).await;
    let body = html! {
        h1 { "Reversals" }
        p.explained {
            "What a processor may hold although nobody was told of an approval. Each is sent again until the processor acknowledges it. "
            "Take one over only when you have seen to it that the processor holds nothing of the payment."
        }
        @match queued {
            Err(error) => p.notice.bad { (error) },
            Ok(queued) if queued.is_empty() => p.attention.good { "None waits." },
            Ok(queued) => (console.queue(&viewer, &queued)),
        }
    };
    console.page(&viewer, "/console/reversals", body)
}

/// `POST /console/reversals/{id}/take-over`
pub(super) async fn take_over(State(console): State<Console>, Path(id): Path<String>, request: Request) -> Response {
    let (viewer, _) = match console.ordered(request).await {
        Ok(ordered) => ordered,
        Err(response) => return *response,
    };
    let Ok(wanted) = id.parse::<Xid>() else { return StatusCode::NOT_FOUND.into_response() };
    let done = console.end(&viewer, wanted).await;
    console.done(&viewer, "/console/reversals", &format!("take over the reversal of {id}"), done)
}

impl Console {
    async fn end(&self, viewer: &Viewer, wanted: Xid) -> Result<String, NotDone> {
        actions::take_over(self.front.switch(), wanted, viewer.by).await?;
        Ok(format!("The reversal of {wanted} is yours: it is not sent again."))
    }

    fn queue(&self, viewer: &Viewer, queued: &[StoredTransaction]) -> Markup {
        let switch = self.front.switch();
        html! {
            div.scroll { table {
                thead { tr { th { "transaction" } th { "processor" } th.n { "amount" } th { "why" } th { "state" } th.n { "waits" } th {} } }
                tbody {
                    @for stored in queued {
                        @let transaction = stored.transaction();
                        @let reversal = &transaction.reversal;
                        @let waited = (switch.now().seconds() - reversal.queued_at().seconds()).max(0).unsigned_abs();
                        tr {
                            td { a href={ "/console/payments/" (transaction.id) } { code { (transaction.id) } } }
                            td { (switch.processors().by_index(transaction.processor.get()).map_or("–", |processor| processor.name.as_str())) }
                            td.n { (figures::money(transaction.amount.get(), Currency::from_numeric(transaction.currency.get()))) }
                            td { (reversal.reason().word().replace('_', " ")) }
                            td { span.pill.warn { (reversal.state().word().replace('_', " ")) } }
                            td.n { (figures::age(waited)) }
                            td { (page::button(viewer, &format!("/console/reversals/{}/take-over", transaction.id), "danger", "Take over")) }
                        }
                    }
                }
            } }
        }
    }
}
