//! Processors: how each stands, and what it is told.

use super::merchants::read_json;
use super::tables::expected;
use super::{PathId, data, list as list_of, moment};
use crate::config::typed::TypedProcessor;
use crate::links::Control;
use crate::links::meter::Reading;
use crate::operator::changes::Order;
use crate::operator::{Standing, SteeredProcessor, actions, share_bp, word_of};
use crate::rest::Front;
use crate::rest::answer::ok;
use crate::rest::problem::Problem;
use crate::rest::view::batches;
use crate::switch::directory::Processor;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use protocol::calendar::Micros;
use protocol::change::ChangedBy;
use serde_json::{Value, json};
use switch_core::BatchCounts;
use switch_core::input::ProcessorState;

/// `GET /operator/processors`
pub(super) async fn list(State(front): State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    let mut shown = Vec::new();
    for processor in front.switch.processors().iter() {
        shown.push(front.show(processor).await);
    }
    Ok(list_of(shown))
}

/// `POST /operator/processors`: what `[[processor]]` of the configuration says, as JSON.
pub(super) async fn add(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, sent) = request.into_parts();
    front.permit_operator(&parts.headers)?;
    let typed: TypedProcessor = read_json(&parts.headers, sent).await?;
    let name = typed.name.clone();
    let made = front.switch.operator().add_processor(typed, ChangedBy::OPERATOR_KEY).await?;
    let processor = front.switch.processors().by_name(&name).ok_or(Problem::Internal)?;
    let mut shown = front.show(processor).await;
    (shown["change_id"], shown["version"]) = (made.id.to_string().into(), made.version.into());
    Ok(data(shown))
}

/// `GET /operator/processors/{id}`
pub(super) async fn read(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let processor = front.operated(&headers, id)?;
    Ok(data(front.show(processor).await))
}

/// `POST /operator/processors/{id}/settle`: closes the processor's open batches and waits for its answer to each.
pub(super) async fn settle(State(front): State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    let processor = front.operated(&headers, id)?;
    let settlement = actions::settle(&front.switch, processor, ChangedBy::OPERATOR_KEY).await?;
    Ok(ok(batches(&settlement.batches, front.switch.processors())))
}

/// `POST /operator/processors/{id}/enable`
pub(super) async fn enable(state: State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    set(state, id, headers, ProcessorState::Enabled).await
}

/// `POST /operator/processors/{id}/drain`
pub(super) async fn drain(state: State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    set(state, id, headers, ProcessorState::Draining).await
}

/// `POST /operator/processors/{id}/disable`
pub(super) async fn disable(state: State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    set(state, id, headers, ProcessorState::Disabled).await
}

async fn set(State(front): State<Front>, id: PathId, headers: HeaderMap, state: ProcessorState) -> Result<Response, Problem> {
    let processor = front.operated(&headers, id)?;
    let operator = front.switch.operator();
    let steered = operator.processor(&processor.id).ok_or(Problem::NotFound)?;
    let order = Order::of(ChangedBy::OPERATOR_KEY).expecting(expected(&headers)?);
    operator.set_processor_state(steered, state, order).await?;
    Ok(data(front.show(processor).await))
}

/// `POST /operator/processors/{id}/sign-on`
pub(super) async fn sign_on(state: State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    tell(state, id, headers, Control::SignOn).await
}

/// `POST /operator/processors/{id}/sign-off`: holds until sign-on or the next start. What is in flight becomes unknown and is reversed: drain first.
pub(super) async fn sign_off(state: State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    tell(state, id, headers, Control::SignOff).await
}

/// `POST /operator/processors/{id}/cut-over`
pub(super) async fn cut_over(state: State<Front>, id: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    tell(state, id, headers, Control::CutOver).await
}

async fn tell(State(front): State<Front>, id: PathId, headers: HeaderMap, control: Control) -> Result<Response, Problem> {
    let processor = front.operated(&headers, id)?;
    actions::tell(&front.switch, processor, control, ChangedBy::OPERATOR_KEY).await?;
    Ok(data(front.show(processor).await))
}

impl Front {
    /// The processor that an operator speaks of, by its id or by its name in the configuration.
    fn operated(&self, headers: &HeaderMap, id: PathId) -> Result<&Processor, Problem> {
        self.permit_operator(headers)?;
        let Path(id) = id.map_err(|_| Problem::NotFound)?;
        let processors = self.switch.processors();
        let by_id = id.parse().ok().and_then(|id| processors.by_id(&id));
        by_id.or_else(|| processors.iter().find(|processor| processor.name == id)).ok_or(Problem::NotFound)
    }

    async fn show(&self, processor: &Processor) -> Value {
        let operator = self.switch.operator();
        let steered = operator.processor(&processor.id);
        let (state, version) = match steered {
            Some(steered) => (operator.processor_state(steered).await, operator.processor_version(steered).await),
            None => (ProcessorState::Draining, 0),
        };
        let link = steered.and_then(|steered: &SteeredProcessor| steered.link.as_ref());
        let reading = link.map(|link| link.meter.read(self.switch.now())).unwrap_or_default();
        let standing = Standing::of(&self.switch.processor_reports(processor.index).await);
        let cut_over = operator.cut_over(processor.index);
        json!({
            "id": processor.id.to_string(),
            "name": processor.name,
            "type": processor.kind.word(),
            "state": word_of(state),
            "version": version,
            "signed_on": link.is_some_and(|link| link.state.is_signed_on()),
            "circuit": standing.circuit(),
            "in_flight": standing.in_flight,
            "approval_rate_bp": share_bp(reading.counts.approved, reading.counts.approved + reading.counts.declined),
            "timeout_rate_bp": standing.timeout_rate_bp(),
            "last_minute": last_minute(&reading),
            "reversals": reversals(&standing, self.switch.now()),
            "unknown": standing.unknowns,
            "late_answers": standing.late_answers,
            "unmatched_answers": link.map(|link| link.meter.unmatched()),
            "connections": link.map(|link| link.state.connections()),
            "batches": batch_counts(&standing.batches),
            "cut_over": cut_over.map(|cut_over| cut_over.to_string()),
            "next_cut_over_at": cut_over.map(|cut_over| cut_over.next(self.switch.calendar().now()).to_string()),
        })
    }
}

/// The store-and-forward queue; sent and acknowledged since the start.
fn reversals(standing: &Standing, now: Micros) -> Value {
    let oldest = standing.oldest_reversal_at;
    let age_s = (!oldest.is_none()).then(|| (now.seconds() - oldest.seconds()).max(0));
    json!({
        "sent": standing.reversals_sent,
        "acknowledged": standing.reversals_done,
        "queued": standing.reversals_queued,
        "stuck": standing.reversals_stuck,
        "oldest_queued_at": moment(oldest),
        "oldest_age_s": age_s,
    })
}

fn batch_counts(BatchCounts { open, closing, accepted, rejected, members }: &BatchCounts) -> Value {
    json!({"open": open, "closing": closing, "accepted": accepted, "rejected": rejected, "num_transactions": members})
}

fn last_minute(Reading { counts, p50_us, p95_us, p99_us, max_us }: &Reading) -> Value {
    json!({
        "sent": counts.sent,
        "approved": counts.approved,
        "declined": counts.declined,
        "lost": counts.lost,
        "not_sent": counts.not_sent,
        "latency_us": {"p50": p50_us, "p95": p95_us, "p99": p99_us, "max": max_us},
    })
}
