//! Requests by HTTP between the switch and hosts: each has a connection of its own, and one end.

use crate::simulator::event::{Event, Life};
use crate::simulator::stage::Stage;
use crate::simulator::switch::Task;
use std::fmt;

/// A request on its way.
#[derive(Clone)]
pub struct WebRequest {
    /// `GET`, `POST`.
    pub method: &'static str,
    /// Path, from the `/` on.
    pub path: String,
    /// What follows the `?`; empty when nothing does.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
}

impl WebRequest {
    /// To a path that may have a query.
    pub fn to(method: &'static str, path: &str, body: Vec<u8>) -> WebRequest {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        WebRequest { method, path: path.to_owned(), query: query.to_owned(), body }
    }

    /// As a host takes it.
    pub fn asked(&self) -> sandbox::web::Asked<'_> {
        sandbox::web::Asked { method: self.method, path: &self.path, query: &self.query, body: &self.body }
    }
}

impl fmt::Debug for WebRequest {
    /// A body is not shown: it holds what is sealed elsewhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebRequest").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

/// Which part of the switch asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A link's traffic.
    Link(usize),
    /// The collector of returned entries.
    Collector(usize),
}

/// Who waits for the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Life of the switch.
    pub life: Life,
    /// Which part of it.
    pub part: Part,
    /// Number of the request within that life.
    pub number: u64,
}

/// What came of a request.
#[derive(Debug)]
pub enum WebCame {
    /// An answer: status and body.
    Answer(u16, Vec<u8>),
    /// No connection could be made.
    NotSent,
    /// The connection broke, or nothing came in time.
    Lost,
}

/// Tells whoever asked, after a while.
pub fn tell(stage: &mut Stage, asker: Asker, after_us: u64, came: WebCame) {
    stage.after(after_us, Event::Switch(asker.life, Task::Came { asker, came }));
}
