//! Whether the switch should be given traffic.

use crate::links::LinkHandle;
use crate::switch::growing::Growing;
use crate::switch::history::History;
use persistence::journal::{Disk, OsDisk, Space, SpaceGauge};
use persistence::projection::State;
use protocol::id::Xid;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// What is looked at.
pub(crate) struct Vitals {
    pub(crate) draining: AtomicBool,
    pub(crate) journal_writable: Arc<AtomicBool>,
    pub(crate) space: SpaceGauge,
    pub(crate) journal_folder: PathBuf,
    pub(crate) history: History,
    pub(crate) projection: watch::Receiver<State>,
    pub(crate) links: Growing<LinkVitals>,
}

/// One link, looked at.
pub(crate) struct LinkVitals {
    pub(crate) processor: Xid,
    pub(crate) name: String,
    pub(crate) link: LinkHandle,
}

/// What was seen, as `/readyz` shows it.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// The switch is shutting down.
    pub draining: bool,
    /// The journal takes records.
    pub journal_writable: bool,
    /// The disk has room for new payments.
    pub disk_ample: bool,
    /// How the SQL home stands.
    pub projection: ProjectionState,
    /// How the links stand.
    pub links: Vec<LinkReadiness>,
}

/// How the SQL home stands. Payments go on without it; what must be read from it does not.
#[derive(Debug, Clone)]
pub struct ProjectionState {
    /// It takes records as they come.
    pub following: bool,
    /// Records that are durable and not in it yet.
    pub behind: u64,
    /// What is wrong, when it does not follow.
    pub error: Option<String>,
}

/// How one link stands.
#[derive(Debug, Clone)]
pub struct LinkReadiness {
    /// The processor.
    pub processor: Xid,
    /// Its name.
    pub name: String,
    /// Requests are taken.
    pub signed_on: bool,
}

impl Readiness {
    /// True when payments can be taken: the journal writes and at least one processor listens. Payments go on while SQL is away.
    pub fn is_ready(&self) -> bool {
        let reaches_a_processor = self.links.is_empty() || self.links.iter().any(|link| link.signed_on);
        !self.draining && self.journal_writable && self.disk_ample && reaches_a_processor
    }

    /// One word for all of it. Degraded: payments are taken, and what is kept in SQL only is not served.
    pub fn word(&self) -> &'static str {
        match (self.is_ready(), self.projection.following) {
            (false, _) => "unavailable",
            (true, false) => "degraded",
            (true, true) => "ready",
        }
    }
}

impl Vitals {
    /// A processor's link; none when it is configured no more.
    pub(crate) fn link(&self, processor: &Xid) -> Option<&LinkHandle> {
        self.links.iter().find(|link| link.processor == *processor).map(|link| &link.link)
    }

    /// Room on the journal's disk, bytes; `None` where it can't be told.
    pub(crate) fn disk_free_bytes(&self) -> Option<u64> {
        OsDisk::open_to_read(&self.journal_folder).free_bytes().ok()
    }

    pub(crate) fn readiness(&self) -> Readiness {
        let links = self.links.iter().map(|LinkVitals { processor, name, link }| LinkReadiness {
            processor: *processor,
            name: name.clone(),
            signed_on: link.state.is_signed_on(),
        });
        Readiness {
            draining: self.draining.load(Ordering::Acquire),
            journal_writable: self.journal_writable.load(Ordering::Acquire),
            disk_ample: self.space.get() == Space::Ample,
            projection: self.projection(),
            links: links.collect(),
        }
    }

    /// Waits until all links are signed on and the SQL home follows, `longest` at most: a switch that says it is ready should
    /// not decline its first payment for want of a connection that takes another millisecond.
    pub(crate) async fn first_sign_on(&self, longest: Duration) {
        let mut projection = self.projection.clone();
        let all = async {
            for link in self.links.iter() {
                link.link.state.signed_on().await;
            }
            drop(projection.wait_for(|state| *state == State::Following).await);
        };
        if timeout(longest, all).await.is_err() {
            tracing::warn!("not all processors have let us sign on yet: going on");
        }
    }

    fn projection(&self) -> ProjectionState {
        let error = match &*self.projection.borrow() {
            State::Following => None,
            State::Connecting => Some("connecting to the database".to_owned()),
            State::Degraded { error } | State::Refused { error } => Some(error.clone()),
            State::Stopped => Some("stopped".to_owned()),
        };
        ProjectionState { following: error.is_none(), behind: self.history.behind(), error }
    }
}
