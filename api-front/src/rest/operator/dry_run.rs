//! What a table would have done to the last payments. Nothing is changed.

use super::{data, tables};
use crate::operator::{DRY_RUN_PAYMENTS, DRY_RUN_PAYMENTS_MAX, TableKind, dry_run};
use crate::replay::{Decision, Difference, Report};
use crate::rest::Front;
use crate::rest::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use protocol::money::Currency;
use serde::Deserialize;
use serde_json::{Value, json};

/// Over how many payments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    last: Option<u32>,
}

type SpanQuery = Result<Query<Span>, QueryRejection>;

/// `POST /operator/rules/dry-run?last=n`
pub(super) async fn rules(state: State<Front>, span: SpanQuery, request: Request) -> Result<Response, Problem> {
    try_table(state, span, request, TableKind::Rules).await
}

/// `POST /operator/routing/dry-run?last=n`
pub(super) async fn routes(state: State<Front>, span: SpanQuery, request: Request) -> Result<Response, Problem> {
    try_table(state, span, request, TableKind::Routes).await
}

async fn try_table(State(front): State<Front>, span: SpanQuery, request: Request, kind: TableKind) -> Result<Response, Problem> {
    let (parts, sent) = request.into_parts();
    front.permit_operator(&parts.headers)?;
    let last = last(span)?;
    let text = tables::text(&parts.headers, sent).await?;
    let proposal = front.switch.operator().propose(kind, &text, front.switch.merchants()).await;
    let proposal = proposal.map_err(|reason| Problem::invalid("body", reason))?;
    let history = front.switch.history();
    history.catch_up().await.map_err(Problem::Unavailable)?;
    let report = dry_run(history.queries(), proposal, last).await.map_err(|error| {
        tracing::warn!(%error, "a dry run was not finished");
        Problem::StoreUnavailable
    })?;
    Ok(data(front.show_report(&report)))
}

fn last(span: SpanQuery) -> Result<u32, Problem> {
    let Query(span) = span.map_err(|_| Problem::invalid("query", "last, a number, is accepted"))?;
    match span.last.unwrap_or(DRY_RUN_PAYMENTS) {
        last @ 1..=DRY_RUN_PAYMENTS_MAX => Ok(last),
        _ => Err(Problem::invalid("last", format!("must be between 1 and {DRY_RUN_PAYMENTS_MAX}"))),
    }
}

impl Front {
    fn show_report(&self, Report { examined, changed, by }: &Report) -> Value {
        let by: Vec<Value> = by.iter().map(|difference| self.show_difference(difference)).collect();
        json!({"examined": examined, "changed": changed, "by": by})
    }

    fn show_difference(&self, Difference { from, to, currency, count, amount }: &Difference) -> Value {
        let mut shown = json!({"from": self.word(*from), "to": self.word(*to), "count": count, "amount": amount});
        shown["currency"] = Currency::from_numeric(*currency).map_or(Value::Null, |currency| currency.code().into());
        if let (Decision::Processor(from), Decision::Processor(to)) = (from, to) {
            (shown["from_name"], shown["to_name"]) = (self.processor_name(*from), self.processor_name(*to));
        }
        shown
    }

    /// A rule's word, or the id of a processor; `null` for none.
    fn word(&self, decision: Decision) -> Value {
        match decision {
            Decision::Accept => "accept".into(),
            Decision::Flag => "flag".into(),
            Decision::Deny => "deny".into(),
            Decision::Processor(index) => {
                self.switch.processors().by_index(index).map_or(Value::Null, |processor| processor.id.to_string().into())
            }
        }
    }

    fn processor_name(&self, index: u16) -> Value {
        self.switch.processors().by_index(index).map_or(Value::Null, |processor| processor.name.as_str().into())
    }
}
