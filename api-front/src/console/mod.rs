//! The operator's console: pages rendered here, over what the operator's API does and says.
//!
//! Lives here: signing in, pages, forms, the live overview. Must not live here: what a processor, a table or a change means, which is
//! [`crate::operator`]'s. Every action is a form that works without JavaScript; the one script keeps the overview fresh. No page asks
//! another host for anything.

mod act;
mod attempts;
mod chart;
mod diff;
mod draft;
mod draft_form;
mod figures;
mod history;
mod live;
mod lookup;
mod monitor;
mod overview;
mod page;
mod payments;
mod processors;
mod reversals;
mod session;
mod sign_in;
mod story;
mod tables;

pub use monitor::Monitor;
pub use session::{ConsoleUser, Role};

use crate::rest::Front;
use attempts::Attempts;
use axum::Router;
use axum::routing::{get, post};
use session::Sessions;
use std::sync::Arc;

/// What the pages share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Console {
    front: Front,
    monitor: Monitor,
    sessions: Arc<Sessions>,
    attempts: Arc<Attempts>,
}

impl Console {
    /// The console of a front; `users` may sign in beside whoever holds the operator's key.
    pub(crate) fn new(front: Front, users: Vec<ConsoleUser>) -> Console {
        let monitor = Monitor::start(front.switch().clone());
        Console { front, monitor, sessions: Arc::new(Sessions::new(users)), attempts: Arc::default() }
    }
}

/// Its routes.
pub(crate) fn routes(console: Console) -> Router {
    let routes: Router<Console> = Router::new()
        .route("/console", get(overview::show))
        .route("/console/live", get(live::stream))
        .route("/console/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/processors", get(processors::show))
        .route("/console/processors/{name}/{what}", post(processors::tell))
        .route("/console/rules", get(tables::rules).post(tables::draft_rules))
        .route("/console/routing", get(tables::routes).post(tables::draft_routes))
        .route("/console/history", get(history::show))
        .route("/console/history/{id}/undo", post(history::undo))
        .route("/console/payments", get(payments::show))
        .route("/console/payments/{id}", get(story::show))
        .route("/console/reversals", get(reversals::show))
        .route("/console/reversals/{id}/take-over", post(reversals::take_over))
        .route("/console/style.css", get(page::style))
        .route("/console/live.js", get(page::script));
    routes.with_state(console)
}
