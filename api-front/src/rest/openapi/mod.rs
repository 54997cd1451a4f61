//! The interface told in OpenAPI 3.1, at `/openapi.json`, and a page to read and try it, at `/docs`.
//!
//! Lives here: for each room one file with its calls and their shapes, and what makes a document of them. A room that gets a new
//! route says so here; a test holds the two together. Must not live here: what a call does.

#[macro_use]
mod shapes;

mod accounts;
pub(in crate::rest) mod call;
mod invoices;
mod links;
mod operator;
mod page;
mod payables;
mod payments;
mod recurring;
mod refused;
mod service;
mod vault;
mod webhooks;

use self::call::{Call, Shapes};
use super::Front;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use std::sync::LazyLock;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder};

/// The rooms and their calls.
const ROOMS: &[(&str, &[Call])] = &[
    ("Payments", payments::CALLS),
    ("Vault", vault::CALLS),
    ("Recurring", recurring::CALLS),
    ("Invoices", invoices::CALLS),
    ("Payment links", links::CALLS),
    ("Orders", payables::ORDERS),
    ("Payment requests", payables::PAYMENT_REQUESTS),
    ("Users and keys", accounts::CALLS),
    ("Events and webhooks", webhooks::CALLS),
    ("Operator", operator::CALLS),
    ("Service", service::CALLS),
];

/// The document does not change while the process runs.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_json().unwrap_or_default().into());

pub(super) fn routes() -> Router<Front> {
    Router::new().route("/openapi.json", get(show)).merge(page::routes())
}

async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}

fn document() -> OpenApi {
    let (mut shapes, mut paths) = (Shapes::new(), PathsBuilder::new());
    for (room, calls) in ROOMS {
        for call in *calls {
            paths = paths.path(call.path(), PathItem::new(call.method(), call.operation(room, &mut shapes)));
        }
    }
    let mut components = ComponentsBuilder::new();
    for (name, shape) in shapes {
        components = components.schema(name, shape);
    }
    let about = InfoBuilder::new().title("Switchyard").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    let document = OpenApiBuilder::new().info(about.build()).paths(paths.build());
    document.components(Some(with_credentials(components).build())).build()
}

const ABOUT: &str = "A payment switch. Amounts are integers in minor units. A decline is an answer and no error.";

fn with_credentials(components: ComponentsBuilder) -> ComponentsBuilder {
    let header = |says| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("Authorization", says)));
    let link_token = ApiKeyValue::with_description("token", "A key of the merchant's, for payment links.");
    components
        .security_scheme("link_token", SecurityScheme::ApiKey(ApiKey::Header(link_token)))
        .security_scheme("api_key", header("A key of the merchant's."))
        .security_scheme("operator_key", header("The operator's key."))
        .security_scheme("token", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()))
}

#[cfg(test)]
mod tests;
