//! What a load balancer, a supervisor and a newcomer ask: alive, ready, and the table of response codes.

use super::Front;
use super::answer::{ok, with_status};
use super::json::Writer;
use super::view::{SUCCESS, response_codes as table};
use crate::switch::handle::Readiness;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

/// `GET /healthz`: the process runs and answers.
pub(super) async fn healthz() -> Response {
    let mut out = Writer::starting(SUCCESS, 64);
    out.verbatim("{\"alive\":true}}");
    ok(out.finish())
}

/// `GET /readyz`: 200 when payments can be taken, else 503; either way with what stands and what does not.
pub(super) async fn readyz(State(front): State<Front>) -> Response {
    let readiness = front.switch.readiness();
    if readiness.is_ready() {
        return ok(readiness_body(&readiness));
    }
    let mut response = with_status(StatusCode::SERVICE_UNAVAILABLE, readiness_body(&readiness));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(super::limits::RETRY_AFTER_S));
    response
}

/// `GET /api/response-codes`
pub(super) async fn response_codes() -> Response {
    ok(table())
}

fn readiness_body(readiness: &Readiness) -> Vec<u8> {
    let ready = readiness.is_ready();
    let mut out = Writer::starting("{", 512);
    out.word("status", if ready { "success" } else { "failed" });
    out.word("msg", if ready { "success" } else { "service unavailable: not ready" });
    out.object("data", |out| {
        out.flag("ready", ready);
        out.word("state", readiness.word());
        out.flag("draining", readiness.draining);
        out.flag("journal_writable", readiness.journal_writable);
        out.flag("disk_ample", readiness.disk_ample);
        out.object("projection", |out| {
            out.flag("following", readiness.projection.following);
            out.number("behind", readiness.projection.behind);
        });
        out.name("links");
        out.verbatim("[");
        for (position, link) in readiness.links.iter().enumerate() {
            out.verbatim(if position == 0 { "{" } else { ",{" });
            out.id("processor_id", &link.processor);
            out.text("name", &link.name);
            out.flag("signed_on", link.signed_on);
            out.verbatim("}");
        }
        out.verbatim("]");
    });
    out.verbatim("}");
    out.finish()
}
