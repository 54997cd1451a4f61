//! Rules and routes: read with their version, put whole, guarded by `If-Match`.

use super::changes::show_made;
use super::data;
use crate::operator::TableKind;
use crate::operator::changes::Order;
use crate::rest::problem::Problem;
use crate::rest::{Front, body};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use protocol::change::ChangedBy;
use serde_json::{Value, json};

/// `GET /operator/rules`
pub(super) async fn rules(state: State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    read(state, &headers, TableKind::Rules).await
}

/// `GET /operator/routing`
pub(super) async fn routes(state: State<Front>, headers: HeaderMap) -> Result<Response, Problem> {
    read(state, &headers, TableKind::Routes).await
}

/// `PUT /operator/rules`
pub(super) async fn put_rules(state: State<Front>, request: Request) -> Result<Response, Problem> {
    put(state, request, TableKind::Rules).await
}

/// `PUT /operator/routing`
pub(super) async fn put_routes(state: State<Front>, request: Request) -> Result<Response, Problem> {
    put(state, request, TableKind::Routes).await
}

async fn read(State(front): State<Front>, headers: &HeaderMap, kind: TableKind) -> Result<Response, Problem> {
    front.permit_operator(headers)?;
    let in_force = front.switch.operator().table(kind).await.map_err(|error| {
        tracing::error!(%error, "a table can't be shown");
        Problem::Internal
    })?;
    let mut table: Value = serde_json::from_str(&in_force.text).unwrap_or_else(|_| json!({}));
    table["version"] = in_force.version.into();
    Ok(tagged(data(table), in_force.version))
}

async fn put(State(front): State<Front>, request: Request, kind: TableKind) -> Result<Response, Problem> {
    let (parts, sent) = request.into_parts();
    front.permit_operator(&parts.headers)?;
    let (text, expected) = (text(&parts.headers, sent).await?, expected(&parts.headers)?);
    let made = front.switch.operator().put_table(kind, &text, Order::of(ChangedBy::OPERATOR_KEY).expecting(expected)).await?;
    Ok(tagged(data(show_made(made)), made.version))
}

/// The body as text; what it says is checked where it is read.
pub(super) async fn text(headers: &HeaderMap, sent: Body) -> Result<String, Problem> {
    let text = body::read(headers, sent, |bytes| {
        let text = std::str::from_utf8(bytes).map_err(|error| Problem::NotUtf8 { at: error.valid_up_to() })?;
        Ok(text.to_owned())
    });
    text.await
}

/// The version that `If-Match` names, with or without quotes; none for `*` or without the header.
pub(super) fn expected(headers: &HeaderMap) -> Result<Option<u32>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    match value.to_str().map(|value| value.trim().trim_matches('"')) {
        Ok("*") => Ok(None),
        Ok(version) => version.parse().map(Some).map_err(|_| wrong_version()),
        Err(_) => Err(wrong_version()),
    }
}

fn wrong_version() -> Problem {
    Problem::invalid("If-Match", "must be the version that was read, a number, or *")
}

fn tagged(mut response: Response, version: u32) -> Response {
    if let Ok(tag) = HeaderValue::try_from(format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
