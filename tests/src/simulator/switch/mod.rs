//! One life of a whole switch: shards' desks, journal, links, front, projection and settlement, all of it the product's own,
//! on the world's clock and one thread.
//!
//! What threads and queues do in the product is here a task in the schedule: each hand-over is an event, and between any two
//! events the switch can die. Decisions are the product's; this folder only carries things from one part to the next.

mod archiving;
mod desks;
mod front;
mod home;
mod links;
mod returns;
mod scribe;
mod settling;
mod start;
mod steering;
mod stopping;
mod web_links;

pub use front::{Asked, Heard};
pub use home::{Found, Home, Reading};
pub use returns::feed_key;
pub use start::{NotStarted, rotten_start};
pub use steering::Steer;

use crate::simulator::check::Checks;
use crate::simulator::event::{Event, Life};
use crate::simulator::hosts::Reachable;
use crate::simulator::schedule::Lane;
use crate::simulator::setup::Setup;
use crate::simulator::stage::Stage;
use crate::simulator::web::{Asker, WebCame};
use crate::simulator::wires::Wires;
use api_front::switch::desk::Desk;
use api_front::switch::door::{CommandMessage, Return};
use api_front::switch::group::Group;
use api_front::switch::ids::Ids;
use api_front::switch::sensitive_table::SensitiveTable;
use front::Front;
use home::Past;
use links::Link;
use protocol::batch::Batch;
use protocol::calendar::Micros;
use protocol::frame::Durable;
use protocol::id::Xid;
use returns::Collector;
use scribe::Scribe;
use settling::Settling;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use steering::Steering;
use stopping::Stopping;
use tokio::sync::mpsc;
use web_links::{Waiting, WebLink};

/// Something that a part of the switch does next.
#[derive(Debug)]
pub enum Task {
    /// A command has reached its shard's queue.
    Command {
        /// The shard.
        shard: u16,
        /// The client's call.
        call: u64,
        /// The command.
        message: Box<CommandMessage>,
    },
    /// Something has come back to a shard.
    Give {
        /// The shard.
        shard: u16,
        /// What.
        returned: Box<Return>,
    },
    /// A shard's deadline.
    Tick {
        /// The shard.
        shard: u16,
    },
    /// The journal takes what waits.
    Commit,
    /// The journal's disk has synced these.
    Committed(Vec<(Group, Durable)>),
    /// The journal writes segments ahead.
    Prepare,
    /// A link looks into its queue.
    Orders {
        /// Which link.
        link: usize,
    },
    /// A link connects.
    Connect {
        /// Which link.
        link: usize,
    },
    /// A link's deadline.
    LinkTick {
        /// Which link.
        link: usize,
    },
    /// A link looks whether its host is there, to be asked by HTTP.
    Probe {
        /// Which link.
        link: usize,
    },
    /// A link that asks by HTTP looks into its queue.
    WebOrders {
        /// Which link.
        link: usize,
    },
    /// A link sends a request by HTTP.
    SendByWeb {
        /// Which link.
        link: usize,
        /// The request.
        waiting: Box<Waiting>,
    },
    /// Something came of a request by HTTP.
    Came {
        /// Who waits for it.
        asker: Asker,
        /// What.
        came: WebCame,
    },
    /// A collector asks for the feed of returned entries.
    Collect {
        /// Which collector.
        collector: usize,
    },
    /// Segments that nobody will read again leave the journal.
    Archive,
    /// The projection takes in what is durable.
    Follow,
    /// A reading of the past gives up.
    ReadingEnds,
    /// A reading of the past was made.
    Read(Found),
    /// A batch that is not complete yet is settled again.
    SettleAgain {
        /// The batch.
        batch: Xid,
    },
}

/// Why a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The process is gone.
    Killed,
    /// The power is gone.
    PowerLost,
    /// A write or sync has failed: the process ends itself.
    DiskFailed,
    /// It was stopped in order.
    Stopped,
}

/// Where a part works: what it shares with all others.
pub struct Scene<'a> {
    /// Time, chance, story.
    pub stage: &'a mut Stage,
    /// Connections.
    pub wires: &'a mut Wires,
    /// The SQL home.
    pub home: &'a Home,
    /// The checkers.
    pub checks: &'a mut Checks,
    /// Each processor's host.
    pub hosts: Vec<Reachable>,
}

