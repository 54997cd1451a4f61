//! What only the operator may do.

use super::Front;
use super::answer::ok;
use super::auth::presented;
use super::problem::Problem;
use super::view::batches;
use crate::switch::directory::Processor;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

/// `POST /operator/processors/{id}/settle`: closes the processor's open batches and waits for its answer to each.
pub(super) async fn settle(
    State(front): State<Front>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    let Path(id) = id.map_err(|_| Problem::NotFound)?;
    let index = front.processor(&id).ok_or(Problem::NotFound)?.index;
    let settlement = front.switch.settle(index).await.map_err(Problem::Unavailable)?;
    Ok(ok(batches(&settlement.batches, front.switch.processors())))
}

impl Front {
    fn permit_operator(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let permitted = presented(headers).is_some_and(|key| self.switch.is_operator(key));
        if permitted { Ok(()) } else { Err(Problem::Unauthorized) }
    }

    /// By id, or by the name in the configuration.
    fn processor(&self, id: &str) -> Option<&Processor> {
        let processors = self.switch.processors();
        let by_id = id.parse().ok().and_then(|id| processors.by_id(&id));
        by_id.or_else(|| processors.iter().find(|processor| processor.name == id))
    }
}
