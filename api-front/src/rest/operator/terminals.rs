//! Terminals: which a merchant has, and how one is registered for it.

use super::merchants::read_json;
use super::{PathId, data, id, list as list_of};
use crate::accounts::AccountError;
use crate::operator::actions::Action;
use crate::rest::Front;
use crate::rest::problem::Problem;
use crate::rest::terminals::shown;
use crate::terminals::{self, NotRegistered, Registration};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use protocol::change::ChangedBy;

/// `GET /operator/merchants/{id}/terminals`
pub(super) async fn list(State(front): State<Front>, path: PathId, headers: HeaderMap) -> Result<Response, Problem> {
    front.permit_operator(&headers)?;
    let merchant = front.known_merchant(id(path)?)?;
    let terminals = front.switch.kept_terminals().of(&merchant).await.map_err(AccountError::from)?;
    Ok(list_of(terminals.iter().map(shown).collect()))
}

/// `POST /operator/merchants/{id}/terminals`: registers one, or changes the one with this `tpn`.
pub(super) async fn register(State(front): State<Front>, path: PathId, request: Request) -> Result<Response, Problem> {
    let (parts, sent) = request.into_parts();
    front.permit_operator(&parts.headers)?;
    let merchant = front.known_merchant(id(path)?)?;
    let registration: Registration = read_json(&parts.headers, sent).await?;
    let _registering = front.switch.operator().registering().await;
    front.switch.operator().write_down(Action::RegisterTerminal, merchant, ChangedBy::OPERATOR_KEY).await?;
    let (switch, kept) = (&front.switch, (front.switch.kept_terminals(), front.switch.terminals()));
    let terminal = terminals::register(kept, merchant, registration, switch.now()).await?;
    Ok(data(shown(&terminal)))
}

impl From<NotRegistered> for Problem {
    fn from(why: NotRegistered) -> Problem {
        match why {
            NotRegistered::Field { field, accepted } => Problem::invalid(field, accepted),
            NotRegistered::Taken => Problem::Conflict(why.to_string()),
            NotRegistered::Store(error) => AccountError::from(error).into(),
        }
    }
}
