//! What a load balancer, a newcomer and a test ask.

use super::call::{Call, Gives, JSON, Who, of};
use serde_json::Value;
use utoipa::ToSchema;

pub(super) const CALLS: &[Call] = &[
    Call::new("GET", "/healthz", "Is the process alive?", Gives::One(of::<Alive>)).by(Who::Anybody),
    Call::new("GET", "/readyz", "Can payments be taken? 503 says no, with what stands", Gives::One(of::<Ready>))
        .by(Who::Anybody)
        .refused_with(of::<NotReady>),
    Call::new("GET", "/metrics", "How the process does, for Prometheus", Gives::Media("application/openmetrics-text"))
        .by(Who::Operator),
    Call::new("GET", "/openapi.json", "This document", Gives::Bare(of::<Document>)).by(Who::Anybody),
    Call::new("GET", "/docs", "This document, to be read and tried in a browser", Gives::Page).by(Who::Anybody),
    Call::new("GET", "/docs/start.js", "What starts the page", Gives::Media("text/javascript")).by(Who::Anybody),
    Call::new("GET", "/api/response-codes", "All response codes", Gives::ListOf(of::<ResponseCode>)).by(Who::Anybody),
    Call::new("GET", "/api/sandbox/clock", "The sandbox's clock", Gives::One(of::<Clock>)),
    Call::new("POST", "/api/sandbox/clock", "Move the sandbox's clock ahead", Gives::One(of::<Clock>))
        .takes(&[(JSON, of::<ClockMove>)]),
];

shapes! {
    /// The process answers.
    Alive { alive: bool }
    /// What stands.
    Ready {
        ready: bool,
        /// `ready`, `degraded` while SQL is away, or `unavailable`.
        state: String,
        draining: bool,
        journal_writable: bool,
        disk_ample: bool,
        projection: Follower,
        links: Vec<LinkState>,
    }
    /// How far the tables are behind the journal, in records.
    Follower { following: bool, behind: u64 }
    /// A processor's connections.
    LinkState { processor_id: String, name: String, signed_on: bool }
    /// The same, where payments can't be taken.
    NotReady { #[schema(pattern = "^failed$")] status: String, msg: String, data: Option<Ready> }
    /// An OpenAPI document.
    Document { openapi: String, #[schema(value_type = Object)] info: Value, #[schema(value_type = Object)] paths: Value }
    /// A response code and how the sandbox is brought to give it.
    ResponseCode {
        code: u16,
        text: String,
        category: String,
        retryable: bool,
        #[schema(value_type = Option<Object>)] sandbox_trigger: Value,
    }
    /// What the sandbox's clock says.
    Clock { #[schema(format = DateTime)] now: String }
    /// Either of the two.
    ClockMove { #[schema(format = DateTime)] now: Option<String>, advance_seconds: Option<u32> }
}
