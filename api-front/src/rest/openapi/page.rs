//! `/docs`: the document in Swagger UI. Its files come out of this program, and the page may load nothing from anywhere else.

use crate::rest::Front;
use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use swagger_ui_dist::{ApiDefinition, OpenApiSource, generate_routes};

/// Swagger UI writes styles into its elements; scripts come from files of ours only.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// Below it are Swagger UI's own files.
pub(super) const FILES: &str = "/docs/swagger-ui";

const PAGE: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Switchyard</title>\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
    <link rel=\"stylesheet\" href=\"/docs/swagger-ui/swagger-ui.css\"></head><body><div id=\"swagger-ui\"></div>\
    <script src=\"/docs/swagger-ui/swagger-ui-bundle.js\"></script><script src=\"/docs/start.js\"></script></body></html>";
const START: &str = "SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });\n";

pub(super) fn routes() -> Router<Front> {
    let files =
        ApiDefinition { uri_prefix: FILES, api_definition: OpenApiSource::Uri("/openapi.json"), title: Some("Switchyard") };
    Router::new()
        .route("/docs", get(|| async { Html(PAGE) }))
        .route("/docs/start.js", get(|| async { ([(CONTENT_TYPE, "text/javascript")], START) }))
        .merge(generate_routes(files).with_state(()))
        .layer(middleware::from_fn(confine))
}

async fn confine(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.into_response()
}