/// What is beside a desk: its queues, and when it wakes.
#[derive(Default)]
struct Seat {
    commands: VecDeque<(u64, CommandMessage)>,
    /// Commands on their way to the queue.
    coming: usize,
    toward: Lane,
    back: Lane,
    ticks_at: Option<Micros>,
}

/// A living switch.
pub struct Switch {
    life: Life,
    /// Its clock is ahead of the world's by so much.
    ahead_us: i64,
    ids: Ids,
    sensitive: Arc<SensitiveTable>,
    journal_writable: Arc<AtomicBool>,
    desks: Vec<Desk>,
    seats: Vec<Seat>,
    scribe: Scribe,
    links: Vec<Link>,
    web_links: Vec<WebLink>,
    /// Requests by HTTP so far.
    web_requests: u64,
    collectors: Vec<Collector>,
    moved: mpsc::UnboundedReceiver<Batch>,
    past: Past,
    front: Front,
    settling: Settling,
    steering: Steering,
    stopping: Stopping,
    setup: Setup,
}

impl Switch {
    /// What the switch takes for now.
    pub fn now(&self, stage: &Stage) -> Micros {
        Micros(stage.now().0 + self.ahead_us)
    }

    /// When the world will be where this clock shows that moment.
    fn in_the_world(&self, moment: Micros) -> Micros {
        Micros(moment.0.saturating_sub(self.ahead_us))
    }

    /// Its desks.
    pub fn desks(&self) -> &[Desk] {
        &self.desks
    }

    /// This life.
    pub fn life(&self) -> Life {
        self.life
    }

    /// Its journal has refused: it decides nothing more.
    pub fn has_failed(&self) -> bool {
        !self.journal_writable.load(Ordering::Acquire)
    }

    /// Values in the table of sensitive data.
    pub fn sensitive_left(&self) -> u32 {
        self.sensitive.count()
    }

    /// Its clock jumps. What waits for a moment is planned anew.
    pub fn jump(&mut self, stage: &mut Stage, by_us: i64) {
        self.ahead_us += by_us;
        for shard in 0..self.desks.len() as u16 {
            self.seats[usize::from(shard)].ticks_at = None;
            self.plan_tick(stage, shard);
        }
        for link in 0..self.links.len() {
            self.plan_link_tick(stage, link);
        }
    }

    /// Does what it had planned.
    pub fn perform(&mut self, scene: &mut Scene<'_>, task: Task) -> Result<(), Death> {
        match task {
            Task::Command { shard, call, message } => self.command_came(scene, shard, call, *message),
            Task::Give { shard, returned } => self.give_now(scene, shard, *returned)?,
            Task::Tick { shard } => self.tick(scene, shard),
            Task::Commit => self.commit(scene)?,
            Task::Committed(groups) => self.committed(scene, groups),
            Task::Prepare => self.prepare(scene)?,
            Task::Orders { link } => self.take_orders(scene, link),
            Task::Connect { link } => self.connect(scene, link),
            Task::LinkTick { link } => self.link_tick(scene, link),
            Task::Probe { link } => self.probe(scene, link),
            Task::WebOrders { link } => self.take_web_orders(scene, link),
            Task::SendByWeb { link, waiting } => self.send_by_web(scene, link, *waiting),
            Task::Came { asker, came } => self.web_came(scene, asker, came),
            Task::Collect { collector } => self.collect(scene, collector),
            Task::Archive => self.archive(scene)?,
            Task::Follow => self.follow(scene),
            Task::ReadingEnds => self.end_readings(scene),
            Task::Read(found) => self.found(scene, found),
            Task::SettleAgain { batch } => self.settle_again(scene, batch),
        }
        self.look_after_stop(scene.stage)
    }

    fn plan(&self, stage: &mut Stage, wait_us: u64, task: Task) {
        stage.after(wait_us, Event::Switch(self.life, task));
    }

    fn plan_at(&self, stage: &mut Stage, moment: Micros, task: Task) {
        stage.schedule.at(moment, Event::Switch(self.life, task));
    }
}
