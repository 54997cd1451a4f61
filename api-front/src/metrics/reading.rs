//! One reading of everything that the switch counts, taken at one moment.

use super::process::ProcessReading;
use super::tally::PROCESSORS_TOLD_APART;
use super::{Distribution, Outcomes, Stage};
use crate::links::meter::{self, Totals};
use crate::operator::{Standing, word_of};
use crate::switch::directory::{Processor, ProcessorKind};
use crate::switch::handle::{Readiness, Switch};
use protocol::calendar::Micros;
use protocol::id::Xid;
use switch_core::input::ProcessorState;

/// The switch at a moment.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The moment.
    pub at: Micros,
    /// Answers of all processors, and of payments that none was asked about.
    pub outcomes: Outcomes,
    /// Answers of payments that no processor was asked about.
    pub outcomes_of_none: Outcomes,
    /// How long each stage took, in the order of [`Stage::ALL`]; all shards together.
    pub stages: [Distribution; 4],
    /// The shards.
    pub shards: Vec<ShardReading>,
    /// The processors, in the order of the configuration.
    pub processors: Vec<ProcessorReading>,
    /// Commands under way.
    pub under_way: u32,
    /// Commands that may be.
    pub places: u32,
    /// Commands that were refused for want of room.
    pub refused: u64,
    /// LSN of the newest durable record.
    pub durable_lsn: u64,
    /// Whether traffic is taken, and what is wrong.
    pub readiness: Readiness,
    /// Room on the journal's disk, bytes, where it can be told.
    pub disk_free_bytes: Option<u64>,
    /// The process.
    pub process: ProcessReading,
}

/// A shard at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardReading {
    /// Commands that wait in front of it.
    pub waiting: usize,
    /// Commands that it has answered.
    pub answered: u64,
}

/// A processor at a moment.
#[derive(Debug, Clone)]
pub struct ProcessorReading {
    /// Its index in records.
    pub index: u16,
    /// The id in the APIs.
    pub id: Xid,
    /// Its name.
    pub name: String,
    /// What kind of host.
    pub kind: ProcessorKind,
    /// Which traffic it takes.
    pub state: ProcessorState,
    /// At least one connection is signed on.
    pub signed_on: bool,
    /// Connections that are.
    pub connections: u16,
    /// As the shards have it.
    pub standing: Standing,
    /// Answers of its payments.
    pub outcomes: Outcomes,
    /// What passed over its link since the start.
    pub totals: Totals,
    /// And in the last minute.
    pub last_minute: meter::Reading,
    /// Answers that belonged to no request, since the start.
    pub unmatched: u64,
}

impl ProcessorReading {
    /// How long the oldest reversal has waited, seconds; `None` when none waits.
    pub fn oldest_reversal_s(&self, now: Micros) -> Option<i64> {
        let oldest = self.standing.oldest_reversal_at;
        (!oldest.is_none()).then(|| (now.seconds() - oldest.seconds()).max(0))
    }

    /// The word for its state.
    pub fn state_word(&self) -> &'static str {
        word_of(self.state)
    }
}

impl Reading {
    /// Asks every shard how it has each processor, and reads the rest.
    pub async fn take(switch: &Switch) -> Reading {
        let mut processors = Vec::new();
        for processor in switch.processors().iter() {
            processors.push(read_processor(switch, processor).await);
        }
        let mut outcomes = Outcomes::default();
        (0..PROCESSORS_TOLD_APART).for_each(|index| outcomes.add(&outcomes_of(switch, index as u16)));
        let (gate, history) = (switch.gate(), switch.history());
        Reading {
            at: switch.now(),
            outcomes,
            outcomes_of_none: outcomes_of(switch, 0),
            stages: Stage::ALL.map(|stage| stage_of(switch, stage)),
            shards: shards(switch),
            processors,
            under_way: gate.taken(),
            places: gate.places_max(),
            refused: gate.refused(),
            durable_lsn: history.durable_lsn(),
            readiness: switch.readiness(),
            disk_free_bytes: switch.disk_free_bytes(),
            process: ProcessReading::now(),
        }
    }

    /// How long a stage took.
    pub fn stage(&self, stage: Stage) -> &Distribution {
        &self.stages[stage as usize]
    }

    /// How long processors took to answer, all of them together.
    pub fn processors_took(&self) -> Distribution {
        let mut all = Distribution::default();
        self.processors.iter().for_each(|processor| all.add(&processor.totals.waits));
        all
    }
}

fn shards(switch: &Switch) -> Vec<ShardReading> {
    let answered = switch.tallies().iter().map(|tally| tally.stage(Stage::Total).count());
    let waiting = switch.waiting().into_iter();
    waiting.zip(answered).map(|(waiting, answered)| ShardReading { waiting, answered }).collect()
}

fn stage_of(switch: &Switch, stage: Stage) -> Distribution {
    let mut all = Distribution::default();
    switch.tallies().iter().for_each(|tally| all.add(&tally.stage(stage)));
    all
}

fn outcomes_of(switch: &Switch, processor: u16) -> Outcomes {
    let mut all = Outcomes::default();
    switch.tallies().iter().for_each(|tally| all.add(&tally.outcomes(processor)));
    all
}

async fn read_processor(switch: &Switch, processor: &Processor) -> ProcessorReading {
    let operator = switch.operator();
    let steered = operator.processor(&processor.id);
    let state = match steered {
        Some(steered) => operator.processor_state(steered).await,
        None => ProcessorState::Draining,
    };
    let link = steered.and_then(|steered| steered.link.as_ref());
    ProcessorReading {
        index: processor.index,
        id: processor.id,
        name: processor.name.clone(),
        kind: processor.kind,
        state,
        signed_on: link.is_some_and(|link| link.state.is_signed_on()),
        connections: link.map_or(0, |link| link.state.connections()),
        standing: Standing::of(&switch.processor_reports(processor.index).await),
        outcomes: outcomes_of(switch, processor.index),
        totals: link.map(|link| link.meter.totals()).unwrap_or_default(),
        last_minute: link.map(|link| link.meter.read(switch.now())).unwrap_or_default(),
        unmatched: link.map_or(0, |link| link.meter.unmatched()),
    }
}
