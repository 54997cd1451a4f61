//! The history of changes and of actions, and how a change is taken back.

use super::{Part, PathId, data, id, id_or_null, list as list_of, moment};
use crate::operator::actions::Action;
use crate::operator::changes::Made;
use crate::rest::Front;
use crate::rest::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use persistence::projection::{Deeds, StoredChange};
use protocol::change::ChangedBy;
use serde_json::{Value, json};

/// `GET /operator/changes?after=<version>&limit=n`: oldest first.
pub(super) async fn list(
    State(front): State<Front>,
    part: Result<Query<Part>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    front.list_deeds(Deeds::Changes, part, &headers, show).await
}

/// `GET /operator/actions?after=<version>&limit=n`: what was done that changed no configuration, oldest first.
pub(super) async fn list_actions(
    State(front): State<Front>,
    part: Result<Query<Part>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    front.list_deeds(Deeds::Actions, part, &headers, show_action).await
}

/// `POST /operator/changes/{id}/undo`
pub(super) async fn undo(State(front): State<Front>, path: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    let wanted = id(path)?;
    let changes = front.switch.past().changes(Deeds::All, 0, u32::MAX).await.map_err(Problem::Unavailable)?;
    let made = front.switch.operator().undo(&changes, &wanted, ChangedBy::OPERATOR_KEY).await?;
    Ok(data(show_made(made)))
}

impl Front {
    async fn list_deeds(
        &self,
        deeds: Deeds,
        part: Result<Query<Part>, QueryRejection>,
        headers: &HeaderMap,
        show: fn(&StoredChange) -> Value,
    ) -> Result<Response, Problem> {
        self.permit_operator(headers)?;
        let part = Part::of(part)?;
        let after = part.after.as_deref().unwrap_or("0").parse();
        let after = after.map_err(|_| Problem::invalid("after", "must be the version of a change, a number"))?;
        let found = self.switch.past().changes(deeds, after, part.limit()?).await.map_err(Problem::Unavailable)?;
        Ok(list_of(found.iter().map(show).collect()))
    }
}

/// What a caller is told of its change.
pub(super) fn show_made(made: Made) -> Value {
    json!({"id": made.id.to_string(), "version": made.version})
}

fn by_or_null(name: &str) -> Option<&str> {
    (!name.is_empty()).then_some(name)
}

fn show(change: &StoredChange) -> Value {
    let text = serde_json::from_slice(&change.text).unwrap_or(Value::Null);
    json!({
        "id": change.id.to_string(),
        "version": change.version,
        "at": moment(change.at),
        "area": change.area.word(),
        "by": by_or_null(change.by.name()),
        "subject": id_or_null(&change.subject),
        "undoes": if change.undoes == 0 { Value::Null } else { change.undoes.into() },
        "value": text,
    })
}

fn show_action(action: &StoredChange) -> Value {
    json!({
        "id": action.id.to_string(),
        "version": action.version,
        "at": moment(action.at),
        "by": by_or_null(action.by.name()),
        "action": Action::of(&action.text).map(Action::word),
        "subject": id_or_null(&action.subject),
    })
}
