//! Events and webhooks.

use super::call::{Call, Gives, JSON, of};
use utoipa::ToSchema;

const PAGE: &[(&str, &str)] = &[("after", "Events behind this sequence; 0 for all"), ("limit", "How many at most")];

pub(super) const CALLS: &[Call] = &[
    Call::new("GET", "/api/events", "What has happened, in order and without a gap", Gives::ListOf(of::<Event>)).query(PAGE),
    Call::new("GET", "/api/webhooks", "Who is told of events", Gives::ListOf(of::<Endpoint>)),
    Call::new("POST", "/api/webhooks", "Add an endpoint; the answer has its secret", Gives::One(of::<Endpoint>))
        .takes(&[(JSON, of::<NewEndpoint>)]),
    Call::new(
        "GET",
        "/api/webhooks/secret",
        "What signs callbacks, and endpoints whose secret was never changed",
        Gives::One(of::<Secret>),
    ),
    Call::new(
        "GET",
        "/api/webhooks/callbacks",
        "What became of events at addresses that came with a payment request or a link",
        Gives::ListOf(of::<Delivery>),
    )
    .query(PAGE),
    Call::new("POST", "/api/webhooks/callbacks/resend", "Send one of them again, or what was given up", Gives::One(of::<Queued>))
        .takes(&[(JSON, of::<CallbackAgain>)]),
    Call::new("GET", "/api/webhooks/{id}", "One endpoint", Gives::One(of::<Endpoint>)),
    Call::new("PATCH", "/api/webhooks/{id}", "Change an endpoint; what is left out stays", Gives::One(of::<Endpoint>))
        .takes(&[(JSON, of::<NewEndpoint>)]),
    Call::new("DELETE", "/api/webhooks/{id}", "Remove an endpoint", Gives::Nothing),
    Call::new("GET", "/api/webhooks/{id}/deliveries", "What became of each event there", Gives::ListOf(of::<Delivery>))
        .query(PAGE),
    Call::new(
        "POST",
        "/api/webhooks/{id}/resend",
        "Send one event again, all behind a sequence, or what was given up",
        Gives::One(of::<Queued>),
    )
    .takes(&[(JSON, of::<Again>)]),
    Call::new(
        "POST",
        "/api/webhooks/{id}/rotate-secret",
        "Draw another secret; the older one signs beside it for a day",
        Gives::One(of::<Endpoint>),
    ),
];

shapes! {
    /// Something that happened.
    Event {
        /// The same in every delivery and every repeat.
        id: String,
        #[schema(example = "transaction.captured")] r#type: String,
        /// Counts the merchant's events from 1.
        sequence: u64,
        #[schema(format = DateTime)] timestamp: String,
        /// The thing that it is about; what is about one thing comes in order.
        object_id: String,
        /// The thing as its own call shows it.
        data: serde_json::Value,
    }
    /// An endpoint as it is sent.
    NewEndpoint {
        #[schema(example = "https://shop.example/hook")] url: Option<String>,
        /// `*`, `order.*` or `order.paid`.
        events: Option<Vec<String>>,
        description: Option<String>,
        /// `active` or `disabled`.
        #[schema(example = "active")] status: Option<String>,
    }
    /// An endpoint.
    Endpoint {
        id: String,
        url: String,
        description: String,
        events: Vec<String>,
        status: String,
        /// Why it was disabled.
        reason: String,
        /// Up to here it was told, but for its deliveries.
        sequence: u64,
        failing_since: Option<String>,
        secret_rotated_at: Option<String>,
        created_at: Option<String>,
        updated_at: Option<String>,
        /// Only where it was just made or changed.
        secret: Option<String>,
    }
    /// What became of an event at an endpoint, or at the address that came with its thing; there, delivered ones are listed for 30 days.
    Delivery {
        event_id: String,
        r#type: String,
        sequence: u64,
        /// That address; an endpoint has its own.
        url: Option<String>,
        /// `pending`, `delivered` or `dead`.
        status: String,
        attempts: u32,
        next_attempt_at: Option<String>,
        last_attempt_at: Option<String>,
        response_status: Option<u16>,
        error: String,
    }
    /// Which callback is sent again; nothing: what was given up.
    CallbackAgain {
        event_id: Option<String>,
        sequence: Option<u64>,
    }
    /// A secret.
    Secret {
        #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")] secret: String,
    }
    /// What is sent again; nothing: what was given up.
    Again {
        event_id: Option<String>,
        sequence: Option<u64>,
        after: Option<u64>,
    }
    /// How many are queued.
    Queued {
        queued: u64,
    }
}
