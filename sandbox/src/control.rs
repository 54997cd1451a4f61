//! A host's control address: HTTP on loopback, for tests and for a person at work on the switch.
//!
//! `GET /ledger` (`?after=ordinal&limit=n`), `GET` and `POST /faults`, `GET` and `POST /clock`, `GET /stats`, `GET /healthz`.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http_body_util::channel::{Channel, Sender};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::{ClockMove, HostClock};
use crate::error::SandboxError;
use crate::faults::Faults;
use crate::ledger::file::RowReader;
use crate::ledger::{Batch, Entry, Marks, Row};
use crate::limits::CONTROL_BODY_MAX_BYTES;

/// What a control address shows of a host's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It serves.
    Serving,
    /// It is away by command.
    Down,
    /// It stopped, because its ledger could not be written.
    LedgerBroken,
}

/// A host as its control address sees it.
pub trait Controlled: Send + Sync + 'static {
    /// Whether it serves.
    fn health(&self) -> Health;
    /// What it has counted.
    fn stats(&self) -> Value;
    /// The faults in force.
    fn faults(&self) -> Faults;
    /// Puts faults in force.
    fn set_faults(&self, faults: Faults);
    /// The rows written so far, for a reader.
    fn rows(&self) -> Result<RowReader, SandboxError>;
    /// Its clock.
    fn clock(&self) -> &HostClock;
}

/// The control address of one host.
pub fn router<S: Controlled>(server: Arc<S>) -> Router {
    Router::new()
        .route("/ledger", get(ledger::<S>))
        .route("/faults", get(faults::<S>).post(set_faults::<S>))
        .route("/clock", get(clock::<S>).post(move_clock::<S>))
        .route("/stats", get(stats::<S>))
        .route("/healthz", get(healthz::<S>))
        .layer(DefaultBodyLimit::max(CONTROL_BODY_MAX_BYTES))
        .with_state(server)
}

async fn healthz<S: Controlled>(State(server): State<Arc<S>>) -> Response {
    let (code, word) = match server.health() {
        Health::Serving => (StatusCode::OK, "ok"),
        Health::Down => (StatusCode::OK, "down by command"),
        Health::LedgerBroken => (StatusCode::SERVICE_UNAVAILABLE, "ledger can't be written"),
    };
    (code, Json(json!({ "status": word }))).into_response()
}

async fn stats<S: Controlled>(State(server): State<Arc<S>>) -> Response {
    Json(server.stats()).into_response()
}

async fn faults<S: Controlled>(State(server): State<Arc<S>>) -> Response {
    Json(server.faults()).into_response()
}

async fn set_faults<S: Controlled>(State(server): State<Arc<S>>, body: Bytes) -> Response {
    match Faults::from_json(&body) {
        Ok(faults) => {
            server.set_faults(faults.clone());
            Json(faults).into_response()
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error),
    }
}

async fn clock<S: Controlled>(State(server): State<Arc<S>>) -> Response {
    Json(json!({ "now": server.clock().now().to_string() })).into_response()
}

async fn move_clock<S: Controlled>(State(server): State<Arc<S>>, body: Bytes) -> Response {
    let wanted = serde_json::from_slice::<ClockMove>(&body).map_err(|error| error.to_string());
    match wanted.and_then(|wanted| server.clock().advance(&wanted)) {
        Ok(()) => clock(State(server)).await,
        Err(error) => refuse(StatusCode::BAD_REQUEST, &error),
    }
}

fn refuse(code: StatusCode, error: &str) -> Response {
    (code, Json(json!({ "error": error }))).into_response()
}

/// Which part of the ledger is wanted: all of it unless said otherwise.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    /// Entries whose ordinal is above this.
    after: Option<u64>,
    /// At most so many entries.
    limit: Option<u64>,
}

async fn ledger<S: Controlled>(State(server): State<Arc<S>>, Query(page): Query<Page>) -> Response {
    let rows = match server.rows() {
        Ok(rows) => rows,
        Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    let (sender, body) = Channel::new(4);
    tokio::spawn(async move {
        let mut listing = Listing { rows, sender };
        if let Err(error) = listing.send(page).await {
            // The reader sees a body that breaks off, never a ledger that looks complete.
            tracing::warn!(%error, "ledger not sent whole");
            listing.sender.abort(error);
        }
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::new(body)).into_response()
}

/// A ledger on its way out: a pass over the rows to see what became of each, then a pass to show them.
struct Listing {
    rows: RowReader,
    sender: Sender<Bytes, std::io::Error>,
}

impl Listing {
    async fn send(&mut self, page: Page) -> Result<(), std::io::Error> {
        let count = self.rows.rows_left();
        let mut marks = Marks::default();
        let mut batches = String::new();
        while let Some(rows) = self.next_rows().await? {
            rows.iter().for_each(|row| marks.note(row));
            rows.iter().filter_map(Batch::of).try_for_each(|batch| push(&mut batches, &batch))?;
        }
        self.rows.rewind(count)?;
        self.put("{\"entries\":[".to_owned()).await?;
        let mut left = page.limit.unwrap_or(u64::MAX);
        let mut is_first = true;
        while let Some(rows) = self.next_rows().await? {
            let mut text = String::new();
            let wanted = rows.iter().filter(|row| page.after.is_none_or(|after| row.ordinal > after));
            for entry in wanted.filter_map(|row| Entry::of(row, &marks)).take(usize::try_from(left).unwrap_or(usize::MAX)) {
                push(&mut text, &entry)?;
                left -= 1;
            }
            if !text.is_empty() {
                let comma = if std::mem::take(&mut is_first) { "" } else { "," };
                self.put(format!("{comma}{text}")).await?;
            }
        }
        self.put(format!("],\"batches\":[{batches}],\"rows\":{count}}}")).await
    }

    /// The next rows, with a breath for the host's own work on this thread.
    async fn next_rows(&mut self) -> Result<Option<Vec<Row>>, std::io::Error> {
        tokio::task::yield_now().await;
        let rows = self.rows.next_rows()?;
        Ok((!rows.is_empty()).then_some(rows))
    }

    async fn put(&mut self, text: String) -> Result<(), std::io::Error> {
        self.sender.send_data(Bytes::from(text)).await.map_err(std::io::Error::other)
    }
}

fn push(list: &mut String, item: &impl serde::Serialize) -> Result<(), std::io::Error> {
    if !list.is_empty() {
        list.push(',');
    }
    list.push_str(&serde_json::to_string(item)?);
    Ok(())
}
