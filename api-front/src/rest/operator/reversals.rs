//! Reversals that wait for a processor, and how an operator ends one.

use super::{Part, PathId, data, id, list as list_of, moment};
use crate::operator::actions;
use crate::rest::Front;
use crate::rest::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use protocol::change::ChangedBy;
use protocol::id::Xid;
use protocol::transaction::Transaction;
use serde_json::{Value, json};

/// `GET /operator/reversals?after=<id>&limit=n`: by id.
pub(super) async fn list(
    State(front): State<Front>,
    part: Result<Query<Part>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    let part = Part::of(part)?;
    let after = part.after.as_deref().map_or(Ok(Xid::NONE), str::parse);
    let after = after.map_err(|_| Problem::invalid("after", "must be the id of a transaction"))?;
    let queued = front.switch.past().queued_reversals(after, part.limit()?).await.map_err(Problem::Unavailable)?;
    Ok(list_of(queued.iter().map(|stored| front.show_reversal(stored.transaction())).collect()))
}

/// `POST /operator/reversals/{id}/take-over`: the operator has seen to it that the processor holds nothing of the transaction.
pub(super) async fn take_over(State(front): State<Front>, path: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    let wanted = id(path)?;
    let taken = actions::take_over(&front.switch, wanted, ChangedBy::OPERATOR_KEY).await?;
    Ok(data(front.show_reversal(taken.transaction())))
}

impl Front {
    fn show_reversal(&self, transaction: &Transaction) -> Value {
        let reversal = &transaction.reversal;
        let processor = self.switch.processors().by_index(transaction.processor.get());
        json!({
            "transaction_id": transaction.id.to_string(),
            "merchant_id": transaction.merchant.to_string(),
            "processor_id": processor.map(|processor| processor.id.to_string()),
            "processor_name": processor.map(|processor| &processor.name),
            "status": transaction.status().word(),
            "amount": transaction.amount.get(),
            "rrn": transaction.rrn(),
            "stan": reversal.stan.get(),
            "state": reversal.state().word(),
            "reason": reversal.reason().word(),
            "queued_at": moment(reversal.queued_at()),
        })
    }
}
