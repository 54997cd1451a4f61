//! What only the operator may do, under a key of its own.

mod changes;
mod dry_run;
mod merchants;
mod processors;
mod reasons;
mod reversals;
mod seal_keys;
mod story;
mod tables;
mod terminals;

use super::Front;
use super::answer::ok;
use super::auth::presented;
use super::problem::Problem;
use crate::operator::actions::NotDone;
use crate::operator::changes::NotMade;
use crate::switch::handle::{TurnedAway, Unavailable};
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::refusal::Refusal;
use serde::Deserialize;
use serde_json::{Value, json};

/// The id, or the name, in a path; one that can't be read is not there.
type PathId = Result<Path<String>, PathRejection>;

/// Things that a list gives when it is not said how many.
const LIST_LIMIT: u32 = 50;
/// Things that a list gives at most.
const LIST_LIMIT_MAX: u32 = 500;

pub(super) fn routes() -> Router<Front> {
    Router::new()
        .route("/operator/processors", get(processors::list).post(processors::add))
        .route("/operator/processors/{id}", get(processors::read))
        .route("/operator/processors/{id}/settle", post(processors::settle))
        .route("/operator/processors/{id}/enable", post(processors::enable))
        .route("/operator/processors/{id}/drain", post(processors::drain))
        .route("/operator/processors/{id}/disable", post(processors::disable))
        .route("/operator/processors/{id}/sign-on", post(processors::sign_on))
        .route("/operator/processors/{id}/sign-off", post(processors::sign_off))
        .route("/operator/processors/{id}/cut-over", post(processors::cut_over))
        .route("/operator/keys", get(seal_keys::list))
        .route("/operator/keys/rotate", post(seal_keys::rotate))
        .route("/operator/rules", get(tables::rules).put(tables::put_rules))
        .route("/operator/routing", get(tables::routes).put(tables::put_routes))
        .route("/operator/rules/dry-run", post(dry_run::rules))
        .route("/operator/routing/dry-run", post(dry_run::routes))
        .route("/operator/merchants", get(merchants::list).post(merchants::make))
        .route("/operator/merchants/{id}", get(merchants::read))
        .route("/operator/merchants/{id}/suspend", post(merchants::suspend))
        .route("/operator/merchants/{id}/resume", post(merchants::resume))
        .route("/operator/merchants/{id}/settings", post(merchants::settings))
        .route("/operator/merchants/{id}/terminals", get(terminals::list).post(terminals::register))
        .route("/operator/actions", get(changes::list_actions))
        .route("/operator/changes", get(changes::list))
        .route("/operator/changes/{id}/undo", post(changes::undo))
        .route("/operator/transactions/{id}/story", get(story::read))
        .route("/operator/reversals", get(reversals::list))
        .route("/operator/reversals/{id}/take-over", post(reversals::take_over))
}

impl Front {
    pub(super) fn permit_operator(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let permitted = presented(headers).is_some_and(|key| self.switch.is_operator(key));
        if permitted { Ok(()) } else { Err(Problem::Unauthorized) }
    }
}

/// Which part of a list is wanted: what stands behind `after`, so many at most.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    after: Option<String>,
    limit: Option<u32>,
}

impl Part {
    fn of(query: Result<Query<Part>, axum::extract::rejection::QueryRejection>) -> Result<Part, Problem> {
        let Query(part) = query.map_err(|_| Problem::invalid("query", "after and limit, a number, are accepted"))?;
        Ok(part)
    }

    fn limit(&self) -> Result<u32, Problem> {
        match self.limit {
            None => Ok(LIST_LIMIT),
            Some(limit) if limit <= LIST_LIMIT_MAX => Ok(limit),
            Some(_) => Err(Problem::invalid("limit", format!("must be at most {LIST_LIMIT_MAX}"))),
        }
    }
}

fn id(path: PathId) -> Result<Xid, Problem> {
    let Path(text) = path.map_err(|_| Problem::NotFound)?;
    text.parse().map_err(|_| Problem::NotFound)
}

/// The envelope around one thing.
fn data(data: Value) -> Response {
    ok(json!({"status": "success", "msg": "success", "data": data}).to_string().into_bytes())
}

/// The envelope around a list.
fn list(items: Vec<Value>) -> Response {
    let count = items.len();
    let body = json!({"status": "success", "msg": "success", "data": items, "total_count": count, "count": count});
    ok(body.to_string().into_bytes())
}

/// RFC 3339 in UTC; `null` for a moment that never was.
fn moment(at: Micros) -> Value {
    if at.is_none() { Value::Null } else { at.to_string().into() }
}

/// An id; `null` for none.
fn id_or_null(id: &Xid) -> Value {
    if id.is_none() { Value::Null } else { id.to_string().into() }
}

impl From<TurnedAway> for Problem {
    fn from(turned_away: TurnedAway) -> Problem {
        match turned_away {
            TurnedAway::Busy => Problem::Refused(Refusal::Busy),
            TurnedAway::Unavailable(why) => Problem::Unavailable(why),
        }
    }
}

impl From<NotDone> for Problem {
    fn from(not_done: NotDone) -> Problem {
        match not_done {
            NotDone::NotWritten(why) => why.into(),
            NotDone::TurnedAway(why) => why.into(),
            NotDone::NoLink | NotDone::LinkBusy => Problem::Conflict(not_done.to_string()),
            NotDone::NothingWaits => Problem::NotFound,
        }
    }
}

impl From<NotMade> for Problem {
    fn from(not_made: NotMade) -> Problem {
        match not_made {
            NotMade::Conflict { .. } | NotMade::Action => Problem::Conflict(not_made.to_string()),
            NotMade::Invalid(reason) => Problem::invalid("body", reason),
            NotMade::TooLong { .. } => Problem::TooLarge,
            NotMade::NoSuchChange => Problem::NotFound,
            NotMade::Busy => Problem::Refused(Refusal::Busy),
            NotMade::JournalFull => Problem::Unavailable(Unavailable::JournalFull),
        }
    }
}
