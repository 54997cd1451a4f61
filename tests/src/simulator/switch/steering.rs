//! The operator at work: the product's own changes, one after the other. Their futures run when the world lets them, and what is put in
//! force comes out of the doors that they were given, onto the way to the shards.

use super::{Scene, Switch};
use crate::simulator::setup::Setup;
use crate::simulator::stage::Stage;
use crate::simulator::texts;
use api_front::operator::changes::{Changes, Made, NotMade, Order, PutInForce, Thing};
use api_front::operator::{Compiled, ConfiguredTables, TableKind, word_of};
use api_front::switch::clock::Clock;
use api_front::switch::door::{Door, Inside, Return, Told};
use api_front::switch::ids::Ids;
use persistence::projection::StoredChange;
use protocol::calendar::Micros;
use protocol::change::{Area, ChangedBy};
use protocol::id::Xid;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use switch_core::input::{ProcessorState, ProcessorTerms};
use switch_core::routing::Breaker;
use switch_core::{routing, rules, shard_of};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};

/// Rounds in which futures that wait for nothing outside come to rest.
const ROUNDS: u32 = 8;
/// Of the ids of changes.
const OPERATOR: [u8; 5] = *b"oper.";

/// What an operator does.
#[derive(Debug, Clone)]
pub enum Steer {
    /// Puts a table of rules in the place of the one in force.
    Rules(String),
    /// The same with routes.
    Routes(String),
    /// Drains, disables or enables a processor.
    Processor(u16, ProcessorState),
}

/// The operator's changes, the doors at which they knock, and what is under way.
pub(super) struct Steering {
    changes: Arc<Changes>,
    doors: Vec<Door>,
    insides: Vec<Inside>,
    making: Vec<JoinHandle<Result<Made, NotMade>>>,
    taking_over: Vec<(u16, oneshot::Receiver<Told>)>,
}

impl Steering {
    /// Behind all changes so far.
    pub(super) fn of(stored: Vec<StoredChange>, shards: u16, now: Micros) -> Steering {
        let (doors, insides): (Vec<Door>, Vec<Inside>) = (0..shards).map(|_| Door::new(1)).unzip();
        let ids = Arc::new(Ids::new(OPERATOR, now));
        let (clock, writable) = (Clock::start_after(Micros::NONE), Arc::new(AtomicBool::new(true)));
        let changes = Arc::new(Changes::new(stored, doors[0].clone(), ids, clock, writable));
        Steering { changes, doors, insides, making: Vec::new(), taking_over: Vec::new() }
    }

    /// The tables that shards begin with.
    pub(super) fn tables(&self, runtime: &Runtime, setup: &Setup) -> Vec<Compiled> {
        let configured = ConfiguredTables::default();
        let tables = runtime.block_on(configured.in_force(&self.changes, |id| setup.processor_index(id)));
        tables.unwrap_or_else(|error| panic!("I2: a table that was in force is refused: {error}"))
    }

    /// What has come to the doors.
    fn knocked(&self) -> Vec<(u16, Return)> {
        let doors = self.insides.iter().zip(0..);
        doors.flat_map(|(inside, shard)| inside.returns.try_iter().map(move |returned| (shard, returned))).collect()
    }
}

impl Switch {
    /// The operator begins a change.
    pub fn steer(&mut self, scene: &mut Scene<'_>, steer: Steer) {
        scene.stage.tell(format_args!("the operator asks for {steer:?}"));
        let (changes, doors, setup) = (Arc::clone(&self.steering.changes), self.steering.doors.clone(), self.setup.clone());
        let (thing, text) = match &steer {
            Steer::Rules(text) => (TableKind::Rules.thing(), text.clone()),
            Steer::Routes(text) => (TableKind::Routes.thing(), text.clone()),
            Steer::Processor(index, state) => (of_processor(&setup, *index), format!("{{\"state\":\"{}\"}}", word_of(*state))),
        };
        let check = move |version| Ok(put_in_force(steer, version, &setup, doors));
        let making =
            scene.home.runtime.spawn(async move { changes.make(thing, text, Order::of(ChangedBy::OPERATOR_KEY), check).await });
        self.steering.making.push(making);
        self.look_after_operator(scene);
    }

    /// The operator takes a reversal over: it has seen to it that the processor holds nothing of the transaction.
    pub fn take_over(&mut self, stage: &mut Stage, merchant: Xid, transaction: Xid) {
        let shard = shard_of(merchant, self.setup.shards);
        let (reply, told) = oneshot::channel();
        self.give(stage, shard, Return::TakeOver { transaction, reply });
        self.steering.taking_over.push((shard, told));
    }

    /// What the operator waits for may have come.
    pub(super) fn look_after_operator(&mut self, scene: &mut Scene<'_>) {
        self.steering.taking_over.retain_mut(|(shard, told)| match told.try_recv() {
            Ok(told) => {
                scene.checks.taken_over(*shard, &told);
                false
            }
            Err(error) => error == oneshot::error::TryRecvError::Empty,
        });
        if self.steering.making.is_empty() {
            return;
        }
        for _ in 0..ROUNDS {
            scene.home.runtime.block_on(yield_now());
        }
        for (shard, returned) in self.steering.knocked() {
            self.give(scene.stage, shard, returned);
        }
        self.steering.making.retain(|making| !making.is_finished());
    }

    /// What the operator had said of processors is in force again before the first command.
    pub(super) fn restore_processors(&mut self, scene: &mut Scene<'_>) {
        let now = self.now(scene.stage);
        for terms in self.setup.processors.clone() {
            let thing = of_processor(&self.setup, terms.index);
            let in_force = scene.home.runtime.block_on(self.steering.changes.in_force(thing));
            if in_force.version == 0 {
                continue;
            }
            let terms = ProcessorTerms { state: texts::state(in_force.text.as_bytes()), ..terms };
            for shard in 0..self.setup.shards {
                scene.checks.take_return(&mut self.desks[usize::from(shard)], shard, now, Return::Processor(terms));
            }
        }
        scene.checks.steered();
    }
}

fn of_processor(setup: &Setup, index: u16) -> Thing {
    Thing { area: Area::Processor, subject: setup.processor_id(index) }
}

/// How a change is put in force, once it is durable: every shard is told.
fn put_in_force(steer: Steer, version: u32, setup: &Setup, doors: Vec<Door>) -> PutInForce {
    let returned: Box<dyn Fn() -> Return + Send> = match steer {
        Steer::Rules(text) => {
            let table = Arc::new(rules::Table::compile(version, &texts::rules(text.as_bytes())).expect("a table that was drawn"));
            Box::new(move || Return::Rules(Arc::clone(&table)))
        }
        Steer::Routes(text) => {
            let (routes, index_of) = (texts::routes(text.as_bytes()), |id: &str| setup.processor_index(&id.parse().ok()?));
            let table = routing::Table::compile(version, &routes, Breaker::default(), index_of);
            let table = Arc::new(table.expect("a table that was drawn"));
            Box::new(move || Return::Routes(Arc::clone(&table)))
        }
        Steer::Processor(index, state) => {
            let terms = setup.processors.iter().find(|terms| terms.index == index).expect("a processor of this life");
            let terms = ProcessorTerms { state, ..*terms };
            Box::new(move || Return::Processor(terms))
        }
    };
    Box::new(move || {
        for door in doors {
            door.give(returned());
        }
    })
}
