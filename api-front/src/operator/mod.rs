//! What an operator changes while the switch runs.
//!
//! Lives here: the changes, how each is checked and put in force, what is in force after a start, and actions that change nothing in
//! force. Must not live here: HTTP and
//! JSON of answers (`rest::operator`), what rules and routes mean (switch-core).

pub mod actions;
mod added;
pub mod changes;
mod dry_run;
mod merchants;
mod processors;
mod sandbox_rules;
mod standing;
mod tables;
pub mod typed;

pub use added::Added;
pub use dry_run::{DRY_RUN_PAYMENTS, DRY_RUN_PAYMENTS_MAX, dry_run};
pub use merchants::{MerchantStanding, MerchantWish, Roster};
pub use processors::{SteeredProcessor, added_processors, word_of};
pub use sandbox_rules::SandboxRules;
pub use standing::{Standing, share_bp};
pub use tables::{Compiled, ConfiguredTables, TableKind};

use crate::links::LinkStarter;
use crate::returns::Collectors;
use crate::settlement::schedule::CutOvers;
use crate::switch::directory::ProcessorTable;
use crate::switch::door::Door;
use crate::switch::growing::Growing;
use crate::switch::readiness::LinkVitals;
use changes::{AS_CONFIGURED, Changes, Made, NotMade, Order};
use persistence::projection::StoredChange;
use persistence::sealing::Sealer;
use protocol::change::{Area, ChangedBy};
use protocol::id::Xid;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard, watch};

/// What an operator steers. Clones are the same.
#[derive(Clone)]
pub struct Steered {
    /// The shards' doors.
    pub doors: Vec<Door>,
    /// Processors, configured or remembered.
    pub processors: Growing<SteeredProcessor>,
    /// The same for everybody else.
    pub table: ProcessorTable,
    /// Links that are looked at for readiness.
    pub(crate) watched: Growing<LinkVitals>,
    /// What a processor that is added needs.
    pub starters: Starters,
    /// When processors cut over: the schedule of settlement follows it.
    pub cut_overs: watch::Sender<CutOvers>,
    /// Seals the secrets of a processor that is added.
    pub sealer: Arc<Sealer>,
    /// Rules and routes as configured.
    pub tables: ConfiguredTables,
    /// Merchants.
    pub roster: Roster,
}

/// Starts what works for a processor that is added. Clones are the same.
#[derive(Clone)]
pub struct Starters {
    /// Its link.
    pub links: LinkStarter,
    /// What brings its returns in, where it takes bank accounts.
    pub collectors: Collectors,
}

/// The switch, as its operator steers it.
pub struct Operator {
    changes: Changes,
    steered: Steered,
    /// One processor is added at a time.
    adding: Mutex<()>,
    /// One terminal is registered at a time: a number is in the world once, and what was said of it before stays.
    registering: Mutex<()>,
}

impl Operator {
    /// Puts in force again what was in force of the processors before the start; shards have begun with the tables and merchants.
    pub async fn start(changes: Changes, steered: Steered) -> Operator {
        let operator = Operator { changes, steered, adding: Mutex::new(()), registering: Mutex::new(()) };
        operator.restore_processors().await;
        operator
    }

    /// The changes.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Keeps others from registering a terminal meanwhile. Terminals are rows and no journaled changes: of a payment they decide
    /// only whether the terminal is asked, and the row is the one place that says so.
    pub async fn registering(&self) -> MutexGuard<'_, ()> {
        self.registering.lock().await
    }

    /// Takes a change back, if it is the newest of its thing: what was in force of its thing before it is in force again, as a change of its own.
    /// `changes` are all there were.
    pub async fn undo(&self, changes: &[StoredChange], id: &Xid, by: ChangedBy) -> Result<Made, NotMade> {
        let place = changes.iter().position(|change| change.id == *id).ok_or(NotMade::NoSuchChange)?;
        let (undone, text) = (&changes[place], before(changes, place));
        let order = Order::taking_back(by, undone.version);
        match undone.area {
            Area::Processor => {
                let processor = self.processor(&undone.subject).ok_or(NotMade::NoSuchChange)?;
                self.change_processor(processor, text, order).await
            }
            Area::Rules => self.change_table(TableKind::Rules, text, order).await,
            Area::Routes => self.change_table(TableKind::Routes, text, order).await,
            Area::Merchant => self.change_merchant(undone.subject, text, order).await,
            Area::Action => Err(NotMade::Action),
        }
    }
}

/// The text that was in force of a change's thing before it.
fn before(changes: &[StoredChange], place: usize) -> String {
    let undone = &changes[place];
    let is_of_it = |change: &&StoredChange| (change.area, change.subject) == (undone.area, undone.subject);
    let earlier = changes[..place].iter().rev().find(is_of_it);
    earlier.map_or_else(|| AS_CONFIGURED.to_owned(), |change| String::from_utf8_lossy(&change.text).into_owned())
}
