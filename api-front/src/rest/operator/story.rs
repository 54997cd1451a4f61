//! The story of one payment: its versions, its latest requests to the processor, and why it went there. What was only about to be sent is in
//! the journal (`journal dump --id`).

use super::reasons::decline;
use super::{PathId, data, id, id_or_null, moment};
use crate::rest::Front;
use crate::rest::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use persistence::projection::Chapter;
use protocol::calendar::Micros;
use protocol::exchange::Exchange;
use protocol::id::Xid;
use protocol::tail::tag;
use protocol::transaction::Transaction;
use serde_json::{Value, json};

/// `GET /operator/transactions/{id}/story`
pub(super) async fn read(State(front): State<Front>, path: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    Ok(data(front.story(id(path)?).await?))
}

impl Front {
    /// The story of a transaction, whosever it is.
    pub(crate) async fn story(&self, id: Xid) -> Result<Value, Problem> {
        let chapters = self.switch.past().story(id).await.map_err(Problem::Unavailable)?;
        let (newest, newest_tail) = chapters.last().ok_or(Problem::NotFound)?.stored.parts();
        let processor = self.switch.processors().by_index(newest.processor.get());
        let requests = [("original", &newest.original), ("step", &newest.step)];
        let requests = requests.into_iter().filter(|(_, exchange)| exchange.stan.get() != 0);
        Ok(json!({
            "transaction_id": newest.id.to_string(),
            "merchant_id": newest.merchant.to_string(),
            "referenced_transaction_id": id_or_null(&newest.parent),
            "type": newest.verb().word(),
            "status": newest.status().word(),
            "amount": newest.amount.get(),
            "currency": newest.currency().code(),
            "order_id": Some(newest_tail.text(tag::ORDER_ID)).filter(|order| !order.is_empty()),
            "card": newest.masked_card(),
            "rrn": newest.rrn(),
            "processor_id": processor.map(|processor| processor.id.to_string()),
            "processor_name": processor.map(|processor| &processor.name),
            "settlement_batch_id": id_or_null(&newest.batch),
            "versions": chapters.iter().map(show_version).collect::<Vec<_>>(),
            "requests": requests.map(|(leg, exchange)| show_request(leg, exchange)).collect::<Vec<_>>(),
            "reversal": show_reversal(newest),
            "decided_by": self.decided_by(newest, newest_tail).await?,
            "decline": decline(newest, newest_tail),
        }))
    }
}

fn show_version(Chapter { kind, stored }: &Chapter) -> Value {
    let transaction = stored.transaction();
    json!({
        "lsn": stored.lsn,
        "version": transaction.version.get(),
        "event": kind.word(),
        "at": moment(transaction.updated_at()),
        "status": transaction.status().word(),
        "response_code": transaction.response_code().0,
        "amount_authorized": transaction.amount_authorized.get(),
        "amount_captured": transaction.amount_captured.get(),
        "amount_settled": transaction.amount_settled.get(),
        "amount_refunded": transaction.amount_refunded.get(),
        "told_the_client": transaction.answers == 1,
    })
}

fn show_request(leg: &str, exchange: &Exchange) -> Value {
    json!({
        "leg": leg,
        "verb": exchange.verb().map(|verb| verb.word()),
        "stan": exchange.stan.get(),
        "amount": exchange.amount.get(),
        "sent_at": moment(exchange.sent_at()),
        "deadline": moment(Micros(exchange.deadline.get())),
        "outcome": exchange.state().word(),
        "processor_response_code": exchange.processor_code(),
        "processor_response_text": exchange.text(),
        "auth_code": exchange.auth_code(),
        "response_code": exchange.response_code().0,
        "avs": letter(exchange.avs),
        "cvv": letter(exchange.cvv),
    })
}

fn show_reversal(transaction: &Transaction) -> Value {
    let reversal = &transaction.reversal;
    if reversal.stan.get() == 0 {
        return Value::Null;
    }
    json!({
        "state": reversal.state().word(),
        "reason": reversal.reason().word(),
        "stan": reversal.stan.get(),
        "original_stan": reversal.original_stan.get(),
        "queued_at": moment(reversal.queued_at()),
        "done_at": moment(Micros(reversal.done_at.get())),
    })
}

fn letter(byte: u8) -> Option<char> {
    byte.is_ascii_graphic().then_some(char::from(byte))
}
